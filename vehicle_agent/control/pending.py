"""Answers that wait for the disk: nobody hears "accepted" before the row is there."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vehicle_agent.control.journal import Durable

ANSWER_WITHIN_S = 2.5  # before the display gives up, which is after 3 s


@dataclass(frozen=True, slots=True)
class Waiting:
    """One answer. `ordinal`: of the last event that it promises; `tell(seqs)` gets the rows' numbers by event id."""

    ordinal: int
    event_ids: tuple[str, ...]
    deadline_s: float
    tell: Callable[[Mapping[str, int]], None]
    give_up: Callable[[], None]


class Pending:
    """Belongs to the scan thread."""

    def __init__(self) -> None:
        self._waiting: collections.deque[Waiting] = collections.deque()
        self._durable = 0
        self._seqs: dict[str, int] = {}  # of the events that somebody waits for

    def add(self, waiting: Waiting) -> None:
        """Tell when all that it promises is durable; at once if it is."""
        if waiting.ordinal <= self._durable:
            waiting.tell({})
            return
        self._waiting.append(waiting)
        self._seqs.update(dict.fromkeys(waiting.event_ids, 0))

    def reached(self, durable: Durable) -> None:
        """One more event is on the disk."""
        self._durable = durable.ordinal
        if durable.envelope.id in self._seqs:
            self._seqs[durable.envelope.id] = durable.row["seq"]
        while self._waiting and self._waiting[0].ordinal <= self._durable:
            self._end(self._waiting.popleft(), is_durable=True)

    def expire(self, now_s: float) -> None:
        """Give up what has waited too long. What was decided stays decided; only the promise is not given."""
        while self._waiting and self._waiting[0].deadline_s <= now_s:
            self._end(self._waiting.popleft(), is_durable=False)

    def _end(self, waiting: Waiting, *, is_durable: bool) -> None:
        seqs = {event_id: self._seqs.pop(event_id, 0) for event_id in waiting.event_ids}
        if is_durable:
            waiting.tell(seqs)
        else:
            waiting.give_up()
