"""What was measured: samples, medians, ratios, and whether the target is met."""

from dataclasses import dataclass, field
from statistics import median

# How a figure is held against its target.
FASTER = "faster"  # so many times the peer's speed, at least
WITHIN = "within"  # so many times the peer's cost, at most
UNDER = "under"    # no peer: at most this


@dataclass
class Figure:
    """One comparison of a row. Samples are seconds, unless UNIT says otherwise."""

    row: str
    what: str
    ours: list
    kind: str = FASTER
    target: float = None  # None: for information
    peer_name: str = ""
    peer: list = field(default_factory=list)
    count: int = 0        # operations a sample; 0: it is one thing
    unit: str = "s"
    note: str = ""

    def ratios(self):
        """One a round: what stands side by side was measured side by side."""
        pairs = zip(self.ours, self.peer)
        if self.kind == FASTER:
            return [peer / ours for ours, peer in pairs]
        return [ours / peer for ours, peer in pairs]

    def ratio(self):
        """The median of the ratios; None where there is no peer."""
        ratios = self.ratios()
        return median(ratios) if ratios else None

    def met(self):
        """None where there is no target."""
        if self.target is None:
            return None
        if self.kind == UNDER:
            return median(self.ours) <= self.target
        return self.ratio() >= self.target if self.kind == FASTER else self.ratio() <= self.target

    def verdict(self):
        """In words. Where the target lies within the spread of the rounds, they do not tell."""
        met = self.met()
        if met is None:
            return ""
        if met:
            return "met"
        ratios = self.ratios() or self.ours
        best = max(ratios) if self.kind == FASTER else min(ratios)
        reached = best >= self.target if self.kind == FASTER else best <= self.target
        return "within the spread" if reached else "not met"

    def as_json(self):
        """Everything, for --json."""
        return {
            "row": self.row, "what": self.what, "unit": self.unit, "count": self.count,
            "ours": self.ours, "peer": self.peer, "peer_name": self.peer_name, "kind": self.kind,
            "target": self.target, "ratio": self.ratio(), "ratios": self.ratios(),
            "met": self.met(), "note": self.note,
        }


@dataclass
class Skipped:
    """A row that could not run."""

    row: str
    why: str

    def as_json(self):
        """For --json."""
        return {"row": self.row, "skipped": self.why}


class CannotRun(Exception):
    """Why a row cannot run here."""


def interleave(rounds, sides):
    """Calls the SIDES in turn, so many rounds. Returns the samples of each; a side that prepares
    what it measures gives back only what it measured."""
    samples = [[] for _ in sides]
    for _ in range(rounds):
        for number, side in enumerate(sides):
            samples[number].append(side())
    return samples


def added(*samples):
    """Samples that are done one after the other, added up round by round."""
    return [sum(each) for each in zip(*samples)]
