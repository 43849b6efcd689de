"""Debounced wires: fast to refuse, slow to trust (Rules 15 and 16 are watched through these).

A level is sampled at every scan; an edge that is missed can never leave a stale value behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .inputs import Readings
from .state import Level

BAD_SAMPLES = 2  # 40 ms at 20 ms a scan
GOOD_SAMPLES = 10  # 200 ms
REVERSAL_WITHIN_S = 0.2  # a contact that comes back this soon has bounced, not moved
CHATTER_WINDOW_S = 10.0
CHATTER_REVERSALS = 6  # more than this in the window is a fault, ordinary use of a door is fewer

# The value that has to be earned with ten good samples; every other value is believed after two.
_EARNED: Mapping[str, Any] = {"handbrake": True}
_EARNED_LOOP = "locked"
_EARNED_CALL = "idle"
# Meant to change quickly. The pilot tone and the relay are not among them: both stay longer than a reversal's 200 ms.
_FLASHING = frozenset({"beacon_sense"})


def fold_levels(levels: Mapping[str, Level], readings: Readings) -> Mapping[str, Level]:
    """The wires after one more sample; the same mapping when nothing moved."""
    changed: dict[str, Level] | None = None
    at_s = readings.at_s
    groups = ((readings.loops, _EARNED_LOOP), (readings.calls, _EARNED_CALL), (readings.contacts, None))
    for wires, earned_by_all in groups:
        for name, raw in wires.items():
            entry = levels.get(name)
            is_calm = entry is not None and not (entry.reversals and at_s - entry.reversals[0] >= CHATTER_WINDOW_S)
            if is_calm and entry is not None and raw == entry.value == entry.raw and entry.count == 0:
                continue
            if changed is None:
                changed = dict(levels)
            earned = earned_by_all or _EARNED.get(name)
            changed[name] = _fold(entry or Level(since_s=at_s), name, raw, at_s, earned)
    return levels if changed is None else changed


def _fold(entry: Level, name: str, raw: Any, at_s: float, earned: Any) -> Level:
    reversals = entry.reversals
    raw_s, before = entry.raw_s, entry.before
    if raw != entry.raw:
        if name not in _FLASHING and raw == before and raw is not None and at_s - raw_s <= REVERSAL_WITHIN_S:
            reversals = (*reversals, at_s)[-(CHATTER_REVERSALS + 1) :]
        raw_s, before = at_s, entry.raw
    if reversals and at_s - reversals[0] >= CHATTER_WINDOW_S:
        reversals = tuple(t for t in reversals if at_s - t < CHATTER_WINDOW_S)
    if raw == entry.value:
        value, since_s, candidate, count = entry.value, entry.since_s, None, 0
    else:
        is_leaving = earned is not None and entry.value == earned
        same = is_leaving or raw == entry.candidate  # leaving the good value, any other value counts against it
        candidate, count = raw, (entry.count + 1 if same else 1)
        value, since_s = entry.value, entry.since_s
        if count >= (GOOD_SAMPLES if earned is not None and raw == earned else BAD_SAMPLES):
            value, since_s, candidate, count = raw, at_s, None, 0
    return Level(value, since_s, candidate, count, raw, raw_s, before, reversals)


def is_chattering(entry: Level | None) -> bool:
    """More reversals in ten seconds than any door or person makes; stays so until ten seconds have been calm."""
    return entry is not None and len(entry.reversals) > CHATTER_REVERSALS
