"""The page that inject.so and the sweep share: see inject.h."""

import collections
import ctypes
import errno
import mmap
import os
import struct

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


class Point(collections.namedtuple("Point", "group path nth fault")):
    """One call that fails: the nth of those that a group makes by a path, or by any where that is 0."""

    def __str__(self):
        return "--group %s --path %x --nth %d --fault %s" % self


NOTHING = Point("none", 0, 0, "EIO")


class Frame(ctypes.Structure):
    _fields_ = [
        ("offset", ctypes.c_uint64),
        ("module", ctypes.c_char * 88),
    ]


class Place(ctypes.Structure):
    _fields_ = [
        ("path", ctypes.c_uint64),
        ("group", ctypes.c_uint32),
        ("calls", ctypes.c_uint32),
    ]


class Page(ctypes.Structure):
    _fields_ = [
        ("armed", ctypes.c_uint32),
        ("group", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("near", ctypes.c_uint32),
        ("nth", ctypes.c_uint32),
        ("fault", ctypes.c_int32),
        ("met", ctypes.c_uint32),
        ("fired", ctypes.c_uint32),
        ("call", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
        ("frames", Frame * 96),
        ("overflow", ctypes.c_uint32),
        ("places", Place * (1 << 16)),
    ]


class Control:
    """One program under test at a time."""

    def __init__(self, path, library, near):
        self.path = path
        self.library = library
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(fd, ctypes.sizeof(Page))
        self.memory = mmap.mmap(fd, ctypes.sizeof(Page))
        os.close(fd)
        self.page = Page.from_buffer(self.memory)
        self.page.near = near

    def environment(self, program):
        return {
            **os.environ,
            "LD_PRELOAD": self.library,
            "INJECT_CONTROL": self.path,
            "INJECT_PROGRAM": os.path.realpath(program),
        }

    def set(self, point=NOTHING):
        """From arm() on this call fails. Without one calls are only counted."""
        page = self.page
        page.armed = 0
        page.group = GROUPS.index(point.group)
        page.path = point.path
        page.nth = point.nth
        page.fault = fault_number(point.fault)
        page.met = page.fired = page.call = page.length = page.overflow = 0
        if point == NOTHING:
            ctypes.memset(page.places, 0, ctypes.sizeof(page.places))

    def arm(self):
        self.page.armed = 1

    def disarm(self):
        self.page.armed = 0

    def fired(self):
        return self.page.fired > 0

    def counts(self):
        """{(group, path): calls}"""
        if self.page.overflow:
            raise RuntimeError("more places than inject.h has room for")
        return {(GROUPS[group], path): calls
                for path, group, calls in struct.iter_unpack("=QII", bytes(self.page.places)) if path}

    def frames(self, program):
        """Who made the call that failed, nearest first: (module, offset)."""
        return [(os.fsdecode(frame.module) or program, frame.offset)
                for frame in self.page.frames[:self.page.length]]


def most(all_counts):
    """Every place that was met in any of some runs, with the most calls of one."""
    union = collections.Counter()
    for counts in all_counts:
        union |= collections.Counter(counts)
    return dict(union)
