#!/usr/bin/python3
"""usage: home_syscalls.py UNIT TRACE...: system calls in outputs of strace that UNIT does not allow.

One a line; the sets (@system-service and so on) are systemd's own.
"""

import re
import subprocess
import sys


def expand(word):
    if not word.startswith("@"):
        return {word}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True,
                           check=True).stdout
    return set().union(*(expand(line.strip()) for line in shown.splitlines()[1:]
                         if line.strip() and not line.strip().startswith("#")))


allowed = set()
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("SystemCallFilter="):
        value = line.split("=", 1)[1].strip()
        words = set().union(*map(expand, value.lstrip("~").split()))
        allowed = allowed - words if value.startswith("~") else allowed | words
assert len(allowed) > 200, "the filter could not be read"

used = set()
for path in sys.argv[2:]:
    used |= set(re.findall(r"^(?:\d+ +)?(\w+)\(", open(path, encoding="utf-8", errors="replace").read(), re.M))
assert "mount" in used, "the trace has no mount(2)"
# Every filter has these: systemd.exec(5).
used -= {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn", "clock_gettime",
         "gettimeofday", "time", "nanosleep", "clock_nanosleep"}
print("\n".join(sorted(used - allowed)), end="")
