"""The plots, as SVG."""

import math
from html import escape
from statistics import median

from .figure import FASTER, UNDER, Skipped

WIDTH = 760
LEFT = 230
RIGHT = 30
LINE = 22
TOP = 34
OURS = "#2463a8"
SHORT = "#c0392b"
FAINT = "#999"

HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%%" height="100%%" fill="#fff"/>\n')


def text(x, y, words, anchor="start", color="#222"):
    """Words at a place."""
    return '<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>\n' % (
        x, y, anchor, color, escape(words))


def line(x1, y1, x2, y2, color=FAINT, dash=""):
    """A straight one."""
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"%s/>\n' % (
        x1, y1, x2, y2, color, ' stroke-dasharray="%s"' % dash if dash else "")


def against_target(figure):
    """How many times as good as its target: the middle, the least, and the most."""
    if figure.kind == UNDER:
        values = [figure.target / value for value in figure.ours if value > 0]
    elif figure.kind == FASTER:
        values = [ratio / figure.target for ratio in figure.ratios()]
    else:
        values = [figure.target / ratio for ratio in figure.ratios()]
    return median(values), min(values), max(values)


def targets(results):
    """Every figure that has a target: a bar from the target to what was reached, on a logarithmic
    scale; the thin line is the spread of the rounds."""
    figures = [each for each in results
               if not isinstance(each, Skipped) and each.target is not None]
    if not figures:
        return ""
    values = [against_target(figure) for figure in figures]
    low = math.log(min(0.5, min(value[1] for value in values)))
    high = math.log(max(2.0, max(value[2] for value in values)))

    def at(value):
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    height = TOP + LINE * len(figures) + 12
    out = HEAD % (WIDTH, height, WIDTH, height)
    for mark in (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100):
        if low <= math.log(mark) <= high:
            out += line(at(mark), TOP - 8, at(mark), height - 8,
                        "#222" if mark == 1 else "#ddd")
            out += text(at(mark), TOP - 14, "target" if mark == 1 else "%g x" % mark, "middle")
    for number, (figure, (middle, least, most)) in enumerate(zip(figures, values)):
        y = TOP + LINE * number
        color = OURS if middle >= 1 else SHORT
        begin, end = sorted((at(1), at(middle)))
        out += text(LEFT - 8, y + 13, "%s: %s" % (figure.row, figure.what), "end")
        out += '<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>\n' % (
            begin, y + 3, max(end - begin, 1.5), LINE - 9, color)
        out += line(at(least), y + 9.5, at(most), y + 9.5, "#222")
    return out + "</svg>\n"


def growth(results):
    """What one operation costs at each size, both axes logarithmic."""
    figures = [each for each in results if not isinstance(each, Skipped) and each.row == "growth"]
    curves = {}
    for figure in figures:
        what, size = figure.what.rsplit(" at ", 1)
        curve = curves.setdefault(what, [])
        if not curve:
            first = figure.peer_name.rsplit("at ", 1)[1]
            curve.append((int(first.replace(",", "")), median(figure.peer)))
        curve.append((int(size.replace(",", "")), median(figure.ours)))
    if not curves:
        return ""
    points = [point for curve in curves.values() for point in curve]
    left, right = (math.log(choose(point[0] for point in points)) for choose in (min, max))
    low = math.floor(math.log10(min(point[1] for point in points)))
    high = math.ceil(math.log10(max(point[1] for point in points)))
    height = 300

    def x_of(size):
        return 80 + (math.log(size) - left) / max(right - left, 1e-9) * (WIDTH - 200)

    def y_of(seconds):
        return height - 40 - (math.log10(seconds) - low) / (high - low) * (height - 80)

    out = HEAD % (WIDTH, height, WIDTH, height)
    for power in range(low, high + 1):
        out += line(80, y_of(10 ** power), WIDTH - 120, y_of(10 ** power), "#ddd")
        out += text(72, y_of(10 ** power) + 4, {-9: "1 ns", -8: "10 ns", -7: "100 ns", -6: "1 us",
                                                -5: "10 us", -4: "100 us", -3: "1 ms",
                                                -2: "10 ms"}.get(power, "1e%d s" % power), "end")
    for what, curve in curves.items():
        out += '<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>\n' % (
            OURS, " ".join("%.1f,%.1f" % (x_of(size), y_of(cost)) for size, cost in curve))
        for size, cost in curve:
            out += '<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>\n' % (
                x_of(size), y_of(cost), OURS)
        out += text(x_of(curve[-1][0]) + 8, y_of(curve[-1][1]) + 4, what)
    for size in sorted({point[0] for point in points}):
        out += text(x_of(size), height - 18, format(size, ",") + " images", "middle")
    return out + "</svg>\n"
