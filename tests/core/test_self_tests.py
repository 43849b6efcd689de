"""How each sensed row is proven: what must be seen, for how long, and what ends a test as failed (Rule 15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.core.world import PLAN, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core import selftest
from vehicle_agent.core.equipment import LOOPS_READABLE
from vehicle_agent.core.inputs import Radio
from vehicle_agent.core.selftest import Verdict, advance, begin, fold_tone
from vehicle_agent.core.state import Level, Live, Row, Status, Test, Tone, Trip

RUNNING = Row("running")
WORKING = Status("working")


def live(tests: Mapping[str, Test], at_s: float = 0.0, *, working: bool = True, **wires: Any) -> Live:
    """Every equipment with the same status, and these wires, unchanged since long ago unless a Level says otherwise."""
    names = ("radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2")
    levels = {name: raw if isinstance(raw, Level) else Level(raw, -99.0, raw=raw) for name, raw in wires.items()}
    status = WORKING if working else Status("fault", "lost")
    return Live(at_s=at_s, levels=levels, equipment=dict.fromkeys(names, status), tests=tests)


def step(item: str, test: Test, seen: Live, at_s: float, aboard: int = 0) -> Test | Verdict:
    trip = Trip(rows={item: RUNNING}, commander=aboard)
    tests, verdicts = advance(trip, replace(seen, tests={item: test}), at_s)
    if verdicts:
        rests = {item: Test("rest", at_s)} if verdicts[0].reason == "sense_stuck" else {}
        assert tests == rests
        return verdicts[0]
    return tests[item]


def trip(**rows: str) -> Trip:
    return Trip(rows={item: Row(status) for item, status in rows.items()})


def test_only_running_rows_are_tested_and_each_begins_with_its_first_state() -> None:
    items = ("radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2")
    tests = begin(trip(**dict.fromkeys(items, "running")), Live(), 5.0, SETTINGS)
    assert {item: test.stage for item, test in tests.items()} == {
        **dict.fromkeys(("radio", "beacon", "intercom"), "on"),
        **dict.fromkeys(("ventilation", "lighting"), "off"),
        **dict.fromkeys(("cell_lock_1", "cell_lock_2"), "unlocked"),
    }
    assert {(test.since_s, test.seen_s) for test in tests.values()} == {(5.0, None)}
    assert all(test.evidence == {} for test in tests.values())
    assert begin(trip(radio="passed", beacon="failed", nonsense="running"), Live(), 5.0, SETTINGS) == {}


def test_H37_with_people_aboard_fan_and_light_are_only_looked_at() -> None:
    aboard = replace(trip(ventilation="running", lighting="running", cell_lock_1="running"), commander=1)
    tests = begin(aboard, Live(), 5.0, SETTINGS)
    assert {item: (test.stage, test.evidence) for item, test in tests.items()} == {
        "ventilation": ("on", {"off": None}),
        "lighting": ("on", {"off": None}),
        "cell_lock_1": ("unlocked", {}),
    }


def test_a_second_start_lets_the_tests_under_way_go_on() -> None:
    half_way = Test("locked", 1.0, 2.0, {"unlocked": True})
    tests = begin(trip(cell_lock_1="running", radio="running"), live({"cell_lock_1": half_way}), 5.0, SETTINGS)
    assert tests["cell_lock_1"] is half_way
    assert tests["radio"] == Test("on", 5.0, None, {})


def test_a_test_whose_row_no_longer_runs_is_dropped_without_a_verdict() -> None:
    tests = {"beacon": Test("on", 0.0), "radio": Test("on", 0.0)}
    for rows in (trip(beacon="expired", radio="running"), trip(radio="running")):
        left, verdicts = advance(rows, live(tests), 0.1)
        assert (set(left), verdicts) == ({"radio"}, [])


def test_nothing_new_makes_no_new_mapping() -> None:
    seen = live({"radio": Test("on", 0.0)})
    assert advance(trip(radio="running"), seen, 0.1)[0] is seen.tests


# Locks.


def lock(stage: str, loop: Level | None, at_s: float, test: Test | None = None, *, working: bool = True) -> Any:
    wires = {} if loop is None else {"cell_1": loop}
    return step("cell_lock_1", test or Test(stage, 0.0), live({}, at_s, working=working, **wires), at_s)


@pytest.mark.parametrize("state", ["bolt_open", "door_open", "both_open"])
def test_H01_a_lock_is_seen_unlocked_for_300_ms_and_then_locked_for_300_ms(state: str) -> None:
    loop = Level(state, 1.02, raw=state, raw_s=1.0)
    waiting = lock("unlocked", loop, 1.02)
    assert waiting == Test("unlocked", 0.0, 1.0, {})
    assert lock("unlocked", loop, 1.299, waiting) is waiting
    half_way = lock("unlocked", loop, 1.3, replace(waiting, seen_s=1.0))
    assert half_way == Test("locked", 1.3, None, {"unlocked": True})
    shut = Level("locked", 2.2, raw="locked", raw_s=2.0)
    assert lock("locked", shut, 2.29, half_way) == replace(half_way, seen_s=2.0)
    passed = lock("locked", shut, 2.3001, half_way)
    assert passed == Verdict("cell_lock_1", "passed", None, {"unlocked": True, "locked": True})


def test_H01_what_was_so_before_the_test_counts_from_its_start() -> None:
    loop = Level("both_open", -50.0, raw="both_open", raw_s=-50.0)
    assert lock("unlocked", loop, 0.1) == Test("unlocked", 0.0, 0.0, {})
    assert lock("unlocked", loop, 0.3) == Test("locked", 0.3, None, {"unlocked": True}), "at least so long"


def test_one_unlocking_may_pass_through_several_open_states() -> None:
    waiting = Test("unlocked", 0.0, 1.0, {})
    door = Level("both_open", 1.22, raw="both_open", raw_s=1.2)
    assert lock("unlocked", door, 1.3, waiting).stage == "locked"


@pytest.mark.parametrize(
    ("stage", "loop"),
    [
        ("unlocked", Level("locked", raw="locked")),
        ("unlocked", Level("cut", raw="cut")),
        ("unlocked", Level("both_open", raw="locked")),  # the newest sample already says otherwise
        ("unlocked", Level("locked", raw="both_open")),  # not yet believed
        ("locked", Level("both_open", raw="both_open")),
        ("locked", Level("locked", raw="both_open")),
        ("locked", Level("implausible", raw="implausible")),
    ],
)
def test_H01_any_other_state_begins_the_300_ms_anew(stage: str, loop: Level) -> None:
    waiting = Test(stage, 0.0, 1.0, {"unlocked": True})
    assert lock(stage, loop, 9.0, waiting) == replace(waiting, seen_s=None)
    fresh = replace(waiting, seen_s=None)
    assert lock(stage, loop, 9.0, fresh) is fresh


@pytest.mark.parametrize("stage", ["unlocked", "locked"])
def test_H01_a_lock_that_is_not_working_or_not_read_proves_nothing(stage: str) -> None:
    state = "locked" if stage == "locked" else "both_open"
    loop = Level(state, raw=state, raw_s=0.0)
    waiting, fresh = Test(stage, 0.0, 1.0, {}), Test(stage, 0.0, None, {})
    assert lock(stage, loop, 9.0, waiting, working=False) == fresh
    assert lock(stage, None, 9.0, waiting) == fresh
    assert lock(stage, None, 9.0, fresh) is fresh


# Fan and light.


@pytest.mark.parametrize(
    ("item", "sense", "switch"), [("ventilation", "airflow", "fan_switch"), ("lighting", "light_sense", "light_switch")]
)
def test_H01_fan_and_light_are_seen_to_stop_and_to_come_back(item: str, sense: str, switch: str) -> None:
    off = Test("off", 0.0)
    running = live({}, **{sense: True, switch: True})
    assert step(item, off, running, 6.0) is off
    assert step(item, off, running, 6.01) == Verdict(item, "failed", "sense_stuck", {"off": False})
    stopped = live({}, **{sense: False, switch: True})
    back = step(item, off, stopped, 1.0)
    assert back == Test("on", 1.0, None, {"off": True})
    assert isinstance(back, Test)
    assert step(item, back, stopped, 9.0) is back
    assert step(item, back, stopped, 9.01) == Verdict(item, "failed", "did_not_return", {"off": True, "on": False})
    seen = step(item, back, running, 2.0)
    assert seen == replace(back, seen_s=2.0)
    assert isinstance(seen, Test)
    assert step(item, seen, running, 2.29) is seen
    assert step(item, seen, running, 2.31) == Verdict(item, "passed", None, {"off": True, "on": True})
    exactly = Test("on", 0.0, 0.0, {"off": True})
    assert step(item, exactly, running, 0.3) == Verdict(item, "passed", None, {"off": True, "on": True})
    assert step(item, seen, stopped, 2.2) == back, "it stopped once more: the 300 ms begin anew"
    broken = live({}, working=False, **{sense: True, switch: True})
    assert step(item, seen, broken, 2.31) is seen, "running, but not yet trusted again"


@pytest.mark.parametrize(("aboard", "begun"), [(0, Test("off", 7.0)), (1, Test("on", 7.0, None, {"off": None}))])
def test_H37_after_an_interruption_to_its_limit_the_next_one_waits_as_long(aboard: int, begun: Test) -> None:
    rest = {"ventilation": Test("rest", 1.0)}
    resting = live(rest, airflow=True, fan_switch=True)
    asked = replace(trip(ventilation="running"), commander=aboard)
    for rows in (asked, trip(ventilation="failed"), trip()):
        assert begin(rows, resting, 2.0, SETTINGS) == rest
        assert advance(rows, resting, 6.99) == (rest, [])
    assert advance(asked, resting, 7.0) == ({"ventilation": begun}, [])
    assert advance(trip(ventilation="failed"), resting, 7.0) == ({}, [])
    assert advance(trip(), resting, 7.0) == ({}, [])


def test_a_rest_and_a_test_that_is_dropped_hold_no_other_test_up() -> None:
    others = {"ventilation": Test("rest", 0.0), "beacon": Test("on", 0.0), "radio": Test("on", 0.0)}
    seen = replace(live(others), radio=Radio(0.1, True, True, -84, "TMO"))
    tests, verdicts = advance(trip(beacon="expired", radio="running"), seen, 1.0)
    assert (set(tests), [verdict.item for verdict in verdicts]) == ({"ventilation"}, ["radio"])


def test_a_line_that_hums_by_itself_is_given_no_tone_that_it_would_answer() -> None:
    humming = replace(live({}, intercom_return=True), tone=Tone(False, 0.0, 0, True))
    assert fold_tone(humming, True, 9.0) == humming.tone
    on = Test("on", 0.0)
    late = replace(humming, tone=Tone(False, -0.1, 0, True))
    assert step("intercom", on, late, 1.51) == Verdict("intercom", "failed", "tone_unbidden", {"on": False})


@pytest.mark.parametrize("stage", ["off", "on"])
def test_a_fan_that_the_crew_has_switched_off_fails_its_test_soon(stage: str) -> None:
    test = Test(stage, 0.0, None, {"off": True})
    for switch in (False, None):
        seen = live({}, airflow=False, fan_switch=switch)
        assert step("ventilation", test, seen, 0.3) is test
        assert step("ventilation", test, seen, 0.31) == Verdict("ventilation", "failed", "switched_off", {"off": True})


def test_H37_somebody_who_boards_ends_an_interruption_at_once() -> None:
    running = live({}, airflow=True, fan_switch=True)
    assert step("ventilation", Test("off", 0.0), running, 0.5, aboard=1) == Test("on", 0.5, None, {"off": None})


# Beacon, intercom, radio.


def test_the_beacon_is_seen_to_flash_and_to_go_dark() -> None:
    on, never = Test("on", 0.0), live({})
    assert step("beacon", on, never, 3.0) is on
    assert step("beacon", on, never, 3.01) == Verdict("beacon", "failed", "not_lit", {"on": False})
    flashed = replace(never, beacon_lit_s=0.5)
    assert step("beacon", on, flashed, 0.99) is on, "lit for a whole second, so that it is no glimmer"
    off = step("beacon", on, flashed, 1.0)
    assert off == Test("off", 1.0, None, {"on": True})
    assert isinstance(off, Test)
    assert step("beacon", on, replace(never, beacon_lit_s=0.0), 2.0) is on, "lit before the test began"
    lit = replace(flashed, beacon_lit_s=3.0)
    assert step("beacon", off, lit, 4.0) is off
    assert step("beacon", off, lit, 4.01) == Verdict("beacon", "passed", None, {"on": True, "off": True})
    broken = replace(live({}, working=False), beacon_lit_s=1.0)
    assert step("beacon", off, broken, 4.0) is off
    for switch, reason in ((False, "did_not_go_dark"), (True, "switched_on")):
        seen = replace(live({}, beacon_switch=switch), beacon_lit_s=4.0)
        failed = Verdict("beacon", "failed", reason, {"on": True, "off": False})
        assert step("beacon", off, seen, 4.01) == failed


def test_the_intercom_hears_a_whole_tone_and_then_silence() -> None:
    on = Test("on", 0.0)

    def heard(
        since_s: float, result: bool | None, is_on: bool = False, *, hears: bool = False, works: bool = True
    ) -> Live:
        return replace(live({}, working=works, intercom_return=hears), tone=Tone(is_on, since_s, 0, result))

    assert step("intercom", on, heard(0.1, True, is_on=True), 0.2) is on
    assert step("intercom", on, heard(-0.1, True), 0.2) is on, "a tone from before the test"
    assert step("intercom", on, heard(0.0, True), 0.2) is on
    assert step("intercom", on, heard(0.3, False), 0.4) == Verdict("intercom", "failed", "no_tone", {"on": False})
    assert step("intercom", on, heard(-0.1, True), 1.5) is on
    assert step("intercom", on, heard(-0.1, True), 1.51) == Verdict("intercom", "failed", "no_tone", {"on": False})
    later = Test("on", 2.0)
    assert step("intercom", later, heard(1.9, True), 3.5) is later
    off = step("intercom", on, heard(0.3, True), 0.4)
    assert off == Test("off", 0.0, None, {"on": True})
    assert isinstance(off, Test)
    assert step("intercom", off, heard(0.0, True), 0.3) is off
    assert step("intercom", off, heard(1.0, True), 1.2) is off
    passed = Verdict("intercom", "passed", None, {"on": True, "off": True})
    assert step("intercom", off, heard(0.0, True), 0.31) == passed
    assert step("intercom", off, heard(0.0, True, works=False), 0.31) is off
    loud = heard(0.0, True, hears=True)
    assert step("intercom", off, loud, 5.0) is off
    assert step("intercom", off, loud, 5.01) == Verdict(
        "intercom", "failed", "tone_unbidden", {"on": True, "off": False}
    )
    deaf = heard(0.0, True, works=False)
    assert step("intercom", off, deaf, 5.01) == Verdict("intercom", "failed", "no_tone", {"on": True, "off": False})


def test_the_radio_answers_after_the_test_began() -> None:
    on = Test("on", 0.0)

    def answered(at_s: float, *, works: bool = True) -> Live:
        return replace(live({}, working=works), radio=Radio(at_s, True, True, -84, "TMO"))

    assert step("radio", on, answered(0.0), 1.0) is on, "an answer to nothing that was asked"
    assert step("radio", on, answered(0.1), 1.0) == Verdict(
        "radio", "passed", None, {"registered": True, "rssi_dbm": -84}
    )
    assert step("radio", on, answered(0.1, works=False), 10.0) is on
    failed = {"registered": False}
    assert step("radio", on, answered(0.1, works=False), 10.01) == Verdict("radio", "failed", "lost", failed)
    asked = Test("on", 5.0)
    assert step("radio", asked, answered(5.1, works=False), 15.0) is asked
    unread = replace(live({}), equipment={})
    assert step("radio", on, unread, 10.0) is on
    assert step("radio", on, unread, 10.01) == Verdict("radio", "failed", "silent", failed)


@pytest.mark.parametrize(
    ("tone", "heard", "at_s", "expected"),
    [
        (Tone(False, 0.0, 0, True), False, 1.99, Tone(False, 0.0, 0, True)),
        (Tone(False, 0.0, 0, True), False, 2.0, Tone(True, 2.0, 0, True)),  # its last result holds meanwhile
        (Tone(False, 5.0, 0, True), False, 6.99, Tone(False, 5.0, 0, True)),
        (Tone(True, 5.0, 3, True), True, 5.1, Tone(True, 5.0, 4, True)),
        (Tone(True, 0.0, 3, True), False, 0.1, Tone(True, 0.0, 3, True)),
        (Tone(True, 0.0, 3, True), None, 0.1, Tone(True, 0.0, 3, True)),
        (Tone(True, 0.0, 1, False), True, 0.26, Tone(False, 0.26, 0, True)),
        (Tone(True, 0.0, 1, True), False, 0.26, Tone(False, 0.26, 0, False)),  # one sample is no tone
        (Tone(True, 0.0, 2, None), False, 0.26, Tone(False, 0.26, 0, True)),
    ],
)
def test_a_tone_is_heard_when_two_samples_heard_it(tone: Tone, heard: bool | None, at_s: float, expected: Tone) -> None:
    assert fold_tone(replace(live({}), tone=tone), heard, at_s) == expected


def test_the_states_of_a_loop_are_locked_or_unlocked_and_a_drawn_bolt_alone_is_no_open_door() -> None:
    assert selftest.UNLOCKED | selftest.LOCKED == LOOPS_READABLE
    assert not selftest.UNLOCKED & selftest.LOCKED
    assert {"bolt_open"} == selftest.UNLOCKED - selftest.DOOR_OPEN
    assert selftest.DOOR_OPEN < selftest.UNLOCKED


def test_a_test_of_the_intercom_brings_the_next_tone_forward_once() -> None:
    before = Tone(False, 0.0, 0, True)
    asked = replace(live({"intercom": Test("on", 0.5)}), tone=before)
    assert fold_tone(asked, False, 0.5) == Tone(True, 0.5, 0, True)
    assert fold_tone(replace(asked, tone=replace(before, since_s=0.5)), False, 0.6).is_on
    done = replace(asked, tone=replace(before, since_s=0.6))
    assert not fold_tone(done, False, 0.7).is_on
    silence = replace(asked, tests={"intercom": Test("off", 0.5)})
    assert not fold_tone(silence, False, 0.6).is_on
    assert not fold_tone(replace(asked, tests={}), False, 0.6).is_on


def test_a_test_that_a_second_start_finds_running_is_not_begun_again() -> None:
    w = World()
    w.run(3.0)
    w.must("open_trip", **PLAN)
    w.must("start_tests")
    w.loops["cell_1"] = "both_open"
    w.run(0.6)
    w.must("start_tests")
    w.loops["cell_1"] = "locked"
    w.run(0.7)
    assert w.status("cell_lock_1") == "passed"
    assert w.status("cell_lock_2") == "running"


def test_a_restart_takes_a_running_test_back() -> None:
    w = World()
    w.run(3.0)
    w.must("open_trip", **PLAN)
    w.must("start_tests")
    w.restart()
    assert w.status("cell_lock_1") == "pending"
    w.run(3.0)
    assert w.live.tests == {}
    assert [e.status for e in w.happened(ev.RowChanged) if e.item == "cell_lock_1"] == ["running"]
