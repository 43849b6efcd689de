"""Which input wires were seen in both of their states since the start: what commissioning records (hazard H34)."""

from __future__ import annotations

from hw.rig import RigReading

_UNLOCKED = ("bolt_open", "door_open", "both_open")


class WiresSeen:
    """Compares each sample with the one before; a wire that does not move costs nothing."""

    def __init__(self) -> None:
        self._contacts: dict[str, bool | None] = {}
        self._loops: dict[str, object] = {}
        self._calls: dict[str, object] = {}
        self._states: dict[str, set[bool]] = {}

    def add(self, reading: RigReading) -> None:
        """Take one sample."""
        if reading.contacts != self._contacts:
            self._contacts = reading.contacts
            for name, is_closed in reading.contacts.items():
                states = self._states.setdefault(name, set())
                if is_closed is not None:
                    states.add(is_closed)
        if reading.loops != self._loops:
            self._loops = dict(reading.loops)
            for name, word in reading.loops.items():
                states = self._states.setdefault(name, set())
                if word == "locked":
                    states.add(True)
                elif word in _UNLOCKED:
                    states.add(False)
        if reading.calls != self._calls:
            self._calls = dict(reading.calls)
            for name, call in reading.calls.items():
                states = self._states.setdefault(name, set())
                if call in ("idle", "pressed"):
                    states.add(call == "pressed")

    def exercised(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Wires seen in both states, and the others."""
        both = tuple(sorted(name for name, states in self._states.items() if len(states) == 2))
        return both, tuple(sorted(set(self._states) - set(both)))
