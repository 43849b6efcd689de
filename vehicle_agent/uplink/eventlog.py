"""The `events` topic: journal rows that concern dispatch, in order, each until the broker has it (contract.md, MQTT).

The cursor that control stores is the last row up to which nothing is outstanding; after a restart of either side the
rows behind it come again, with the same ids and bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WINDOW = 20  # unanswered messages at a time: measured best throughput without making a notice wait
QUEUE_MAX = 5000  # some megabytes; rows beyond it are fetched again from the journal
RETRY_S = 5.0  # after a refusal by the broker


@dataclass(slots=True)
class Entry:
    """A row that is to be published."""

    row: Mapping[str, Any]
    is_in_flight: bool = False
    is_done: bool = False
    due_s: float = 0.0

    @property
    def seq(self) -> int:
        return int(self.row["seq"])


class EventLog:
    """Rows between the cursor and the head of the journal, as far as they are to be published."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._seen = 0
        self.has_overflowed = False  # rows were left out: subscribe again once the queue is empty

    def restart(self, cursor: int, head: int) -> None:
        """A new feed begins: rows behind `cursor` follow; those that wait here already are skipped when they come."""
        if head < self._seen or self.has_overflowed:  # another journal, or a queue with a hole at its end
            self._entries.clear()
            self._seen = 0
        self.has_overflowed = False
        self._seen = max(self._seen, cursor)

    def add(self, row: Mapping[str, Any], *, is_wanted: bool) -> None:
        """The next row of the feed."""
        seq = int(row["seq"])
        if seq <= self._seen or self.has_overflowed:
            return
        if len(self._entries) >= QUEUE_MAX:
            self.has_overflowed = True
            return
        self._seen = seq
        if is_wanted:
            self._entries.append(Entry(row))

    def due(self, now_s: float) -> list[Entry]:
        """The entries to publish now."""
        in_flight = sum(entry.is_in_flight for entry in self._head())
        found: list[Entry] = []
        for entry in self._head():
            if in_flight + len(found) >= WINDOW:
                break
            if not entry.is_done and not entry.is_in_flight and entry.due_s <= now_s:
                found.append(entry)
        return found

    def _head(self) -> list[Entry]:
        # Only the first entries can be due: the window moves with the oldest unanswered one.
        return [self._entries[index] for index in range(min(len(self._entries), WINDOW))]

    def answered(self, entry: Entry, now_s: float, *, is_ok: bool) -> None:
        """The broker's word on an entry; a refused one comes again."""
        entry.is_in_flight = False
        entry.is_done = is_ok
        entry.due_s = now_s + RETRY_S
        while self._entries and self._entries[0].is_done:
            self._entries.popleft()

    def connection_lost(self) -> None:
        """Nothing is in flight any more; all of it goes again on the next connection."""
        for entry in self._head():
            entry.is_in_flight, entry.due_s = False, 0.0

    @property
    def is_empty(self) -> bool:
        return not self._entries

    @property
    def cursor(self) -> int:
        """Every row up to here is at the broker or need not go there."""
        return self._entries[0].seq - 1 if self._entries else self._seen

    def next_due_s(self) -> float:
        """When `due` will next have something, if nothing happens before."""
        waiting = (entry.due_s for entry in self._head() if not entry.is_in_flight and not entry.is_done)
        return min(waiting, default=float("inf"))
