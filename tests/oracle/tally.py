"""What was compared, how often there was more than one right answer, and how far the trips came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class DisagreementError(AssertionError):
    """The core and the naive reading answer differently."""


@dataclass
class Tally:
    """Counts of one run; `either` by what was asked."""

    histories: int = 0
    trips: int = 0
    facts: int = 0
    restarts: int = 0
    comparisons: int = 0
    either: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)

    def same(
        self, about: str, right: Any, actual: Any, story: Callable[[], str] = str, *, is_doubt: bool = True
    ) -> None:
        """`right` is the set of right answers; without `is_doubt` several of them are all the same to the law."""
        self.comparisons += 1
        if is_doubt and len(right) > 1:
            self.either[about.split(maxsplit=1)[0]] += 1
        if actual not in right:
            words = sorted(map(str, right))
            raise DisagreementError(
                f"{about}: the core says {actual!r}, the reading says {' or '.join(words)}\n{story()}"
            )

    def clear(self) -> None:
        """Begin to count anew: a run that is repeated counts once."""
        self.__init__()  # type: ignore[misc]

    @property
    def either_share(self) -> float:
        return sum(self.either.values()) / max(1, self.comparisons)

    def lines(self) -> list[str]:
        return [
            f"{self.histories} histories, {self.trips} trips, {self.facts} facts, {self.restarts} restarts",
            f"{self.comparisons} comparisons, {sum(self.either.values())} with more than one right answer "
            f"({self.either_share:.2%}): " + ", ".join(f"{k} {v}" for k, v in self.either.most_common()),
            "phases: " + ", ".join(f"{k} {v}" for k, v in self.phases.most_common()),
            "answers: " + ", ".join(f"{k} {v}" for k, v in sorted(self.commands.items())),
            "reasons named: " + ", ".join(f"{k} {v}" for k, v in self.codes.most_common()),
        ]
