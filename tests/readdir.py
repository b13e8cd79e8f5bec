#!/usr/bin/python3
"""Reads directories as programs do, in small steps, and says what was wrong with what it got.

usage: readdir.py names DIR            every entry but . and .., in the order of the directory
       readdir.py inodes DIR           the whole tree below DIR: d_ino against st_ino, types, doubles
       readdir.py consume DIR KEEP     reads one entry, removes it, reads on, but leaves every KEEPth; a
                                       second reader scans the directory all the while
       readdir.py behind DIR COUNT     reads COUNT entries, removes them, has the directory read by
                                       another reader, reads on
       readdir.py steady DIR SCANS     scans, while another process makes and removes churn-N in DIR
       readdir.py seek DIR [VICTIM]    goes back to where it has been, in any order; then removes VICTIM
                                       and goes there once more
       readdir.py opened DIR VICTIM COMMAND...
                                       reads one entry, runs COMMAND, which removes VICTIM, reads on

The exit status is 0 if nothing was wrong; else 1, and stdout has a line for each thing.
"""

import ctypes
import itertools
import os
import random
import stat
import struct
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.getdents64.restype = ctypes.c_ssize_t

# Room for one entry with a name of at most 20 bytes, and never for two.
SMALL = 40
# What libc's readdir(3) takes at a time.
LARGE = 32768


class Directory:
    """A directory that is read STEP bytes at a time."""

    def __init__(self, path, step=LARGE):
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.buffer = ctypes.create_string_buffer(step)

    def step(self):
        """Some entries, as (inode, offset of the next, type, name); none at the end."""
        got = LIBC.getdents64(self.descriptor, self.buffer, len(self.buffer))
        if got < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        entries = []
        at = 0
        while at < got:
            inode, offset, length, kind = struct.unpack_from("=QqHB", self.buffer, at)
            name = self.buffer.raw[at + 19:at + length].split(b"\0", 1)[0]
            entries.append((inode, offset, kind, os.fsdecode(name)))
            at += length
        return entries

    def entries(self):
        while True:
            entries = self.step()
            if not entries:
                return
            yield from entries

    def names(self):
        return [entry[3] for entry in self.entries() if entry[3] not in (".", "..")]

    def seek(self, offset):
        os.lseek(self.descriptor, offset, os.SEEK_SET)

    def close(self):
        os.close(self.descriptor)


def scan(path, step=LARGE):
    directory = Directory(path, step)
    names = directory.names()
    directory.close()
    return names


def doubles(names):
    seen = set()
    return sorted({name for name in names if name in seen or seen.add(name)})


def compare(what, expected, names):
    """What is wrong with NAMES: each of EXPECTED has to be there once, and nothing twice."""
    faults = []
    missing = sorted(set(expected) - set(names))
    if missing:
        faults.append("%s: %d missed, as %s" % (what, len(missing), " ".join(missing[:5])))
    twice = doubles(names)
    if twice:
        faults.append("%s: %d seen twice, as %s" % (what, len(twice), " ".join(twice[:5])))
    return faults


class Other:
    """Another process, that runs WORK(stopped) until it is told to stop; its faults are lines."""

    def __init__(self, work):
        self.stop_read, self.stop_write = os.pipe()
        out_read, out_write = os.pipe()
        self.out = os.fdopen(out_read)
        self.pid = os.fork()
        if self.pid:
            os.close(out_write)
            return
        os.close(self.stop_write)
        os.set_blocking(self.stop_read, False)
        with os.fdopen(out_write, "w") as out:
            try:
                for fault in work(self.stopped):
                    out.write(fault + "\n")
            except OSError as err:
                out.write("the other process: %s\n" % err)
        os._exit(0)

    def stopped(self):
        try:
            return os.read(self.stop_read, 1) == b""
        except BlockingIOError:
            return False

    def end(self):
        os.close(self.stop_write)
        faults = self.out.read().splitlines()
        os.waitpid(self.pid, 0)
        return faults


def cmd_names(path):
    names = scan(path)
    for name in names:
        print(name)
    return compare("names", [], names)


def check_entry(path, entry):
    inode, _, kind, name = entry
    status = os.lstat(os.path.join(path, name))
    faults = []
    if inode != status.st_ino:
        faults.append("%s/%s: d_ino %d, st_ino %d" % (path, name, inode, status.st_ino))
    if kind not in (0, stat.S_IFMT(status.st_mode) >> 12):
        faults.append("%s/%s: d_type %d, st_mode %o" % (path, name, kind, status.st_mode))
    return faults


def cmd_inodes(root):
    faults = []
    where = {}
    pending = [root]
    while pending:
        path = pending.pop()
        directory = Directory(path)
        entries = list(directory.entries())
        directory.close()
        names = [entry[3] for entry in entries]
        if names[:2] != [".", ".."]:
            faults.append("%s: begins with %s" % (path, " ".join(names[:2])))
        faults += compare(path, [".", ".."], names)
        for entry in entries:
            # What is above the root of a mount is another file system's.
            if entry[3] == ".." and path == root:
                continue
            faults += check_entry(path, entry)
            if entry[3] in (".", ".."):
                continue
            full = os.path.join(path, entry[3])
            if entry[0] in where:
                faults.append("%s: inode %d is also %s" % (full, entry[0], where[entry[0]]))
            where[entry[0]] = full
            if stat.S_ISDIR(os.lstat(full).st_mode):
                pending.append(full)
    print("%d entries" % len(where), file=sys.stderr)
    return faults


def cmd_consume(path, keep):
    keep = int(keep)
    before = scan(path)

    def watch(stopped):
        """What is not removed has to be in every scan, once."""
        kept = {name for index, name in enumerate(before) if index % keep == keep - 1}
        for number in itertools.count(1):
            done = stopped()
            for step in (LARGE, 512):
                faults = compare("second reader, scan %d" % number, kept, scan(path, step))
                if faults:
                    return faults
            if done:
                return []

    # The order of a listing is the order of its second one, or KEEP would mean others there.
    if scan(path) != before:
        return ["two listings in a row differ in their order"]
    other = Other(watch)
    directory = Directory(path, SMALL)
    seen = []
    for entry in directory.entries():
        if entry[3] in (".", ".."):
            continue
        seen.append(entry[3])
        if len(seen) % keep:
            os.unlink(os.path.join(path, entry[3]))
    faults = compare("reader", before, seen)
    faults += other.end()
    kept = [name for index, name in enumerate(before) if index % keep == keep - 1]
    faults += compare("afterwards", kept, scan(path))
    if len(scan(path)) != len(kept):
        faults.append("afterwards: %d entries, not %d" % (len(scan(path)), len(kept)))
    return faults


def cmd_behind(path, count):
    before = scan(path)
    directory = Directory(path, SMALL)
    seen = []
    while len(seen) < int(count):
        seen += [entry[3] for entry in directory.step() if entry[3] not in (".", "..")]
    for name in seen:
        os.unlink(os.path.join(path, name))
    rest = [name for name in before if name not in seen]
    faults = compare("another reader", rest, scan(path))
    return faults + compare("the reader", before, seen + directory.names())


def cmd_steady(path, scans):
    before = [name for name in scan(path) if not name.startswith("churn-")]

    def churn(stopped):
        made = []
        for number in itertools.count():
            if stopped():
                break
            name = os.path.join(path, "churn-%d" % (number % 50))
            if name in made:
                os.unlink(name)
                made.remove(name)
            else:
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
                made.append(name)
        for name in made:
            os.unlink(name)
        return []

    other = Other(churn)
    faults = []
    churns = []
    end = time.monotonic() + 60
    # Until enough scans have met the other process's names, and they were not the same ones.
    while len(churns) < int(scans) or len(set(churns)) < 3:
        for step in (SMALL, 256, LARGE):
            names = scan(path, step)
            faults += compare("scan in steps of %d" % step, before, names)
            churned = tuple(name for name in names if name.startswith("churn-"))
            if churned:
                churns.append(churned)
        if time.monotonic() > end:
            faults.append("only %d scans met the other process's names" % len(churns))
        if faults:
            break
    return faults + other.end()


def cmd_seek(path, victim=None):
    directory = Directory(path, SMALL)
    entries = list(directory.entries())
    faults = []
    places = list(range(len(entries) - 1))
    random.Random(1).shuffle(places)
    for gone in (None, victim) if victim else (None,):
        if gone:
            os.unlink(os.path.join(path, gone))
        for place in places:
            # Right after the victim: the offset outlives what it came from.
            rest = [entry[3] for entry in entries[place + 1:] if entry[3] != gone]
            directory.seek(entries[place][1])
            got = directory.step()
            if [entry[3] for entry in got[:1]] != rest[:1]:
                faults.append("after %s: %s, not %s" % (entries[place][3], got[:1], rest[:1]))
    directory.seek(0)
    if [entry[3] for entry in directory.entries() if entry[3] != victim] != [
            entry[3] for entry in entries if entry[3] != victim]:
        faults.append("rewound: another listing")
    return faults


def cmd_opened(path, victim, *command):
    before = scan(path)
    directory = Directory(path, SMALL)
    seen = [entry[3] for entry in directory.step()]
    subprocess.run(command, check=True)
    seen += directory.names()
    names = [name for name in seen if name not in (".", "..")]
    faults = compare("the listing that was open", set(before) - {victim}, names)
    directory.seek(0)
    rewound = directory.names()
    faults += compare("rewound", set(before) - {victim}, rewound)
    if victim in rewound:
        faults.append("rewound: still shows %s" % victim)
    return faults


COMMANDS = {
    "names": cmd_names,
    "inodes": cmd_inodes,
    "consume": cmd_consume,
    "behind": cmd_behind,
    "steady": cmd_steady,
    "seek": cmd_seek,
    "opened": cmd_opened,
}


def main(args):
    if len(args) < 2 or args[0] not in COMMANDS:
        sys.stderr.write(__doc__)
        return 2
    faults = COMMANDS[args[0]](*args[1:])
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
