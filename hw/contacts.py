"""Contacts as closed, open or unreadable: levels are polled, never edges, and no callback thread exists.

gpiozero's `InputDevice` is used and not `DigitalInputDevice`, whose constructor arms edge detection.
"""

from __future__ import annotations

from typing import Any

from gpiozero import InputDevice

from hw.errors import RigError
from hw.pins import Pin

CLOSED_MAX_COUNTS = 1000  # a contact to ground through up to 0.7 kΩ, below a 2.2 kΩ pull-up
OPEN_MIN_COUNTS = 3000  # an open contact with up to 6 kΩ of leakage


class GpioContact:
    def __init__(self, factory: Any, pin: Pin, name: str) -> None:
        pull_up = {"up": True, "down": False, None: None}[pin.pull]
        try:
            self._device = InputDevice(
                f"GPIO{pin.number}",
                pull_up=pull_up,
                active_state=True if pull_up is None else None,
                pin_factory=factory,
            )
        except Exception as error:
            raise RigError(busy_message(name, pin, error)) from error
        self._pin = self._device.pin
        self._closed_level = not pin.inverted

    def is_closed(self) -> bool:
        return bool(self._pin.state) is self._closed_level

    def close(self) -> None:
        self._device.close()


def analog_contact(counts: int | None, *, inverted: bool) -> bool | None:
    """True = closed; None for a level that belongs to neither state."""
    if counts is None or CLOSED_MAX_COUNTS < counts < OPEN_MIN_COUNTS:
        return None
    return (counts <= CLOSED_MAX_COUNTS) is not inverted


def busy_message(name: str, pin: Pin, error: Exception) -> str:
    return (
        f"wire {name} on {pin.place} cannot be claimed: {error!s}. "
        "Is a second agent running, or does an overlay in config.txt use this line? `gpioinfo` names its user."
    )
