"""Rows about size: what a million images cost, and what waiting costs."""

import os
import random
import subprocess
import time

from .figure import UNDER, WITHIN, Figure, interleave
from .place import CannotRun, output
from .rows import row
from .trees import image_id, pin

PEER = "passthrough_ll"
SMALL = 1000


def mount_time(place, registry):
    """Seconds until the program says that it is mounted and an image can be looked at."""
    start = time.monotonic()
    mount = place.ours(registry)
    os.stat(mount.under("private", image_id(0)))
    seconds = time.monotonic() - start
    place.drop(mount)
    return seconds


@row("million", "a registry of 1,000,000 images: mount, first ls -f private, memory")
def million(bench):
    """Beside a registry of 1,000 images, and a tree of as many directories."""
    place = bench.place
    images = bench.size(1000000)
    large = bench.trees.registry(images)
    small = bench.trees.registry(bench.size(SMALL))
    ours, peer = interleave(bench.rounds, [lambda: mount_time(place, large),
                                           lambda: mount_time(place, small)])
    yield Figure("million", "mount", ours, kind=WITHIN, target=1.5, peer_name="1,000 images",
                 peer=peer)

    memory = []

    def list_first(make, remember):
        mount = make()
        seconds = place.load("run", "ls", "-f", mount.under("private"))
        if remember:
            memory.append(mount.memory())
        place.drop(mount)
        return seconds

    tree = bench.trees.tree(images)
    ours, peer = interleave(bench.rounds, [
        lambda: list_first(lambda: place.ours(large), True),
        lambda: list_first(lambda: place.passthrough(tree), False)])
    yield Figure("million", "first ls -f", ours, target=1.2, peer_name=PEER, peer=peer,
                 count=images)
    yield Figure("million", "RssAnon", memory, kind=UNDER, target=16, unit="MiB")


class Growth:
    """A registry of so many images: what one of its operations costs."""

    def __init__(self, bench, images):
        self.place = bench.place
        self.images = images
        self.shares = bench.size(500)
        self.registry = bench.trees.registry(images, 0, self.shares)
        chance = random.Random(images)
        # As many everywhere, anywhere in the registry.
        self.looked_at = [image_id(number) for number in
                          chance.sample(range(images), min(images, bench.size(SMALL, 100)))]
        self.samples = {"lookup": [], "share": [], "listed entry": []}

    def measure(self):
        """One sample of each."""
        place = self.place
        mount = place.ours(self.registry)
        private = mount.under("private")
        names = place.write_list(os.path.join(private, name) for name in self.looked_at)
        shares = place.write_list(os.path.join(private, image_id(0), "shares", pin(number))
                                  for number in range(self.shares))
        directory = place.write_list([private])
        self.samples["lookup"].append(place.load("stat", 1, names) / len(self.looked_at))
        self.samples["share"].append(place.load("create", 1, shares) / self.shares)
        place.load("unlink", 1, shares)
        self.samples["listed entry"].append(place.load("list", 1, directory) / self.images)
        place.drop(mount)


@row("growth", "one lookup, one share, one listed entry at 1,000 to 1,000,000 images")
def growth(bench):
    """Held against itself at 1,000."""
    sizes = [bench.size(size, 100) for size in (1000, 10000, 100000, 1000000)]
    steps = [Growth(bench, size) for size in sizes]
    interleave(bench.rounds, [step.measure for step in steps])
    for what, first in steps[0].samples.items():
        for step in steps[1:]:
            yield Figure("growth", "%s at %s" % (what, format(step.images, ",")),
                         step.samples[what], kind=WITHIN, peer=first,
                         target=1.5 if step is steps[-1] else None,
                         peer_name="at %s" % format(sizes[0], ","))


@row("import", "a million records, time and memory")
def import_(bench):
    """sqlite3's .import puts the same rows, as CSV, into a registry without images."""
    place = bench.place
    images = bench.size(1000000)
    records = place.path("records")
    csv = place.path("images.csv")
    os.rename(place.generate("--images", images), records)
    memory = []

    def fresh(name):
        path = place.path(name)
        for suffix in ("", "-wal", "-shm", "-lock"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        place.imgshare("init", path, "--account", "jcloud-demo")
        return path

    def ours():
        seconds, used = place.run(place.program("imgshare"), "import", fresh("import"), records)
        memory.append(used)
        return seconds

    def theirs():
        return place.run("sqlite3", fresh("import-peer"), ".import --csv %s image" % csv)[0]

    place.imgshare("import", fresh("import"), records)
    try:
        with open(csv, "w") as file:
            subprocess.run(["sqlite3", "-csv", place.path("import"), "SELECT * FROM image"],
                           stdout=file, check=True)
    except FileNotFoundError as err:
        raise CannotRun("sqlite3 is not there: install sqlite3") from err
    samples = interleave(bench.rounds, [ours, theirs])
    yield Figure("import", "imgshare import", samples[0], target=0.8, peer_name="sqlite3 .import",
                 peer=samples[1], count=images)
    yield Figure("import", "memory", memory, kind=UNDER, target=100, unit="MiB")


@row("daemon", "what a mount of 100,000 images costs while nobody asks, in 60 s")
def daemon(bench):
    """After it has listed all of them once."""
    place = bench.place
    registry = bench.trees.registry(bench.size(100000))
    window = 60 * min(1, bench.scale * 2) / bench.rounds
    mount = place.ours(registry)
    output("ls", "-f", mount.under("private"))
    memory = []
    shares = []
    for _ in range(bench.rounds):
        before = mount.computed()
        time.sleep(window)
        shares.append((mount.computed() - before) / window * 100)
        memory.append(mount.memory())
    place.drop(mount)
    yield Figure("daemon", "RssAnon", memory, kind=UNDER, target=8, unit="MiB")
    yield Figure("daemon", "of a core", shares, kind=UNDER, target=0.2, unit="%")
