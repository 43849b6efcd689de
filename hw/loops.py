"""Door and lock loops (Rule 15): six states on one pair of wires, so that a cut and a short never look like "locked".

Every level between the bands is `implausible`: a loop says "locked" only inside its own narrow band. The honest limit
is 0.37..0.79 kΩ across the wires, which can imitate "locked"; the proof of both states in each check finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

COUNTS_FULL = 4096  # 12 bits
PULL_UP_OHM = 2200.0
END_OF_LINE_OHM = 470.0
BOLT_BRIDGE_OHM = 2200.0  # across the bolt contact, inside the lock body
DOOR_BRIDGE_OHM = 3600.0  # across the door contact, inside the lock body

DISCREPANCY_S = 0.5  # two contacts of one lock may disagree for as long as a bolt needs to travel


class Loop(StrEnum):
    LOCKED = "locked"
    BOLT_OPEN = "bolt_open"
    DOOR_OPEN = "door_open"  # the bolt is thrown while the door stands open
    BOTH_OPEN = "both_open"
    CUT = "cut"
    SHORT = "short"
    IMPLAUSIBLE = "implausible"


# Inclusive, in counts; 1 % resistors and 0..50 Ω of wire fill less than half of each band (sums: hw/README.md).
_BANDS = (
    (0, 299, Loop.SHORT),
    (650, 860, Loop.LOCKED),
    (2150, 2450, Loop.BOLT_OPEN),
    (2550, 2840, Loop.DOOR_OPEN),
    (2930, 3300, Loop.BOTH_OPEN),
    (3851, 4095, Loop.CUT),
)


def classify(counts: int) -> Loop:
    for low, high, state in _BANDS:
        if low <= counts <= high:
            return state
    return Loop.IMPLAUSIBLE


def counts_of(ohms: float, pull_up_ohm: float = PULL_UP_OHM) -> int:
    """What the ADC says of a resistance to ground below the pull-up; `math.inf` is an open wire."""
    if ohms == float("inf"):
        return COUNTS_FULL - 1
    return min(COUNTS_FULL - 1, round(COUNTS_FULL * ohms / (ohms + pull_up_ohm)))


def loop_ohms(*, bolt_open: bool, door_open: bool, wire_ohm: float = 0.0, leak_ohm: float = float("inf")) -> float:
    """Resistance of a whole loop as its two wires show it; `leak_ohm` lies across them (water, a bridge)."""
    ohms = END_OF_LINE_OHM + BOLT_BRIDGE_OHM * bolt_open + DOOR_BRIDGE_OHM * door_open + wire_ohm
    return ohms if leak_ohm == float("inf") else ohms * leak_ohm / (ohms + leak_ohm)


@dataclass(slots=True)
class AntivalentPair:
    """One lock's normally open and normally closed contact, as a loop for rigs without an ADC.

    Contacts that agree with each other longer than `DISCREPANCY_S` are a latched fault, which ends only with a switch
    test: both contacts seen in the open state. A pair cannot tell bolt from door, so "not locked" is `both_open`.
    """

    _valid: Loop | None = None
    _disagree_since_s: float | None = None
    _latched: bool = field(default=False)

    def update(self, normally_open: bool | None, normally_closed: bool | None, at_s: float) -> Loop | None:
        """`True` = that contact is closed. None until the pair has once been seen plausible or the time ran out."""
        if normally_open is None or normally_closed is None or normally_open == normally_closed:
            if self._disagree_since_s is None:
                self._disagree_since_s = at_s
            # Half a microsecond of slack: sums of 10 ms steps are no exact binary fractions.
            if at_s - self._disagree_since_s > DISCREPANCY_S + 5e-7:
                self._latched = True
            return Loop.IMPLAUSIBLE if self._latched else self._valid
        self._disagree_since_s = None
        state = Loop.LOCKED if normally_open else Loop.BOTH_OPEN
        if self._latched and state is Loop.LOCKED:
            return Loop.IMPLAUSIBLE
        self._latched = False
        self._valid = state
        return state
