"""The scan's schedule and figures: an absolute timetable without drift, and garbage collected only in spare time."""

from __future__ import annotations

import array
import gc
import os
import time
from pathlib import Path
from typing import Any

SCAN_S = 0.020
KEPT = 3000  # a minute of scans
SPARE_NEEDED_S = 0.010  # a collection of what is young takes well under that
FULL_EVERY_S = 60.0
YOUNG_EVERY_S = 1.0


class Timing:
    """Belongs to the scan thread."""

    def __init__(self) -> None:
        self._durations_ms = array.array("f", bytes(4 * KEPT))
        self._count = 0
        self._is_new = False
        self._overruns = 0
        self._young_at_s = self._full_at_s = 0.0

    def next_scan(self, planned_s: float, began_s: float, now_s: float) -> float:
        """When the next scan is due. One that is a whole period late is left out, and counted.

        After that the timetable begins anew, a period after the last scan began: two samples at one moment, when the
        process has just been woken, would count twice against a wire that had no time to move.
        """
        due_s = planned_s + SCAN_S
        if now_s > due_s + SCAN_S:
            self._overruns += 1
            return max(now_s, began_s + SCAN_S)
        return due_s

    def add(self, duration_s: float) -> None:
        """Note how long a scan took."""
        self._durations_ms[self._count % KEPT] = duration_s * 1000.0
        self._count += 1
        if self._is_new:  # the scan that ended the start
            self._count, self._is_new = 0, False

    def figures(self) -> dict[str, Any]:
        """p50, p99 and the longest of the last minute."""
        kept = sorted(self._durations_ms[: min(self._count, KEPT)])
        at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        shown = {
            f"scan_ms_{name}": round(kept[min(int(len(kept) * share), len(kept) - 1)], 2) if kept else None
            for name, share in at.items()
        }
        return {**shown, "scans": self._count, "scans_left_out": self._overruns}

    def settle(self) -> None:
        """The start is over: its figures are not the scan's, and what it left behind lives as long as the process."""
        self._overruns, self._is_new = 0, True
        gc.collect()
        gc.freeze()
        gc.disable()

    def collect_garbage(self, now_s: float, spare_s: float) -> None:
        """In spare time only: a collection at any moment could be one in the middle of a revocation."""
        if gc.isenabled() or spare_s < SPARE_NEEDED_S:
            return
        if now_s - self._full_at_s >= FULL_EVERY_S:
            self._full_at_s = self._young_at_s = now_s
            gc.collect()
        elif now_s - self._young_at_s >= YOUNG_EVERY_S:
            self._young_at_s = now_s
            gc.collect(1)

    @staticmethod
    def process_age_s() -> float:
        """Seconds since this process was started, interpreter and imports included."""
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22, counted from behind the name
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began_s
