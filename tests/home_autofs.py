#!/usr/bin/python3
"""usage: home_autofs.py DIR COMMAND...: an automounter for one direct mount.

Puts a trigger on DIR, has `ls DIR` run by a process of another group, and when that comes to the
trigger runs COMMAND, as systemd does for a .automount unit: in the automounter's own process group,
which alone may pass. Prints what ls says. The protocol: Documentation/filesystems/autofs.rst.
"""

import ctypes
import fcntl
import os
import struct
import subprocess
import sys

READY, FAIL = 0x9360, 0x9361
PACKET = "=iiIIQIIIII"  # version, type, token, device, inode, uid, gid, pid, tgid, length of name
PACKET_SIZE = 304

directory, command = sys.argv[1], sys.argv[2:]
os.setpgrp()
libc = ctypes.CDLL(None, use_errno=True)
receive, send = os.pipe()
options = "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct" % (send, os.getpgrp())
if libc.mount(b"tests", directory.encode(), b"autofs", 0, options.encode()):
    sys.exit("autofs: " + os.strerror(ctypes.get_errno()))
control = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)

asker = subprocess.Popen(["ls", directory], start_new_session=True)
token = struct.unpack_from(PACKET, os.read(receive, PACKET_SIZE))[2]
try:
    mounted = subprocess.run(command, timeout=20).returncode == 0
except subprocess.TimeoutExpired:
    mounted = False
    print("the command that mounts waits for itself")
fcntl.ioctl(control, READY if mounted else FAIL, token)
status = asker.wait(timeout=20)
os.close(control)
subprocess.run(["umount", "-l", directory])
subprocess.run(["umount", "-l", directory])
sys.exit(status)
