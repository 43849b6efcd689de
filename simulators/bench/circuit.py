"""The resistor sums of the bench: what a terminal sees of contact, pull resistor, leak, short and bridge.

Everything is a conductance to 0 V or to 3.3 V, so that wires which touch are one node and their sums just add.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hw.loops import PULL_UP_OHM
from hw.pins import Pin

GPIO_PULL_OHM = 50_000.0  # inside the computer's chip; its data sheet allows 33 to 73 kΩ
TOUCH_OHM = 0.01  # metal on metal
# Levels of a 3.3 V input as parts of the supply: up to 0.8 V is low for sure, from 2.0 V high. Between them the input
# keeps what it had, as one with hysteresis does.
LOW_MAX, HIGH_MIN = 0.8 / 3.3, 2.0 / 3.3


@dataclass(frozen=True, slots=True)
class Load:
    """What hangs on one terminal, in siemens."""

    to_ground_s: float = 0.0
    to_supply_s: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(self.to_ground_s + other.to_ground_s, self.to_supply_s + other.to_supply_s)

    @property
    def fraction(self) -> float | None:
        """The terminal's voltage as a part of the supply; None when nothing is connected."""
        total_s = self.to_ground_s + self.to_supply_s
        return None if total_s == 0.0 else self.to_supply_s / total_s


OPEN = Load()
SHORT = Load(to_ground_s=1.0 / TOUCH_OHM)
SUPPLY = Load(to_supply_s=1.0 / TOUCH_OHM)  # 12 V through the input's clamp is no other level than 3.3 V


def to_ground(ohms: float) -> Load:
    """A resistance to 0 V; `math.inf` is nothing at all."""
    return Load(to_ground_s=1.0 / max(ohms, TOUCH_OHM))


def pull(pin: Pin) -> Load:
    """The terminal's own resistor: outside the chip on an ADC channel, inside it on a GPIO."""
    if pin.kind == "adc":
        return Load(to_supply_s=1.0 / PULL_UP_OHM)
    conductance_s = 1.0 / GPIO_PULL_OHM
    return {"up": Load(to_supply_s=conductance_s), "down": Load(to_ground_s=conductance_s), None: OPEN}[pin.pull]


def contact(pin: Pin, closed: bool) -> Load:
    """A contact on a GPIO: it works against its pull resistor; without one it drives both levels."""
    level = closed is not pin.inverted
    if pin.pull == "up":
        return OPEN if level else SHORT
    if pin.pull == "down":
        return SUPPLY if level else OPEN
    return SUPPLY if level else SHORT


def solve(loads: Mapping[Pin, Load], bridges: Iterable[tuple[Pin, Pin]]) -> dict[Pin, float | None]:
    """Each terminal's voltage as a part of the supply; bridged terminals are one node, however long the chain."""
    node = {pin: frozenset({pin}) for pin in loads}
    for one, other in bridges:
        joined = node[one] | node[other]
        node |= dict.fromkeys(joined, joined)
    found: dict[Pin, float | None] = {}
    for pins in set(node.values()):
        total = OPEN
        for pin in pins:
            total += loads[pin] + pull(pin)
        found |= dict.fromkeys(pins, total.fraction)
    return found
