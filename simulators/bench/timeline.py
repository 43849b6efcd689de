"""What happened on the wires, in order, for tests: a bounded list with numbers that never repeat."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

ENTRIES_MAX = 100_000  # a flashing beacon alone writes four a second: seven hours


@dataclass(slots=True)
class Timeline:
    _entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))
    _last: int = 0

    def note(self, wire: str, level: str | bool, t_ns: int) -> None:
        self._last += 1
        self._entries.append({"n": self._last, "t_ns": t_ns, "wire": wire, "level": level})

    def after(self, number: int) -> list[dict[str, Any]]:
        """Entries with a greater number, oldest first."""
        if not self._entries:
            return []
        skip = max(0, number + 1 - self._entries[0]["n"])
        return list(islice(self._entries, skip, None))

    @property
    def last(self) -> int:
        return self._last
