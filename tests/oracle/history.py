"""The history of one vehicle as an outsider could have written it down: facts with times, and the level of each wire.

Nothing is ever changed or summed up here; whoever wants to know something looks back. Times are seconds of the
observer's own stopwatch, which runs on over restarts and never steps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One thing that happened: an accepted command by its name, a press, a restart, movement seen from outside."""

    at_s: float
    what: str
    data: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.at_s:9.2f}  {self.what} {self.data or ''}"


class History:
    """All facts in their order, and each wire's levels as (time, level), newest last."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.places: dict[str, list[int]] = {}  # where to find each kind of fact, so that looking back is quick
        self.levels: dict[str, list[tuple[float, Any]]] = {}
        self.at_s = 0.0
        self.kept = 0  # facts that lie on the disk

    def note(self, what: str, **data: Any) -> None:
        self.places.setdefault(what, []).append(len(self.facts))
        self.facts.append(Fact(self.at_s, what, data))

    def look(self, levels: dict[str, Any]) -> None:
        """Write down which wires have changed."""
        for wire, level in levels.items():
            trace = self.levels.setdefault(wire, [])
            if not trace or trace[-1][1] != level:
                trace.append((self.at_s, level))

    def forget_unsaved(self) -> None:
        """Power was lost: what had not reached the disk was never answered for and is gone; the world is as it is."""
        del self.facts[self.kept :]
        self.places = {what: [i for i in found if i < self.kept] for what, found in self.places.items()}

    # looking back

    def last(self, *whats: str, when: Callable[[Fact], bool] = lambda fact: True, before: int | None = None) -> int:
        """Place of the newest such fact (before that place), -1 if there never was one."""
        found, end = -1, len(self.facts) if before is None else before
        for what in whats:
            places = (i for i in reversed(self.places.get(what, ())) if i < end)
            newest = next((i for i in places if i <= found or when(self.facts[i])), -1)
            found = max(found, newest)
        return found

    def of_trip(self) -> list[Fact]:
        """The facts of the newest trip, from its opening on."""
        opened = self.last("open_trip")
        return self.facts[opened:] if opened >= 0 else []

    def held(self, wire: str) -> tuple[Any, float]:
        """Level of a wire and for how long it has been so."""
        trace = self.levels.get(wire)
        return (trace[-1][1], self.at_s - trace[-1][0]) if trace else (None, 0.0)

    def spans(self, wire: str, after_s: float) -> list[tuple[float, float, Any]]:
        """Each (from, until, level) of a wire after a moment, the newest until now."""
        trace = self.levels.get(wire, [])
        first = max(0, bisect_right(trace, after_s, key=lambda entry: entry[0]) - 1)
        ends = [*(at for at, _ in trace[first + 1 :]), self.at_s]
        return [
            (max(at, after_s), until, level)
            for (at, level), until in zip(trace[first:], ends, strict=True)
            if until > after_s or until == self.at_s
        ]

    def story(self, lines: int = 25) -> str:
        return "\n".join(map(str, self.facts[-lines:]))
