#!/usr/bin/python3
"""Hammers mounts from many sides at once, and watches who waits.

usage: hammer.py [OPTION]... SECONDS MOUNT... -- PIN...

Eight processes share and cancel the images of the MOUNTs, eight look at all there is to see, two are
interrupted (SIGINT) in the middle of a change over and over, one presses Refresh: touch of a directory.

    --refused ERRNO,...      what a change may be refused with besides
    --unknown ERRNO,...      what looking at a name, or a refresh, may fail with besides
    --stale                  what others cancelled may be counted for a while: the quota can be passed
    --every SECONDS COMMAND  runs that with sh so often meanwhile
    --bound SECONDS          how long a call may be without an answer, and a process in state D (1)
    --daemon PID             its threads are watched for state D as well

Prints "NAME VALUE" lines, then what went wrong; the exit status is 1 if anything did. A watcher looks 50
times a second at the clocks of all callers and at /proc/PID/stat. What it is late itself, because the
machine has no processor for it, is allowed to the others too.
"""

import argparse
import errno
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "heavy"))
import measure  # noqa: E402

WRITERS = 8
READERS = 8
INTERRUPTED = 2
# Of those who are interrupted: what becomes of their changes can be unknown for seconds, and whoever
# wants the same pin waits for that.
OWN_PINS = 4
SAMPLE_S = 0.02


class Clocks:
    """When each caller has begun the call that it is in: 0 where it is in none."""

    def __init__(self, count):
        self.count = count
        self.memory = mmap.mmap(-1, count * 16)

    def set(self, number, begin, pid=0):
        struct.pack_into("dq", self.memory, number * 16, begin, pid or os.getpid())

    def get(self, number):
        return struct.unpack_from("dq", self.memory, number * 16)


class Caller(measure.Worker):
    """Any of them."""

    def __init__(self, mount, pins, number, clocks, options):
        with open(os.path.join(mount, "account", "pin")) as file:
            own = file.read().strip()
        super().__init__(mount, [pin for pin in pins if pin != own], number)
        self.known = set(options.pins)
        self.mount = mount
        self.number = number
        self.clocks = clocks
        self.interrupted = 0
        self.longest_call = ""
        if options.stale:
            self.most = len(options.pins)
        self.share_errnos = measure.Worker.share_errnos | options.refused
        self.cancel_errnos = measure.Worker.cancel_errnos | options.refused
        self.unknown = {errno.ENOENT} | options.unknown

    def timed(self, call, *args):
        begin = time.monotonic()
        self.clocks.set(self.number, begin)
        try:
            return super().timed(call, *args)
        finally:
            self.clocks.set(self.number, 0)
            if time.monotonic() - begin >= self.longest:
                self.longest_call = "%s %s" % (call.__name__, args[0])

    def attempt(self, allowed, call, *args):
        """As timed; what it fails with must be among ALLOWED."""
        result = self.timed(call, *args)
        if isinstance(result, int) and result not in allowed:
            self.fault(call.__name__, args[0], errno.errorcode.get(result, result))


class Writer(Caller):
    def step(self):
        _, _, path = self.place()
        self.change(path)


def hold_share(path):
    """Opens a share, and looks at it through the descriptor while others may cancel it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fstat(fd)
        return os.read(fd, 10)
    finally:
        os.close(fd)


def list_long(path):
    with os.scandir(path) as entries:
        return [entry.stat(follow_symlinks=False).st_ino for entry in entries]


def read_tail(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.lseek(fd, -3000, os.SEEK_END)
        return os.read(fd, 5000)
    except OSError as err:
        if err.errno == errno.EINVAL:  # the log is shorter
            return b""
        raise
    finally:
        os.close(fd)


class Reader(Caller):
    def __init__(self, *args):
        super().__init__(*args)
        self.cancel_errnos = self.unknown

    def step(self):
        image, shares, path = self.place()
        pin = os.path.basename(path)
        link = os.path.join(self.mount, "by-account", pin, os.path.basename(image))
        steps = (
            lambda: self.look(image, shares, path),
            lambda: self.attempt(self.unknown, hold_share, path),
            lambda: self.attempt(self.unknown, list_long, shares),
            # What is open goes with the account's last share.
            lambda: self.attempt(self.unknown | {errno.ESTALE}, list_long, os.path.dirname(link)),
            lambda: self.attempt(self.unknown, os.readlink, link),
            lambda: self.attempt((), list_long, image),
            lambda: self.attempt((), measure.read, os.path.join(image, "image.json")),
            lambda: self.attempt((), measure.read, os.path.join(image, "last_refusal")),
            lambda: self.attempt((), measure.read, os.path.join(self.mount, "status")),
            lambda: self.attempt((), read_tail, os.path.join(self.mount, "events")),
            lambda: self.attempt((), list_long, os.path.join(self.mount, "shared")),
            lambda: self.attempt((), os.statvfs, self.mount),
            # A call that is refused, with an event.
            lambda: self.refused_call(os.mkdir, os.path.join(shares, "new")),
        )
        self.random.choice(steps)()

    def refused_call(self, call, path):
        if self.timed(call, path) != errno.EPERM:
            self.fault(call.__name__, path, "was not refused")


class Interrupted(Caller):
    """Its changes are made by children, which Ctrl-C meets sooner or later. A child's call goes by its
    parent's clock: it ends when the child has gone."""

    def step(self):
        _, _, path = self.place()
        call = measure.share if self.random.random() < 0.7 else os.unlink
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self.clocks.set(self.number, time.monotonic())
            try:
                call(path)
            except OSError:
                pass
            os._exit(0)
        time.sleep(self.random.random() ** 2 * 0.03)
        os.kill(pid, signal.SIGINT)
        _, status = os.waitpid(pid, 0)
        self.clocks.set(self.number, 0)
        self.operations += 1
        self.interrupted += os.WIFSIGNALED(status)


class Refresher(Caller):
    def step(self):
        image, shares, _ = self.place()
        where = self.random.choice((self.private, image, shares))
        self.attempt(self.unknown - {errno.ENOENT}, os.utime, where)
        time.sleep(0.05)


def act(caller, end, out):
    """A child: never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while time.monotonic() < end:
            caller.step()
    except Exception as err:  # a child that is gone without a word would look like one that is done
        caller.fault(type(err).__name__, err)
    with os.fdopen(out, "w") as file:
        json.dump({"calls": caller.operations, "longest": caller.longest, "refused": caller.refused,
                   "interrupted": caller.interrupted, "faults": caller.faults,
                   "longest_call": caller.longest_call}, file)
    os._exit(0)


class Every:
    """A command that is run so often, one at a time."""

    def __init__(self, seconds, command):
        self.seconds = float(seconds)
        self.command = command
        self.next = time.monotonic()
        self.process = None
        self.runs = 0
        self.failed = 0

    def tend(self, now):
        if self.process and self.process.poll() is not None:
            self.failed += self.process.returncode != 0
            self.process = None
        if not self.process and now >= self.next:
            self.process = subprocess.Popen(["sh", "-c", self.command], stdin=subprocess.DEVNULL)
            self.runs += 1
            self.next = now + self.seconds

    def end(self):
        if self.process:
            self.failed += self.process.wait() != 0


class Watcher:
    """Who waits for how long, and who is in state D."""

    def __init__(self, clocks, mounts, daemons):
        self.clocks = clocks
        self.daemons = daemons
        self.waiting = [path for path in map(waiting_of, mounts) if os.path.exists(path)]
        self.since = {}  # by process: in state D
        self.oldest = self.longest_d = self.late = 0
        self.most = 0
        self.last = time.monotonic()
        self.where = ""

    def look(self):
        now = time.monotonic()
        self.late = max(self.late, now - self.last - SAMPLE_S)
        self.last = now
        seen = set()
        for number in range(self.clocks.count):
            begin, pid = self.clocks.get(number)
            if not begin:
                continue
            if now - begin > self.oldest:
                self.oldest = now - begin
                if self.oldest > 0.5:
                    self.where = "%s %s" % (state_of("/proc/%d" % pid), text_of("/proc/%d/wchan" % pid))
            self.look_at("/proc/%d" % pid, begin, now, seen)
        for pid in self.daemons:
            for task in names_in("/proc/%d/task" % pid):
                place = "/proc/%d/task/%s" % (pid, task)
                # In D twice, with work between, is not the same: that is one more time on a processor.
                self.look_at(place, text_of(place + "/schedstat").rpartition(" ")[2], now, seen)
        self.since = {key: value for key, value in self.since.items() if key in seen}
        for path in self.waiting:
            self.most = max(self.most, int(text_of(path) or 0))

    def look_at(self, place, begin, now, seen):
        if state_of(place) != "D":
            return
        key = (place, begin)
        seen.add(key)
        self.longest_d = max(self.longest_d, now - self.since.setdefault(key, now))


def text_of(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def names_in(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def state_of(place):
    return text_of(place + "/stat").rpartition(")")[2][1:2]


def waiting_of(mount):
    return "/sys/fs/fuse/connections/%d/waiting" % os.minor(os.stat(mount).st_dev)


def errnos(text):
    return {getattr(errno, name) for name in text.split(",")}


def parse(args):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--refused", type=errnos, default=set())
    parser.add_argument("--unknown", type=errnos, default=set())
    parser.add_argument("--every", nargs=2, action="append", default=[])
    parser.add_argument("--stale", action="store_true")
    parser.add_argument("--bound", type=float, default=1)
    parser.add_argument("--daemon", type=int, action="append", default=[])
    parser.add_argument("seconds", type=float)
    parser.add_argument("mounts", nargs="+")
    at = args.index("--")
    options = parser.parse_args(args[:at])
    options.pins = args[at + 1:]
    return options


def start(options, clocks, end):
    """All callers; a pipe of each, by process."""
    kinds = [Writer] * WRITERS + [Reader] * READERS + [Interrupted] * INTERRUPTED + [Refresher]
    pipes = {}
    for number, kind in enumerate(kinds):
        mount = options.mounts[number % len(options.mounts)]
        pins = options.pins[:OWN_PINS] if kind is Interrupted else options.pins[OWN_PINS:]
        caller = kind(mount, pins, number, clocks, options)
        caller.random = random.Random(time.time_ns() + number)
        pipe, out = os.pipe()
        pid = os.fork()
        if pid == 0:
            act(caller, end, out)
        os.close(out)
        pipes[pid] = pipe
    return pipes


def main(args):
    options = parse(args)
    clocks = Clocks(WRITERS + READERS + INTERRUPTED + 1)
    end = time.monotonic() + options.seconds
    every = [Every(*each) for each in options.every]
    pipes = start(options, clocks, end)
    watcher = Watcher(clocks, options.mounts, options.daemon)
    while time.monotonic() < end:
        time.sleep(SAMPLE_S)
        watcher.look()
        for each in every:
            each.tend(time.monotonic())
    for each in every:
        each.end()
    # Who waits as long as may be is no one that hangs.
    faults = measure.reap(list(pipes), end + options.bound + 30)
    longest_call = ""
    totals = {"calls": 0, "refused": 0, "interrupted": 0, "longest": 0}
    for pipe in [] if faults else pipes.values():
        with os.fdopen(pipe) as file:
            result = json.load(file)
        faults += result["faults"]
        for key in ("calls", "refused", "interrupted"):
            totals[key] += result[key]
        if result["longest"] > totals["longest"]:
            totals["longest"] = result["longest"]
            longest_call = result["longest_call"]
    for key in ("calls", "refused", "interrupted"):
        print(key, totals[key])
    print("longest_ms %d" % (totals["longest"] * 1000))
    print("oldest_ms %d" % (watcher.oldest * 1000))
    print("state_d_ms %d" % (watcher.longest_d * 1000))
    print("late_ms %d" % (watcher.late * 1000))
    print("most_waiting %d" % watcher.most)
    print("commands %d" % sum(each.runs for each in every))
    allowed = options.bound + watcher.late
    for what, seconds in (("a call", max(watcher.oldest, totals["longest"])),
                          ("a process in state D", watcher.longest_d)):
        if seconds > allowed:
            faults.append("%s waited %.1f s: %s %s" % (what, seconds, longest_call, watcher.where))
    faults += ["failed %d times: %s" % (each.failed, each.command) for each in every if each.failed]
    for path in watcher.waiting:
        # What is closed is told to the program after close() has returned.
        until = time.monotonic() + 5
        while int(text_of(path) or 0) and time.monotonic() < until:
            time.sleep(0.02)
        if int(text_of(path) or 0):
            faults.append("%s requests are left without an answer" % text_of(path))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
