"""Rows of the cloud source, against the fake cloud of tests/cloud with a latency of 40 ms.

Their peer is curl: requests that were signed beforehand, one after the other on a connection that is
kept."""

import json
import os
import shutil
import sys
import time

from .figure import WITHIN, CannotRun, Figure, added, interleave
from .place import Mount, output
from .rows import row

LATENCY_MS = 40
PAGE = 100  # images of a list that one answer holds at most


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
    """A fake cloud. A context manager."""

    def __init__(self, bench, *arguments):
        if not shutil.which("curl"):
            raise CannotRun("curl is not there: install curl")
        self.place = bench.place
        self.support, self.signer = import_cloud(self.place.project)
        self.process = self.support.Process("--set", "latency_ms=%d" % LATENCY_MS, "--set",
                                            "limit_minute=1000000", *arguments)
        self.replicas = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stop()

    def mount(self):
        """Mounts it, with an empty replica."""
        self.replicas += 1
        state = self.place.path("state%d" % self.replicas)
        return self.place.keep(Mount(
            self.place.new_mountpoint(),
            [self.place.program("imgsharefs"), "-o",
             "endpoint=%s,state=%s,timeout=60" % (self.process.url, state), "jdcloud:cn-north-1"],
            env={**os.environ,
                 "JDCLOUD_ACCESS_KEY": self.support.OWNER["access_key"],
                 "JDCLOUD_SECRET_KEY": self.support.OWNER["secret_key"]}))

    def curl(self, requests):
        """Seconds that one curl takes for the REQUESTS (method, target, body), without the first of
        them, which opens the connection."""
        url = self.process.url.rstrip("/")
        host = url.split("://", 1)[1]
        lines = []
        for method, target, body in requests:
            target = self.support.REGION + target
            lines += ["url = \"%s%s\"" % (url, target), "silent", "fail",
                      "output = \"/dev/null\"", "write-out = \"%{time_total} %{num_connects}\\n\"",
                      "request = %s" % method]
            headers = self.signer.sign(method, host, target, body.encode(), **self.support.OWNER)
            lines += ["header = \"%s: %s\"" % pair for pair in headers.items()]
            if body:
                lines.append("data = %s" % json.dumps(body))
            lines.append("next")
        answers = [line.split() for line in
                   output("curl", "-K", self.place.write_list(lines[:-1])).splitlines()]
        if len(answers) != len(requests) or any(answer[1] != "0" for answer in answers[1:]):
            raise CannotRun("curl did not keep its connection")
        return sum(float(answer[0]) for answer in answers[1:])


def wait_for_images(mount, count):
    """Until private/ lists so many images at least, as ls sees it."""
    end = time.monotonic() + 60
    while output("ls", mount.under("private")).count("\n") < count:
        if time.monotonic() > end:
            raise CannotRun("the mount of the fake cloud does not show its images")
        time.sleep(0.001)


@row("cloud-touch", "touch at a latency of 40 ms")
def cloud_touch(bench):
    """Beside one POST by curl on a kept connection, and one fsync."""
    place = bench.place
    count = bench.size(20, 3)
    names = ["bench-%d-%d" % (side, number)
             for side in range(3) for number in range(count * bench.rounds)]
    fresh = iter(names)

    def take():
        return [next(fresh) for _ in range(count)]

    with Cloud(bench, "--set", "share_limit=100000") as cloud:
        image = cloud.support.GOLDEN
        cloud.process.control([{"do": "add-account", "account": {"pin": pin}} for pin in names])
        mount = cloud.mount()
        wait_for_images(mount, 1)
        shares = mount.under("private", image, "shares")
        output("ls", shares)  # from here on it is known with whom it is shared

        def post(pins):
            return cloud.curl([("GET", "/images/%s/members" % image, "")] + [
                ("POST", "/images/%s:share" % image, json.dumps({"pins": [pin]})) for pin in pins])

        # What touch(1) takes where a file costs nothing: to start it, and to end it.
        starts = iter(place.tmpfs + "/" + name for name in names)
        ours, peer, bare, start = interleave(bench.rounds, [
            lambda: sum(place.load("run", "touch", os.path.join(shares, pin))
                        for pin in take()) / count,
            lambda: (post(take()) + place.load("fsync", place.path("fsync"), count)) / count,
            lambda: place.load("create", 1, place.write_list(
                os.path.join(shares, pin) for pin in take())) / count,
            lambda: sum(place.load("run", "touch", next(starts)) for _ in range(count)) / count])
        place.drop(mount)
    yield Figure("cloud-touch", "touch", ours, kind=WITHIN, target=1.05,
                 peer_name="curl POST + fsync", peer=peer)
    yield Figure("cloud-touch", "touch", ours, kind=WITHIN,
                 peer_name="curl POST + fsync + touch in tmpfs", peer=added(peer, start))
    yield Figure("cloud-touch", "open, close", bare, kind=WITHIN, peer_name="curl POST + fsync",
                 peer=peer)


def many_images(bench):
    """Samples of both rows below, and the number of images: of ours mounting and sweeping, of curl
    asking for the pages of the list and for the members of each image."""
    place = bench.place
    count = bench.size(1000)
    with Cloud(bench, "--empty") as cloud:
        ids = ["img-%010d" % number for number in range(count)]
        cloud.process.control({"do": "load", "state": {
            "regions": ["cn-north-1"],
            "accounts": [{"pin": "owner", "keys": [cloud.support.OWNER]}, {"pin": "bob"}],
            "images": [{"imageId": image, "owner": "owner", "name": image, "status": "ready",
                        "pins": ["bob"]} for image in ids]}})
        mounts = []
        sweeps = []
        first = ("GET", "/images/%s/members" % ids[0], "")

        def through_mount():
            begin = time.monotonic()
            mount = cloud.mount()
            wait_for_images(mount, count)
            listed = time.monotonic()
            shown = output("sh", "-c", "ls private/*/shares", cwd=mount.path).split("\n")
            swept = time.monotonic()
            if shown.count("bob") != count:
                raise CannotRun("%d of %d images were listed with their share" % (
                    shown.count("bob"), count))
            place.drop(mount)
            mounts.append(listed - begin)
            sweeps.append(swept - listed)

        def pages():
            return cloud.curl([first] + [
                ("GET", "/images?imageSource=private&pageNumber=%d&pageSize=%d" % (page + 1, PAGE), "")
                for page in range(-(-count // PAGE))])

        def members():
            return cloud.curl([first] + [("GET", "/images/%s/members" % image, "") for image in ids])

        _, listed, asked = interleave(bench.rounds, [through_mount, pages, members])
    return count, mounts, listed, sweeps, asked


@row("cloud-mount", "mount of 1,000 images, an empty replica, until ls private has all; at 40 ms")
def cloud_mount(bench):
    """Beside the 10 pages of the list, one after the other."""
    count, mounts, listed, _, _ = bench.once("many images", lambda: many_images(bench))
    yield Figure("cloud-mount", "until ls private", mounts, target=2,
                 peer_name="%d requests" % -(-count // PAGE), peer=listed)


@row("cloud-sweep", "ls private/*/shares of 1,000 images that nobody has asked for; at 40 ms")
def cloud_sweep(bench):
    """Beside one request an image, one after the other."""
    count, _, _, sweeps, asked = bench.once("many images", lambda: many_images(bench))
    yield Figure("cloud-sweep", "ls private/*/shares", sweeps, target=10,
                 peer_name="%d requests" % count, peer=asked, count=count)
