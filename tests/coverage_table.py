"""Prints what gcovr counted (its JSON): a table of directories, and the lines of core/ never run."""
import collections
import json
import os
import sys


class Tally:
    def __init__(self):
        self.lines = self.lines_run = self.branches = self.branches_run = 0

    def add(self, line):
        self.lines += 1
        self.lines_run += line["count"] > 0
        self.branches += len(line["branches"])
        self.branches_run += sum(branch["count"] > 0 for branch in line["branches"])

    def row(self, name):
        parts = [share(self.lines_run, self.lines), share(self.branches_run, self.branches)]
        return "%-16s %22s %22s" % (name, *parts)


def share(part, whole):
    return "%5d of %5d %5.1f %%" % (part, whole, 100 * part / whole if whole else 100)


def ranges(numbers):
    """[1, 2, 3, 7] as "1-3 7"."""
    spans = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return " ".join("%d" % a if a == b else "%d-%d" % (a, b) for a, b in spans)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        files = json.load(file)["files"]
    tallies = collections.defaultdict(Tally)
    missed = {}
    for each in sorted(files, key=lambda entry: entry["file"]):
        name = each["file"]
        # A static function of a header is counted once for each file that includes it.
        for line in each["lines"]:
            if line.get("gcovr/noncode"):
                continue
            for place in (os.path.dirname(name), name.split("/")[0] + " (all)"):
                tallies[place].add(line)
            if line["count"] == 0 and name.startswith("core/"):
                missed.setdefault(name, []).append(line["line_number"])
    print("%-16s %22s %22s" % ("directory", "lines", "branches"))
    for name in sorted(tallies):
        print(tallies[name].row(name))
    print("\nlines of core/ that were not run:")
    for name, numbers in missed.items():
        print("  %s: %s" % (name, ranges(sorted(numbers))))


main()
