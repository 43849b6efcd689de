"""Rule 19 and the contract's notices: who is owed a notice, and what is known about each one."""

from __future__ import annotations

from typing import Any

from tests.oracle import law
from tests.oracle.history import Fact, History


def recipients(plan: dict[str, Any], origin: str) -> list[str]:
    """The destination's body, every intermediate unit, and the sending unit; each once."""
    named = [plan["destination"], *plan["intermediate"], origin]
    return [unit for unit in dict.fromkeys(named) if unit is not None]


def owed(history: History, origin: str) -> list[tuple[str, str, float]]:
    """(kind, recipient, when) of every departure and arrival that ever happened, in their order."""
    told: list[tuple[str, str, float]] = []
    plan: dict[str, Any] = {}
    for fact in history.facts:
        if fact.what == "open_trip":
            plan = fact.data
        kind = {"departed": "departure", "arrive": "arrival"}.get(fact.what)
        if kind:
            told += [(kind, unit, fact.at_s) for unit in recipients(plan, origin)]
    return told


def stage(history: History, notice: str, recipient: str) -> str:
    """The furthest stage that anybody has reached for it; a unit's receipt is only its own."""
    said = [f for f in history.facts if f.data.get("notice") == notice]
    reached = {"recorded", *(_stage(f) for f in said if f.what != "receipt" or f.data["unit"] == recipient)}
    return max(reached, key=law.STAGES.index)


def shown(history: History, notice: str, recipient: str) -> set[str]:
    """What the list may say: a unit's receipt that comes after a call may stand for both, the contract says nothing."""
    furthest = stage(history, notice, recipient)
    mine = [f for f in history.facts if f.data.get("notice") == notice]
    said = [
        _stage(f) for f in mine if f.what == "told_by_radio" or (f.what == "receipt" and f.data["unit"] == recipient)
    ]
    is_overtaken = furthest == "told_by_radio" and said.index("told_by_radio") < len(said) - 1
    return {furthest, "received"} if is_overtaken and "received" in said else {furthest}


def _stage(fact: Fact) -> str:
    return fact.data["stage"] if fact.what == "receipt" else fact.what


def is_confirmed(shown: str) -> bool:
    """Confirmed enough to be left out of the list one day: an officer's word, a call, or the unit's own receipt."""
    return shown in ("received", "acknowledged", "told_by_radio")


def overdue(waited_s: float, shown: str, *, is_sender: bool, within_s: float) -> set[bool]:
    """No duty officer has acknowledged in time and nobody was told by radio; the sending unit only has to receive."""
    enough = {"acknowledged", "told_by_radio"} | ({"received"} if is_sender else set())
    if shown in enough:
        return {False}
    if abs(waited_s - within_s) <= 0.25:
        return {True, False}
    return {waited_s > within_s}
