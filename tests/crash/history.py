"""What may be true after changes some of which nobody answered.

A history is the changes of one thing that is there or is not: a share of an image with an account.
Positions are anything that grows: nanoseconds, or places in a log."""


class Change:
    """One change: when it was asked for, when it was answered (None: it was not), and what for."""

    __slots__ = ("begun", "ended", "there")

    def __init__(self, begun, ended, there):
        self.begun = begun
        self.ended = ended
        self.there = there

    def __str__(self):
        return "%s %s" % ("share" if self.there else "cancel",
                          "answered" if self.ended is not None else "without an answer")


def possible(before, changes):
    """The set of states that are right after CHANGES, where BEFORE was the state. A change may be
    the last one unless another was answered that was asked for only after its own answer. One
    without an answer may have been made at any time, or never."""
    latest = max((change.begun for change in changes if change.ended is not None), default=None)
    if latest is None:
        return {before} | {change.there for change in changes}
    return {change.there for change in changes if change.ended is None or change.ended >= latest}
