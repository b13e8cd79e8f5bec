#!/usr/bin/python3
"""usage: home_syscalls.py UNIT TRACE...: system calls in outputs of strace that UNIT does not allow.

One a line; the sets (@system-service and so on) are systemd's own.
"""

import re
import subprocess
import sys

# Every filter has these: systemd.exec(5).
ALWAYS = {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn", "clock_gettime",
          "gettimeofday", "time", "nanosleep", "clock_nanosleep"}


def values(unit, key):
    """What UNIT says of KEY, a value a line."""
    with open(unit, encoding="utf-8") as file:
        return [line.split("=", 1)[1].strip() for line in file if line.startswith(key + "=")]


def expand(word):
    """The calls of a set, or the call itself."""
    if not word.startswith("@"):
        return {word}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True,
                           check=True).stdout
    return set().union(*(expand(line.strip()) for line in shown.splitlines()[1:]
                         if line.strip() and not line.strip().startswith("#")))


def allowed(unit):
    """The calls that UNIT allows."""
    calls = set()
    for value in values(unit, "SystemCallFilter"):
        words = set().union(*map(expand, value.lstrip("~").split()))
        calls = calls - words if value.startswith("~") else calls | words
    assert len(calls) > 200, "the filter could not be read"
    return calls | ALWAYS


def main(unit, *traces):
    """Prints what is missing."""
    used = set()
    for path in traces:
        with open(path, encoding="utf-8", errors="replace") as file:
            used |= set(re.findall(r"^(?:\d+ +)?(\w+)\(", file.read(), re.M))
    assert "mount" in used, "the trace has no mount(2)"
    print("\n".join(sorted(used - allowed(unit))), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
