"""Sentences of the contract that are easily read past: what refuses when nobody boards, a call by radio, odd dates."""

from __future__ import annotations

import pytest

from tests.core.world import World
from vehicle_agent.core.inputs import Receipt

ANSWERS_ONLY = {"wrong_phase", "reopen_needed", "stale_view", "securing_incomplete", "persons_aboard", "unknown_item"}


def receipt(notice: str, unit: str, stage: str) -> Receipt:
    return Receipt(notice, stage, "Captain A", "duty officer", "2026-11-22T08:10:00Z", "00", unit)


@pytest.mark.parametrize("phase", ["to_secured", "to_under_way", "to_unloading"])
def test_where_nobody_boards_the_list_has_reasons_and_no_answers(phase: str) -> None:
    w = World()
    getattr(w, phase)()
    if phase != "to_secured":
        w.park()
    boarding = w.snapshot()["boarding"]
    codes = {reason["code"] for reason in boarding["refusals"]}
    assert not boarding["permitted"]
    assert "driver_not_ready" in codes
    assert not codes & ANSWERS_ONLY
    assert not w.snapshot()["driver"]["ready"], "the report was for the boarding that is over"
    assert [r.code for r in w.do("open_boarding").refusals] == ["wrong_phase"]


@pytest.mark.parametrize("phase", ["arrived", "unloading"])
def test_H41_movement_after_arrival_is_a_critical_alarm_also_when_all_are_out(phase: str) -> None:
    w = World()
    w.to_under_way()
    w.park()
    w.must("arrive")
    if phase == "unloading":
        w.must("open_unloading")
        for cell in (1, 2, 2):
            w.must("unload_person", cell=cell)
        assert w.trip.aboard == 0
    w.drive(1.0)
    assert w.trip.phase == phase
    alarms = {(a.code, a.priority) for a in w.trip.alarms if a.is_active}
    assert ("moved_unpermitted", "critical") in alarms


@pytest.mark.parametrize(("day", "status"), [("9999-12-31", "passed"), ("0001-01-01", "failed")])
def test_the_first_and_the_last_day_of_the_calendar_stop_nothing(day: str, status: str) -> None:
    w = World()
    w.to_ready(order={"number": "1", "valid_until": day})
    assert w.status("order_valid") == status


def test_H16_a_call_after_the_receipt_shows_and_is_overtaken_only_by_an_officer() -> None:
    w = World()
    w.to_secured()
    w.must("depart")
    notice = w.trip.notices[0].id
    w.scan(receipt(notice, "astana-mp", "received"))
    w.must("told_by_radio", notice=notice, post="duty officer")
    shown = w.snapshot()["notices"][0]
    assert (shown["stage"], shown["post"], w.trip.notices[0].reached) == ("told_by_radio", "duty officer", "received")
    w.scan(receipt(notice, "astana-mp", "received"))  # a desk repeats its receipt when it sees us again
    assert w.snapshot()["notices"][0]["stage"] == "told_by_radio"
    w.scan(receipt(notice, "astana-mp", "acknowledged"))
    assert w.snapshot()["notices"][0]["stage"] == "acknowledged"
    w.must("told_by_radio", notice=notice, post="duty officer")
    assert w.snapshot()["notices"][0]["stage"] == "acknowledged"


def test_H16_a_receipt_after_the_call_is_shown() -> None:
    w = World()
    w.to_secured()
    w.must("depart")
    notice = w.trip.notices[0].id
    w.must("told_by_radio", notice=notice, post="duty officer")
    assert w.trip.notices[0].reached == "told_by_radio", "still owed to the unit"
    w.scan(receipt(notice, "astana-mp", "received"))
    assert w.snapshot()["notices"][0]["stage"] == "received"
