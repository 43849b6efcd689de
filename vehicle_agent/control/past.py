"""What a start needs to know of the past, gathered in the one pass over the journal that also proves its chain.

Of earlier trips only what is still owed outlives them, and the newest number that each recipient was given: what a
start costs depends on the open trip and on what is owed, not on the years before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from vehicle_agent.control.chain import COLUMNS

Values = tuple[Any, ...]  # of one row, in the order of `chain.COLUMNS`
SEQ, AT, SOURCE, TYPE, DATA = (COLUMNS.index(name) for name in ("seq", "at", "time_source", "type", "data"))


@dataclass(slots=True)
class Past:
    """Give it every row in order with `add`; then ask for `rows`."""

    last: Values | None = None
    last_pin: Values | None = None
    last_trusted_at: str | None = None
    _trip: list[Values] = field(default_factory=list)
    _has_trip: bool = False
    _kept: list[Values] = field(default_factory=list)
    _notices: dict[str, list[Values]] = field(default_factory=dict)
    _newest: dict[str, str] = field(default_factory=dict)  # recipient -> its notice with the highest number
    _settled: set[str] = field(default_factory=set)  # of those that are kept for their number alone

    def add(self, values: Values) -> None:
        """The next row of the journal."""
        kind: str = values[TYPE]
        self.last = values
        if values[SOURCE] in ("gnss", "ntp"):
            self.last_trusted_at = values[AT]
        if kind in ("session_opened", "pin_wrong", "pin_locked"):
            self.last_pin = values
        if kind == "trip_opened":
            for old in self._trip:
                self._outlive(old)
            self._trip, self._has_trip = [values], True
        elif self._has_trip:
            self._trip.append(values)
        else:
            self._outlive(values)

    def rows(self) -> list[Values]:
        """The rows to fold, in order: what outlives earlier trips, then everything from the last `trip_opened` on."""
        owed = (row for rows in self._notices.values() for row in rows)
        return sorted((*self._kept, *owed), key=lambda values: int(values[SEQ])) + self._trip

    def _outlive(self, values: Values) -> None:
        kind: str = values[TYPE]
        if kind in ("commissioned", "journal_restarted"):
            self._kept.append(values)
        elif kind.startswith("notice_"):
            data = json.loads(values[DATA])
            notice = str(data["notice"])
            if kind == "notice_recorded":
                self._notices[notice] = [values]
                self._give_up(self._newest.get(data["recipient"]))
                self._newest[data["recipient"]] = notice
            elif notice in self._notices:
                self._notices[notice].append(values)
                if data.get("stage") == "acknowledged":
                    self._settle(notice)

    def _settle(self, notice: str) -> None:
        """Nobody waits for this one any more."""
        if notice in self._newest.values():
            self._settled.add(notice)
        else:
            self._notices.pop(notice, None)

    def _give_up(self, notice: str | None) -> None:
        """A newer one has the recipient's highest number now."""
        if notice is not None and notice in self._settled:
            self._settled.discard(notice)
            self._notices.pop(notice, None)
