#!/usr/bin/python3
"""usage: home_syslog.py FILE: takes /dev/log, and writes what comes there into FILE, a line each."""

import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log, open(sys.argv[1], "wb", 0) as out:
    log.bind("/dev/log")
    while True:
        out.write(log.recv(65536) + b"\n")
