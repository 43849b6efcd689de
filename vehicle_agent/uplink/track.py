"""Fixes that could not go out live: kept in order, told later in batches on the `track` topic (contract.md, MQTT).

Held in memory, as small as they can be; on its disk control's ring has them too (`recovery.py`). Nothing here ever
stands before a notice: the caller asks for a batch only when nothing else waits, and more than one batch is on its way
only as long as the broker answers quickly.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

BATCH_MAX = 60  # the schema's limit: some 4.5 KiB
WINDOW_MAX = 32  # batches on their way: 9,600 fixes a second where an answer takes 0.2 s
QUICK_S = 0.5  # an answer within this: the line takes more
SLOW_S = 1.0  # an answer after this: a notice would wait too long behind what is on its way
KEPT_MAX = 110_000  # 72 h at one fix in 2.4 s, some 15 MiB
_HEAD = struct.Struct("<dH")  # seconds, number of the owner


@dataclass(frozen=True, slots=True)
class Kept:
    """One fix as a batch tells it, and what it belongs to."""

    trip: str | None
    boot_id: str
    mono_s: float
    point: tuple[Any, ...]  # see `projection.track_point`

    @property
    def row(self) -> dict[str, Any]:
        """When it was, as a journal's row says it."""
        return {"boot_id": self.boot_id, "mono_s": self.mono_s, "at": self.point[0]}


@dataclass(slots=True, eq=False)
class Batch:
    """Fixes that went out together."""

    fixes: list[Kept]
    since_s: float
    is_done: bool = False


class Track:
    """Oldest first. What is on its way stays in front until the broker has it; times are monotonic seconds."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept: deque[bytes] = deque()  # packed: a third of what Python's objects take
        self._owners: list[tuple[str | None, str]] = []  # trips and boots; a packed fix has its owner's place
        self._kept_max = kept_max
        self._flying: deque[Batch] = deque()
        self._flying_count = 0  # fixes in `_flying`, the first ones of `_kept`
        self._window = 1

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept) -> None:
        """A fix that found no link."""
        self._kept.append(self._pack(kept))
        if len(self._kept) > self._kept_max:
            self._thin()

    def connection_lost(self, unanswered: Iterable[Kept]) -> None:
        """What is on its way is owed again, and before it lay what went out live without an answer."""
        self._forget_flights()
        live = deque(sorted((self._pack(one) for one in unanswered), key=_mono_s))
        newest: deque[bytes] = deque()
        while live:  # live ones are of this boot and newer than most of what waits: look from the end
            if self._kept and self._is_later(self._kept[-1], live[-1]):
                newest.appendleft(self._kept.pop())
            else:
                newest.appendleft(live.pop())
        self._kept.extend(newest)

    def batch(self) -> list[Kept]:
        """What to send now: the oldest fixes of one trip that are not on their way; empty when there is no room."""
        if len(self._flying) >= self._window or self._flying_count >= len(self._kept):
            return []
        waiting = islice(self._kept, self._flying_count, self._flying_count + BATCH_MAX)
        first = self._unpack(next(waiting))
        rest = (self._unpack(one) for one in waiting)
        return [first, *takewhile(lambda one: (one.trip, one.boot_id) == (first.trip, first.boot_id), rest)]

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

    def leave_out(self, fixes: list[Kept], fits: Callable[[Kept], bool]) -> None:
        """Of what `batch` gave, what does not fit is not told: it must not stand before the others for ever."""
        first = self._flying_count
        everything = list(self._kept)
        good = [self._pack(one) for one in fixes if fits(one)]
        self._kept = deque((*everything[:first], *good, *everything[first + len(fixes) :]))

    @property
    def oldest(self) -> Kept | None:
        """The oldest fix that waits."""
        return self._unpack(self._kept[0]) if self._kept else None

    def _forget_flights(self) -> None:
        self._flying.clear()
        self._flying_count, self._window = 0, 1

    def _thin(self) -> None:
        """Every other fix of the older half goes: a coarser track of the whole way is worth more than half of it."""
        everything = list(self._kept)
        middle = max(len(everything) // 2, self._flying_count)
        flying, older = everything[: self._flying_count], everything[self._flying_count : middle]
        self._kept = deque((*flying, *older[::2], *everything[middle:]))

    def _pack(self, kept: Kept) -> bytes:
        owner = (kept.trip, kept.boot_id)
        if owner not in self._owners:
            self._owners.append(owner)
        return (
            _HEAD.pack(kept.mono_s, self._owners.index(owner)) + json.dumps(kept.point, separators=(",", ":")).encode()
        )

    def _unpack(self, packed: bytes) -> Kept:
        mono_s, number = _HEAD.unpack_from(packed)
        trip, boot_id = self._owners[number]
        return Kept(trip, boot_id, mono_s, tuple(json.loads(packed[_HEAD.size :])))

    def _is_later(self, packed: bytes, live: bytes) -> bool:
        """Whether this is later than one that went out live; what is of an earlier boot is not."""
        (mono_s, number), (live_s, live_number) = _HEAD.unpack_from(packed), _HEAD.unpack_from(live)
        is_same_boot = self._owners[number][1] == self._owners[live_number][1]
        return bool(is_same_boot and mono_s > live_s)


def _mono_s(packed: bytes) -> float:
    found: float = _HEAD.unpack_from(packed)[0]
    return found
