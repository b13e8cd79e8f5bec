"""Faults in a mount of a cloud, the fake one of tests/cloud: while it starts, and while it is used."""

import os
import subprocess
import sys
import time

import world as w
from control import most
from world import Finding

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "cloud"))

from fakecloud.remote import ask  # noqa: E402

# Of the sample of the fake cloud.
KEY = {"JDCLOUD_ACCESS_KEY": "AK0000000000000000000000000OWNER",
       "JDCLOUD_SECRET_KEY": "SK0000000000000000000000000OWNER"}
GOLDEN = "img-m5s0abcd29"  # not shared
WEB = "img-m5s0abcd30"  # shared with alice and bob
PENDING = "img-p7e1nd5g3a"

# docs/errors.md: the store, and the service that cannot be reached or does not answer.
MAY = {"EIO", "ENOMEM", "ENOSPC", "ETIMEDOUT", "EROFS", "EAGAIN", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED",
       "EPROTO", "EREMOTEIO", "EBADMSG"}
EXPECTED = {"missing": "ENOENT", "refused": "EBUSY"}


class Cloud:
    """The fake cloud, and a mount of it."""

    def __init__(self, world):
        self.world = world
        self.mount = None
        ready = os.path.join(world.directory, "cloud.ready")
        if os.path.exists(ready):  # of the scenario before
            os.unlink(ready)
        with open(os.path.join(world.directory, "cloud.log"), "wb") as log:
            self.fake = subprocess.Popen([os.path.join(TESTS, "cloud/fake"), "--ready", ready, "--die-with-parent",
                                          "--set", "limit_minute=1000000"], stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log)
        w.wait_for(lambda: os.path.exists(ready), "the fake cloud")
        with open(ready) as file:
            self.place = dict(line.strip().partition("=")[::2] for line in file)
        self.control = self.place["control"].strip("'")

    def members(self, image):
        return sorted(ask(self.control, "/members/" + image)["pins"])

    def shared(self):
        return {image: self.members(image) for image in (GOLDEN, WEB)}

    def arguments(self, directory):
        # No refresh comes to the rescue of who hangs.
        return ["-o", "refresh=600,timeout=2,endpoint=%s,state=%s" % (
            self.place["url"].strip("'"), os.path.join(directory, "state")), "jdcloud:cn-north-1"]

    def end(self):
        self.fake.kill()
        self.fake.wait()


def lists_known(mount):
    return lambda: "_age: never" not in w.cat(mount + "/status")


class CloudUse(w.Kept, Cloud):
    """Faults in a mount that runs."""

    name = "cloud"
    expected = EXPECTED

    def start(self):
        self.directory = self.world.new_directory(self.name)
        self.mount = w.Mount(self.world, self.arguments(self.directory), self.directory, environment=KEY)
        self.mount.wait_ready()
        w.wait_for(lists_known(self.mount.path), "the lists")

    def stop(self):
        if self.mount:
            self.mount.clear()
        self.mount = None

    def close(self):
        self.stop()
        self.end()

    def script(self):
        root = self.mount.path
        golden = root + "/private/" + GOLDEN
        web = root + "/private/" + WEB
        return [
            ("ls private", lambda: sorted(os.listdir(root + "/private"))),
            ("ls shares", lambda: sorted(os.listdir(web + "/shares"))),
            ("attributes", lambda: [w.cat(golden + "/" + name) for name in ("name", "status", "quota", "shareable")]
             and None),
            ("share", lambda: w.touch(golden + "/shares/alice")),
            ("share again", lambda: w.touch(golden + "/shares/alice")),
            ("refused", lambda: w.touch(root + "/private/" + PENDING + "/shares/alice")),
            ("cancel", lambda: os.unlink(web + "/shares/bob")),
            ("missing", lambda: os.stat(golden + "/shares/nobody%d" % (time.monotonic_ns() % 1000))),
            ("refresh", lambda: os.utime(web + "/shares")),
            ("status", lambda: w.cat(root + "/status")[:20]),
            ("events", lambda: w.cat(root + "/events") and None),
        ]

    def settle(self):
        """Golden is shared with nobody, web with alice and bob, made through the mount, which must work, and
        agree with the cloud, once what was unsettled is settled."""
        root = self.mount.path

        def settled():
            return "unsettled: 0 changes" in w.cat(root + "/status") and online()

        def online():
            return "\nonline: yes" in "\n" + w.cat(root + "/status")

        def agree():
            for image in (GOLDEN, WEB):
                path = root + "/private/" + image + "/shares"
                os.utime(path)
                if sorted(os.listdir(path)) != self.members(image):
                    return False
            return True

        def make():
            for image, wanted in ((GOLDEN, []), (WEB, ["alice", "bob"])):
                path = root + "/private/" + image + "/shares/"
                for pin in os.listdir(path):
                    if pin not in wanted:
                        os.unlink(path + pin)
                for pin in wanted:
                    w.touch(path + pin)

        results = w.play([("settled", lambda: w.wait_for(settled, "settling", 15) or None),
                          ("agree", lambda: w.wait_for(agree, "agreeing", 5) or None),
                          ("make", make)], limit=40)
        for name in ("settled", "agree", "make"):
            if results.get(name, ("not in time",))[0] != "OK":
                raise Finding("afterwards: %s: %s" % (name, results.get(name, ("not in time",))[0]))
        if self.shared() != {GOLDEN: [], WEB: ["alice", "bob"]}:
            raise Finding("lie: the cloud has %s" % self.shared())

    def once(self):
        self.world.control.arm()
        try:
            results = w.play(self.script(), limit=40)
        finally:
            self.world.control.disarm()
        if not self.mount.alive():
            self.mount.wait_end("the daemon")
            raise Finding("ended: " + self.mount.log())
        truth = self.shared()
        late = []
        for name, (result, _) in results.items():
            if result != EXPECTED.get(name, "OK") and result not in MAY:
                raise Finding("errno: %s: %s" % (name, result))
        for name, holds in (("share", "alice" in truth[GOLDEN]), ("share again", "alice" in truth[GOLDEN]),
                            ("cancel", "bob" not in truth[WEB])):
            if results[name][0] == "OK" and not holds:
                raise Finding("lie: %s was acknowledged, and the cloud has %s" % (name, truth))
            if results[name][0] != "OK" and holds and not (
                    name == "share" and results["share again"][0] == "OK"):
                late.append(name)
        self.settle()
        return results, late

    def count(self):
        self.start()
        counts = []
        for _ in range(w.COUNTED):
            self.world.control.set()
            results, late = self.once()
            wrong = self.unexpected(results)
            if wrong or late:
                raise RuntimeError("without a fault: %s %s" % (list(wrong), late))
            counts.append(self.world.control.counts())
        return most(counts)

    def reset(self):
        """The cloud itself is as in the beginning, whatever a round that failed has left."""
        for image, wanted in ((GOLDEN, []), (WEB, ["alice", "bob"])):
            now = self.members(image)
            for pin in set(wanted) ^ set(now):
                ask(self.control, command={"do": "share" if pin in wanted else "cancel", "image": image, "pin": pin})

    def prepare(self):
        if not self.mount:
            self.reset()
            self.start()


class CloudStart(w.Anew, Cloud):
    """Faults from main() until the mount can be used."""

    name = "cloud-start"

    def once(self):
        directory = self.directory = self.world.new_directory(self.name)
        self.path = os.path.join(directory, "mnt")
        os.mkdir(self.path)
        control = self.world.control
        control.arm()
        try:
            status, _, err = w.run([self.world.imgsharefs, *self.arguments(directory), self.path],
                                   {**control.environment(self.world.imgsharefs), **KEY})
        finally:
            control.disarm()
        if status != 0:
            if not err.strip():
                raise Finding("silent: exit status %d, and no word why" % status)
            if "Unknown error" in err or "not an error" in err:
                raise Finding("mumbles: " + err.strip())
            for pid in w.children():
                if pid != self.fake.pid:
                    w.reap_in_time(pid, "the daemon of a mount that failed")
            if w.is_mounted(self.path):
                raise Finding("left: mounted, with exit status %d: %s" % (status, err))
            self.again(directory)
            return ["failed: " + err.strip().splitlines()[-1].replace(directory, "")[:100]]
        if not w.is_mounted(self.path):
            raise Finding("lie: exit status 0, and it is not mounted")
        note = self.use()
        self.unmount()
        return note

    def again(self, directory):
        """What a start that failed has left of the replica is of no harm to the next."""
        status, _, err = w.run([self.world.imgsharefs, *self.arguments(directory), self.path],
                               {**os.environ, **KEY})
        if status != 0:
            raise Finding("afterwards: it cannot be mounted: " + err)
        self.use()
        self.unmount()

    def unmount(self):
        w.unmount(self.path)
        for pid in w.children():
            if pid != self.fake.pid:
                w.reap_in_time(pid, "the daemon")

    def use(self):
        shares = self.path + "/private/" + GOLDEN + "/shares/"
        results = w.play([("status", lambda: w.wait_for(lists_known(self.path), "the lists", 15) or
                           w.cat(self.path + "/status")),
                          ("ls", lambda: len(os.listdir(self.path + "/private"))),
                          ("share", lambda: w.touch(shares + "alice")),
                          ("cancel", lambda: os.unlink(shares + "alice"))], limit=40)
        if "access: read-only" in w.cat(self.path + "/status"):
            return ["read-only"]
        for name in ("status", "ls", "share", "cancel"):
            if results.get(name, ("not in time",))[0] != "OK":
                raise Finding("afterwards: %s: %s" % (name, results.get(name, ("not in time",))[0]))
        if self.members(GOLDEN):
            raise Finding("lie: a cancel was acknowledged, and the cloud has the share")
        return []

    def clear(self):
        self.world.control.disarm()
        for pid in w.children():
            if pid != self.fake.pid:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
        while w.is_mounted(self.path):
            subprocess.run(["umount", "-l", self.path], check=False)
        if self.members(GOLDEN):
            ask(self.control, command={"do": "cancel", "image": GOLDEN, "pin": "alice"})

    def close(self):
        self.clear()
        self.end()
