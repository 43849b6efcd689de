"""Faults that lie over a wire while the mechanism behind it goes on: what `PUT wires/{name} {"fault": …}` takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from simulators.bench.levels import LEAK_OHM

KINDS = ("cut", "short", "supply", "leak", "bridge", "chatter", "stuck")
PAIR_KINDS = ("cut", "short", "chatter", "stuck")  # the others are no state of two contacts
HIDING = ("cut", "short", "supply")  # nothing of the mechanism reaches the terminal
HZ_MIN, HZ_MAX = 0.1, 50.0  # the wires are looked at every 10 ms: a faster rhythm could not be told truly
CHATTER_HZ = 10.0
_FIELDS = {"leak": ("ohms",), "bridge": ("to",), "chatter": ("hz", "against")}


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    since_ns: int
    ohms: float = LEAK_OHM  # of a leak, between the wire and 0 V
    to: str | None = None  # the wire that a bridged one touches
    hz: float = CHATTER_HZ
    against: str = ""  # what a chattering wire alternates with
    kept: str = ""  # what a stuck one goes on saying

    def shown(self, base: str) -> str:
        """The wire's level while the mechanism is at `base`, but for time: a chattering one is told by `is_away`."""
        if self.kind in HIDING:
            return self.kind
        if self.kind == "stuck":
            return self.kept
        return base if self.kind == "chatter" else f"{base}+{self.kind}"

    def is_away(self, now_ns: int) -> bool:
        """Whether a chattering wire shows the other level now; it begins with it."""
        return self.kind == "chatter" and int((now_ns - self.since_ns) * 2 * self.hz / 1e9) % 2 == 0

    def body(self) -> dict[str, Any]:
        """As the interface tells it."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in _FIELDS.get(self.kind, ())}}


def parse(given: object, base: str, words: tuple[str, ...], others: tuple[str, ...], now_ns: int) -> Fault | None:
    """The fault that a body asks for; None repairs. Raises ValueError that says what is allowed.

    `base` is where the mechanism stands, `words` what this wire can say, `others` what it can touch: without any it is
    a pair of contacts.
    """
    if given is None:
        return None
    kinds = KINDS if others else PAIR_KINDS
    if not isinstance(given, dict) or given.get("kind") not in kinds:
        raise ValueError(f'"fault" is null or {{"kind": …}} with {", ".join(kinds)}')
    kind = given["kind"]
    strangers = sorted(given.keys() - {"kind", *_FIELDS.get(kind, ())})
    if strangers:
        raise ValueError(f"a {kind} has no {', '.join(strangers)}")
    if kind == "bridge" and given.get("to") not in others:
        raise ValueError(f'"to" is another input wire: {", ".join(others)}')
    against = given.get("against") or _other(base, words)
    if against not in words:
        raise ValueError(f'"against" is one of {", ".join(words)}')
    return Fault(
        kind,
        now_ns,
        ohms=_number(given, "ohms", LEAK_OHM, 0.0, 1e9),
        to=given.get("to"),
        hz=_number(given, "hz", CHATTER_HZ, HZ_MIN, HZ_MAX),
        against=against,
        kept=base,
    )


def _other(base: str, words: tuple[str, ...]) -> str:
    """What a loose contact alternates with: the bolt's contact of a loop, the other state of a contact."""
    if "locked" in words:
        return "bolt_open" if base == "locked" else "locked"
    return "open" if base in ("closed", "short") else "closed"


def _number(given: dict[str, Any], name: str, usual: float, low: float, high: float) -> float:
    value = given.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or math.isnan(value):
        raise ValueError(f'"{name}" is a number from {low:g} to {high:g}, not {value!r}')
    return float(value)
