"""Rows that change: shares and cancels, each durable before its answer."""

import os

from .figure import Figure, added, interleave
from .rows import row
from .trees import image_id, pin

PEER = "passthrough_ll"
BARE = "bare SQLite"


class Changes:
    """Shares by so many processes, each on an image of its own, and their cancels."""

    def __init__(self, bench, processes, shares):
        self.bench = bench
        place = bench.place
        self.processes = processes
        self.count = processes * shares
        self.ours = place.ours(bench.trees.registry(processes, 0, shares))
        self.peer = place.passthrough(bench.trees.tree(processes, 0, (("name", 1),), "-changes"))
        self.bare = bench.trees.registry(processes, 0, shares, "-bare")
        pairs = [(image_id(image), pin(number))
                 for image in range(processes) for number in range(shares)]
        self.lists = [place.write_list(os.path.join(mount.path, "private", image, "shares", name)
                                       for image, name in pairs)
                      for mount in (self.ours, self.peer)]
        self.pairs = place.write_list("%s %s" % pair for pair in pairs)

    def measure(self):
        """A dictionary of samples: share and cancel, of ours, the peer, and the bare loop."""
        place = self.bench.place
        sides = []
        for call, action in (("create", "share"), ("unlink", "cancel")):
            sides += [lambda call=call, at=at: place.load(
                "-s", call, self.processes, self.lists[at]) for at in (0, 1)]
            sides.append(lambda action=action: place.bound(self.bare, action, self.pairs))
        samples = interleave(self.bench.rounds, sides)
        place.drop(self.ours, self.peer)
        keys = [(action, side) for action in ("share", "cancel")
                for side in ("ours", "peer", "bare")]
        return dict(zip(keys, samples))


def alone(bench):
    """One process: what both of its rows come out of."""
    shares = bench.size(5000)
    return bench.once("changes", lambda: (Changes(bench, 1, shares).measure(), shares))


def alone_figures(bench, name, action, target):
    """The bound: each change costs what the bare loop takes, and what the peer takes."""
    samples, count = alone(bench)
    ours, peer, bare = (samples[action, side] for side in ("ours", "peer", "bare"))
    yield Figure(name, action, ours, target=target, peer_name="bound of both",
                 peer=added(peer, bare), count=count)
    yield Figure(name, action, ours, peer_name=PEER, peer=peer, count=count)
    yield Figure(name, action, ours, peer_name=BARE, peer=bare, count=count)


@row("share-1", "one process creates and closes 5,000 shares, durable")
def share_1(bench):
    """The bound is 1 / (1 / bare SQLite + 1 / passthrough_ll's create)."""
    yield from alone_figures(bench, "share-1", "share", 0.85)


@row("cancel-1", "one process unlinks them")
def cancel_1(bench):
    """Likewise."""
    yield from alone_figures(bench, "cancel-1", "cancel", 0.95)


def many(bench, name, processes, bare_target):
    """The peer is not durable; the bare loop is, with one commit a row."""
    shares = bench.size(500)
    changes = Changes(bench, processes, shares)
    samples = changes.measure()
    yield Figure(name, "share", samples["share", "ours"], target=1.0, peer_name=PEER,
                 peer=samples["share", "peer"], count=changes.count)
    yield Figure(name, "share", samples["share", "ours"], target=bare_target, peer_name=BARE,
                 peer=samples["share", "bare"], count=changes.count)
    yield Figure(name, "cancel", samples["cancel", "ours"], peer_name=PEER,
                 peer=samples["cancel", "peer"], count=changes.count)


@row("share-8", "8 processes share on as many images, durable")
def share_8(bench):
    """A commit takes along what waits."""
    yield from many(bench, "share-8", 8, 1.8)


@row("share-16", "16 processes share on as many images, durable")
def share_16(bench):
    """As share-8."""
    yield from many(bench, "share-16", 16, 2.2)
