"""Kills the daemons of a registry in the middle of changes, and looks at what is then true.

usage: registry.py DIRECTORY ROUNDS [SECONDS]

Three mounts (two of one account, one of another) and eight writers, each with shares of its own that
nobody else touches and some that it contends for with the others. A round lets them loose, kills one
to three of the daemons at a random moment (of the first SECONDS, 0.15 unless given) and then mounts
again, in one of several ways. Prints what it found; exit status 1 if something was wrong."""

import errno
import mmap
import os
import re
import sys
import time

import support
from history import Change, possible
from support import Fault, Mount, check, require, told

OWNERS = ("jcloud-demo", "jcloud-demo", "partner-lab")  # of the mounts
IMAGES = [("img-crash%05d" % number, OWNERS[0] if number < 3 else OWNERS[2]) for number in range(5)]
WRITERS = (0, 0, 0, 1, 1, 1, 2, 2)                      # the mount of each
OWN = 3                                                 # accounts that only one writer shares with
CONTENDED = ("all-0", "all-1")
EVENT = re.compile(rb"^time=\S+ action=(share|cancel) image=(\S+) pin=(\S+) outcome=done ", re.M)


class Log:
    """What a writer did. It is written by system calls after each call of the writer's, so that it
    is never behind, whatever becomes of the writer."""

    def __init__(self, path):
        self.path = path

    def read(self):
        """(key, owned, Change, errno) of each call, in order."""
        calls = []
        with open(self.path, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[0] == "begun":
                    calls.append([(words[3], words[4]), words[5] == "own",
                                  Change(int(words[1]), None, words[2] == "share"), None])
                else:
                    calls[-1][3] = int(words[2])
                    if words[2] == "0":
                        calls[-1][2].ended = int(words[1])
        return calls


def write_for_ever(number, mount, before, path, stop, rng):
    """A writer: changes until told to stop, or until the daemon is gone."""
    images = [image for image, owner in IMAGES if owner == OWNERS[WRITERS[number]]]
    own = [(image, "w%d-%d" % (number, pin)) for image in images for pin in range(OWN)]
    shared = [(image, pin) for image in images for pin in CONTENDED]
    there = {key: key in before for key in own}
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    paths = {key: mount.path("private", key[0], "shares", key[1]) for key in own + shared}

    stop[1 + number] = 1
    while not stop[0]:
        owned = rng.random() > 0.15
        key = rng.choice(own if owned else shared)
        share = not there[key] if owned else rng.random() < 0.5
        os.write(log, b"begun %d %s %s %s %s\n" % (
            time.monotonic_ns(), b"share" if share else b"cancel", key[0].encode(),
            key[1].encode(), b"own" if owned else b"all"))
        failed = 0
        try:
            if share:
                os.close(os.open(paths[key], os.O_WRONLY | os.O_CREAT, 0o644))
            else:
                os.unlink(paths[key])
        except OSError as error:
            failed = error.errno
        os.write(log, b"ended %d %d\n" % (time.monotonic_ns(), failed))
        if failed in (errno.ENOTCONN, errno.ECONNABORTED):
            break
        if owned and not failed:
            there[key] = share
    os.close(log)


class Harness:
    """The registry, its mounts, and what was counted."""

    def __init__(self, place, rounds, seconds):
        self.place = place
        self.rounds = rounds
        self.seconds = seconds
        self.rng = support.seeded()
        self.registry = os.path.join(place, "registry")
        pins = ["w%d-%d" % (writer, pin) for writer in range(len(WRITERS)) for pin in range(OWN)]
        support.new_registry(self.registry, [*dict.fromkeys(OWNERS), *pins, *CONTENDED], IMAGES)
        self.mounts = [Mount(self.registry, os.path.join(place, "mnt%d" % number),
                             "account=" + owner) for number, owner in enumerate(OWNERS)]
        self.stop = mmap.mmap(-1, 1 + len(WRITERS))  # first of all, and who has begun
        self.acknowledged = self.unanswered = self.killed = self.stuck = 0
        self.stuck_where = []

    def main(self):
        try:
            for mount in self.mounts:
                mount.start()
            shares = set()
            for number in range(1, self.rounds + 1):
                try:
                    shares = self.round(shares)
                except Fault as fault:
                    raise Fault("round %d: %s" % (number, fault)) from fault
            for mount in self.mounts:
                mount.unmount()
            check(self.registry)
        finally:
            for mount in self.mounts:
                mount.force()

    def round(self, before):
        markers = [self.last_event(mount) for mount in self.mounts]
        self.stop[:] = bytes(len(self.stop))
        writers = [self.fork(number, before) for number in range(len(WRITERS))]
        while sum(self.stop[:]) < len(WRITERS):
            time.sleep(0.001)
        time.sleep(self.rng.random() * self.seconds)
        dead = self.rng.sample(self.mounts, self.rng.choice((1, 1, 2, 3)))
        for mount in dead:
            mount.kill()
        self.killed += len(dead)
        self.free(dead, writers)
        # Who is served by another daemon goes on: no lock died with the one that was killed.
        if len(dead) < len(self.mounts):
            time.sleep(0.02)
        self.stop[0] = 1
        for pid in writers:
            os.waitpid(pid, 0)
        self.mount_again(dead)

        calls = []
        for number in range(len(WRITERS)):
            calls += Log(self.log_of(number)).read()
        after = self.look_at_shares(before, calls)
        for mount, marker in zip(self.mounts, markers):
            self.look_at_events(mount, marker, before, after, calls)
        return after

    def log_of(self, number):
        return os.path.join(self.place, "writer%d" % number)

    def fork(self, number, before):
        rng = type(self.rng)(self.rng.random())
        pid = os.fork()
        if pid == 0:
            try:
                support.die_with_parent()
                write_for_ever(number, self.mounts[WRITERS[number]], before, self.log_of(number),
                               self.stop, rng)
            finally:
                os._exit(0)
        return pid

    def free(self, dead, writers):
        """Waits until the daemons are gone and their callers have come back. A thread of a daemon may
        wait in the kernel for the lock of a directory, and a caller who has that lock for an answer that
        will never come: only umount -f frees them, and that is counted."""
        callers = [writers[number] for number in range(len(WRITERS))
                   if self.mounts[WRITERS[number]] in dead]
        for mount in dead:
            if not mount.is_gone():
                self.stuck += 1
                self.stuck_where.append(" || ".join(
                    [support.where_it_hangs(mount.process.pid)] +
                    ["caller " + support.where_it_hangs(caller) for caller in callers]))
                mount.abort()
                require(mount.is_gone(), "a killed daemon is still there after umount -f")
        deadline = time.monotonic() + support.PATIENCE
        for caller in callers:
            while not os.waitid(os.P_PID, caller, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                require(time.monotonic() < deadline, "a caller hangs though the daemon is gone: %s",
                        support.where_it_hangs(caller))
                time.sleep(0.001)

    def mount_again(self, dead):
        """In one of the ways in which it is done."""
        way = self.rng.randrange(4)
        for mount in dead:
            if way == 0 and support.is_dead(mount.directory):
                mount.start_over_dead()
            mount.clear()
        if way == 1:  # somebody looks at the registry before
            check(self.registry)
        if way == 2:  # and the next is killed while it starts
            mount = self.rng.choice(dead)
            mount.begin()
            alive = support.kill_later(mount.process, self.rng.random() * 0.03)
            mount.forget()
            self.killed += alive
            mount.clear()
        for mount in dead:
            mount.start()
        check(self.registry)

    def look_at_shares(self, before, calls):
        """Everything acknowledged is there, and nothing that was not asked for."""
        after = support.shares_of(self.registry)
        changes = {}
        for key, owned, change, failed in calls:
            if failed in (None, errno.ENOTCONN, errno.ECONNABORTED):
                self.unanswered += 1
            elif failed:
                # With others after the same share, the one that comes second finds it gone.
                require(failed == errno.ENOENT and not owned and not change.there,
                        "%s of %s with %s: %s", change, *key, errno.errorcode.get(failed, failed))
                continue
            else:
                self.acknowledged += 1
            changes.setdefault(key, []).append(change)
        for key in before | after | set(changes):
            right = possible(key in before, changes.get(key, []))
            require((key in after) in right, "share of %s with %s: is %s; before: %s, then %s", *key,
                    "there" if key in after else "missing",
                    "there" if key in before else "missing",
                    ", ".join(map(str, changes.get(key, []))) or "nothing was asked for")
        for mount, owner in zip(self.mounts, OWNERS):
            for image in (image for image, by in IMAGES if by == owner):
                wanted = {pin for where, pin in after if where == image}
                deadline = time.monotonic() + support.PATIENCE
                while mount.shares(image) != wanted:
                    require(time.monotonic() < deadline, "%s lists %s of %s, not %s",
                            mount.directory, sorted(mount.shares(image)), image, sorted(wanted))
                    time.sleep(0.01)
        return after

    @staticmethod
    def last_event(mount):
        return mount.events().splitlines(keepends=True)[-1]

    @staticmethod
    def look_at_events(mount, marker, before, after, calls):
        """The log has the acknowledged changes, in their order, and none that left no trace."""
        events = mount.events()
        at = events.rfind(marker)
        require(at >= 0, "%s/events lost its last line: %s", mount.directory, marker)
        logged = {}
        for action, image, pin in EVENT.findall(events, at + len(marker)):
            key = image.decode(), pin.decode()
            logged.setdefault(key, []).append(action == b"share")
        owner = mount.options.partition("=")[2]
        wanted = {}
        unanswered = {}
        owned = {image for image, by in IMAGES if by == owner}
        for key, own, change, failed in calls:
            if own and key[0] in owned and failed == 0:
                wanted.setdefault(key, []).append(change.there)
            elif own and key[0] in owned:
                unanswered[key] = change.there
        for key in set(wanted) | set(logged):
            found = logged.get(key, [])
            state = key in before
            for there in found:
                require(there != state, "events of %s with %s: %s twice", *key,
                        "shared" if there else "cancelled")
                state = there
            require(state == (key in after), "events of %s with %s do not end in what is true", *key)
            if key[1] not in CONTENDED:
                expected = wanted.get(key, [])
                require(found in (expected, [*expected, unanswered.get(key)]),
                        "events of %s with %s: %d lines of %d acknowledged changes", *key,
                        len(found), len(expected))

    def tell(self):
        told("%d rounds, %d daemons killed: %d changes acknowledged, none lost; %d without an answer,"
             " none invented beyond them; callers had to be freed %d times with umount -f",
             self.rounds, self.killed, self.acknowledged, self.unanswered, self.stuck)
        for where in self.stuck_where[:2]:
            told("hung, thread by thread: %s", where)


if __name__ == "__main__":
    sys.exit(support.run_harness(lambda: Harness(
        os.path.realpath(sys.argv[1]), int(sys.argv[2]),
        float(sys.argv[3]) if len(sys.argv) > 3 else 0.15)))
