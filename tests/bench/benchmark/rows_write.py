"""Rows that change: shares and cancels, each durable before its answer."""

import os

from .figure import Figure, added, interleave
from .rows import row
from .trees import image_id, pin

PEER = "passthrough_ll"
BARE = "bare SQLite"
# Mode bits decide in our mounts. The peer's are checked by nobody, and the kernel, that has to ask for a
# directory's mode again after each change in it, does not ask there.
CHECKED = "default_permissions"


class Changes:
    """Shares by so many processes, each on an image of its own, and their cancels."""

    def __init__(self, bench, processes, shares):
        self.bench = bench
        place = bench.place
        self.processes = processes
        self.count = processes * shares
        self.ours = place.ours(bench.trees.registry(processes, 0, shares))
        self.peers = {side: place.passthrough(
            bench.trees.tree(processes, 0, (("name", 1),), "-changes-" + side), more=more)
            for side, more in (("peer", ()), (CHECKED, (CHECKED,)))}
        # The bare loop with one commit a row; and, as one database has one writer, and each process
        # waits for its answer, what no arrangement of ours could beat: one commit for all of them.
        self.bare = [(bench.trees.registry(processes, 0, shares, "-bare%d" % together), together)
                     for together in sorted({1, processes})]
        pairs = [(image_id(image), pin(number))
                 for image in range(processes) for number in range(shares)]
        self.lists = {side: place.write_list(os.path.join(mount.path, "private", image, "shares", name)
                                             for image, name in pairs)
                      for side, mount in (("ours", self.ours), *self.peers.items())}
        pairs.sort(key=lambda pair: pair[1])  # so do processes that run side by side
        self.pairs = place.write_list("%s %s" % pair for pair in pairs)

    def measure(self):
        """A dictionary of samples by action (share, cancel) and side: "ours", "peer", CHECKED, or how many
        changes the bare loop takes into a commit."""
        place = self.bench.place
        sides = {}
        for call, action in (("create", "share"), ("unlink", "cancel")):
            for side, names in self.lists.items():
                sides[action, side] = lambda call=call, names=names: place.load(
                    "-s", call, self.processes, names)
            for registry, together in self.bare:
                sides[action, together] = lambda action=action, at=(registry, together): place.bound(
                    at[0], action, self.pairs, at[1])
        samples = interleave(self.bench.rounds, list(sides.values()))
        place.drop(self.ours, *self.peers.values())
        return dict(zip(sides, samples))


def alone(bench):
    """One process: what both of its rows come out of."""
    shares = bench.size(5000)
    return bench.once("changes", lambda: (Changes(bench, 1, shares).measure(), shares))


def alone_figures(bench, name, action, target):
    """The bound: each change costs what the bare loop takes, and what the peer takes."""
    samples, count = alone(bench)
    ours, bare = samples[action, "ours"], samples[action, 1]
    for name_of, side, its_target in (("bound of both", "peer", target),
                                      ("bound of both, %s" % CHECKED, CHECKED, None)):
        yield Figure(name, action, ours, target=its_target, peer_name=name_of,
                     peer=added(samples[action, side], bare), count=count)
    yield Figure(name, action, ours, peer_name=PEER, peer=samples[action, "peer"], count=count)
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
    for action, target in (("share", 1.0), ("cancel", None)):
        ours = samples[action, "ours"]
        together = samples[action, processes]
        yield Figure(name, action, ours, target=target, peer_name=PEER,
                     peer=samples[action, "peer"], count=changes.count)
        if action == "share":
            yield Figure(name, action, ours, target=bare_target, peer_name=BARE,
                         peer=samples[action, 1], count=changes.count)
        yield Figure(name, action, ours, peer_name="%s, %d a commit" % (BARE, processes),
                     peer=together, count=changes.count)
        yield Figure(name, action, ours, peer_name="bound of both, %s" % CHECKED,
                     peer=added(samples[action, CHECKED], together), count=changes.count)


@row("share-8", "8 processes share on as many images, durable")
def share_8(bench):
    """A commit takes along what waits."""
    yield from many(bench, "share-8", 8, 1.8)


@row("share-16", "16 processes share on as many images, durable")
def share_16(bench):
    """As share-8."""
    yield from many(bench, "share-16", 16, 2.2)
