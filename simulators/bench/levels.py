"""From a wire's state to what the pin sees: the real resistor sums, and a little noise from a fixed seed."""

from __future__ import annotations

import math
import random

from hw.loops import counts_of, loop_ohms
from hw.pins import Pin
from simulators.bench.mirror import Mirror

NOISE_COUNTS = 3  # peak; a quiet 12-bit converter beside a vehicle's supply
_NOISE_PERIOD = 1021  # prime, so that channels sampled in turn do not repeat together

SWITCH_OHM = 100.0  # series protection of a contact on an ADC channel
LEAK_OHM = 1000.0  # water across the wires of a locked loop: between the bands
OPEN_CONTACT_OHM = 22000.0  # an open contact in a damp connector
REFERENCE_COUNTS = 2048
SUPPLY_COUNTS = 2580  # 13.2 V below the divider

LOOP_COUNTS = {
    "locked": counts_of(loop_ohms(bolt_open=False, door_open=False)),
    "bolt_open": counts_of(loop_ohms(bolt_open=True, door_open=False)),
    "door_open": counts_of(loop_ohms(bolt_open=False, door_open=True)),
    "both_open": counts_of(loop_ohms(bolt_open=True, door_open=True)),
    "cut": counts_of(math.inf),
    "short": counts_of(0.0),
    "leak": counts_of(loop_ohms(bolt_open=False, door_open=False, leak_ohm=LEAK_OHM)),
}
LOOP_WORDS = tuple(LOOP_COUNTS)
# A pair of contacts, normally open then normally closed. Whole cable: nothing conducts; bridged or wet: both do.
PAIR_LEVELS = {"locked": (True, False), "cut": (False, False), "short": (True, True), "leak": (True, True)}
PAIR_UNLOCKED = (False, True)

CONTACT_COUNTS = {
    "closed": counts_of(SWITCH_OHM),
    "open": counts_of(OPEN_CONTACT_OHM),
    "cut": counts_of(math.inf),
    "short": counts_of(0.0),
}
CONTACT_WORDS = tuple(CONTACT_COUNTS)


class Levels:
    """Writes the mirror."""

    def __init__(self, mirror: Mirror, seed: int) -> None:
        self._mirror = mirror
        generator = random.Random(seed)
        self._noise = [generator.randint(-NOISE_COUNTS, NOISE_COUNTS) for _ in range(_NOISE_PERIOD)]
        self._turn = 0

    def rest(self) -> None:
        """What nothing is wired to: GPIO up on 0..8, down on 9..27, as a Pi boots; ADC channels at full scale."""
        for number in range(28):
            self._mirror.set_level(number, number <= 8)
        for chip in (0, 1):
            for channel in range(8):
                self._mirror.set_counts(chip, channel, 4095)

    def loop(self, pins: tuple[Pin, ...], word: str) -> None:
        if pins[0].kind == "adc":
            self.analog(pins[0], LOOP_COUNTS[word])
            return
        for pin, conducts in zip(pins, PAIR_LEVELS.get(word, PAIR_UNLOCKED), strict=True):
            self._mirror.set_level(pin.number, conducts is not pin.inverted)

    def contact(self, pin: Pin, word: str) -> None:
        closed = word in ("closed", "short")
        if pin.kind == "gpio":
            self._mirror.set_level(pin.number, closed is not pin.inverted)
        elif pin.inverted:
            self.analog(pin, CONTACT_COUNTS["open" if closed else "closed"])
        else:
            self.analog(pin, CONTACT_COUNTS[word])

    def analog(self, pin: Pin, counts: int) -> None:
        self._turn = (self._turn + 1) % _NOISE_PERIOD
        self._mirror.set_counts(pin.chip, pin.channel, min(4095, max(0, counts + self._noise[self._turn])))

    def output(self, number: int, level: bool) -> None:
        """What a second process would read on a line that the first one drives."""
        self._mirror.set_level(number, level)

    def beat(self, now_ns: int) -> None:
        self._mirror.beat(now_ns)
