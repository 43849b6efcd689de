"""Fixes that could not go out live: kept in order, told later in batches on the `track` topic (contract.md, MQTT).

In memory only: a fix that matters to an event is part of that event's row, and the rest may be thinned. Nothing here
ever stands before a notice; the caller asks for a batch only when nothing else waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

BATCH_MAX = 60  # the schema's limit: some 4.5 KiB
KEPT_MAX = 26_000  # 72 h at one fix in 10 s, some 10 MiB


@dataclass(frozen=True, slots=True)
class Kept:
    """One fix, and the trip it belongs to."""

    trip: str | None
    fix: Mapping[str, Any]


class Track:
    """Oldest first; at most one batch is with the broker unanswered."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept: deque[Kept] = deque()
        self._kept_max = kept_max
        self._flying = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept) -> None:
        """A fix that found no link."""
        self._kept.append(kept)
        if len(self._kept) > self._kept_max:
            self._thin()

    def connection_lost(self, unanswered: Iterable[Kept]) -> None:
        """The batch in flight is owed again, and before it lay what went out live without an answer."""
        self._flying = 0
        together = sorted((*unanswered, *self._kept), key=lambda one: float(one.fix["mono_s"]))
        self._kept = deque(together[-self._kept_max :])

    def batch(self) -> list[Kept]:
        """What to send now: the oldest fixes of one trip; empty when there are none, or one batch is unanswered."""
        if self._flying or not self._kept:
            return []
        trip = self._kept[0].trip
        found: list[Kept] = []
        for one in islice(self._kept, BATCH_MAX):
            if one.trip != trip:
                break
            found.append(one)
        return found

    def sent(self, count: int) -> None:
        """The first `count` are with the broker."""
        self._flying = count

    def answered(self, *, is_ok: bool) -> None:
        """The broker's word on the batch; a refused one stays."""
        for _ in range(self._flying if is_ok else 0):
            self._kept.popleft()
        self._flying = 0

    @property
    def oldest_s(self) -> float | None:
        """Monotonic seconds of the oldest fix that waits."""
        return float(self._kept[0].fix["mono_s"]) if self._kept else None

    def _thin(self) -> None:
        """Every other fix of the older half goes: a coarser track of the whole way is worth more than half of it."""
        everything = list(self._kept)
        middle = len(everything) // 2
        flying, older, newer = everything[: self._flying], everything[self._flying : middle], everything[middle:]
        self._kept = deque((*flying, *older[::2], *newer))
