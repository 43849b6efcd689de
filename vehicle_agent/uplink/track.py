"""Fixes that could not go out live: kept in order, told later in batches on the `track` topic (contract.md, MQTT).

In memory only: a fix that matters to an event is part of that event's row, and the rest may be thinned. Nothing here
ever stands before a notice: the caller asks for a batch only when nothing else waits, and more than one batch is on its
way only as long as the broker answers quickly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

BATCH_MAX = 60  # the schema's limit: some 4.5 KiB
WINDOW_MAX = 32  # batches on their way: 9,600 fixes a second where an answer takes 0.2 s
QUICK_S = 0.5  # an answer within this: the line takes more
SLOW_S = 1.0  # an answer after this: a notice would wait too long behind what is on its way
KEPT_MAX = 26_000  # 72 h at one fix in 10 s, some 10 MiB


@dataclass(frozen=True, slots=True)
class Kept:
    """One fix as a batch tells it, and the trip it belongs to; some 400 bytes."""

    trip: str | None
    mono_s: float
    point: tuple[Any, ...]  # see `projection.track_point`


@dataclass(slots=True, eq=False)
class Batch:
    """Fixes that went out together."""

    fixes: list[Kept]
    since_s: float
    is_done: bool = False


class Track:
    """Oldest first. What is on its way stays in front until the broker has it; times are monotonic seconds."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept: deque[Kept] = deque()
        self._kept_max = kept_max
        self._flying: deque[Batch] = deque()
        self._flying_count = 0  # fixes in `_flying`, the first ones of `_kept`
        self._window = 1

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept) -> None:
        """A fix that found no link."""
        self._kept.append(kept)
        if len(self._kept) > self._kept_max:
            self._thin()

    def connection_lost(self, unanswered: Iterable[Kept]) -> None:
        """What is on its way is owed again, and before it lay what went out live without an answer."""
        self._forget_flights()
        together = sorted((*unanswered, *self._kept), key=lambda one: one.mono_s)
        self._kept = deque(together[-self._kept_max :])

    def batch(self) -> list[Kept]:
        """What to send now: the oldest fixes of one trip that are not on their way; empty when there is no room."""
        if len(self._flying) >= self._window or self._flying_count >= len(self._kept):
            return []
        waiting = islice(self._kept, self._flying_count, self._flying_count + BATCH_MAX)
        first = next(waiting)
        return [first, *takewhile(lambda one: one.trip == first.trip, waiting)]

    def sent(self, batch: Batch) -> None:
        """What `batch` gave is with the broker."""
        self._flying.append(batch)
        self._flying_count += len(batch.fixes)

    def answered(self, batch: Batch, now_s: float, *, is_ok: bool) -> None:
        """The broker's word on a batch; a refused one comes again, with all that went out behind it."""
        if batch not in self._flying:
            return
        if not is_ok:
            self._forget_flights()
            return
        age_s = now_s - batch.since_s
        if age_s <= QUICK_S:
            self._window = min(self._window + 1, WINDOW_MAX)
        elif age_s > SLOW_S:
            self._window = max(1, self._window // 2)
        batch.is_done = True
        while self._flying and self._flying[0].is_done:
            count = len(self._flying.popleft().fixes)
            self._flying_count -= count
            for _ in range(count):
                self._kept.popleft()

    @property
    def oldest_s(self) -> float | None:
        """Monotonic seconds of the oldest fix that waits."""
        return self._kept[0].mono_s if self._kept else None

    def _forget_flights(self) -> None:
        self._flying.clear()
        self._flying_count, self._window = 0, 1

    def _thin(self) -> None:
        """Every other fix of the older half goes: a coarser track of the whole way is worth more than half of it."""
        everything = list(self._kept)
        middle = max(len(everything) // 2, self._flying_count)
        flying, older = everything[: self._flying_count], everything[self._flying_count : middle]
        self._kept = deque((*flying, *older[::2], *everything[middle:]))
