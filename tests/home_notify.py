#!/usr/bin/python3
"""usage: home_notify.py NAME FILE: is the other end of $NOTIFY_SOCKET.

NAME is a path, or @ and a name of the abstract namespace. Appends what it is told to FILE, a line for
each datagram, with " | " between its own lines. Ends when nobody is left who could tell it: with its
parent.
"""

import ctypes
import signal
import socket
import sys

ctypes.CDLL(None).prctl(1, signal.SIGTERM)
name = sys.argv[1]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear, open(sys.argv[2], "wb", 0) as out:
    ear.bind("\0" + name[1:] if name.startswith("@") else name)
    while True:
        out.write(ear.recv(65536).replace(b"\n", b" | ") + b"\n")
