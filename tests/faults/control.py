"""The page that inject.so and the sweep share: see inject.h."""

import ctypes
import errno
import mmap
import os

GROUPS = (
    "none open read write sync truncate stat mmap lock unlink rename access close descriptor file"
    " connect send receive poll fuse_read fuse_write mount alloc thread step prepare bind exec"
).split()

SHORT = -1
# Result codes of SQLite, which are the faults of the groups that are calls of SQLite.
SQLITE = {"BUSY": 5, "NOMEM": 7, "INTERRUPT": 9, "IOERR": 10, "CORRUPT": 11, "FULL": 13}

# How a call of each group fails.
FAULTS = {
    "open": "EIO ENOSPC ENOMEM EMFILE EINTR",
    "read": "EIO EINTR SHORT",
    "write": "EIO ENOSPC EINTR SHORT",
    "sync": "EIO ENOSPC",
    "truncate": "EIO ENOSPC",
    "stat": "EIO ENOMEM",
    "mmap": "ENOMEM",
    "lock": "EIO ENOLCK EINTR",
    "unlink": "EIO",
    "rename": "EIO ENOSPC",
    "access": "EIO ENOMEM",
    "close": "EIO",
    "descriptor": "EMFILE ENOMEM",
    "file": "EIO ENOMEM",
    "connect": "ENOMEM ECONNREFUSED EINTR",
    "send": "EIO ECONNRESET EINTR SHORT",
    "receive": "EIO ECONNRESET EINTR SHORT",
    "poll": "EINTR ENOMEM",
    "fuse_read": "EINTR ENOMEM",
    "fuse_write": "ENOMEM",
    "mount": "EIO ENOMEM",
    "alloc": "ENOMEM",
    "thread": "EAGAIN",
    "step": "IOERR FULL NOMEM CORRUPT INTERRUPT BUSY",
    "prepare": "IOERR NOMEM CORRUPT",
    "bind": "NOMEM",
    "exec": "IOERR FULL NOMEM BUSY",
}


def fault_number(name):
    if name == "SHORT":
        return SHORT
    return SQLITE[name] if name in SQLITE else getattr(errno, name)


class Page(ctypes.Structure):
    _fields_ = [
        ("armed", ctypes.c_uint32),
        ("group", ctypes.c_uint32),
        ("nth", ctypes.c_uint32),
        ("fault", ctypes.c_int32),
        ("fired", ctypes.c_uint32),
        ("call", ctypes.c_uint32),
        ("place", ctypes.c_uint64),
        ("counts", ctypes.c_uint32 * len(GROUPS)),
    ]


class Control:
    """One program under test at a time."""

    def __init__(self, path, library):
        self.path = path
        self.library = library
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(fd, mmap.PAGESIZE)
        self.memory = mmap.mmap(fd, mmap.PAGESIZE)
        os.close(fd)
        self.page = Page.from_buffer(self.memory)

    def environment(self, program):
        return {
            **os.environ,
            "LD_PRELOAD": self.library,
            "INJECT_CONTROL": self.path,
            "INJECT_PROGRAM": os.path.realpath(program),
        }

    def set(self, group="none", nth=0, fault="EIO"):
        """From arm() on, the nth call of the group fails. Without arguments calls are only counted."""
        page = self.page
        page.armed = 0
        page.group = GROUPS.index(group)
        page.nth = nth
        page.fault = fault_number(fault)
        page.fired = page.call = page.place = 0
        for i in range(len(GROUPS)):
            page.counts[i] = 0

    def arm(self):
        self.page.armed = 1

    def disarm(self):
        self.page.armed = 0

    def fired(self):
        return self.page.fired > 0

    def counts(self):
        return {name: self.page.counts[i] for i, name in enumerate(GROUPS) if self.page.counts[i]}
