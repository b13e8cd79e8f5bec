"""The table, the JSON, and what the machine is."""

import json
import os
import platform
import textwrap
import time
from statistics import median

from . import plot
from .figure import FASTER, UNDER, Skipped


def quantity(value, unit, count):
    """A sample as people read it: operations a second where it is many, else what it is."""
    if unit != "s":
        return "%.3g %s" % (value, unit)
    if not count:
        scale, name = next(each for each in TIMES if value * each[0] >= 1 or each is TIMES[-1])
        return "%.3g %s" % (value * scale, name)
    rate = count / value
    for limit, name in ((1e6, "M"), (1e3, "k")):
        if rate >= limit:
            return "%.3g %s/s" % (rate / limit, name)
    return "%.3g /s" % rate


def spread(values, form):
    """The middle one, and the least and the largest."""
    return "%s (%s..%s)" % (form % median(values), form % min(values), form % max(values))


def cells(figure):
    """The cells of a figure's line."""
    ours = quantity(median(figure.ours), figure.unit, figure.count)
    peer = ""
    ratio = ""
    if figure.peer:
        peer = quantity(median(figure.peer), figure.unit, figure.count)
        ratio = spread(figure.ratios(), "%.2f")
    elif len(figure.ours) > 1:
        ratio = "%.3g..%.3g" % (min(figure.ours), max(figure.ours))
    sign = "at least" if figure.kind == FASTER else "at most"
    target = "" if figure.target is None else "%s %g%s" % (
        sign, figure.target, " " + figure.unit if figure.kind == UNDER else "")
    met = figure.verdict()
    return [figure.row, figure.what, ours, figure.peer_name, peer, ratio, target, met]


# Enough for a figure, and nobody waits for it on a slow disk.
FSYNCS = 50

TIMES = ((1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns"))
HEADS = ["row", "what", "ours", "peer", "peer's", "ratio (least..most)", "target", ""]


def table(results):
    """The table as text."""
    lines = [HEADS]
    for result in results:
        if isinstance(result, Skipped):
            lines.append([result.row, "could not run: " + result.why])
        else:
            lines.append(cells(result))
    widths = [max(len(line[at]) for line in lines if len(line) > 2) for at in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in lines)


def markdown(results):
    """The table for the page."""
    lines = ["| %s |" % " | ".join(HEADS), "|%s" % ("---|" * len(HEADS))]
    for result in results:
        if isinstance(result, Skipped):
            lines.append("| %s | could not run: %s |%s" % (
                result.row, result.why, " |" * (len(HEADS) - 2)))
        else:
            lines.append("| %s |" % " | ".join(cells(result)))
    return "\n".join(lines)


def read_line(path, start):
    """What follows START in the first line of PATH that begins so; "" if there is none."""
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(start):
                    return line[len(start):].strip(" \t:\n")
    except OSError:
        pass
    return ""


def machine(place, scale, rounds):
    """What the figures were taken on."""
    from .place import filesystem, output
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": read_line("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "system": read_line("/etc/os-release", "PRETTY_NAME=").strip('"'),
        "disk": filesystem(place.dir),
        "fsync_us": round(place.load("fsync", place.path("fsync"), FSYNCS) / FSYNCS * 1e6),
        "libfuse": output("pkg-config", "--modversion", "fuse3").strip(),
        "sqlite": output("pkg-config", "--modversion", "sqlite3").strip(),
        "scale": scale,
        "rounds": rounds,
    }


def machine_line(facts):
    """The same in a line."""
    return ("%(processor)s, %(cores)s cores, %(memory_gib)s GiB, Linux %(kernel)s, %(system)s, "
            "libfuse %(libfuse)s, SQLite %(sqlite)s; registries on %(disk)s, where an fsync of "
            "4 KiB takes %(fsync_us)s us; %(rounds)s rounds at scale %(scale)s, %(date)s" % facts)


def update_page(path, facts, results):
    """Brings what stands between the marks of the page PATH up to date, and the plots beside it."""
    begin, end = "<!-- made by tests/bench/run: begin -->", "<!-- end -->"
    with open(path) as file:
        page = file.read()
    before, rest = page.split(begin)
    after = rest.split(end, 1)[1]
    with open(path, "w") as file:
        file.write("%s%s\n%s\n\n%s\n%s%s" % (
            before, begin, textwrap.fill(machine_line(facts), 118), markdown(results), end, after))
    base = path.rsplit(".", 1)[0]
    for name, make in (("targets", plot.targets), ("growth", plot.growth)):
        with open("%s-%s.svg" % (base, name), "w") as file:
            file.write(make(results))


def save(path, facts, results):
    """The file of --json."""
    with open(path, "w") as file:
        json.dump({"machine": facts, "results": [each.as_json() for each in results]}, file,
                  indent=1)
        file.write("\n")
