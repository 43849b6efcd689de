"""The duty officer's computer's clock: the one place of the desk that asks for the time.

Wall time is what the register shows; ages and timers come from the monotonic clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

# All of Kazakhstan has kept UTC+5 since 1 March 2024; a fixed offset cannot be outdated by an old time-zone table.
LOCAL = timezone(timedelta(hours=5))


def now_utc() -> datetime:
    """Wall time of this computer, aware."""
    return datetime.now(UTC)


def mono_s() -> float:
    """Monotonic seconds, for ages and timers."""
    return time.monotonic()


def to_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`, as every interface of the project writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime | None:
    """The moment an RFC 3339 text names, or None where it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def local_text(text: str | None) -> str:
    """A stored time in the one fixed form of the screens, "22.11.2026 13:00:05" at UTC+5; empty where unknown."""
    moment = from_text(text) if text else None
    return moment.astimezone(LOCAL).strftime("%d.%m.%Y %H:%M:%S") if moment else ""
