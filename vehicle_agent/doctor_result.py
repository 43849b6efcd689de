"""One line of the doctor's table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works now, or nobody can tell before a trip's own tests
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """What was tried, what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "status": self.status.lower(), "found": self.found, "advice": self.advice}
