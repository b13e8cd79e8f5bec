#!/usr/bin/python3
"""Measures and loads mounts for the heavy suites.

usage: measure.py peak STOP PID...            the largest RssAnon that one of the processes has until the
                                              file STOP is there, in KiB
       measure.py run FILE COMMAND...         runs COMMAND; FILE gets its largest memory in KiB and its
                                              seconds
       measure.py cpu PID COMMAND...          runs COMMAND; prints the milliseconds that it and process
                                              PID have computed, and the seconds it took
       measure.py touches STOP DIR PIN        shares and cancels until STOP is there; prints how many
                                              shares, the longest and the mean, in milliseconds
       measure.py contend SECONDS MOUNT... -- PIN...
                                              eight processes share and cancel all images of the MOUNTs,
                                              look at them, and never wait for each other; prints how
                                              many operations, the longest in milliseconds, how many
                                              shares were refused for the limit; and what went wrong
       measure.py agree EXPORT MOUNT... -- PIN...
                                              compares what the MOUNTs show, by listing and by name, with
                                              what imgshare export says
"""

import errno
import json
import os
import random
import resource
import subprocess
import sys
import time

PROCESSES = 8
LIMIT = 20


def memory_of(pid):
    with open("/proc/%s/status" % pid) as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    raise OSError(errno.ESRCH, "no RssAnon", pid)


def cmd_peak(stop, *pids):
    peak = 0
    while not os.path.exists(stop):
        peak = max([peak] + [memory_of(pid) for pid in pids])
        time.sleep(0.02)
    print(peak)
    return 0


def cmd_run(out, *command):
    begin = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - begin
    with open(out, "w") as file:
        file.write("%d %.1f\n" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, seconds))
    return status


def computed(pid):
    """Seconds of user and system time."""
    with open("/proc/%s/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cmd_cpu(pid, *command):
    before = computed(pid)
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=sys.stderr)
    seconds = time.monotonic() - begin
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = usage.ru_utime + usage.ru_stime
    print("%d %.1f" % ((computed(pid) - before + own) * 1000, seconds))
    return 0


def share(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def cmd_touches(stop, directory, pin):
    path = os.path.join(directory, pin)
    times = []
    while not os.path.exists(stop):
        begin = time.monotonic()
        share(path)
        times.append((time.monotonic() - begin) * 1000)
        begin = time.monotonic()
        os.unlink(path)
        times.append((time.monotonic() - begin) * 1000)
        time.sleep(0.005)
    print("%d %d %.1f" % (len(times), max(times), sum(times) / len(times)))
    return 0


class Worker:
    """One of those that contend: what it does, and what came of it."""

    share_errnos = {errno.EDQUOT}
    cancel_errnos = {errno.ENOENT}
    most = LIMIT

    def __init__(self, mount, pins, number):
        self.private = os.path.join(mount, "private")
        self.images = os.listdir(self.private)
        self.pins = pins
        self.known = set(pins)
        self.random = random.Random(number)
        self.operations = 0
        self.longest = 0
        self.refused = 0
        self.faults = []

    def timed(self, call, *args):
        """What CALL gives, or the errno of its failure."""
        begin = time.monotonic()
        try:
            return call(*args)
        except OSError as err:
            return err.errno
        finally:
            self.longest = max(self.longest, time.monotonic() - begin)
            self.operations += 1

    def fault(self, *words):
        if len(self.faults) < 5:
            self.faults.append(" ".join(str(word) for word in words))

    def place(self):
        """An image, its shares, and one of them."""
        image = os.path.join(self.private, self.random.choice(self.images))
        shares = os.path.join(image, "shares")
        return image, shares, os.path.join(shares, self.random.choice(self.pins))

    def change(self, path):
        # So many more shares than cancels that the limit is met all the time.
        if self.random.random() < 0.9:
            result = self.timed(share, path)
            self.refused += result == errno.EDQUOT
            if result is not None and result not in self.share_errnos:
                self.fault("share", path, errno.errorcode.get(result, result))
        else:
            result = self.timed(os.unlink, path)
            if result is not None and result not in self.cancel_errnos:
                self.fault("cancel", path, errno.errorcode.get(result, result))

    def look(self, image, shares, path):
        names = self.timed(os.listdir, shares)
        # A listing takes more than one step, and what is made between two of them may come along.
        if not isinstance(names, list) or not set(names) <= self.known:
            self.fault("ls", shares, names)
        result = self.timed(os.lstat, path)
        if isinstance(result, int) and result not in self.cancel_errnos:
            self.fault("stat", path, errno.errorcode.get(result, result))
        quota = self.timed(read, os.path.join(image, "quota"))
        if not isinstance(quota, str) or not 0 <= int(quota.split("/")[0]) <= self.most:
            self.fault("quota", image, str(quota).strip())

    def step(self):
        image, shares, path = self.place()
        self.change(path)
        self.look(image, shares, path)


def read(path):
    with open(path) as file:
        return file.read()


def contend(worker, end, out):
    """A child: never returns."""
    try:
        while time.monotonic() < end:
            worker.step()
    except Exception as err:  # a child that is gone without a word would look like one that is done
        worker.fault(type(err).__name__, err)
    with os.fdopen(out, "w") as file:
        json.dump([worker.operations, worker.longest, worker.refused, worker.faults], file)
    os._exit(0)


def reap(pids, end):
    """Waits until END. Those that have not ended by then, and where they are."""
    left = set(pids)
    while left and time.monotonic() < end:
        left = {pid for pid in left if os.waitpid(pid, os.WNOHANG)[0] == 0}
        time.sleep(0.05)
    hung = []
    for pid in left:
        with open("/proc/%d/stat" % pid) as stat, open("/proc/%d/wchan" % pid) as wchan:
            state = stat.read().rsplit(")", 1)[1].split()[0]
            hung.append("process %d has not ended: %s %s" % (pid, state, wchan.read()))
    return hung


def split(words):
    at = words.index("--")
    return words[:at], list(words[at + 1:])


def cmd_contend(seconds, *words):
    mounts, pins = split(words)
    end = time.monotonic() + float(seconds)
    pipes = []
    pids = []
    for number in range(PROCESSES):
        worker = Worker(mounts[number % len(mounts)], pins, number)
        pipe, out = os.pipe()
        pid = os.fork()
        if pid == 0:
            contend(worker, end, out)
        os.close(out)
        pipes.append(pipe)
        pids.append(pid)
    faults = reap(pids, end + 20)
    if not faults:
        results = []
        for pipe in pipes:
            with os.fdopen(pipe) as file:
                results.append(json.load(file))
        print("%d %d %d" % (sum(result[0] for result in results),
                            max(result[1] for result in results) * 1000,
                            sum(result[2] for result in results)))
        faults = [fault for result in results for fault in result[3]]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def cmd_agree(export, *words):
    mounts, pins = split(words)
    truth = {}
    with open(export) as file:
        for line in file:
            record = json.loads(line)
            if "imageId" in record:
                truth[record["imageId"]] = set(record.get("pins", []))
    faults = []
    for mount in mounts:
        private = os.path.join(mount, "private")
        for image in os.listdir(private):
            shares = os.path.join(private, image, "shares")
            listed = set(os.listdir(shares))
            named = {pin for pin in pins if os.path.lexists(os.path.join(shares, pin))}
            quota = int(read(os.path.join(private, image, "quota")).split("/")[0])
            if not listed == named == truth[image] or quota != len(listed):
                faults.append("%s: quota %d, but for export %s: ls %s, by name %s" % (
                    shares, quota, sorted(truth[image]), sorted(listed ^ truth[image]),
                    sorted(named ^ truth[image])))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


COMMANDS = {
    "peak": cmd_peak,
    "run": cmd_run,
    "cpu": cmd_cpu,
    "touches": cmd_touches,
    "contend": cmd_contend,
    "agree": cmd_agree,
}


def main(args):
    if len(args) < 3 or args[0] not in COMMANDS:
        sys.stderr.write(__doc__)
        return 2
    return COMMANDS[args[0]](*args[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
