"""Losing power: what was asked for and answered while a record was made, and what may then be there."""

import json
import os
import shutil
import tempfile
import threading

import disk
import support
from history import Change
from support import Fault, require


class Recorded:
    """A directory whose files are recorded, and what is said to it."""

    def __init__(self, place, recorder):
        self.directory = os.path.join(place, "disk")
        self.path = os.path.join(place, "record")
        os.mkdir(self.directory)
        with open(self.path, "xb"):
            pass
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.environment = {"LD_PRELOAD": recorder, "CRASH_RECORD_DIR": self.directory,
                            "CRASH_RECORD_LOG": self.path}
        self.count = 0
        self.lock = threading.Lock()

    def note(self, **words):
        disk.note(self.descriptor, json.dumps(words).encode())

    def change(self, do, *keys):
        """Does something that makes each of KEYS be there or not: (there, *key). What fails with an
        OSError is no change."""
        with self.lock:
            self.count += 1
            number = self.count
        self.note(begun=number, keys=keys)
        try:
            do()
        except OSError as error:
            self.note(ended=number, failed=error.errno)
            return
        self.note(ended=number, failed=0)

    def imgshare(self, *arguments, data=None):
        support.run(support.IMGSHARE, *arguments, data=data, environment=self.environment)

    def named(self, name):
        return os.path.join(self.directory, name)


class Expectation:
    """What was asked for and answered up to some point of the record."""

    def __init__(self):
        self.changes = {}  # by key: [Change]
        self.running = {}
        self.acknowledged = 0

    def note(self, position, words):
        if "begun" in words:
            self.running[words["begun"]] = []
            for there, *key in words["keys"]:
                change = Change(position, None, there)
                self.changes.setdefault(tuple(key), []).append(change)
                self.running[words["begun"]].append((tuple(key), change))
            return
        for key, change in self.running.pop(words["ended"]):
            if words["failed"]:
                self.changes[key].remove(change)
            else:
                change.ended = position
                self.shorten(key)
        self.acknowledged += not words["failed"]

    def shorten(self, key):
        """Forgets what cannot be the last any more."""
        latest = max(change.begun for change in self.changes[key] if change.ended is not None)
        self.changes[key] = [change for change in self.changes[key]
                             if change.ended is None or change.ended >= latest]


def choose_cuts(records, states, rng):
    """Where the power is lost: anywhere, after an answer, and around what is seldom done."""
    seldom = [number for number, (kind, _, _, data) in enumerate(records)
              if kind in b"CLRUTNF" or (kind == disk.NOTE and b"ended" in bytes(data[:9]))]
    cuts = []
    for number in range(states):
        if number % 2:
            cuts.append(rng.randrange(1, len(records) + 1))
        else:
            cuts.append(min(len(records), max(1, rng.choice(seldom) + rng.randint(-1, 3))))
    return sorted(cuts)


def compare_end(played, recorded):
    """The record is complete: played to its end it gives the files that are there."""
    for place, _, names in os.walk(recorded.directory):
        for name in names:
            if name.endswith("-shm"):
                continue
            path = os.path.join(place, name)
            below = os.path.relpath(path, recorded.directory)
            with open(path, "rb") as file:
                require(below in played.names and played.now(below) == file.read(),
                        "%s is not as recorded: the record lacks something", below)


def lose_power(recorded, states, rng, look):
    """Plays the record, and at many points of it has LOOK look at what a disk may hold: at the place of
    the state, the Expectation, and its number. Gives a line of figures."""
    records = disk.read_record(recorded.path)
    played = disk.Disk()
    expectation = Expectation()
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # an fsync there costs nothing
    for number, cut in enumerate(choose_cuts(records, states, rng)):
        for record in records[played.position:cut]:
            played.play(record)
            if record[0] == disk.NOTE:
                expectation.note(played.position, json.loads(bytes(record[3])))
        with tempfile.TemporaryDirectory(prefix="imgshare-power", dir=fast) as place:
            before = rng.getstate()
            try:
                played.write_after(place, rng)
                look(place, expectation, number)
            except Fault as fault:
                wrong = os.path.join(os.path.dirname(recorded.directory), "wrong")
                os.mkdir(wrong)
                rng.setstate(before)
                played.write_after(wrong, rng)
                raise Fault("state %d of %d, after %d of %d calls: %s" % (
                    number + 1, states, cut, len(records), fault)) from fault
    for record in records[played.position:]:
        played.play(record)
    compare_end(played, recorded)
    changes = sum(kind == disk.NOTE and b'"failed": 0' in bytes(data) for kind, _, _, data in records)
    return ("%d calls recorded, %d of them fsync, with %d acknowledged changes; %d states after a loss of "
            "power, all whole, nothing lost or invented" % (
                len(records), sum(kind == b"F" for kind, _, _, _ in records), changes, states))


def run(recorded, main):
    """Runs MAIN, which says what it found; gives the exit status."""
    status = support.run_main(main)
    if status == 0:
        shutil.rmtree(recorded.directory)
    return status
