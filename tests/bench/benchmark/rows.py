"""The list of rows: each is a function that gives its figures, in the order of the table."""

ROWS = {}


def row(name, text):
    """Registers the function as row NAME; TEXT says what is timed."""
    def register(function):
        function.text = text
        ROWS[name] = function
        return function
    return register


class Bench:
    """What a row needs."""

    def __init__(self, place, trees, rounds, scale):
        self.place = place
        self.trees = trees
        self.rounds = rounds
        self.scale = scale
        self.done = {}

    def size(self, full, least=20):
        """FULL, or what is left of it at a smaller scale."""
        return max(min(full, least), int(full * self.scale))

    def once(self, key, make):
        """What MAKE gives; made once a run, for rows that come out of one measurement."""
        if key not in self.done:
            self.done[key] = make()
        return self.done[key]
