"""Output lines: written only when they change, released ones first, and read back from the pin itself.

No line here ever holds a door shut, and each has a pull-down outside: whatever the software does, released is the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from gpiozero import DigitalOutputDevice

from hw.contacts import busy_message
from hw.errors import RigError
from hw.pins import Pin

# Taken and released before all others: a dead program leaves its lines as they were, and letting go of the pulse is an
# edge on it. With the enable line still high that edge would close the relay once more.
FIRST = "permit_enable"
PULSE = "permit_pulse"


class OutputLines:
    def __init__(self, factory: Any, pins: Mapping[str, Pin]) -> None:
        self._devices: dict[str, Any] = {}
        self._levels: dict[str, bool] = {}
        for name, pin in sorted(pins.items(), key=lambda wired: wired[0] != FIRST):
            try:
                self._devices[name] = DigitalOutputDevice(f"GPIO{pin.number}", pin_factory=factory)
            except Exception as error:
                self.close()
                raise RigError(busy_message(name, pin, error)) from error
            self._levels[name] = False

    def write(self, levels: Mapping[str, bool]) -> None:
        """Drives what changed. A line that fails stops no other line; RigError names all that failed."""
        unknown = levels.keys() - self._devices.keys()
        if unknown:
            raise RigError(
                f"no such output: {', '.join(sorted(unknown))}; wired are {', '.join(sorted(self._devices))}"
            )
        failed = []
        changed = [(level, name) for name, level in levels.items() if level != self._levels[name]]
        # False sorts first: revoking never waits behind a lamp.
        for level, name in sorted(changed):
            try:
                self._devices[name].value = level
                self._levels[name] = level
            except Exception as error:  # noqa: BLE001 - drivers raise anything, and the other lines must follow
                failed.append(f"{name} ({error!s})")
        if failed:
            raise RigError(f"outputs that cannot be driven: {', '.join(failed)}. The pulsing relay drops by itself.")

    def pulse(self, level: bool, by_s: float, mono: Callable[[], float]) -> bool:
        """Makes an edge of the permit's pulse, but not when `mono`, in seconds, is beyond `by_s`: it closes a relay.

        False: not made, or held up between the look at the clock and the line; then the caller releases the permit at
        once. Nothing may stand between the two that takes time, so the pin is driven without its device's other duties.
        Raises RigError when the line cannot be driven.
        """
        device = self._devices[PULSE]
        try:
            pin = device.pin
            if mono() > by_s:
                return False
            pin.state = level
        except Exception as error:
            raise RigError(f"{PULSE} cannot be driven ({error!s}). The relay drops by itself.") from error
        self._levels[PULSE] = level
        return mono() <= by_s

    def read_back(self) -> dict[str, bool]:
        """The levels as the pins have them."""
        return {name: bool(device.value) for name, device in self._devices.items()}

    def close(self) -> None:
        """Releases every line, then gives it back as an input; the pull-down outside keeps it released."""
        for device in self._devices.values():
            # The line may be gone already; the others must still be released.
            with suppress(Exception):
                device.off()
            with suppress(Exception):
                device.close()
        self._devices.clear()
