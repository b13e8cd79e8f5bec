"""Rows that read: what the kernel still knows (warm), and what it has to ask for (cold)."""

import os

from .figure import Figure, interleave
from .place import raise_files
from .rows import row
from .trees import image_id

PEER = "passthrough_ll"
TMPFS = "tmpfs"


class Sides:
    """One image with so many shares, for us and for the peers."""

    def __init__(self, bench, shares):
        self.place = bench.place
        self.registry = bench.trees.registry(1, shares, shares)
        self.tree = bench.trees.tree(1, shares)
        self.count = shares



def shares_dir(base):
    """The shares of the first image."""
    return os.path.join(base, "private", image_id(0), "shares")


def warm(bench, sides, measure, prepare, more=()):
    """Samples of MEASURE(PREPARE(base)): ours, the peer's, tmpfs, and the peer's with each of MORE
    options. Each is done once before."""
    place = bench.place
    mounts = [place.ours(sides.registry), place.passthrough(sides.tree),
              *(place.passthrough(sides.tree, more=(option,)) for option in more)]
    bases = [mount.path for mount in mounts]
    bases.insert(2, sides.tree)
    prepared = [prepare(base) for base in bases]
    for each in prepared:
        measure(each)
    samples = interleave(bench.rounds, [lambda each=each: measure(each) for each in prepared])
    bench.place.drop(*mounts)
    return samples


def figures(name, what, samples, count, targets, more=()):
    """A figure for each peer; TARGETS are those of passthrough_ll and tmpfs."""
    names = (PEER, TMPFS, *("%s %s" % (PEER, option) for option in more))
    targets += (None,) * len(more)
    for peer_name, peer, target in zip(names, samples[1:], targets):
        yield Figure(name, what, samples[0], target=target, peer_name=peer_name, peer=peer,
                     count=count)


def uncached(bench, sides, ours):
    """What it is without a cache in the kernel. The peer searches a list of all files that are known
    for each one; it does a twentieth of them, of a shorter list."""
    part = max(1, sides.count // 20)
    mount = bench.place.passthrough(sides.tree, "never")
    names = bench.trees.shares(mount.path, part)
    seconds = bench.place.load("stat", 8, names) * sides.count / part
    bench.place.drop(mount)
    return Figure("warm-stat", "stat", ours, peer_name=PEER + " cache=never",
                  peer=[seconds], count=8 * sides.count)


@row("warm-stat", "8 processes stat 10,000 known shares")
def warm_stat(bench):
    """All paths are known to the kernel: no request is made."""
    sides = Sides(bench, bench.size(10000))
    more = ("default_permissions",)  # as ours: the kernel checks the mode of each directory passed
    samples = warm(bench, sides, lambda names: bench.place.load("stat", 8, names),
                   lambda base: bench.trees.shares(base, sides.count), more)
    yield from figures("warm-stat", "stat", samples, 8 * sides.count, (1.0, None), more)
    yield uncached(bench, sides, samples[0])


@row("warm-ls", "ls -l of 10,000 shares, the second time")
def warm_ls(bench):
    """The listing of shares/ is asked for each time, attributes are known."""
    sides = Sides(bench, bench.size(10000))
    samples = warm(bench, sides, lambda path: bench.place.load("run", "ls", "-l", path),
                   shares_dir)
    yield from figures("warm-ls", "ls -l", samples, sides.count, (2.0, 0.8))


@row("warm-list", "ls -f of 1,000,000 images, the second time")
def warm_list(bench):
    """The listing of private/ is kept by the kernel. What ls makes of it is the same for all: tmpfs
    tells how far from the peer one can be that has nothing to do at all."""
    place = bench.place
    images = bench.size(1000000)
    tree = bench.trees.tree(images)
    mounts = [place.ours(bench.trees.registry(images)), place.passthrough(tree)]
    paths = [os.path.join(base, "private") for base in (mounts[0].path, mounts[1].path, tree)]
    for path in paths:
        place.load("run", "ls", "-f", path)
    samples = interleave(bench.rounds, [
        lambda path=path: place.load("run", "ls", "-f", path) for path in paths])
    place.drop(*mounts)
    yield from figures("warm-list", "ls -f", samples, images, (5.0, None))


@row("warm-negative", "8 processes stat 10,000 missing names, the second time")
def warm_negative(bench):
    """Missing names are known to the kernel, too."""
    sides = Sides(bench, bench.size(10000))
    names = ["missing-%05d" % number for number in range(bench.size(10000))]
    # passthrough_ll has the kernel remember no missing name.
    mount = bench.place.ours(sides.registry)
    lists = [bench.place.write_list(os.path.join(shares_dir(base), name) for name in names)
             for base in (mount.path, sides.tree)]
    for each in lists:
        bench.place.load("missing", 8, each)
    ours, peer = interleave(bench.rounds, [
        lambda each=each: bench.place.load("missing", 8, each) for each in lists])
    bench.place.drop(mount)
    yield Figure("warm-negative", "stat", ours, target=1.2, peer_name=TMPFS, peer=peer,
                 count=8 * len(names))


def cold(bench, ours, theirs, measure):
    """Samples of MEASURE(base), each on a mount that nobody has looked at."""
    place = bench.place

    def side(make):
        mount = make()
        seconds = measure(mount.path)
        place.drop(mount)
        return seconds

    return interleave(bench.rounds, [lambda: side(lambda: place.ours(ours)),
                                     lambda: side(lambda: place.passthrough(theirs))])


@row("cold-lookup", "the first stat of 10,000 shares after a remount")
def cold_lookup(bench):
    """One LOOKUP each."""
    sides = Sides(bench, bench.size(10000))
    ours, peer = cold(bench, sides.registry, sides.tree, lambda base: bench.place.load(
        "stat", 1, bench.trees.shares(base, sides.count)))
    yield Figure("cold-lookup", "stat", ours, target=1.0, peer_name=PEER, peer=peer,
                 count=sides.count)


@row("cold-ls", "the first ls -l of 10,000 shares after a remount")
def cold_ls(bench):
    """Names and attributes come with READDIRPLUS."""
    sides = Sides(bench, bench.size(10000))
    ours, peer = cold(bench, sides.registry, sides.tree,
                      lambda base: bench.place.load("run", "ls", "-l", shares_dir(base)))
    yield Figure("cold-ls", "ls -l", ours, target=2.0, peer_name=PEER, peer=peer,
                 count=sides.count)


def attributes_of(bench, registry):
    """Names and sizes of an image's files."""
    mount = bench.place.ours(registry)
    directory = mount.under("private", image_id(0))
    files = tuple((entry.name, entry.stat().st_size)
                  for entry in os.scandir(directory) if entry.is_file())
    bench.place.drop(mount)
    return files


@row("cold-tree", "the first find over 500 images with 20 shares each")
def cold_tree(bench):
    """The peer's tree has the same files."""
    images = bench.size(500, 5)
    files = attributes_of(bench, bench.trees.registry(1))
    each = 2 + len(files) + 20
    # The peer holds each of them open.
    images = min(images, (raise_files() - 200) // each)
    registry = bench.trees.registry(images, 20, 20)
    tree = bench.trees.tree(images, 20, files)
    ours, peer = cold(bench, registry, tree, lambda base: bench.place.load(
        "run", "find", os.path.join(base, "private")))
    yield Figure("cold-tree", "find, %d images" % images, ours, target=1.0, peer_name=PEER, peer=peer,
                 count=1 + images * each)


@row("attr-read", "cat of one attribute over 2,000 images, cold")
def attr_read(bench):
    """status is a column of the store, platform a member of the record's JSON."""
    images = bench.size(2000)
    registry = bench.trees.registry(images)
    files = [file for file in attributes_of(bench, registry) if file[0] in ("status", "platform")]
    tree = bench.trees.tree(images, 0, tuple(files))
    for name, _ in files:
        ours, peer = cold(bench, registry, tree, lambda base, name=name: bench.place.load(
            "run", "cat", *(os.path.join(base, "private", image_id(n), name)
                            for n in range(images))))
        yield Figure("attr-read", "cat " + name, ours, target=0.9, peer_name=PEER, peer=peer,
                     count=images)
