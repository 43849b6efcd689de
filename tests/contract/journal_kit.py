"""Helpers for tests of the journal: events with injected times, and a journal that has become durable."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.journal import Durable, Journal
from vehicle_agent.core.events import Envelope, Event, HaltLogged

_numbers = itertools.count(1)


def envelope(event: Event | None = None, **changes: object) -> Envelope:
    """One event of a fixed moment."""
    fields: dict[str, object] = {
        "id": f"id-{next(_numbers)}",
        "at_utc": datetime(2026, 11, 22, 13, 0, 5, 123456, tzinfo=UTC),
        "at_s": 12.3456,
        "source": "gnss",
        "uncertainty_s": 0.2,
        "boot_id": "boot-1",
        "trip": None,
        "event": event or HaltLogged("су ішу"),
        **changes,
    }
    return Envelope(**fields)  # type: ignore[arg-type]


def wait(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Until the condition holds; fails when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.002)


def opened(directory: Path, ballast_bytes: int = 4096) -> Journal:
    """A started journal whose opening is done."""
    journal = Journal(directory, ballast=Ballast(directory, ballast_bytes))
    journal.start()
    wait(lambda: journal.opening is not None)
    return journal


def durable(journal: Journal, count: int, within_s: float = 5.0) -> list[Durable]:
    """The next `count` durable rows."""
    found: list[Durable] = []

    def is_enough() -> bool:
        found.extend(journal.drain())
        return len(found) >= count

    wait(is_enough, within_s)
    return found


def filled(directory: Path, count: int) -> list[Durable]:
    """A closed journal of `count` rows."""
    journal = opened(directory)
    for number in range(count):
        journal.append(envelope(HaltLogged(f"row {number}")))
    rows = durable(journal, count)
    assert journal.stop()
    return rows
