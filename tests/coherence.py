#!/usr/bin/python3
"""Watches what a mount shows while it changes.

usage: coherence.py watch STOP FILE...     reads the FILEs over and over until STOP is there; prints
                                           every value that each had: FILE's name, how it begins, its
                                           length, whether it is all of one letter
       coherence.py alternate MOUNT IMAGE PIN ROUNDS [names]
                                           shares and cancels; after each, this process and two others
                                           look at all that follows from it (names: counts left out,
                                           as others change them); prints what is wrong
       coherence.py mtimes DIR PIN ROUNDS  shares and cancels; DIR's mtime has to rise by it each time

The exit status is 1 if something was wrong.
"""

import os
import sys
import time


def read_whole(path):
    """The content as a program gets it that reads to the end, in steps that divide nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while True:
            part = os.read(descriptor, 1000)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(descriptor)


def cmd_watch(stop, *files):
    values = set()
    while not os.path.exists(stop):
        for path in files:
            value = read_whole(path)
            pure = len(set(value.rstrip(b"\n"))) <= 1
            values.add("%s %s %d %s" % (os.path.basename(path), value[:8].decode().strip(),
                                        len(value), "pure" if pure else "mixed"))
        time.sleep(0.002)
    for value in sorted(values):
        print(value)
    return 0


class Place:
    """What follows from a share, and is to be looked at."""

    def __init__(self, mount, image, pin, counts):
        self.shares = os.path.join(mount, "private", image, "shares")
        self.share = os.path.join(self.shares, pin)
        self.quota = os.path.join(mount, "private", image, "quota")
        self.account = os.path.join(mount, "by-account", pin)
        self.link = os.path.join(self.account, image)
        self.pin = pin
        self.image = image
        self.counts = counts

    def faults(self, shared, used):
        """What is not as it has to be when the image is SHARED, or not, and USED are in all."""
        seen = {
            "stat": os.path.lexists(self.share),
            "ls": self.pin in os.listdir(self.shares),
            "scandir": self.pin in {entry.name for entry in os.scandir(self.shares)},
            "by-account": os.path.lexists(self.link),
            "ls by-account": os.path.isdir(self.account) and self.image in os.listdir(self.account),
        }
        faults = ["%s says %s" % item for item in seen.items() if item[1] != shared]
        if not self.counts:
            return faults
        if not read_whole(self.quota).startswith(b"%d/" % used):
            faults.append("quota is %s, not %d" % (read_whole(self.quota), used))
        if len(os.listdir(self.shares)) != used:
            faults.append("ls shows %d entries, not %d" % (len(os.listdir(self.shares)), used))
        return faults


class Looker:
    """Another process, that looks when it is asked to."""

    def __init__(self, place):
        ask_read, self.ask = os.pipe()
        answer_read, answer = os.pipe()
        self.answer = os.fdopen(answer_read)
        self.pid = os.fork()
        if self.pid:
            os.close(ask_read)
            os.close(answer)
            return
        os.close(self.ask)
        while True:
            question = os.read(ask_read, 8)
            if not question:
                os._exit(0)
            faults = place.faults(question[:1] == b"+", int(question[1:]))
            os.write(answer, ("; ".join(faults) + "\n").encode())

    def look(self, shared, used):
        os.write(self.ask, b"%c%07d" % (b"+" if shared else b"-", used))

    def faults(self):
        return self.answer.readline().strip()

    def dismiss(self):
        os.close(self.ask)

    def end(self):
        os.waitpid(self.pid, 0)


def touch(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def cmd_alternate(mount, image, pin, rounds, what="counts"):
    place = Place(mount, image, pin, what == "counts")
    used = len(os.listdir(place.shares))
    lookers = [Looker(place), Looker(place)]
    wrong = []
    for number in range(int(rounds)):
        for shared in (True, False):
            if shared:
                touch(place.share)
            else:
                os.unlink(place.share)
            count = used + shared
            for looker in lookers:
                looker.look(shared, count)
            answers = ["; ".join(place.faults(shared, count))]
            answers += [looker.faults() for looker in lookers]
            wrong += ["round %d, after %s, process %d: %s" % (
                number, "touch" if shared else "rm", process, answer)
                for process, answer in enumerate(answers) if answer]
    # All are dismissed before one is waited for: the second has the first one's pipe as well.
    for looker in lookers:
        looker.dismiss()
    for looker in lookers:
        looker.end()
    for line in wrong[:20]:
        print(line)
    return 1 if wrong else 0


def cmd_mtimes(path, pin, rounds):
    share = os.path.join(path, pin)
    last = os.stat(path).st_mtime_ns
    wrong = 0
    for number in range(int(rounds)):
        for change in (touch, os.unlink):
            change(share)
            now = os.stat(path).st_mtime_ns
            if now <= last:
                print("round %d: %d after %d" % (number, now, last))
                wrong = 1
            last = now
    return wrong


COMMANDS = {"watch": cmd_watch, "alternate": cmd_alternate, "mtimes": cmd_mtimes}


def main(args):
    if len(args) < 3 or args[0] not in COMMANDS:
        sys.stderr.write(__doc__)
        return 2
    return COMMANDS[args[0]](*args[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
