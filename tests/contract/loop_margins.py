"""The loop's counts at every corner of its parts: tolerance, temperature, wire, contacts, converter, leaks.

`python -m tests.contract.loop_margins` prints the tables of `hw/README.md`. Bands come from `hw.loops`; all sums are
made here anew, in exact ohms, and rounded only by the converter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from hw.loops import Loop, classify

PULL_UP_OHM, END_OF_LINE_OHM, BOLT_BRIDGE_OHM, DOOR_BRIDGE_OHM = 2200.0, 470.0, 2200.0, 3600.0
TOLERANCE = 0.01
# Thick-film chip resistors of 1 % above 100 Ω: at most 100 ppm/K. -40 to +85 °C is at most 65 K from the 25 °C at which
# they are measured, and the lock may freeze while the computer is warm, so each part has its own sign.
DRIFT = 100e-6 * 65.0
WIRE_OHM = (0.0, 50.0)
CONTACT_OHM = (0.0, 10.0)  # a closed one; new ones have a tenth of an ohm, dirt makes the rest
# MCP3208-C, data sheet DS21298, at most: offset 3 LSB, gain 5 LSB at full scale, integral non-linearity 2 LSB.
OFFSET, GAIN, NON_LINEARITY = 3.0, 5.0, 2.0
NOISE = 3.0  # peak, as the bench has it; one more LSB is the rounding
FULL = 4096

STATES = {
    Loop.LOCKED: (False, False),
    Loop.BOLT_OPEN: (True, False),
    Loop.DOOR_OPEN: (False, True),
    Loop.BOTH_OPEN: (True, True),
}
OPEN_STATES = (Loop.BOLT_OPEN, Loop.DOOR_OPEN, Loop.BOTH_OPEN)


@dataclass(frozen=True, slots=True)
class Corner:
    """One extreme of everything that is made of resistance."""

    pull_up: float
    end_of_line: float
    bolt: float
    door: float
    wire_ohm: float
    bolt_contact_ohm: float
    door_contact_ohm: float

    def ohms(self, state: Loop, leak_ohm: float | None = None, *, at_lock: bool = True) -> float:
        """From terminal to ground; a leak lies at the lock or at the computer, before or behind the wire."""
        bolt_open, door_open = STATES[state]
        bolt = BOLT_BRIDGE_OHM * self.bolt
        door = DOOR_BRIDGE_OHM * self.door
        lock = END_OF_LINE_OHM * self.end_of_line
        lock += bolt if bolt_open else parallel(bolt, self.bolt_contact_ohm)
        lock += door if door_open else parallel(door, self.door_contact_ohm)
        if leak_ohm is None:
            return lock + self.wire_ohm
        return parallel(lock, leak_ohm) + self.wire_ohm if at_lock else parallel(lock + self.wire_ohm, leak_ohm)

    def counts(self, ohms: float) -> tuple[int, int]:
        """The least and the most that the converter may say of a resistance."""
        fraction = ohms / (ohms + PULL_UP_OHM * self.pull_up)
        error = OFFSET + GAIN * fraction + NON_LINEARITY + NOISE + 1.0
        return max(0, int(FULL * fraction - error)), min(FULL - 1, round(FULL * fraction + error + 0.5))

    def leaks_to(self, state: Loop, low: int, high: int) -> tuple[float, float]:
        """The leaks, in ohms, that may bring this state between two counts, wherever they lie."""
        # A count may come from any resistance whose error reaches it.
        error = (OFFSET + GAIN + NON_LINEARITY + NOISE + 1.0) / FULL
        least, most = (fraction / (1.0 - fraction) for fraction in (low / FULL - error, high / FULL + error))
        pull_up = PULL_UP_OHM * self.pull_up
        at_lock = [
            _needed(self.ohms(state) - self.wire_ohm, total * pull_up - self.wire_ohm) for total in (least, most)
        ]
        at_computer = [_needed(self.ohms(state), total * pull_up) for total in (least, most)]
        return min(at_lock[0], at_computer[0]), max(at_lock[1], at_computer[1])


def _needed(ohms: float, total: float) -> float:
    """The resistance that makes `ohms` into `total` when it lies beside it."""
    return ohms * total / (ohms - total)


def parallel(one: float, other: float) -> float:
    return 0.0 if other == 0.0 else one * other / (one + other)


def corners(ageing: float = 0.0) -> Iterator[Corner]:
    """Every combination of extremes: 2 to the power of 7. `ageing` is a part of each resistance, to either side."""
    most = (1.0 + TOLERANCE) * (1.0 + DRIFT) * (1.0 + ageing)
    part = ((1.0 - TOLERANCE) * (1.0 - DRIFT) * (1.0 - ageing), most)
    for values in product(part, part, part, part, WIRE_OHM, CONTACT_OHM, CONTACT_OHM):
        yield Corner(*values)


def spread(state: Loop, leak_ohm: float | None = None, ageing: float = 0.0) -> tuple[int, int]:
    """The least and the most counts of a state over all corners."""
    found = [
        corner.counts(corner.ohms(state, leak_ohm, at_lock=at_lock))
        for corner in corners(ageing)
        for at_lock in (True, False)
    ]
    return min(low for low, _ in found), max(high for _, high in found)


def band(state: Loop) -> tuple[int, int]:
    """The counts that are read as this state."""
    inside = [counts for counts in range(FULL) if classify(counts) is state]
    return inside[0], inside[-1]


def imitating(state: Loop) -> tuple[float, float]:
    """The leaks that can make an open state read as locked, over all corners, in ohms."""
    found = [corner.leaks_to(state, *band(Loop.LOCKED)) for corner in corners()]
    return min(low for low, _ in found), max(high for _, high in found)


def tables() -> list[str]:
    """The lines of `hw/README.md` that these sums stand behind."""
    lines = ["| state | counts at the worst corners | band | left to the band's edges |", "|---|---|---|---|"]
    for state in STATES:
        (low, high), (first, last) = spread(state), band(state)
        lines.append(f"| {state} | {low}..{high} | {first}..{last} | {low - first} below, {last - high} above |")
    lines += [
        "",
        "| state | leaks that can make it read as locked | a locked loop with that leak reads |",
        "|---|---|---|",
    ]
    for state in OPEN_STATES:
        low_ohm, high_ohm = imitating(state)
        low, high = spread(Loop.LOCKED, low_ohm)[0], spread(Loop.LOCKED, high_ohm)[1]
        lines.append(f"| {state} | {low_ohm:.0f}..{high_ohm:.0f} Ω | {low}..{high} |")
    return lines


if __name__ == "__main__":
    print("\n".join(tables()))
