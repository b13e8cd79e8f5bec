"""Faults in a mount of a registry: while it starts, while it is used, while it ends."""

import json
import os
import signal
import subprocess
import time

import world as w
from control import most
from world import Finding

GOLDEN = "img-m5s0abcd29"
MYSQL = "img-h7k2wq9x4e"
PENDING = "img-p7e1nd5g3a"

# What a caller may meet where something fails below: docs/errors.md. Each call's own answer besides.
MAY = {"EIO", "ENOMEM", "ENOSPC", "ETIMEDOUT"}


def script_of_use(mount, world, registry):
    """Typical use, as (name, call). The state before: golden is shared with bob, mysql with nobody."""
    root = mount.path
    golden = root + "/private/" + GOLDEN
    other = json.dumps({"imageId": MYSQL, "name": MYSQL, "ownerPin": "jcloud-demo", "status": "ready",
                        "pins": ["alice"]}).encode()

    def elsewhere():
        status, _, err = w.run([world.imgshare, "import", registry, "-"], stdin=other)
        if status != 0:
            raise RuntimeError(err)

    def read(*names):
        return lambda: [w.cat(golden + "/" + name) for name in names]

    return [
        ("ls", lambda: sorted(os.listdir(root))),
        ("ls private", lambda: sorted(os.listdir(root + "/private"))),
        ("attributes", read("name", "status", "quota", "shareable", "exposure")),
        ("image.json", read("image.json")),
        ("share", lambda: w.touch(golden + "/shares/alice")),
        ("share again", lambda: w.touch(golden + "/shares/alice")),
        ("refused", lambda: w.touch(root + "/private/" + PENDING + "/shares/alice")),
        ("cancel", lambda: os.unlink(golden + "/shares/bob")),
        ("missing", lambda: os.stat(golden + "/shares/nobody" + str(time.monotonic_ns()))),
        ("ls shares", lambda: sorted(os.listdir(golden + "/shares"))),
        ("last_refusal", lambda: w.cat(root + "/private/" + PENDING + "/last_refusal")[20:]),
        ("events", lambda: w.cat(root + "/events")[-200:] and None),
        ("status", lambda: w.cat(root + "/status")[:20]),
        ("elsewhere", elsewhere),
        ("hangup", lambda: os.kill(mount.pid, signal.SIGHUP)),
        ("refresh", lambda: os.utime(root + "/private")),
        ("by-name", lambda: sorted(os.listdir(root + "/by-name/private"))),
        ("by-account", lambda: sorted(os.listdir(root + "/by-account"))),
        ("received", lambda: [w.cat(root + "/shared/" + name + "/owner")
                              for name in sorted(os.listdir(root + "/shared"))]),
        ("mkdir", lambda: os.mkdir(root + "/private/x")),
        ("statfs", lambda: os.statvfs(root).f_files),
    ]


EXPECTED = {"refused": "EBUSY", "missing": "ENOENT", "mkdir": "EPERM"}


def judge(results, before, after):
    """Compares what the calls said with what is so. Returns the names of calls refused though done."""
    late = []
    for name, (result, _) in results.items():
        if result != EXPECTED.get(name, "OK") and result not in MAY:
            raise Finding("errno: %s: %s" % (name, result))
    golden = after.get(GOLDEN, [])
    for name, holds in (("share", "alice" in golden), ("share again", "alice" in golden),
                        ("cancel", "bob" not in golden)):
        said = results[name][0] == "OK"
        if said and not holds:
            raise Finding("lie: %s was acknowledged, and is not so" % name)
        if not said and holds and not (name == "share" and results["share again"][0] == "OK"):
            late.append(name)
    rest = [{image: [pin for pin in pins if pin != {GOLDEN: key}.get(image)] for image, pins in state.items()}
            for key, state in (("alice", after), ("alice", before))]
    for state in rest:
        state.pop(MYSQL, None)
        state[GOLDEN] = [pin for pin in state.get(GOLDEN, []) if pin not in ("alice", "bob")]
        if not state[GOLDEN]:
            del state[GOLDEN]
    if rest[0] != rest[1]:
        raise Finding("lost: other shares have changed")
    return late


def same_content(results, reference):
    """What was read without an error is what is read without faults."""
    if results["share"][0] != "OK" or results["share again"][0] != "OK" or results["cancel"][0] != "OK":
        return
    for name, (result, value) in results.items():
        if name == "last_refusal":  # where it could not be written, it is the one before
            continue
        if result == "OK" and reference[name][0] == "OK" and value != reference[name][1]:
            raise Finding("lie: %s reads %r, not %r" % (name, value, reference[name][1]))


class Use(w.Kept):
    """Faults in a mount that runs. One mount serves as many rounds as it survives."""

    name = "use"
    expected = EXPECTED

    def __init__(self, world):
        self.world = world
        self.mount = None
        self.reference = None
        self.notes = {}

    def arguments(self):
        return ["-o", "account=jcloud-demo", self.registry]

    def start(self):
        directory = self.world.new_directory(self.name)
        self.registry = self.world.new_registry(directory)
        shared = {"imageId": GOLDEN, "name": "golden", "ownerPin": "jcloud-demo", "status": "ready", "pins": ["bob"]}
        self.world.must(self.world.imgshare, "import", self.registry, "-", stdin=json.dumps(shared).encode())
        self.mount = w.Mount(self.world, self.arguments(), directory)
        self.mount.wait_ready()

    def stop(self):
        if self.mount:
            self.mount.clear()
        self.mount = None

    close = stop

    def is_cut_off(self):
        """Whether the mount has lost its log, as it does where SQLite loses its locks, and refuses changes for that."""
        probe = self.mount.path + "/private/" + GOLDEN + "/shares/carol"
        return (w.play([("probe", lambda: w.touch(probe))])["probe"][0] == "EIO"
                and "its log was moved" in w.cat(self.mount.path + "/status"))

    def settle(self):
        """The state that the script begins with, made through the mount, which must work."""
        shares = self.mount.path + "/private/" + GOLDEN + "/shares/"
        mysql = self.mount.path + "/private/" + MYSQL + "/shares/"

        def cancel(path):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

        def listed():
            truth = w.shares(self.registry)
            return all(sorted(os.listdir(self.mount.path + "/private/" + image + "/shares"))
                       == truth.get(image, []) for image in (GOLDEN, MYSQL, PENDING))

        results = w.play([("listed", lambda: w.wait_for(listed, "news", 5) or True),
                          ("share", lambda: w.touch(shares + "bob")),
                          ("cancel", lambda: cancel(shares + "alice")),
                          ("cancel elsewhere", lambda: cancel(mysql + "alice"))])
        for name in ("listed", "share", "cancel", "cancel elsewhere"):
            result = results.get(name, ("no listing in time",))[0]
            if result != "OK" and self.is_cut_off():
                self.stop()
                return
            if result != "OK":
                raise Finding("afterwards: %s: %s" % (name, result))

    def once(self):
        script = script_of_use(self.mount, self.world, self.registry)
        before = w.shares(self.registry)
        self.world.control.arm()
        try:
            results = w.play(script)
        finally:
            self.world.control.disarm()
        if not self.mount.alive():
            self.mount.wait_end("the daemon")
            raise Finding("ended: " + self.mount.log())
        late = judge(results, before, w.shares(self.registry))
        if self.reference:
            same_content(results, self.reference)
        self.world.check(self.registry)
        self.settle()
        return results, late

    def count_once(self):
        """The places of a run, and what its calls gave."""
        self.world.control.set()
        results, late = self.once()
        wrong = self.unexpected(results)
        if wrong or late:
            raise RuntimeError("without a fault: %s %s" % (list(wrong), late))
        return self.world.control.counts(), results

    def count(self):
        self.start()
        self.settle()
        self.once()  # what comes once in a mount does not come up again: it is for the other scenario
        runs = [self.count_once() for _ in range(w.COUNTED)]
        self.reference = runs[-1][1]
        return most(counts for counts, _ in runs)

    def prepare(self):
        if not self.mount:
            self.start()
            self.settle()


class Cold(Use):
    """The same in a mount that nobody has used before: the kernel knows nothing, and no statement is prepared. Only what
    does not come again when it is used once more: that is for the other scenario."""

    name = "cold"

    def count(self):
        runs = []
        for _ in range(w.COUNTED):
            self.prepare()
            runs.append(self.count_once())
        again = most(self.count_once()[0] for _ in range(w.COUNTED))
        self.reference = runs[-1][1]
        return {place: calls for place, calls in most(counts for counts, _ in runs).items() if place not in again}

    def prepare(self):
        self.stop()
        self.start()


class Start(w.Anew):
    """Faults from main() until the mount can be used: it can, or it leaves nothing behind and says why."""

    name = "start"

    def __init__(self, world):
        self.world = world
        self.mount = None

    def begin(self):
        self.directory = self.world.new_directory(self.name)
        self.registry = self.world.new_registry(self.directory)
        self.path = os.path.join(self.directory, "mnt")
        os.mkdir(self.path)

    def once(self):
        self.begin()
        control = self.world.control
        before = set(os.listdir(self.directory))
        control.arm()
        try:
            status, out, err = w.run(
                [self.world.imgsharefs, "-o", "account=jcloud-demo", self.registry, self.path],
                control.environment(self.world.imgsharefs))
        finally:
            control.disarm()
        note = []
        if status == 0:
            if not w.is_mounted(self.path):
                raise Finding("lie: exit status 0, and it is not mounted")
            note = self.use()
            self.end()
        else:
            if not err.strip():
                raise Finding("silent: exit status %d, and no word why" % status)
            for pid in w.children():
                w.reap_in_time(pid, "the daemon of a mount that failed")
            if w.is_mounted(self.path):
                raise Finding("left: mounted, with exit status %d: %s" % (status, err))
            note = ["failed: " + self.general(err)]
        left = set(os.listdir(self.directory)) - before - {"registry-lock"}
        if left and status != 0:
            raise Finding("left: %s (%s)" % (" ".join(sorted(left)), err))
        self.world.check(self.registry)
        if w.shares(self.registry) != self.truth:
            raise Finding("lost: shares have changed")
        return note

    def general(self, text):
        return text.strip().replace(self.directory, "").splitlines()[-1][:100]

    def use(self):
        """The mount is there: it can be used, or says that it is read-only."""
        shares = self.path + "/private/" + GOLDEN + "/shares/"
        results = w.play([("ls", lambda: len(os.listdir(self.path + "/private"))),
                          ("status", lambda: w.cat(self.path + "/status")),
                          ("share", lambda: w.touch(shares + "alice")),
                          ("cancel", lambda: os.unlink(shares + "alice"))])
        for name in ("ls", "status"):
            if results[name][0] != "OK":
                raise Finding("afterwards: %s: %s" % (name, results[name][0]))
        if "access: read-only" in results["status"][1]:
            if results["share"][0] != "EROFS":
                raise Finding("afterwards: read-only, and share: " + results["share"][0])
            return ["read-only"]
        for name in ("share", "cancel"):
            if results[name][0] != "OK":
                raise Finding("afterwards: %s: %s" % (name, results[name][0]))
        return []

    def end(self):
        w.unmount(self.path)
        for pid in w.children():
            w.reap_in_time(pid, "the daemon")

    def count(self):
        self.begin()
        self.truth = w.shares(self.registry)
        return super().count()

    def clear(self):
        self.world.control.disarm()
        for pid in w.children():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        while w.is_mounted(self.path):
            subprocess.run(["umount", "-l", self.path], check=False)

    close = clear


class End(Use):
    """Faults from umount, or SIGTERM, to the end of the daemon."""

    name = "end"

    def once(self, by_signal=False):
        shares = self.mount.path + "/private/" + GOLDEN + "/shares/"
        before = w.shares(self.registry)
        w.play([("share", lambda: w.touch(shares + "alice")), ("cancel", lambda: os.unlink(shares + "bob"))])
        self.world.control.arm()
        if by_signal:
            os.kill(self.mount.pid, signal.SIGTERM)
        else:
            w.unmount(self.mount.path)
        status = self.mount.wait_end("the daemon at its end")
        self.world.control.disarm()
        note = ["exit status %d" % status] if status else []
        if w.is_mounted(self.mount.path):
            if status == 0 or "a dead mount" not in self.mount.log():
                raise Finding("left: still mounted, and not a word of it")
            note = ["left, and said so"]
            self.mount.clear()
        after = w.shares(self.registry)
        if after.get(GOLDEN) != ["alice"]:
            raise Finding("lost: what was acknowledged before the end")
        if {k: v for k, v in after.items() if k != GOLDEN} != {k: v for k, v in before.items() if k != GOLDEN}:
            raise Finding("lost: other shares have changed")
        self.world.check(self.registry)
        self.mount = None
        return note

    def count(self):
        found = []
        for by_signal in (False, True):
            self.start()
            self.settle()
            self.world.control.set()
            self.once(by_signal)
            found.append(self.world.control.counts())
        self.by_umount = found[0]
        return most(found)

    def round(self, point):
        try:
            self.start()
            self.settle()
            self.world.control.set(point)
            return self.once(by_signal=bool(point.path) and (point.group, point.path) not in self.by_umount)
        except Finding:
            self.world.control.disarm()
            self.stop()
            raise
