"""Wall time as control last said it, carried on by the monotonic clock: the uplink has no clock of its own to be
wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from vehicle_agent.messages.events import format_time, parse_time

TRUSTED = frozenset({"gnss", "ntp"})


class WallTime:
    """Learns from snapshots and fixes; arguments named `now_s` are CLOCK_MONOTONIC seconds, as in the journal's
    rows."""

    def __init__(self) -> None:
        self._base: tuple[datetime, float] | None = None
        self._source: str | None = None

    def learn(self, at: str, now_s: float, source: str | None = None) -> None:
        """Control says that it is `at` now, and with a snapshot where that time comes from."""
        self._base = (parse_time(at), now_s)
        self._source = source or self._source

    def trusted(self, now_s: float) -> datetime | None:
        """The wall time, if a receiver or NTP vouches for it."""
        return self.now(now_s) if self._source in TRUSTED else None

    def now(self, now_s: float) -> datetime | None:
        """The wall time, None while control has not said any."""
        if self._base is None:
            return None
        utc, base_s = self._base
        return utc + timedelta(seconds=now_s - base_s)

    def text(self, now_s: float) -> str | None:
        """The wall time as messages carry it."""
        utc = self.now(now_s)
        return None if utc is None else format_time(utc)

    def age_s(self, row: Mapping[str, Any], boot_id: str, now_s: float) -> float:
        """How long ago a journal row was written: monotonic within one boot, else by wall time as well as that is
        known."""
        if row["boot_id"] == boot_id:
            return max(0.0, now_s - float(row["mono_s"]))
        utc = self.now(now_s)
        return 0.0 if utc is None else max(0.0, (utc - parse_time(row["at"])).total_seconds())
