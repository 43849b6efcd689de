"""Proof of the sensed rows (Rule 15): an item passes by showing that its sensor can say both.

Fan and light are interrupted for seconds, only with nobody aboard; each lock is seen unlocked and locked by the
commander's hand; the beacon is lit, the intercom hears its own tone, the radio answers after the test began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .equipment import FLASH_GAP_S
from .levels import BAD_SAMPLES
from .rules import SENSED_EQUIPMENT
from .settings import Settings
from .state import Live, Test, Tone, Trip

LOCK_HOLD_S = 0.3  # contract.md: seen unlocked, then locked, each at least this long
UNLOCKED = frozenset({"bolt_open", "door_open", "both_open"})
LOCKED = frozenset({"locked"})
DOOR_OPEN = frozenset({"door_open", "both_open"})
OFF_LIMIT_S = 6.0  # an inhibit never lasts longer; the cut-off outside the computer is at 10 s
# That cut-off empties as slowly as it fills. After an inhibit that lasted to its limit the next one waits as long, or
# quick repetitions would fill it, and a fan that cannot be interrupted any more looks like a sense that is stuck.
REST_S = OFF_LIMIT_S
ON_LIMIT_S = 8.0
BEACON_LIMIT_S = 3.0
TONE_LIMIT_S = 1.5
TONE_FOR_S = 0.26  # the tone detector answers within two scans; the rest is margin
TONE_EVERY_S = 2.0  # how long a broken intercom can stay unnoticed
RADIO_LIMIT_S = 10.0
SETTLED_S = 0.3  # ten good samples and a little more
_SENSE = {"ventilation": ("airflow", "fan_switch"), "lighting": ("light_sense", "light_switch")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A test that has ended."""

    item: str
    status: str
    reason: str | None
    evidence: Mapping[str, object]


def begin(trip: Trip, live: Live, at_s: float, settings: Settings) -> Mapping[str, Test]:
    """The tests of every sensed row that is running: those under way go on, the others start."""
    tests = {}
    for item in (*SENSED_EQUIPMENT, *settings.cell_locks()):
        row = trip.rows.get(item)
        if row is None or row.status != "running":
            continue
        if item in live.tests:
            tests[item] = live.tests[item]
            continue
        tests[item] = _first(item, at_s, is_occupied=trip.aboard != 0)
    resting = {item: test for item, test in live.tests.items() if test.stage == "rest"}
    return {**resting, **tests}


def _first(item: str, at_s: float, *, is_occupied: bool) -> Test:
    if item.startswith("cell_lock_"):
        return Test("unlocked", at_s)
    if item not in _SENSE:
        return Test("on", at_s)
    return Test("on", at_s, None, {"off": None}) if is_occupied else Test("off", at_s)


def advance(trip: Trip, live: Live, at_s: float) -> tuple[Mapping[str, Test], list[Verdict]]:
    """One scan further; a test whose row no longer runs is dropped, but for the rest after a long inhibit."""
    changed = dict(live.tests)
    verdicts: list[Verdict] = []
    for item, test in live.tests.items():
        row = trip.rows.get(item)
        is_running = row is not None and row.status == "running"
        if test.stage == "rest":
            if at_s - test.since_s >= REST_S:
                del changed[item]
                if is_running:
                    changed[item] = _first(item, at_s, is_occupied=trip.aboard != 0)
            continue
        if not is_running:
            del changed[item]
            continue
        result = _step(item, test, live, at_s, is_occupied=trip.aboard > 0)
        if isinstance(result, Verdict):
            del changed[item]
            if result.reason == "sense_stuck":
                changed[item] = Test("rest", at_s)
            verdicts.append(result)
        elif result is not test:
            changed[item] = result
    return (changed if verdicts or changed != live.tests else live.tests), verdicts


def _step(item: str, test: Test, live: Live, at_s: float, *, is_occupied: bool) -> Test | Verdict:
    if item.startswith("cell_lock_"):
        return _lock(item, test, live, at_s)
    if item in _SENSE:
        return _powered(item, test, live, at_s, is_occupied=is_occupied)
    if item == "beacon":
        return _beacon(test, live, at_s)
    return _intercom(test, live, at_s) if item == "intercom" else _radio(test, live, at_s)


def _lock(item: str, test: Test, live: Live, at_s: float) -> Test | Verdict:
    entry = live.levels.get(f"cell_{item.removeprefix('cell_lock_')}")
    if entry is None or not live.is_working(item):
        return test if test.seen_s is None else replace(test, seen_s=None)
    wanted = UNLOCKED if test.stage == "unlocked" else LOCKED
    is_wanted = entry.value in wanted and entry.raw in wanted
    # One unlocked state may follow another (bolt, then door): the clock starts with the first of them.
    seen_s = max(entry.raw_s, test.since_s) if test.seen_s is None else test.seen_s
    if not is_wanted:
        return test if test.seen_s is None else replace(test, seen_s=None)
    if at_s - seen_s < LOCK_HOLD_S:
        return test if test.seen_s is not None else replace(test, seen_s=seen_s)
    if test.stage == "unlocked":
        return Test("locked", at_s, None, {"unlocked": True})
    return Verdict(item, "passed", None, {"unlocked": True, "locked": True})


def _powered(item: str, test: Test, live: Live, at_s: float, *, is_occupied: bool) -> Test | Verdict:
    sense, switch = (live.level(wire) for wire in _SENSE[item])
    spent_s = at_s - test.since_s
    if switch is not True:
        return Verdict(item, "failed", "switched_off", test.evidence) if spent_s > SETTLED_S else test
    if test.stage == "off":
        if is_occupied:
            return Test("on", at_s, None, {"off": None})
        if sense is False:
            return Test("on", at_s, None, {"off": True})
        return Verdict(item, "failed", "sense_stuck", {"off": False}) if spent_s > OFF_LIMIT_S else test
    if sense is True:
        seen_s = at_s if test.seen_s is None else test.seen_s
        if at_s - seen_s >= SETTLED_S and live.is_working(item):
            return Verdict(item, "passed", None, {**test.evidence, "on": True})
        return test if test.seen_s is not None else replace(test, seen_s=seen_s)
    if spent_s > ON_LIMIT_S:
        return Verdict(item, "failed", "did_not_return", {**test.evidence, "on": False})
    return test if test.seen_s is None else replace(test, seen_s=None)


def _beacon(test: Test, live: Live, at_s: float) -> Test | Verdict:
    spent_s = at_s - test.since_s
    if test.stage == "on":
        if live.beacon_lit_s > test.since_s and spent_s >= FLASH_GAP_S:
            return Test("off", at_s, None, {"on": True})
        return Verdict("beacon", "failed", "not_lit", {"on": False}) if spent_s > BEACON_LIMIT_S else test
    if at_s - live.beacon_lit_s > FLASH_GAP_S and live.is_working("beacon"):
        return Verdict("beacon", "passed", None, {**test.evidence, "off": True})
    if spent_s > BEACON_LIMIT_S:
        reason = "switched_on" if live.level("beacon_switch") else "did_not_go_dark"
        return Verdict("beacon", "failed", reason, {**test.evidence, "off": False})
    return test


def _intercom(test: Test, live: Live, at_s: float) -> Test | Verdict:
    spent_s = at_s - test.since_s
    is_over = not live.tone.is_on and live.tone.since_s > test.since_s  # a whole tone since the test began
    if test.stage == "on":
        if is_over and live.tone.result:
            return Test("off", test.since_s, None, {"on": True})
        is_late = is_over or spent_s > TONE_LIMIT_S
        reason = "tone_unbidden" if live.level("intercom_return") else "no_tone"
        return Verdict("intercom", "failed", reason, {"on": False}) if is_late else test
    is_heard = live.level("intercom_return")
    if is_heard is False and at_s - live.tone.since_s > SETTLED_S and live.is_working("intercom"):
        return Verdict("intercom", "passed", None, {**test.evidence, "off": True})
    if spent_s > 2 * TONE_LIMIT_S + TONE_EVERY_S:
        return Verdict(
            "intercom", "failed", "tone_unbidden" if is_heard else "no_tone", {**test.evidence, "off": False}
        )
    return test


def fold_tone(live: Live, is_heard: bool | None, at_s: float) -> Tone:
    """The intercom's supervision one scan further; a test brings the next tone forward."""
    tone = live.tone
    if tone.is_on:
        heard = tone.heard + (is_heard is True)
        if at_s - tone.since_s >= TONE_FOR_S:
            return Tone(False, at_s, 0, heard >= BAD_SAMPLES)
        return tone if heard == tone.heard else replace(tone, heard=heard)
    test = live.tests.get("intercom")
    is_wanted = test is not None and test.stage == "on" and tone.since_s <= test.since_s
    if is_heard:
        return tone  # a line that hums by itself would answer: the next tone waits until it is silent
    if at_s - tone.since_s >= TONE_EVERY_S or is_wanted:
        return Tone(True, at_s, 0, tone.result)
    return tone


def _radio(test: Test, live: Live, at_s: float) -> Test | Verdict:
    if live.radio is not None and live.radio.at_s > test.since_s and live.is_working("radio"):
        return Verdict("radio", "passed", None, {"registered": True, "rssi_dbm": live.radio.rssi_dbm})
    if at_s - test.since_s > RADIO_LIMIT_S:
        status = live.equipment.get("radio")
        return Verdict("radio", "failed", status.reason if status else "silent", {"registered": False})
    return test
