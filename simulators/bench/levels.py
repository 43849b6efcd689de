"""From a wire's state to what the pin sees: the real resistor sums, and a little noise from a fixed seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping

from hw.loops import COUNTS_FULL, loop_ohms
from hw.pins import Pin
from simulators.bench.circuit import HIGH_MIN, LOW_MAX, Load, contact, solve, to_ground
from simulators.bench.mirror import Mirror

NOISE_COUNTS = 3  # peak; a quiet 12-bit converter beside a vehicle's supply
_NOISE_PERIOD = 1021  # prime, so that channels sampled in turn do not repeat together

SWITCH_OHM = 100.0  # series protection of a contact on an ADC channel
LEAK_OHM = 1000.0  # water across the wires of a locked loop: between the bands
OPEN_CONTACT_OHM = 22000.0  # an open contact in a damp connector
REFERENCE_COUNTS = 2048
SUPPLY_COUNTS = 2580  # 13.2 V below the divider

LOOP_OHMS = {
    "locked": loop_ohms(bolt_open=False, door_open=False),
    "bolt_open": loop_ohms(bolt_open=True, door_open=False),
    "door_open": loop_ohms(bolt_open=False, door_open=True),
    "both_open": loop_ohms(bolt_open=True, door_open=True),
    "cut": math.inf,
    "short": 0.0,
    "leak": loop_ohms(bolt_open=False, door_open=False, leak_ohm=LEAK_OHM),
}
LOOP_WORDS = tuple(LOOP_OHMS)
# A pair of contacts, normally open then normally closed. Whole cable: nothing conducts; bridged or wet: both do.
PAIR_LEVELS = {"locked": (True, False), "cut": (False, False), "short": (True, True), "leak": (True, True)}
PAIR_UNLOCKED = (False, True)

CONTACT_OHMS = {"closed": SWITCH_OHM, "open": OPEN_CONTACT_OHM, "cut": math.inf, "short": 0.0}
CONTACT_WORDS = tuple(CONTACT_OHMS)


def loop_loads(pins: tuple[Pin, ...], word: str) -> tuple[Load, ...]:
    """What a door loop in this state puts on its terminal, or an antivalent pair on its two."""
    if pins[0].kind == "adc":
        return (to_ground(LOOP_OHMS[word]),)
    closed = PAIR_LEVELS.get(word, PAIR_UNLOCKED)
    return tuple(contact(pin, is_closed) for pin, is_closed in zip(pins, closed, strict=True))


def contact_load(pin: Pin, word: str) -> Load:
    """What a contact in this state puts on its terminal."""
    is_closed = word in ("closed", "short")
    if pin.kind == "gpio":
        return contact(pin, is_closed)
    if pin.inverted:
        return to_ground(CONTACT_OHMS["open" if is_closed else "closed"])
    return to_ground(CONTACT_OHMS[word])


class Levels:
    """Writes the mirror."""

    def __init__(self, mirror: Mirror, seed: int) -> None:
        self._mirror = mirror
        generator = random.Random(seed)
        self._noise = [generator.randint(-NOISE_COUNTS, NOISE_COUNTS) for _ in range(_NOISE_PERIOD)]
        self._turn = 0
        self._counts: dict[Pin, int] = {}  # of every wire on an ADC, before the noise

    def rest(self) -> None:
        """What nothing is wired to: GPIO up on 0..8, down on 9..27, as a Pi boots; ADC channels at full scale."""
        for number in range(28):
            self._mirror.set_level(number, number <= 8)
        for chip in (0, 1):
            for channel in range(8):
                self._mirror.set_counts(chip, channel, 4095)

    def settle(self, loads: Mapping[Pin, Load], bridges: Iterable[tuple[Pin, Pin]]) -> None:
        """Work all terminals out anew and show them; a GPIO between its two levels keeps what it had."""
        for pin, fraction in solve(loads, bridges).items():
            if pin.kind == "adc":
                assert fraction is not None  # its pull-up is outside the chip and always there
                counts = min(COUNTS_FULL - 1, round(COUNTS_FULL * fraction))
                if self._counts.get(pin) != counts:
                    self._counts[pin] = counts
                    self.analog(pin, counts)
            elif fraction is not None and not LOW_MAX < fraction < HIGH_MIN:
                self._mirror.set_level(pin.number, fraction >= HIGH_MIN)

    def sample(self) -> None:
        """The noise moves on."""
        for pin, counts in self._counts.items():
            self.analog(pin, counts)

    def analog(self, pin: Pin, counts: int) -> None:
        self._turn = (self._turn + 1) % _NOISE_PERIOD
        self._mirror.set_counts(pin.chip, pin.channel, min(4095, max(0, counts + self._noise[self._turn])))

    def output(self, number: int, level: bool) -> None:
        """What a second process would read on a line that the first one drives."""
        self._mirror.set_level(number, level)

    def beat(self, now_ns: int) -> None:
        self._mirror.beat(now_ns)
