#!/usr/bin/python3
"""usage: home_filter.py UNIT COMMAND...: runs COMMAND under what UNIT says of system calls.

As systemd does it, which is not what runs this machine: SystemCallFilter= with SystemCallErrorNumber=,
RestrictAddressFamilies=, RestrictNamespaces=, NoNewPrivileges=, MemoryDenyWriteExecute= (where the kernel knows
it by itself), UMask= and LimitCORE=.
"""

import ctypes
import errno
import os
import platform
import re
import resource
import socket
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

from home_syscalls import allowed, values  # pylint: disable=wrong-import-position

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
AT_NUMBER, AT_ARCHITECTURE, AT_ARGUMENT = 0, 4, 16
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 22, 38, 65


def step(code, value, if_so=0, if_not=0):
    """One instruction; a comparison leaves out so many of the next."""
    return struct.pack("<HBBI", code, if_so, if_not, value)


def numbers():
    """The numbers of the system calls by their names."""
    shown = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                           capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", shown, re.M)}


def program(unit):
    """The filter, as the kernel takes it."""
    known = numbers()
    families = [int(getattr(socket, word)) for word in values(unit, "RestrictAddressFamilies")[0].split()]
    refusal = FAIL | getattr(errno, values(unit, "SystemCallErrorNumber")[0])
    steps = [step(LOAD, AT_ARCHITECTURE), step(EQUAL, ARCHITECTURES[platform.machine()], if_so=1),
             step(RETURN, KILL), step(LOAD, AT_NUMBER)]
    calls = allowed(unit)
    if values(unit, "RestrictNamespaces") == ["yes"]:
        calls -= {"unshare", "setns"}
        # Its flags cannot be looked at: the C library takes clone() then.
        steps += [step(EQUAL, known["clone3"], if_not=1), step(RETURN, FAIL | errno.ENOSYS)]
    steps += [step(EQUAL, known["socket"], if_not=2 * len(families) + 2), step(LOAD, AT_ARGUMENT)]
    for family in families:
        steps += [step(EQUAL, family, if_not=1), step(RETURN, ALLOW)]
    steps.append(step(RETURN, FAIL | errno.EAFNOSUPPORT))
    for call in sorted(calls & set(known)):
        steps += [step(EQUAL, known[call], if_not=1), step(RETURN, ALLOW)]
    return steps + [step(RETURN, refusal)]


def main(unit, *command):
    """Becomes COMMAND."""
    kernel = ctypes.CDLL(None, use_errno=True)
    steps = program(unit)
    text = ctypes.create_string_buffer(b"".join(steps))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(text)))
    os.umask(int(values(unit, "UMask")[0], 8))
    limit = int(values(unit, "LimitCORE")[0])
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    if values(unit, "MemoryDenyWriteExecute") == ["yes"]:
        kernel.prctl(PR_SET_MDWE, 1, 0, 0, 0)
    if kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or kernel.prctl(PR_SET_SECCOMP, 2, head):
        sys.exit(f"home_filter.py: the kernel takes no filter: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
