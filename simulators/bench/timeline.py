"""What happened on the wires, in order, for tests: a bounded list with numbers that never repeat.

An edge carries its own time and may be handed in after something later. So entries get their numbers only when nothing
earlier can come any more: numbers and times rise together.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

ENTRIES_MAX = 100_000  # a flashing beacon alone writes four a second: seven hours


@dataclass(slots=True)
class Timeline:
    _entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))
    _noted: list[tuple[int, str, str | bool]] = field(default_factory=list)
    _last: int = 0
    _last_ns: int = 0

    def note(self, wire: str, level: str | bool, t_ns: int) -> None:
        """Something happened; it shows after the next `publish`."""
        self._noted.append((t_ns, wire, level))

    def publish(self, until_ns: int) -> None:
        """Everything up to this moment has been noted."""
        if not self._noted:
            return
        self._noted.sort(key=lambda noted: noted[0])  # stable: what came together stays in the order it came
        while self._noted and self._noted[0][0] <= until_ns:
            t_ns, wire, level = self._noted.pop(0)
            # A sender that was held up between clock and socket is late all the same; it cannot turn the list round.
            self._last, self._last_ns = self._last + 1, max(t_ns, self._last_ns)
            self._entries.append({"n": self._last, "t_ns": self._last_ns, "wire": wire, "level": level})

    def after(self, number: int) -> list[dict[str, Any]]:
        """Published entries with a greater number, oldest first."""
        if not self._entries:
            return []
        skip = max(0, number + 1 - self._entries[0]["n"])
        return list(islice(self._entries, skip, None))
