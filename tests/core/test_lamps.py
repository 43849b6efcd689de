"""Outputs as a function of state: what must hold for each, taken away one at a time (H05 to H07, H13, H35, H37)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.world import START
from vehicle_agent.core.interlock import refusal
from vehicle_agent.core.outputs import outputs
from vehicle_agent.core.state import Alarm, Live, Row, Test, Tone, Trip

OPEN = Trip(id="t", phase="boarding", is_open=True, opening=7)
QUIET = Live(at_s=0.0, motion="standing", motion_reason=None)


def shown(trip: Trip = OPEN, durable: Trip | None = None, live: Live = QUIET, now_s: float = 10.0) -> dict[str, bool]:
    return outputs(trip, trip if durable is None else durable, live, now_s)


def test_H13_the_permit_needs_the_newest_state_the_durable_one_and_no_refusal() -> None:
    assert shown()["permit_enable"]
    assert not shown(replace(OPEN, is_open=False), OPEN)["permit_enable"]
    assert not shown(OPEN, replace(OPEN, is_open=False))["permit_enable"]
    assert not shown(OPEN, replace(OPEN, opening=6))["permit_enable"]
    assert not shown(OPEN, replace(OPEN, id="another"))["permit_enable"]
    assert not shown(live=replace(QUIET, refusals=(refusal("vehicle_moving"),)))["permit_enable"]
    assert not shown(live=replace(Live(), refusals=()))["permit_enable"], "nothing was read yet"


@pytest.mark.parametrize(
    ("phase", "is_open", "red"),
    [
        ("no_trip", False, False),
        ("checking", False, True),
        ("boarding", False, True),
        ("boarding", True, False),
        ("securing", False, False),
        ("under_way", False, False),
    ],
)
def test_the_red_lamp_says_no_where_somebody_might_board(phase: str, is_open: bool, red: bool) -> None:
    assert shown(replace(OPEN, phase=phase, is_open=is_open))["permit_lamp_red"] is red


@pytest.mark.parametrize(("item", "output"), [("ventilation", "fan_inhibit"), ("lighting", "light_inhibit")])
def test_H37_fan_and_light_are_interrupted_only_by_their_own_test_with_nobody_aboard(item: str, output: str) -> None:
    empty, testing = Trip(phase="checking"), replace(QUIET, tests={item: Test("off", 0.0)})
    on = {name for name, level in shown(empty, live=testing).items() if level}
    assert on == {output, "permit_lamp_red"}
    assert not shown(empty, live=replace(QUIET, tests={item: Test("on", 0.0)}))[output]
    assert not shown(empty)[output]
    for one in (replace(empty, commander=1), replace(empty, body=1)):
        assert not shown(one, one, live=testing)[output]
        assert not shown(empty, one, live=testing)[output], "the disk knows of somebody"
        assert not shown(one, empty, live=testing)[output], "somebody is being counted in"
    for motion in ("moving", "unknown"):
        assert not shown(empty, live=replace(testing, motion=motion))[output]


def test_the_beacon_is_lit_by_its_own_test_and_the_tone_by_its_supervision() -> None:
    assert shown(live=replace(QUIET, tests={"beacon": Test("on", 0.0)}))["beacon_test"]
    assert not shown(live=replace(QUIET, tests={"beacon": Test("off", 0.0)}))["beacon_test"]
    assert not shown(live=replace(QUIET, tests={"intercom": Test("on", 0.0)}))["beacon_test"]
    assert shown(live=replace(QUIET, tone=Tone(True, 0.0)))["intercom_tone"]
    assert not shown()["intercom_tone"]


def test_H26_the_ready_lamp_is_steady_for_a_report_and_blinks_for_a_refused_press() -> None:
    assert not shown()["ready_lamp"]
    ready = replace(QUIET, is_driver_ready=True)
    assert shown(live=ready)["ready_lamp"]
    for after_s, lit in ((0.0, True), (0.124, True), (0.125, False), (0.249, False), (0.25, True), (1.99, False)):
        for live in (QUIET, ready):
            pressed = replace(live, refused_press_s=10.0625)
            assert shown(live=pressed, now_s=10.0625 + after_s)["ready_lamp"] is lit, after_s
    assert shown(live=replace(ready, refused_press_s=10.0), now_s=12.0)["ready_lamp"]
    assert not shown(live=replace(QUIET, refused_press_s=10.0), now_s=12.0)["ready_lamp"]


def test_H35_the_ready_lamp_has_dark_gaps_while_a_person_answers_for_a_sensor() -> None:
    ready = replace(QUIET, is_driver_ready=True)
    by_hand = replace(OPEN, rows={"radio": Row("passed"), "ventilation": Row("manual_fallback")})
    for at_s, lit in ((10.0, False), (10.24, False), (10.25, True), (11.99, True), (12.0, False), (12.25, True)):
        assert shown(by_hand, live=ready, now_s=at_s)["ready_lamp"] is lit, at_s
        assert shown(replace(OPEN, rows={"radio": Row("passed")}), live=ready, now_s=at_s)["ready_lamp"], "none by hand"
        assert not shown(by_hand, live=QUIET, now_s=at_s)["ready_lamp"], "no report, no lamp"
    pressed = replace(ready, refused_press_s=10.0)
    assert shown(by_hand, live=pressed, now_s=10.0)["ready_lamp"], "the answer to a press comes first"
    assert shown(by_hand, live=ready, now_s=10.0)["permit_enable"], "the permit itself is not touched"


def alarm(priority: str, **changed: Any) -> Trip:
    return replace(OPEN, alarms=(replace(Alarm("a", "button_stuck", priority, None, START), **changed),))


def test_the_buzzer_is_continuous_for_the_critical_and_a_beep_for_a_warning() -> None:
    assert not shown(now_s=30.1)["buzzer"]
    for now_s in (30.1, 44.0):
        assert shown(alarm("critical"), now_s=now_s)["buzzer"]
        assert not shown(alarm("critical", is_acknowledged=True), now_s=now_s)["buzzer"]
        assert not shown(alarm("critical", is_active=False), now_s=now_s)["buzzer"]
        assert not shown(alarm("advisory"), now_s=now_s)["buzzer"]
    for now_s, sounds in ((29.99, False), (30.0, True), (30.49, True), (30.5, False), (60.0, True)):
        assert shown(alarm("warning"), now_s=now_s)["buzzer"] is sounds, now_s
    assert not shown(alarm("warning", is_acknowledged=True), now_s=30.1)["buzzer"]


def test_the_buzzer_answers_a_refused_press_and_a_count() -> None:
    for after_s, sounds in ((0.0, True), (0.29, True), (0.3, False)):
        assert shown(live=replace(QUIET, refused_press_s=0.0), now_s=after_s)["buzzer"] is sounds
    for after_s, sounds in ((0.0, True), (0.14, True), (0.15, False)):
        assert shown(live=replace(QUIET, counted_s=0.0), now_s=after_s)["buzzer"] is sounds


def test_the_names_of_the_outputs_are_those_of_the_wires() -> None:
    assert [*shown()] == [
        *("permit_enable", "permit_lamp_red", "ready_lamp", "buzzer"),
        *("fan_inhibit", "light_inhibit", "beacon_test", "intercom_tone"),
    ]
