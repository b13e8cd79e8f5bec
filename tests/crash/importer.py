"""Kills imgshare import at random moments, with a mount that shares meanwhile or without one.

usage: importer.py DIRECTORY ROUNDS

Two files take turns: a small one, which goes over in one transaction, and a large one, which goes in
steps, each a transaction that leaves the registry whole. Afterwards a small one is there or is not; of a
large one the images up to some place in the file are there, each with all its shares. Prints what it
found; exit status 1 if something was wrong."""

import errno
import json
import mmap
import os
import shutil
import subprocess
import sys
import time

import support
from support import Fault, Mount, check, require, told

OWNER = "jcloud-demo"
IMAGE = "img-crash00000"
PINS = ["bulk-%d" % number for number in range(8)]


class Source:
    """A file to be imported."""

    def __init__(self, path, images, in_steps):
        self.path = path
        self.images = ["img-bulk%06d" % number for number in range(images)]
        self.in_steps = in_steps
        self.seconds = self.size = 0
        with open(path, "w", encoding="ascii") as file:
            for image in self.images:
                json.dump({"imageId": image, "name": image, "ownerPin": OWNER, "status": "ready",
                           "pins": PINS, "desc": "x" * 300}, file)
                file.write("\n")

    def begin(self, registry, temporary):
        return subprocess.Popen([support.IMGSHARE, "import", registry, self.path],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT,
                                env=dict(os.environ, SQLITE_TMPDIR=temporary))


def kill_at(process, registry, size):
    """Kills PROCESS when the registry and its log hold SIZE bytes: in the middle of writing. Whether it
    was alive."""
    def held():
        total = 0
        for suffix in ("", "-wal"):
            try:
                total += os.path.getsize(registry + suffix)
            except OSError:
                continue
        return total

    while held() < size and process.poll() is None:
        time.sleep(0.0002)
    return process.poll() is None and support.kill_later(process, 0)


def change_for_ever(mount, path, stop):
    """The other writer, in a process of its own: shares and cancels until told to stop."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    share = mount.path("private", IMAGE, "shares", "other")
    while not stop[0]:
        os.close(os.open(share, os.O_WRONLY | os.O_CREAT, 0o644))
        os.write(log, b"1")
        if stop[0]:
            break
        os.unlink(share)
        os.write(log, b"0")
    os.close(log)


class Harness:
    """The registry to begin with, the files, and what was counted."""

    def __init__(self, place, rounds):
        self.place = place
        self.rounds = rounds
        self.rng = support.seeded()
        self.master = os.path.join(place, "master")
        support.new_registry(self.master, [OWNER, "other"], [(IMAGE, OWNER)])
        self.temporary = os.path.join(place, "temporary")
        os.mkdir(self.temporary)
        self.sources = [Source(os.path.join(place, "small"), 600, False),
                        Source(os.path.join(place, "large"), 5000, True)]
        self.stop = mmap.mmap(-1, 1)
        self.outcomes = {"nothing": 0, "all": 0, "some": 0}
        self.killed = self.changes = 0

    def main(self):
        for source in self.sources:  # how long it takes, for the moments to be spread over
            registry = self.fresh()
            begun = time.monotonic()
            require(source.begin(registry, self.temporary).wait(support.PATIENCE) == 0,
                    "the import fails")
            source.seconds = time.monotonic() - begun
            source.size = os.path.getsize(registry)
        for number in range(self.rounds):
            try:
                    self.round(self.sources[number % 3 == 2], number % 2 == 1 or number % 3 == 2)
            except Fault as fault:
                raise Fault("round %d: %s" % (number + 1, fault)) from fault
        left = os.listdir(self.temporary)
        require(not left, "left behind: %s", left)

    def fresh(self):
        place = os.path.join(self.place, "here")
        shutil.rmtree(place, ignore_errors=True)
        os.mkdir(place)
        return shutil.copy(self.master, os.path.join(place, "registry"))

    def round(self, source, mounted):
        registry = self.fresh()
        if mounted:
            mount = Mount(registry, os.path.join(self.place, "mnt"), "account=" + OWNER)
            try:
                mount.start()
                self.kill_one(source, registry, mount)
                mount.unmount()
            finally:
                mount.force()
        else:
            self.kill_one(source, registry, None)

    def kill_one(self, source, registry, mount):
        log = os.path.join(self.place, "writer")
        self.stop[0] = 0
        writer = self.fork(mount, log) if mount else None
        process = source.begin(registry, self.temporary)
        if self.rng.random() < 0.4:
            died = support.kill_later(process, self.rng.random() * source.seconds * 1.1)
        else:
            died = kill_at(process, registry,
                           self.rng.uniform(os.path.getsize(registry), source.size))
        self.killed += died
        process.stdout.close()
        if writer:
            time.sleep(0.03)  # it goes on: no lock died with the import
            self.stop[0] = 1
            _, status = os.waitpid(writer, 0)
            require(status == 0, "a share or a cancel failed")
            with open(log, "rb") as file:
                done = file.read()
            self.changes += len(done)
            require(((IMAGE, "other") in support.shares_of(registry)) == (done[-1:] == b"1"),
                    "a change made through the mount is lost")
        self.look(source, registry)
        again = source.begin(registry, self.temporary)
        said = again.communicate(timeout=support.PATIENCE)[0]
        require(again.returncode == 0, "importing again: %s", said.decode(errors="replace"))
        require(self.imported(source, registry) == len(source.images), "importing again: not all")
        check(registry)
        if mount:
            shown = set(os.listdir(mount.path("private")))
            require(shown == {IMAGE, *source.images}, "the mount shows %d images", len(shown))
        left = set(os.listdir(os.path.dirname(registry)))
        left -= {"registry" + suffix for suffix in ("", "-lock", "-wal", "-shm")}
        require(not left, "left behind: %s", left)

    def fork(self, mount, log):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                support.die_with_parent()
                change_for_ever(mount, log, self.stop)
                status = 0
            except OSError as error:
                print("%s: %s" % (error.filename, errno.errorcode[error.errno]), file=sys.stderr)
            finally:
                os._exit(status)
        return pid

    @staticmethod
    def imported(source, registry):
        """How many images are there; they have to be the first of the file, with all their shares."""
        there = {}
        for line in support.imgshare("export", registry).splitlines():
            record = json.loads(line)
            if record.get("imageId", IMAGE) != IMAGE:
                there[record["imageId"]] = record.get("pins", [])
        count = len(there)
        require(set(there) == set(source.images[:count]), "not the first %d of the file", count)
        for image, pins in there.items():
            require(sorted(pins) == PINS, "%s is there with %s", image, pins)
        return count

    def look(self, source, registry):
        check(registry)
        count = self.imported(source, registry)
        what = "nothing" if count == 0 else "all" if count == len(source.images) else "some"
        require(what != "some" or source.in_steps, "%d of %d images are there", count,
                len(source.images))
        self.outcomes[what] += 1

    def tell(self):
        told("%d of %d imports killed before their end: %d had imported nothing, %d all, %d some steps "
             "of a large one; %d changes meanwhile through a mount, none lost", self.killed,
             self.rounds, self.outcomes["nothing"], self.outcomes["all"], self.outcomes["some"],
             self.changes)
        for source in self.sources:
            told("an import of %d images and %d shares takes %.2f s", len(source.images),
                 len(source.images) * len(PINS), source.seconds)


if __name__ == "__main__":
    sys.exit(support.run_harness(lambda: Harness(os.path.realpath(sys.argv[1]), int(sys.argv[2]))))
