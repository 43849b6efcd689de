"""What watches over the people in the cells: a call button on a supervised line, and a thermistor (hazard H36).

A call line is a lock loop with one contact, so its bands are those of `hw.loops`. The thermistor is a Vishay
NTCLE100E3103 (data sheet 29049); sums and tolerances of both are in hw/README.md.
"""

from __future__ import annotations

import math
from enum import StrEnum

from hw.loops import COUNTS_FULL, Loop, classify


class Call(StrEnum):
    IDLE = "idle"
    PRESSED = "pressed"
    CUT = "cut"
    SHORT = "short"
    IMPLAUSIBLE = "implausible"


# The button's contact is where a lock has its bolt contact; a call line has no second contact, so no other open state.
_OF_LOOP = {
    Loop.LOCKED: Call.IDLE,
    Loop.BOLT_OPEN: Call.PRESSED,
    Loop.CUT: Call.CUT,
    Loop.SHORT: Call.SHORT,
}

PULL_UP_OHM = 10_000.0  # as much as the thermistor at 25 °C: the finest steps lie where people live
R25_OHM = 10_000.0
BETA_K = 3977.0  # B25/85 of the data sheet
T25_K = 298.15
ZERO_C_K = 273.15
CELSIUS_MIN, CELSIUS_MAX = -40.0, 85.0  # beyond lies no weather and no cell: a cut or a shorted wire
NOISE_COUNTS = 6  # two readings of one temperature may differ by so much; a seventh of a degree at 25 °C


def call_state(counts: int) -> Call:
    return _OF_LOOP.get(classify(counts), Call.IMPLAUSIBLE)


def celsius(counts: int) -> float | None:
    """The beta equation, 1/T = 1/T25 + ln(R/R25)/B; None for an open or shorted sensor and what no cell can have."""
    if not 0 < counts < COUNTS_FULL - 1:
        return None
    ohms = PULL_UP_OHM * counts / (COUNTS_FULL - counts)
    found = 1.0 / (1.0 / T25_K + math.log(ohms / R25_OHM) / BETA_K) - ZERO_C_K
    return found if CELSIUS_MIN <= found <= CELSIUS_MAX else None


class Thermometer:
    """One sensor's newest temperature; noise does not move it, so that nothing is told anew while nothing changes."""

    def __init__(self) -> None:
        self.counts: int | None = None
        self.celsius: float | None = None

    def update(self, counts: int | None) -> None:
        """Take a reading; None when there is none, which never keeps the old one."""
        if counts is not None and self.counts is not None and abs(counts - self.counts) <= NOISE_COUNTS:
            return
        self.counts = counts
        self.celsius = None if counts is None else celsius(counts)
