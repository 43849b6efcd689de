"""One line of the printed table for each figure, and the small arithmetic that all figures share."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`peer` is what stands beside ours in the same run: another program, or the floor; empty where there is none."""

    figure: str
    ours: str
    reach: str
    is_met: bool | None  # None: shown for orientation, nothing is promised
    peer: str = ""
    ratio: float | None = None
    detail: str = ""  # shown below the table


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of all values lies; the greatest for part 1."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def spread(values: Sequence[float], unit: str) -> str:
    """p50, p99 and the greatest, for one cell of the table."""
    p50, p99, top = share(values, 0.5), share(values, 0.99), max(values)
    return f"p50 {p50:.1f}, p99 {p99:.1f}, max {top:.1f} {unit} ({len(values)})"


def load() -> str:
    """What the machine did meanwhile, which every figure has to be read with."""
    one, five, fifteen = os.getloadavg()
    return f"load {one:.2f} {five:.2f} {fifteen:.2f} on {os.cpu_count()} cores"


def show(rows: Sequence[Row]) -> str:
    """The table as Markdown, aligned for a terminal."""
    head = ("figure", "ours", "peer or floor", "ratio", "reach", "met")
    words = {True: "yes", False: "NO", None: "–"}
    lines = [
        (row.figure, row.ours, row.peer, "" if row.ratio is None else f"{row.ratio:.2f}", row.reach, words[row.is_met])
        for row in rows
    ]
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    rule = tuple("-" * width for width in widths)
    table = "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (head, rule, *lines)
    )
    return "\n\n".join((table, *(row.detail for row in rows if row.detail)))


def histogram(title: str, values: Sequence[float], step: float, unit: str) -> str:
    """A bar for each step from the least to the greatest value, as text; the longest bar has 60 marks."""
    counts = Counter(int(value // step) for value in values)
    highest = max(counts.values())
    lines = [
        f"{place * step:6.0f} to {(place + 1) * step:3.0f} {unit} {counts[place]:5d} "
        f"{'#' * math.ceil(60 * counts[place] / highest)}"
        for place in range(min(counts), max(counts) + 1)
    ]
    return "\n".join((title, *(line.rstrip() for line in lines)))
