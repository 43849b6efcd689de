"""The care watch: heat and cold, a call from a cell that cannot be muted, and a timer that asks for a look (H36)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.world import SCAN_S, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.state import Alarm

CARED = replace(
    SETTINGS, call_cells=(1, 2), temperature_cells=(1, 2), welfare_check_s=60.0, confirm_within_s=1e6
)  # no unit's silence beside it


def codes(w: World) -> set[tuple[str, str | None]]:
    return {(a.code, a.item) for a in w.trip.alarms if a.is_active}


def find(w: World, code: str) -> Alarm:
    return next(a for a in w.trip.alarms if a.code == code)


def test_without_the_equipment_nothing_of_it_is_shown_or_asked_for() -> None:
    w = World()
    w.to_under_way()
    w.run(200.0)
    assert not {code for code, _ in codes(w)} & {"cell_call", "cell_temperature", "care_lost", "welfare_due"}
    assert not [name for name in w.snapshot()["equipment"] if name.startswith(("cell_call", "cell_temperature"))]
    w.press("body_count")
    assert not w.happened(ev.WelfareChecked)


def test_the_equipment_is_shown_where_it_is_fitted_and_refuses_no_boarding() -> None:
    w = World(CARED)
    w.calls["cell_call_1"] = "cut"
    w.temperatures_c["cell_temperature_2"] = None
    w.to_boarding()
    shown = w.snapshot()["equipment"]
    assert shown["cell_call_1"]["status"] == "fault"
    assert shown["cell_call_1"]["reason"] == "cut"
    assert shown["cell_call_2"]["detail"] == {"call": "idle"}
    assert shown["cell_temperature_1"]["detail"] == {"celsius": 21.0}
    assert (shown["cell_temperature_2"]["status"], shown["cell_temperature_2"]["detail"]) == (
        "fault",
        {"celsius": None},
    )


@pytest.mark.parametrize("celsius", [9.0, 30.5, 60.0, -20.0])
def test_H36_heat_and_cold_in_an_occupied_cell_are_critical(celsius: float) -> None:
    w = World(CARED)
    w.to_under_way()
    w.temperatures_c["cell_temperature_2"] = celsius
    w.run(9.0)
    assert codes(w) == set()
    w.run(2.0)
    assert codes(w) == {("cell_temperature", "cell_temperature_2")}
    assert find(w, "cell_temperature").priority == "critical"
    assert w.out["buzzer"]


def test_H36_heat_counts_before_boarding_where_people_are_to_sit_and_not_in_an_empty_cell() -> None:
    w = World(replace(CARED, welfare_check_s=None))
    w.temperatures_c["cell_temperature_1"] = 50.0
    w.run(20.0)
    assert codes(w) == set()  # no trip
    w.to_boarding()
    w.run(12.0)
    assert ("cell_temperature", "cell_temperature_1") in codes(w)
    w.board(2)
    w.must("finish_boarding")
    w.run(31.0)
    assert codes(w) == set()  # nobody was put there


def test_H36_a_call_from_a_cell_is_told_at_once_whoever_is_thought_to_be_aboard() -> None:
    w = World(CARED)
    w.run(1.0)
    w.calls["cell_call_2"] = "pressed"
    w.run(0.2)
    assert codes(w) == {("cell_call", "cell_call_2")}
    assert find(w, "cell_call").priority == "critical"


def test_H36_a_call_cannot_be_muted_it_sounds_until_it_is_answered_and_again_when_it_comes_again() -> None:
    w = World(CARED)
    w.to_under_way()
    w.calls["cell_call_1"] = "pressed"
    w.run(0.2)
    w.calls["cell_call_1"] = "idle"
    w.run(20.0)
    assert w.out["buzzer"]
    assert find(w, "cell_call").state == "returned"
    assert w.do("shelve_alarm", alarm=find(w, "cell_call").id, reason="noise", for_s=60.0).refusals
    w.must("acknowledge_alarm", alarm=find(w, "cell_call").id)
    w.run(0.2)
    assert not w.out["buzzer"]
    w.calls["cell_call_1"] = "pressed"
    w.run(0.2)
    assert w.out["buzzer"]


@pytest.mark.parametrize("line", ["cut", "short", "implausible", None])
def test_H36_a_call_line_that_could_not_carry_a_call_is_told_with_people_aboard(line: str | None) -> None:
    w = World(CARED)
    w.calls["cell_call_2"] = line
    w.to_boarding()
    w.run(5.0)
    assert codes(w) == set()
    w.board(1)
    w.run(5.0)
    assert codes(w) == {("care_lost", "cell_call_2")}


def test_H36_a_lost_temperature_sensor_is_told_with_people_aboard() -> None:
    w = World(CARED)
    w.temperatures_c["cell_temperature_1"] = None
    w.to_under_way()
    assert ("care_lost", "cell_temperature_1") in codes(w)


def test_H36_nobody_is_left_unseen_the_timer_runs_from_the_first_person_on() -> None:
    w = World(CARED)
    w.to_boarding()
    w.run(70.0)
    w.press("driver_ready")
    assert codes(w) == set()
    w.board(1)
    w.run(59.0)
    assert codes(w) == set()
    w.run(2.0)
    assert codes(w) == {("welfare_due", None)}


def due(settings: Settings = CARED) -> World:
    w = World(settings)
    w.to_under_way()
    w.run(61.0)
    assert codes(w) == {("welfare_due", None)}
    return w


def test_H36_the_commanders_confirmation_is_the_check_and_the_timer_begins_anew() -> None:
    w = due()
    w.must("acknowledge_alarm", alarm=find(w, "welfare_due").id)
    assert w.happened(ev.WelfareChecked) == [ev.WelfareChecked("commander")]
    w.run(1.0)
    assert w.trip.alarms == ()
    w.run(58.0)
    assert codes(w) == set()
    w.run(2.0)
    assert codes(w) == {("welfare_due", None)}


def test_H36_the_body_escorts_button_is_the_check_also_before_it_is_due() -> None:
    w = World(CARED)
    w.to_under_way()
    w.run(40.0)
    body = w.trip.body
    w.press("body_count", hold_s=4.0)
    assert not w.happened(ev.WelfareChecked)
    w.press("body_count")
    assert w.happened(ev.WelfareChecked) == [ev.WelfareChecked("body_escort")]
    assert w.out["buzzer"]  # he hears that it was taken
    assert w.trip.body == body
    w.run(50.0)
    assert codes(w) == set()


def test_H36_seeing_that_the_body_escort_has_looked_is_no_look_of_the_commanders() -> None:
    w = due()
    w.press("body_count")
    w.run(1.0)
    assert find(w, "welfare_due").state == "returned"
    w.must("acknowledge_alarm", alarm=find(w, "welfare_due").id)
    assert w.happened(ev.WelfareChecked) == [ev.WelfareChecked("body_escort")]
    assert w.trip.alarms == ()


def test_H36_after_a_reboot_nobody_knows_when_the_people_were_seen_so_it_is_due() -> None:
    w = World(CARED)
    w.to_under_way()
    w.restart()
    w.run(1.0)
    assert ("welfare_due", None) not in codes(w)
    w.restart(same_boot=False)
    w.run(1.0)
    assert ("welfare_due", None) in codes(w)


def test_nobody_aboard_needs_no_look() -> None:
    w = World(CARED)
    w.to_unloading()
    for cell in (1, 2, 2):
        w.loops[f"cell_{cell}"] = "both_open"
        w.must("unload_person", cell=cell)
    w.run(100.0)
    assert ("welfare_due", None) not in codes(w)
    assert SCAN_S < 1.0
