"""Kills a program before each of its calls that change a file: it is run over and over, and dies one call
later each time, for each kind of call until it lives.

usage: commands.py init DIRECTORY      imgshare init: the registry is there and whole, or it is not there,
                                       and nothing else is; what is not there can be made
       commands.py backup DIRECTORY    imgshare backup: so is the copy, but for FILE.partial, which is in
                                       the way until it is removed, as the message says
       commands.py replica DIRECTORY OPTIONS SOURCE
                                       the first mount of a cloud: the next one works without help

Prints what it found; exit status 1 if something was wrong."""

import os
import shutil
import signal
import subprocess
import sys

import support
from support import Mount, check, require, told

CALLS = ("write", "pwrite64", "ftruncate", "fsync", "fdatasync", "linkat", "rename", "renameat2",
         "unlink", "mkdir")


class Death:
    """Where a program is killed: before the NUMBERth of its calls CALL."""

    def __init__(self, call, number):
        self.call = call
        self.number = number

    def __str__(self):
        return "killed before %s %d" % (self.call, self.number)

    def words(self):
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + self.call, "-e",
                "inject=%s:signal=KILL:when=%d" % (self.call, self.number)]


def every_death(attempt):
    """Calls ATTEMPT with every death until it says that the program lived; how many there were."""
    count = 0
    for call in CALLS:
        number = 1
        while attempt(Death(call, number)):
            number += 1
        count += number - 1
    return count


def killed(death, *arguments):
    """Whether the program was killed; it has to succeed otherwise."""
    done = subprocess.run([*death.words(), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=support.PATIENCE)
    if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return True
    require(done.returncode == 0, "exit status %d: %s", done.returncode,
            done.stdout.decode(errors="replace"))
    return False


def fresh(place):
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    return place


def tell(count, what, outcomes):
    require(len(outcomes) > 1, "%s never died where it matters: %s", what, outcomes)
    told("%s killed before each of its %d calls that change a file, or not at all: %s", what, count,
         ", ".join("%d times %s" % (outcomes[outcome], outcome) for outcome in sorted(outcomes)))


def cmd_init(place):
    outcomes = {}
    arguments = ("--limit", "7", "--account", "jcloud-demo", "--account", "alice")

    def attempt(death):
        registry = os.path.join(fresh(os.path.join(place, "init")), "registry")
        died = killed(death, support.IMGSHARE, "init", registry, *arguments)
        there = os.listdir(os.path.dirname(registry))
        require(there in ([], ["registry"]), "%s: left %s", death, there)
        if not there:
            support.imgshare("init", registry, *arguments)
        check(registry)
        accounts = support.imgshare("account", "list", registry)
        require(b"jcloud-demo" in accounts and b"alice" in accounts, "%s: %s", death, accounts)
        outcome = "it was there and whole" if there else "it was not there"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        return died

    tell(every_death(attempt), "init", outcomes)


def cmd_backup(place):
    outcomes = {}
    here = fresh(os.path.join(place, "backup"))
    registry = os.path.join(here, "registry")
    copy = os.path.join(here, "copy")
    support.new_registry(registry, ["jcloud-demo", "alice"],
                         [("img-crash%05d" % image, "jcloud-demo") for image in range(30)])
    content = support.imgshare("export", registry)

    def attempt(death):
        for name in os.listdir(here):
            if name.startswith("copy"):
                os.unlink(os.path.join(here, name))
        died = killed(death, support.IMGSHARE, "backup", registry, copy)
        left = {name for name in os.listdir(here) if not name.startswith("registry")}
        require(left <= {"copy", "copy.partial"}, "%s: left %s", death, left)
        if "copy.partial" in left:
            os.unlink(copy + ".partial")
        if "copy" not in left:
            support.imgshare("backup", registry, copy)
        check(copy)
        require(support.imgshare("export", copy) == content, "%s: the copy differs", death)
        check(registry)
        outcome = "the copy was there and whole" if "copy" in left else "it was not there"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        return died

    tell(every_death(attempt), "backup", outcomes)


def cmd_replica(place, options, source):
    """A call is counted for each thread apart."""
    def attempt(death):
        state = os.path.join(fresh(os.path.join(place, "replica")), "state")
        mount = Mount(source, os.path.join(place, "mnt"), options + ",state=" + state)
        try:
            mount.begin(death.words())
            if mount.wait_ready_or_end() and support.wait_for_lists(mount):
                support.run("fusermount3", "-u", mount.directory)
                if mount.process.wait(support.PATIENCE) != -signal.SIGKILL:
                    return False
            mount.process.wait(support.PATIENCE)
            mount.clear()
            mount.start()
            require(support.wait_for_lists(mount), "%s: the next one died", death)
            mount.unmount()
            for name in os.listdir(state):
                if name.endswith(".replica"):
                    check(os.path.join(state, name))
        finally:
            mount.force()
        return True

    told("the first mount of a cloud killed before each of %d calls that change a file: the next one "
         "worked each time", every_death(attempt))


def main():
    commands = {"init": cmd_init, "backup": cmd_backup, "replica": cmd_replica}
    commands[sys.argv[1]](os.path.realpath(sys.argv[2]), *sys.argv[3:])


if __name__ == "__main__":
    sys.exit(support.run_main(main))
