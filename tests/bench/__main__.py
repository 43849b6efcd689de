"""`python -m tests.bench [NAME …] [--count N]`: prints the table of README.md; no part of tests/check."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tests.bench.drain import measure_drain
from tests.bench.flash import measure_flash
from tests.bench.gate import measure_cut, measure_dead, measure_stalled
from tests.bench.idle import measure_idle, measure_start
from tests.bench.position import measure
from tests.bench.table import Row, load, show

FIGURES: dict[str, Callable[[int | None], list[Row]]] = {
    "cut": measure_cut,
    "dead": measure_dead,
    "drain": measure_drain,
    "flash": measure_flash,
    "idle": measure_idle,
    "position": measure,
    "stalled": measure_stalled,
    "start": measure_start,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(FIGURES)}; default: all")
    parser.add_argument("--count", type=int, help="cuts, losses, seconds, epochs or starts of each figure")
    options = parser.parse_args()
    if unknown := set(options.names) - set(FIGURES):
        parser.error(f"no figure is called {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    rows: list[Row] = []
    for name in options.names or FIGURES:
        began_s = time.monotonic()
        rows += FIGURES[name](options.count)
        print(f"{name}: {time.monotonic() - began_s:.0f} s, {load()}", file=sys.stderr, flush=True)
    print(show(rows))
    return 0 if all(row.is_met is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
