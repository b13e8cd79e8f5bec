"""Rows of the cloud source, against the fake cloud of tests/cloud with a latency of 40 ms."""

import json
import os
import shutil
import sys
import time

from .figure import WITHIN, CannotRun, Figure, added, interleave
from .place import Mount, output
from .rows import row

LATENCY_MS = 40


def import_cloud(project):
    """The fake cloud's modules: of its tests the process, and what signs."""
    sys.path.insert(0, os.path.join(project, "tests", "cloud"))
    try:
        import signer
        import support
    finally:
        del sys.path[0]
    return support, signer


class Cloud:
    """A fake cloud, with more accounts than it has of itself, and a mount of it."""

    def __init__(self, bench, pins):
        self.place = bench.place
        self.support, self.signer = import_cloud(self.place.project)
        self.process = self.support.Process(
            "--set", "latency_ms=%d" % LATENCY_MS, "--set", "limit_minute=60000",
            "--set", "share_limit=100000")
        try:
            self.process.control([{"do": "add-account", "account": {"pin": pin}} for pin in pins])
            self.mount = self.place.keep(Mount(
                self.place.new_mountpoint(),
                [self.place.program("imgsharefs"), "-o", "endpoint=%s,state=%s" % (
                    self.process.url, self.place.path("state")), "jdcloud:cn-north-1"],
                env={**os.environ,
                     "JDCLOUD_ACCESS_KEY": self.support.OWNER["access_key"],
                     "JDCLOUD_SECRET_KEY": self.support.OWNER["secret_key"]}))
            self.wait_for_lists()
        except BaseException:
            self.process.stop()
            raise

    def wait_for_lists(self):
        """The replica has the images."""
        end = time.monotonic() + 30
        while not os.path.isdir(self.mount.under("private", self.support.GOLDEN)):
            if time.monotonic() > end:
                raise CannotRun("the mount of the fake cloud shows no images")
            time.sleep(0.02)

    def stop(self):
        """Unmounts, and ends the cloud."""
        self.place.drop(self.mount)
        self.process.stop()

    def curl(self, pins):
        """Seconds that one curl takes to share the image with PINS, one POST each, on a connection
        that an earlier request has opened."""
        url = self.process.url
        host = url.split("://", 1)[1].rstrip("/")
        target = "%s/images/%s" % (self.support.REGION, self.support.GOLDEN)
        lines = []
        for pin in [None] + pins:
            method = "POST" if pin else "GET"
            body = json.dumps({"pins": [pin]}) if pin else ""
            path = target + (":share" if pin else "/members")
            lines += ["url = \"%s%s\"" % (url.rstrip("/"), path), "silent", "fail",
                      "output = \"/dev/null\"", "write-out = \"%{time_total} %{num_connects}\\n\"",
                      "request = %s" % method]
            headers = self.signer.sign(method, host, path, body.encode(), **self.support.OWNER)
            lines += ["header = \"%s: %s\"" % pair for pair in headers.items()]
            if pin:
                lines.append("data = %s" % json.dumps(body))
            lines.append("next")
        answers = [line.split() for line in
                   output("curl", "-K", self.place.write_list(lines[:-1])).splitlines()]
        if any(answer[1] != "0" for answer in answers[1:]):
            raise CannotRun("curl did not keep its connection")
        return sum(float(answer[0]) for answer in answers[1:])


@row("cloud-touch", "touch at a latency of 40 ms")
def cloud_touch(bench):
    """Beside one POST by curl on a kept connection, and one fsync."""
    if not shutil.which("curl"):
        raise CannotRun("curl is not there: install curl")
    place = bench.place
    count = bench.size(20, 3)
    names = ["bench-%d-%d" % (side, number)
             for side in range(3) for number in range(count * bench.rounds)]
    cloud = Cloud(bench, names)
    fresh = iter(names)

    def take():
        return [next(fresh) for _ in range(count)]

    try:
        shares = cloud.mount.under("private", cloud.support.GOLDEN, "shares")
        output("ls", shares)  # from here on it is known with whom it is shared
        # What touch(1) takes where a file costs nothing: to start it, and to end it.
        starts = iter(place.tmpfs + "/" + name for name in names)
        ours, peer, bare, start = interleave(bench.rounds, [
            lambda: sum(place.load("run", "touch", os.path.join(shares, pin))
                        for pin in take()) / count,
            lambda: (cloud.curl(take()) + place.load("fsync", place.path("fsync"), count)) / count,
            lambda: place.load("create", 1, place.write_list(
                os.path.join(shares, pin) for pin in take())) / count,
            lambda: sum(place.load("run", "touch", next(starts)) for _ in range(count)) / count])
    finally:
        cloud.stop()
    yield Figure("cloud-touch", "touch", ours, kind=WITHIN, target=1.05,
                 peer_name="curl POST + fsync", peer=peer)
    yield Figure("cloud-touch", "touch", ours, kind=WITHIN,
                 peer_name="curl POST + fsync + touch in tmpfs", peer=added(peer, start))
    yield Figure("cloud-touch", "open, close", bare, kind=WITHIN, peer_name="curl POST + fsync",
                 peer=peer)
