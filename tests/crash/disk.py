"""What a disk may hold after a loss of power, by the record that record.c made.

What was recorded before an fsync began is on the disk once that has ended: of a file its bytes and its
size, of a directory the names in it. Of everything else any part may be there or not: a write may have
been torn into sectors, a name may be older or newer than what is in the file, and nothing keeps to the
order in which it was done, unless somebody waited for an fsync between."""

import os
import struct

HEADER = struct.Struct("<c3xIQq")
NOTE = b"A"  # something that the harness has to say: what was asked for, or answered


def note(descriptor, data):
    """Appends a note to a record that is being made."""
    record = HEADER.pack(NOTE, len(data), 0, 0) + data
    if os.write(descriptor, record) != len(record):
        raise OSError("the record is not whole")


def read_record(path):
    """The record as a list of (kind, file, offset, data)."""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    records = []
    at = 0
    while at < len(data):
        kind, size, number, offset = HEADER.unpack_from(data, at)
        at += HEADER.size
        records.append((kind, number, offset, data[at:at + size]))
        at += size
    return records


class File:
    """A file: what is safe, and what was done since."""

    def __init__(self):
        self.safe = bytearray()
        self.pending = []  # (position, offset, data or None for a new size)

    @staticmethod
    def apply(content, offset, data):
        if data is None:
            if offset < len(content):
                del content[offset:]
            content.extend(bytes(offset - len(content)))
            return
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset:offset + len(data)] = data

    def settle(self, position):
        """All that was done before POSITION is safe."""
        while self.pending and self.pending[0][0] < position:
            _, offset, data = self.pending.pop(0)
            self.apply(self.safe, offset, data)


class Disk:
    """The files of a directory while a record is played, one call after the other."""

    def __init__(self):
        self.position = 0
        self.files = {}        # by inode
        self.directories = {}  # inode: name
        self.names = {}        # as programs see them
        self.safe_names = {}
        self.pending_names = []  # (position, directory, [(name, File or None)])
        self.syncs = {}

    def play(self, record):
        kind, number, offset, data = record
        self.position += 1
        handler = self.HANDLERS.get(kind)
        if handler:
            handler(self, number, offset, data)

    def file(self, number):
        return self.files.setdefault(number, File())

    def rename(self, *changes):
        """(name, File or None) at once; a directory is a name of its own."""
        for name, file in changes:
            if file is None:
                self.names.pop(name, None)
            else:
                self.names[name] = file
        self.pending_names.append((self.position, os.path.dirname(changes[0][0]), changes))

    def on_directory(self, number, _, data):
        name = str(data, "utf-8")
        if name and name not in self.names:
            self.rename((name, File()))
        self.directories[number] = name

    def on_new(self, number, _offset, _data):
        self.files[number] = File()

    def on_create(self, number, _, data):
        name = str(data, "utf-8")
        if self.names.get(name) is not self.files.get(number, self):
            self.files[number] = File()
            self.rename((name, self.files[number]))

    def on_link(self, number, _, data):
        self.rename((str(data, "utf-8"), self.file(number)))

    def on_rename(self, _number, _offset, data):
        old, _, new = str(data, "utf-8").partition("\0")
        self.rename((new, self.names[old]), (old, None))

    def on_unlink(self, _number, _offset, data):
        self.rename((str(data, "utf-8"), None))

    def on_write(self, number, offset, data):
        self.file(number).pending.append((self.position, offset, data))

    def on_truncate(self, number, offset, _):
        self.file(number).pending.append((self.position, offset, None))

    def on_sync(self, number, offset, _):
        self.syncs[offset] = self.position

    def on_synced(self, number, offset, _):
        begun = self.syncs.pop(offset)
        if number not in self.directories:
            self.file(number).settle(begun)
            return
        where = self.directories[number]
        left = []
        for position, directory, changes in self.pending_names:
            if directory == where and position < begun:
                self.change(self.safe_names, changes)
            else:
                left.append((position, directory, changes))
        self.pending_names = left

    HANDLERS = {b"D": on_directory, b"N": on_new, b"C": on_create, b"L": on_link, b"R": on_rename,
                b"U": on_unlink, b"W": on_write, b"T": on_truncate, b"S": on_sync,
                b"F": on_synced}

    @staticmethod
    def change(names, changes):
        for name, file in changes:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file

    # --- what may be there after a loss of power ---

    def names_after(self, rng):
        """Names as they may be: the safe ones, and some of those since."""
        names = dict(self.safe_names)
        how = rng.randrange(4)
        kept = len(self.pending_names) if how == 0 else rng.randint(0, len(self.pending_names))
        for number, (_, _, changes) in enumerate(self.pending_names):
            if number < kept if how < 3 else rng.random() < 0.5:
                self.change(names, changes)
        return names

    def content_after(self, file, rng):
        """The content of FILE as it may be."""
        content = bytearray(file.safe)
        how = rng.randrange(5)  # nothing, all, the first of them, some, some sectors of some
        kept = rng.randint(0, len(file.pending))
        often = rng.choice((0.1, 0.5, 0.9))
        for number, (_, offset, data) in enumerate(file.pending):
            if how == 0 or (how == 2 and number > kept) or (how > 2 and rng.random() > often):
                continue
            if data is None or how == 1 or (how == 2 and number < kept) or how == 3:
                file.apply(content, offset, data)
            else:
                self.tear(content, offset, data, rng)
        return content

    @staticmethod
    def tear(content, offset, data, rng):
        """Some sectors of a write."""
        sector = rng.choice((512, 4096))
        end = offset + len(data)
        while offset < end:
            until = min(end, (offset // sector + 1) * sector)
            if rng.random() < 0.5:
                File.apply(content, offset, data[:until - offset])
            data = data[until - offset:]
            offset = until

    def write_after(self, place, rng):
        """Writes what may be there below PLACE."""
        names = self.names_after(rng)
        directories = set(self.directories.values())
        for name in sorted(names):
            path = os.path.join(place, name)
            if not os.path.isdir(os.path.dirname(path)):
                continue  # the directory itself is lost
            if name in directories:
                os.mkdir(path)
                continue
            with open(path, "wb") as file:
                file.write(self.content_after(names[name], rng))

    def now(self, name):
        """The content as programs see it."""
        content = bytearray(self.names[name].safe)
        for _, offset, data in self.names[name].pending:
            File.apply(content, offset, data)
        return content
