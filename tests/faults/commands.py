"""Faults in the commands of imgshare, from main() to the end."""

import json
import os
import shutil
import sqlite3

import world as w
from world import Finding

GOLDEN = "img-m5s0abcd29"
MYSQL = "img-h7k2wq9x4e"  # shared with alice and bob


# What a registry has beside it while it is used, and what stays where it cannot be tidied up.
SIDE_FILES = {"registry-lock", "registry-wal", "registry-shm"}


def content(registry):
    """What a registry says, without the times at which it was made to say so."""
    db = sqlite3.connect(registry, timeout=w.LIMIT_S)
    try:
        return [db.execute(sql).fetchall() for sql in (
            "SELECT pin, mobile, images, received FROM account ORDER BY pin",
            "SELECT image_id, name, status, shares, record FROM image ORDER BY image_id",
            "SELECT image_id, pin FROM share JOIN image ON image.id = share.image ORDER BY 1, 2",
            "SELECT name, value FROM setting ORDER BY name")]
    finally:
        db.close()


class Command:
    """One command on a registry of its own, anew for each round. A command that says 0 has done what it does
    without faults; one that does not says why, and has done nothing, or all."""

    program = "imgshare"
    changes = False
    needs_mount = False
    fine = {0}  # exit statuses that say that it has worked

    def __init__(self, world):
        self.world = world
        self.mount = None

    def words(self):
        raise NotImplementedError

    def prepare(self):
        """More than a registry."""

    def use(self):
        """What has happened in the mount."""

    def begin(self):
        self.stop()
        self.directory = self.world.new_directory("command")
        self.registry = self.world.new_registry(self.directory)
        self.prepare()
        if self.needs_mount:
            self.mount = w.Mount(self.world, ["-o", "account=jcloud-demo", self.registry], self.directory,
                                 watched=False)
            self.mount.wait_ready()
            self.use()
        self.before = content(self.registry) if os.path.exists(self.registry) else None
        self.files = set(os.listdir(self.directory))

    def stop(self):
        if self.mount:
            self.mount.clear()
        self.mount = None

    close = stop

    def run(self):
        control = self.world.control
        control.arm()
        try:
            return w.run([self.world.imgshare, *self.words()], control.environment(self.world.imgshare))
        finally:
            control.disarm()

    def once(self):
        self.begin()
        status, out, err = self.run()
        done = self.judge(status in self.fine, status, out, err)
        if os.path.exists(self.registry):
            self.world.check(self.registry)
        if status in self.fine:
            return []
        if not (err + out).strip():
            raise Finding("silent: exit status %d, and no word why" % status)
        if "Unknown error" in err or "not an error" in err:
            raise Finding("mumbles: " + err.strip())
        if done:
            return ["done, and refused: " + self.general(err or out)]
        return ["failed: " + self.general(err or out)]

    def general(self, text):
        return (text.strip().splitlines() or [""])[-1].replace(self.directory, "")[:120]

    def judge(self, good, status, out, err):
        """Whether it has done what it was told."""
        after = content(self.registry)
        if good and (after != self.wanted or out != self.says):
            raise Finding("lie: exit status %d, and not all was done" % status)
        if after not in (self.before, self.wanted):
            raise Finding("half: exit status %d, and something was done: %s" % (status, err))
        return self.changes and after == self.wanted

    def learn(self, out):
        """What it does and says without faults."""
        self.wanted = content(self.registry)
        self.says = out

    def count(self):
        self.begin()
        self.world.control.set()
        status, out, err = self.run()
        if status not in self.fine:
            raise RuntimeError(err)
        self.learn(out)
        counts = self.world.control.counts()
        self.world.control.set()
        if self.once():
            raise RuntimeError("without a fault")
        return counts

    def round(self, point):
        self.world.control.set(point)
        return self.once()


class Init(Command):
    name = "init"

    def prepare(self):
        os.unlink(self.registry)

    def words(self):
        return ["init", self.registry, "--account", "jcloud-demo", "--account", "alice"]

    def judge(self, good, status, out, err):
        there = set(os.listdir(self.directory)) - self.files
        if good and content(self.registry) != self.wanted:
            raise Finding("lie: exit status 0, and not all was done")
        if not good and there:
            raise Finding("left: %s: %s" % (" ".join(sorted(there)), err))
        return False


class AccountAdd(Command):
    name = "account"
    changes = True

    def words(self):
        return ["account", "add", self.registry, "dave", "--mobile", "13900139000"]


class Import(Command):
    name = "import"
    changes = True

    def prepare(self):
        records = [
            {"imageId": "img-new1", "name": "new", "ownerPin": "jcloud-demo", "status": "ready",
             "pins": ["alice", "newcomer"]},
            {"imageId": GOLDEN, "name": "golden-2", "ownerPin": "jcloud-demo", "status": "ready", "pins": ["bob"]},
        ]
        with open(os.path.join(self.directory, "images.json"), "w") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)

    def words(self):
        return ["import", self.registry, os.path.join(self.directory, "images.json")]

    def run(self):
        status, out, err = super().run()
        return status, out.replace(self.directory, ""), err


class Reading(Command):
    """A command that changes nothing: where it says 0, it says all, or that it does not."""

    says_less = None

    def judge(self, good, status, out, err):
        if content(self.registry) != self.before:
            raise Finding("changed: %s" % err)
        out = out.replace(self.directory, "")
        if self.says_less and self.says_less in out:
            return False
        if good and out != self.says:
            raise Finding("lie: exit status %d, and it says %r, not %r" % (status, out[-200:], self.says[-200:]))
        return False

    def learn(self, out):
        self.says = out.replace(self.directory, "")


class Export(Reading):
    name = "export"

    def words(self):
        return ["export", self.registry]


class Check(Reading):
    name = "check"

    def words(self):
        return ["check", self.registry]


class CheckDamaged(Check):
    """Of a registry with a wrong counter: it may fail, but it must not call it clean."""

    name = "check-damaged"
    fine = {1}

    def prepare(self):
        db = sqlite3.connect(self.registry)
        db.execute("UPDATE image SET shares = shares + 1 WHERE image_id = ?", (GOLDEN,))
        db.commit()
        db.close()

    def once(self):
        self.begin()
        status, out, err = self.run()
        if status == 0:
            raise Finding("lie: a wrong counter is called clean")
        return [] if out.replace(self.directory, "") == self.says else ["exit status %d: %s" % (
            status, self.general(err or out))]


class Backup(Command):
    name = "backup"

    def words(self):
        return ["backup", self.registry, os.path.join(self.directory, "copy")]

    def judge(self, good, status, out, err):
        copy = os.path.join(self.directory, "copy")
        left = set(os.listdir(self.directory)) - self.files - SIDE_FILES
        if content(self.registry) != self.before:
            raise Finding("changed: %s" % err)
        if good or "copy" in left:
            if left != {"copy"}:
                raise Finding("left: " + " ".join(sorted(left)))
            if content(copy) != self.before:
                raise Finding("lie: the copy is another")
            self.world.check(copy)
            return True
        if left:
            raise Finding("left: %s: %s" % (" ".join(sorted(left)), err))
        return False


class ExplainErrno(Reading):
    name = "explain"

    def words(self):
        return ["explain", "EBUSY"]


class ExplainPath(Reading):
    name = "explain-path"
    needs_mount = True
    says_less = "; what the mount itself says:"

    def words(self):
        return ["explain", self.mount.path + "/private/" + GOLDEN + "/shares/nobody"]


class Plan(Reading):
    name = "plan"
    needs_mount = True
    fine = {2}

    def prepare(self):
        lists = os.path.join(self.directory, "lists")
        os.mkdir(lists)
        with open(os.path.join(lists, "golden"), "w") as file:
            file.write("alice\nbob\n")
        with open(os.path.join(lists, MYSQL), "w") as file:
            file.write("alice\n")

    def words(self):
        return [self.name, os.path.join(self.directory, "lists"), self.mount.path]


class InSteps:
    """A command that is made in steps that are each whole: where it says 0 all is done, and else nothing that was not
    wanted."""

    fine = {0}

    def learn(self, out):
        self.wanted = content(self.registry)
        self.says = out

    def judge(self, good, status, out, err):
        after = content(self.registry)
        if good and after[2] != self.wanted[2]:
            raise Finding("lie: exit status 0, and not all was done")
        before, wanted, now = set(self.before[2]), set(self.wanted[2]), set(after[2])
        if not before & wanted <= now <= before | wanted:
            raise Finding("half: something was done that was not wanted")
        return now == wanted


class Apply(InSteps, Plan):
    name = "apply"


class Undo(Reading):
    name = "undo"
    needs_mount = True
    fine = {2}

    def use(self):
        for pin in ("alice", "bob"):
            os.unlink(os.path.join(self.mount.path, "private", MYSQL, "shares", pin))

    def words(self):
        return ["undo", self.mount.path, "--since", "1h"]


class UndoApply(InSteps, Undo):
    name = "undo-apply"

    def words(self):
        return [*super().words(), "--apply"]


class Audit(Reading):
    name = "audit"
    needs_mount = True
    fine = {1}

    def prepare(self):
        for name, pin in (("allow", "alice"), ("trust", "nobody")):
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(pin + "\n")

    def words(self):
        return ["audit", self.mount.path, *(word for name in ("allow", "trust")
                                            for word in ("--" + name, os.path.join(self.directory, name)))]


class Graph(Reading):
    """Without --svg: dot would come under the filter."""

    name = "graph"

    def words(self):
        return ["graph", self.registry]


class GraphMount(Graph):
    name = "graph-mount"
    needs_mount = True

    def words(self):
        return ["graph", self.mount.path]


COMMANDS = (Init, AccountAdd, Import, Export, Check, CheckDamaged, Backup, ExplainErrno, ExplainPath, Plan, Apply, Undo,
            UndoApply, Audit, Graph, GraphMount)
