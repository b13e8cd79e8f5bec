"""Measures imgsharefs beside its peers, and prints what came out.

Each row is measured in rounds, ours and the peer's in turn, so that what else the machine does meets
both. A line shows the medians, and the median of the rounds' ratios with the least and the largest
of them. "ratio" is our speed divided by the peer's where the target says "at least", and our cost
divided by the peer's where it says "at most"; a line without a target is for information. The exit
status is 0 whatever the ratios are: timings pass or fail nothing.

Peers: tmpfs; passthrough_ll, libfuse's own example, over tmpfs; bare SQLite, a loop in C over the
store's statements; see docs/performance.md.
"""

import argparse
import os
import signal
import sys

# Each registers its rows; the order is that of the table.
from . import report
from . import rows_read  # noqa: F401
from . import rows_write  # noqa: F401
from . import rows_size  # noqa: F401
from . import rows_cloud  # noqa: F401
from .figure import CannotRun, Skipped
from .place import Place
from .rows import ROWS, Bench
from .trees import Trees

SCALES = {"full": 1.0, "small": 0.05, "tiny": 0.002}


def parse(args, project):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="rows:\n" + "\n".join("  %-14s %s" % (name, function.text)
                                     for name, function in ROWS.items()))
    parser.add_argument("--json", metavar="FILE", help="write everything measured there")
    parser.add_argument("--page", metavar="FILE",
                        help="bring the table and plots in this page up to date")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="5 unless given")
    parser.add_argument("--scale", choices=SCALES, default="full",
                        help="how large the data is; figures count at full only")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(project, "build"),
                        help="a build directory (default: build)")
    parser.add_argument("--dir", metavar="DIR", default="/var/tmp",
                        help="a directory on a disk, for the registries (default: /var/tmp)")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="these rows only")
    words = parser.parse_args(args)
    unknown = [name for name in words.rows if name not in ROWS]
    if unknown:
        parser.error("no such row: %s (see --help)" % ", ".join(unknown))
    if words.rounds < 1:
        parser.error("--rounds wants a number from 1")
    return words


def run_row(name, bench):
    """The figures of a row; why not, where it cannot run."""
    mounted = list(bench.place.mounts)
    try:
        return list(ROWS[name](bench))
    except (CannotRun, OSError) as err:
        left = [mount for mount in bench.place.mounts if mount not in mounted]
        for mount in left:
            try:
                bench.place.drop(mount)
            except CannotRun:
                pass  # the place ends it, in the end
        return [Skipped(name, str(err).replace("\n", " "))]


def main(args):
    """The exit status."""
    project = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    words = parse(args, project)
    # Unmounts on the way out also when it is told to stop.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    results = []
    with Place(project, os.path.realpath(words.build), os.path.realpath(words.dir)) as place:
        scale = SCALES[words.scale]
        bench = Bench(place, Trees(place), words.rounds, scale)
        facts = report.machine(place, words.scale, words.rounds)
        for name in words.rows or ROWS:
            if sys.stderr.isatty():
                sys.stderr.write("\r\033[K%s: %s" % (name, ROWS[name].text))
                sys.stderr.flush()
            results += run_row(name, bench)
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        print(report.machine_line(facts))
        print(report.table(results))
        if words.json:
            report.save(words.json, facts, results)
        if words.page:
            report.update_page(words.page, facts, results)
    return 0
