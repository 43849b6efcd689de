"""What can go wrong at the wires; every message says what happened, on which wire, and what to do."""

from __future__ import annotations


class HwError(Exception):
    """Base of everything that this package raises on purpose."""


class PinError(HwError, ValueError):
    """A pin's notation is wrong, or a pin is used for what it cannot do."""


class RigError(HwError, RuntimeError):
    """The wires cannot be opened or driven."""
