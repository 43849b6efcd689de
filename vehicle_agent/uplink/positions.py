"""When a live fix is worth sending: more often while the vehicle moves or turns, seldom while it stands (privacy, air
time)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOVING_MPS = 2.0  # the contract's own figure for moving
MIN_INTERVAL_S = 1.0  # a bend is one message a second at most
WINDOW = 20  # fixes with the broker unanswered; more would stand before a notice


class PositionRate:
    """Decides fix by fix; times are monotonic seconds."""

    def __init__(self, *, moving_s: float, parked_s: float, turn_deg: float, speed_change_mps: float) -> None:
        self._moving_s = moving_s
        self._parked_s = parked_s
        self._turn_deg = turn_deg
        self._speed_change_mps = speed_change_mps
        self._sent_s = float("-inf")
        self._speed_mps = 0.0
        self._course_deg: float | None = None

    def anew(self) -> PositionRate:
        """The same limits, with nothing sent yet."""
        return PositionRate(
            moving_s=self._moving_s,
            parked_s=self._parked_s,
            turn_deg=self._turn_deg,
            speed_change_mps=self._speed_change_mps,
        )

    def is_due(self, fix: Mapping[str, Any], now_s: float) -> bool:
        """Whether this fix should go out now."""
        age_s = now_s - self._sent_s
        speed_mps = fix["speed_mps"] or 0.0
        is_moving = max(speed_mps, self._speed_mps) >= MOVING_MPS
        if age_s >= (self._moving_s if is_moving else self._parked_s):
            return True
        if age_s < min(MIN_INTERVAL_S, self._moving_s):
            return False
        if abs(speed_mps - self._speed_mps) >= self._speed_change_mps:
            return True
        return speed_mps >= MOVING_MPS and self._turned_deg(fix["course_deg"]) > self._turn_deg

    def sent(self, fix: Mapping[str, Any], now_s: float) -> None:
        """This fix is on its way."""
        self._sent_s = now_s
        self._speed_mps = fix["speed_mps"] or 0.0
        self._course_deg = fix["course_deg"]

    def connected(self) -> None:
        """A new connection: the next fix goes at once."""
        self._sent_s = float("-inf")

    def _turned_deg(self, course_deg: float | None) -> float:
        if course_deg is None or self._course_deg is None:
            return 0.0
        return abs((course_deg - self._course_deg + 180.0) % 360.0 - 180.0)
