"""Parts of the vehicle that have a time of their own: the permit relay, cut-off, flasher, and things that lag.

Pure: time is handed in as CLOCK_MONOTONIC nanoseconds, and never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

MS = 1_000_000

PUMP_HOLDS_NS = 200 * MS  # the charge on the pump's capacitor holds the relay this long after the last edge
CUT_OFF_NS = 10_000 * MS
FLASH_HALF_NS = 250 * MS  # 2 Hz


@dataclass(slots=True)
class ChargePump:
    """The permit relay: closed while `enable` is high and an edge came on `pulse` within the last 200 ms.

    Everything is computed from the times of the edges, so a late call changes nothing but when it is noticed. A contact
    that is `stuck` stays as it is whatever the coil does: welded closed, or a coil that is broken.
    """

    is_closed: bool = False
    since_ns: int = 0
    stuck: bool | None = None
    _is_driven: bool = False
    _enable: bool = False
    _pulse: bool = False
    _edge_ns: int | None = None

    def settle(self, now_ns: int) -> bool:
        """Opens the relay if its charge ran out by `now_ns`, as of that moment. True when it changed."""
        if not self._is_driven or self._edge_ns is None or now_ns < self._edge_ns + PUMP_HOLDS_NS:
            return False
        return self._switch(False, self._edge_ns + PUMP_HOLDS_NS)

    def enable(self, level: bool, at_ns: int) -> bool:
        changed = self.settle(at_ns)
        self._enable = level
        charged = self._edge_ns is not None and at_ns < self._edge_ns + PUMP_HOLDS_NS
        return self._switch(level and charged, at_ns) or changed

    def pulse(self, level: bool, at_ns: int) -> bool:
        changed = self.settle(at_ns)
        if level is self._pulse:
            return changed
        self._pulse = level
        self._edge_ns = at_ns
        return self._switch(self._enable, at_ns) or changed

    def stick(self, closed: bool | None, at_ns: int) -> bool:
        """Holds the contact closed or open from now on; None: it follows the coil again. True when it changed."""
        self.stuck = closed
        return self._switch(self._is_driven, at_ns)

    def _switch(self, driven: bool, at_ns: int) -> bool:
        self._is_driven = driven
        closed = driven if self.stuck is None else self.stuck
        if closed is self.is_closed:
            return False
        self.is_closed, self.since_ns = closed, at_ns
        return True


@dataclass(slots=True)
class CutOff:
    """The external limit of an inhibit contact: ten seconds, then the crew's switch has its load back.

    A capacitor charges while the line is high and discharges as fast while it is low; full, the contact lets go until
    the line has been low long enough to empty it. So pulsing the line cannot hold the load off either.
    """

    _line: bool = False
    _charge_ns: int = 0
    _at_ns: int | None = None
    _tripped: bool = False

    def update(self, line: bool, now_ns: int) -> bool:
        """Whether the load is interrupted at `now_ns`; `line` is the level from now on."""
        passed = 0 if self._at_ns is None else now_ns - self._at_ns
        self._at_ns = now_ns
        self._charge_ns = min(CUT_OFF_NS, max(0, self._charge_ns + (passed if self._line else -passed)))
        self._tripped = self._charge_ns >= CUT_OFF_NS or (self._tripped and self._charge_ns > 0)
        self._line = line
        return line and not self._tripped


@dataclass(slots=True)
class Lag:
    """Something that follows its cause after a time: a fan that spins up and runs down, a tone through a loop."""

    rise_ns: int
    fall_ns: int
    level: bool = False
    _target: bool = False
    _since_ns: int = 0

    def update(self, target: bool, now_ns: int) -> bool:
        if target is not self._target:
            self._target, self._since_ns = target, now_ns
        if now_ns - self._since_ns >= (self.rise_ns if target else self.fall_ns):
            self.level = target
        return self.level


@dataclass(slots=True)
class Flasher:
    """The beacon's lamp: lit first, then dark, 250 ms each, for as long as it has power."""

    _since_ns: int | None = None

    def update(self, powered: bool, now_ns: int) -> bool:
        if not powered:
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = now_ns
        return (now_ns - self._since_ns) // FLASH_HALF_NS % 2 == 0
