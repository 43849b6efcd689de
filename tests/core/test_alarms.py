"""Alarms (hmi.md A2): one line for each cause, seen by a named person, never lost, never hiding a danger."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from tests.core.world import World
from vehicle_agent import texts
from vehicle_agent.core import alarms
from vehicle_agent.core import events as ev
from vehicle_agent.core.alarm_table import DEFINITIONS, PRIORITIES, SHELVED_MAX_S
from vehicle_agent.core.inputs import Command, Now
from vehicle_agent.core.state import Live, Trip


def shown(w: World) -> dict[tuple[str, str | None], str]:
    return {(a.code, a.item): a.state for a in w.trip.alarms}


def alarm_id(w: World, code: str) -> str:
    return next(a.id for a in w.trip.alarms if a.code == code)


@pytest.mark.parametrize("code", sorted(DEFINITIONS))
def test_every_alarm_says_cause_consequence_and_what_to_do_in_three_languages(code: str) -> None:
    for language in texts.LANGUAGES:
        words = texts.alarm(language, code, "cell_lock_2", "Astana")
        assert all(len(text) > 3 and "{" not in text for text in words), (language, words)


@pytest.mark.parametrize("code", sorted(DEFINITIONS))
def test_every_alarm_has_a_priority_delays_and_a_time_to_act(code: str) -> None:
    alarm = DEFINITIONS[code]
    assert alarm.priority in PRIORITIES
    assert 0.0 <= alarm.on_s <= 10.0
    assert alarm.off_s >= 5.0 or code in ("cell_call", "alarm_button", "welfare_due", "notice_unconfirmed")
    assert alarm.act_within_s > alarm.on_s
    assert alarm.hidden_by is None or alarm.priority != "critical"
    assert alarm.is_shelvable is (alarm.priority != "critical")


def fault_of(w: World, code: str) -> None:
    """Make the cause of this alarm true with people aboard and the vehicle under way."""
    deeds: dict[str, Any] = {
        "airflow_lost": lambda: w.forced.update(airflow=False),
        "lighting_lost": lambda: w.forced.update(light_sense=False),
        "intercom_lost": lambda: w.forced.update(intercom_return=False),
        "radio_lost": lambda: setattr(w, "radio_lives", False),
        "gnss_lost": lambda: setattr(w, "has_gnss", False),
        "power_lost": lambda: setattr(w, "supply_ok", False),
        "cell_door_open_under_way": lambda: w.loops.update(cell_1="both_open"),
        "cell_unlocked": lambda: w.loops.update(cell_1="bolt_open"),
        "cell_lock_fault": lambda: w.loops.update(cell_1="cut"),
        "body_door_open": lambda: w.loops.update(body_door="door_open"),
        "alarm_button": lambda: w.contacts.update(alarm_button=True),
    }
    deeds[code]()


WITHIN_S = {"gnss_lost": 15.0, "radio_lost": 10.0, "intercom_lost": 6.0}


@pytest.mark.parametrize(
    "code",
    [
        "airflow_lost",
        "lighting_lost",
        "intercom_lost",
        "radio_lost",
        "gnss_lost",
        "power_lost",
        "cell_door_open_under_way",
        "cell_unlocked",
        "cell_lock_fault",
        "body_door_open",
        "alarm_button",
    ],
)
def test_H36_with_people_aboard_each_loss_is_told_under_way(code: str) -> None:
    w = World()
    w.to_under_way()
    assert shown(w) == {}
    fault_of(w, code)
    w.run(WITHIN_S.get(code, 5.0))
    assert {c for c, _ in shown(w)} == {code}


def test_an_acknowledgement_names_the_person() -> None:
    w = World()
    w.to_under_way()
    w.loops["cell_1"] = "door_open"
    w.run(1.0)
    w.scan(Command("acknowledge_alarm", {"alarm": alarm_id(w, "cell_door_open_under_way")}, "captain Serik"))
    assert w.happened(ev.AlarmAcknowledged)[-1].by == "captain Serik"
    alarm = w.snapshot()["alarms"][0]
    assert (alarm["state"], alarm["acknowledged_by"]) == ("acknowledged", "captain Serik")
    assert not w.out["buzzer"]


def test_a_returned_alarm_waits_for_a_person_also_into_the_next_trip() -> None:
    w = World()
    w.to_unloading()
    w.contacts["alarm_button"] = True
    w.run(0.2)
    w.contacts["alarm_button"] = False
    w.run(1.5)
    assert shown(w) == {("alarm_button", None): "returned"}
    for cell in (1, 2, 2):
        w.loops[f"cell_{cell}"] = "both_open"
        w.must("unload_person", cell=cell)
        w.run(0.2)
    w.press("body_count")
    w.must("close_trip")
    w.loops.update(cell_1="locked", cell_2="locked")
    w.to_ready()
    assert shown(w)[("alarm_button", None)] == "returned"
    w.must("acknowledge_alarm", alarm=alarm_id(w, "alarm_button"))
    assert ("alarm_button", None) not in shown(w)


def test_H36_a_call_for_help_sounds_until_somebody_answers_also_when_the_button_is_let_go() -> None:
    w = World()
    w.to_under_way()
    w.contacts["alarm_button"] = True
    w.run(0.2)
    assert w.out["buzzer"]
    w.contacts["alarm_button"] = False
    w.run(30.0)
    assert shown(w) == {("alarm_button", None): "returned"}
    assert w.out["buzzer"]
    w.must("acknowledge_alarm", alarm=alarm_id(w, "alarm_button"))
    w.run(0.2)
    assert not w.out["buzzer"]


def test_an_alarm_put_aside_is_silent_and_comes_back_by_itself() -> None:
    w = World()
    w.to_under_way()
    w.radio_lives = False
    w.run(10.0)
    w.scan(Command("shelve_alarm", {"alarm": alarm_id(w, "radio_lost"), "reason": "tunnel", "for_s": 60.0}, "captain"))
    assert w.happened(ev.AlarmShelved)[-1] == ev.AlarmShelved(alarm_id(w, "radio_lost"), "captain", "tunnel", 60.0)
    assert w.snapshot()["alarms"][0]["shelved_until"] is not None
    beeps = [w.out["buzzer"] for _ in range(1500) if not w.scan()]
    assert not any(beeps)
    w.run(31.0)
    assert w.happened(ev.AlarmUnshelved)
    assert w.snapshot()["alarms"][0]["shelved_until"] is None
    assert any(w.out["buzzer"] for _ in range(1600) if not w.scan())


def test_an_alarm_put_aside_comes_back_after_a_reboot_and_never_stays_longer_than_half_an_hour() -> None:
    w = World()
    w.to_under_way()
    w.radio_lives = False
    w.run(10.0)
    w.must("shelve_alarm", alarm=alarm_id(w, "radio_lost"), reason="x", for_s=1e9)
    shelf = w.trip.alarms[0].shelf
    assert shelf is not None
    assert shelf.until_s - w.mono_s == pytest.approx(SHELVED_MAX_S)
    w.restart(same_boot=False)
    w.run(1.0)
    assert w.happened(ev.AlarmUnshelved)


def test_what_endangers_people_cannot_be_put_aside() -> None:
    w = World()
    w.to_under_way()
    w.forced["airflow"] = False
    w.run(5.0)
    answer = w.do("shelve_alarm", alarm=alarm_id(w, "airflow_lost"), reason="noise", for_s=60.0)
    assert {r.code for r in answer.refusals} == {"not_shelvable"}
    assert {r.code for r in w.do("shelve_alarm", alarm="none", reason="x", for_s=1.0).refusals} == {"unknown_item"}


def test_what_has_returned_cannot_be_put_aside_and_shelving_twice_is_once() -> None:
    w = World()
    w.to_under_way()
    w.supply_ok = False
    w.run(2.0)
    number = alarm_id(w, "power_lost")
    w.must("shelve_alarm", alarm=number, reason="x", for_s=600.0)
    w.must("shelve_alarm", alarm=number, reason="y", for_s=600.0)
    assert len(w.happened(ev.AlarmShelved)) == 1
    w.supply_ok = True
    w.run(6.0)
    assert shown(w) == {("power_lost", "power"): "returned"}
    assert w.trip.alarms[0].shelf is None
    assert {r.code for r in w.do("shelve_alarm", alarm=number, reason="x", for_s=9.0).refusals} == {"not_shelvable"}


def test_a_lost_supply_explains_what_fails_with_it_but_never_hides_a_danger() -> None:
    w = World()
    w.to_under_way()
    w.supply_ok = False
    w.run(1.5)
    w.forced.update(light_sense=False, airflow=False)
    w.radio_lives = False
    w.run(15.0)
    assert {code for code, _ in shown(w)} == {"power_lost", "airflow_lost"}
    w.supply_ok = True
    w.run(1.0)
    assert {code for code, _ in shown(w)} == {"power_lost", "airflow_lost"}
    w.run(6.0)  # what has not come back with the supply is told after its own delay
    assert {code for code, _ in shown(w)} == {"power_lost", "airflow_lost", "lighting_lost", "radio_lost"}


def test_what_was_told_before_the_supply_failed_stays_told() -> None:
    w = World()
    w.to_under_way()
    w.forced["light_sense"] = False
    w.run(4.0)
    w.supply_ok = False
    w.run(10.0)
    assert {code for code, state in ((c, s) for (c, _), s in shown(w).items()) if state != "returned"} == {
        "power_lost",
        "lighting_lost",
    }


def test_H25_an_alarm_that_comes_and_goes_stays_and_is_told_as_unsteady() -> None:
    w = World()
    w.to_under_way()
    for _ in range(5):
        w.loops["body_door"] = "door_open"
        w.run(1.0)
        w.loops["body_door"] = "locked"
        w.run(6.0)
    assert shown(w)[("chattering", "body_door")] == "unacknowledged"
    assert shown(w)[("body_door_open", "body_door")] == "unacknowledged"  # it is gone now, and does not go away
    raises = len(w.happened(ev.AlarmRaised))
    for _ in range(5):
        w.loops["body_door"] = "door_open"
        w.run(1.0)
        w.loops["body_door"] = "locked"
        w.run(6.0)
    assert len(w.happened(ev.AlarmRaised)) == raises
    w.run(70.0)
    assert shown(w)[("body_door_open", "body_door")] == "returned"
    assert shown(w)[("chattering", "body_door")] == "returned"


def test_causes_are_looked_for_ten_times_a_second_and_at_once_when_equipment_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[float] = []
    look = alarms.advance

    def seen(trip: Trip, live: Live, now: Now, *more: Any) -> alarms.Watch:
        looks.append(now.mono_s)
        return look(trip, live, now, *more)

    w = World()
    w.to_under_way()
    monkeypatch.setattr(alarms, "advance", seen)
    w.run(1.0)
    assert 8 <= len(looks) <= 11
    w.live, w.mono_s = replace(w.live, alarms_at_s=0.0), 0.08
    w.scan()  # at 0.1 s, to the bit
    w.forced["light_sense"] = False
    w.run(0.04)
    assert looks[-2] == 0.1
    assert looks[-1] == pytest.approx(0.14)


def test_H24_a_button_that_is_stuck_is_named() -> None:
    w = World()
    w.to_ready()
    w.stuck = frozenset({"body_count"})
    w.run(0.2)
    assert shown(w) == {("button_stuck", "body_count"): "unacknowledged"}


def test_H25_a_contact_that_chatters_is_named_while_it_does_so() -> None:
    w = World()
    w.to_ready()
    for number in range(40):
        w.contacts["handbrake"] = number % 2 == 0
        w.scan()
    assert ("chattering", "handbrake") in shown(w)


def test_a_person_who_calls_again_and_again_is_no_bad_contact() -> None:
    w = World()
    w.to_under_way()
    for _ in range(8):
        w.contacts["alarm_button"] = True
        w.run(0.3)
        w.contacts["alarm_button"] = False
        w.run(1.5)
    assert shown(w) == {("alarm_button", None): "returned"}
    assert len(w.happened(ev.AlarmRaised)) == 8


def test_a_flood_of_fifty_faults_in_ten_seconds_is_one_line_for_each_cause_and_none_is_lost() -> None:
    w = World()
    w.to_under_way()
    wires = ("cell_1", "cell_2", "body_door")
    faults = itertools.cycle(["door_open", "cut", "bolt_open", "short", "both_open"])
    for number in range(50):
        w.loops[wires[number % 3]] = next(faults)
        if number == 10:
            w.forced.update(airflow=False, light_sense=False)
            w.radio_lives = w.has_gnss = False
        w.run(0.2)
    w.run(20.0)
    lines = [(a.code, a.item) for a in w.trip.alarms]
    assert len(lines) == len(set(lines))
    told = {(e.code, e.item) for e in w.happened(ev.AlarmRaised)}
    assert set(lines) == told, "an alarm that nobody acknowledged has gone from the list"
    assert {"airflow_lost", "lighting_lost", "radio_lost", "gnss_lost"} <= {code for code, _ in told}
    numbers = {e.alarm for e in w.happened(ev.AlarmRaised)}
    assert len(numbers) == len(told)
