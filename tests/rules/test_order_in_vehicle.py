"""What the Order says of the vehicle, end to end through the core: each test carries the number of its paragraph.

They prove clauses of the ledger that no test elsewhere proves alone; the vehicle's wires obey `tests.core.world`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from tests.core.world import ACCEPTANCE, ATTESTED, PLAN, SECURING, World
from vehicle_agent.core import events as ev
from vehicle_agent.core import rules
from vehicle_agent.core.commands import Answer

PHASES = ("to_ready", "to_boarding", "to_securing", "to_secured", "to_under_way", "to_unloading")
# How each thing breaks: the station falls silent, wires lie, a loop is at a level that no state has.
BREAKS: dict[str, Callable[[World], object]] = {
    "radio": lambda w: setattr(w, "radio_lives", False),
    "beacon": lambda w: w.forced.update(beacon_sense=False),
    "intercom": lambda w: w.forced.update(intercom_return=False),
    "ventilation": lambda w: w.forced.update(airflow=False),
    "lighting": lambda w: w.forced.update(light_sense=False),
    "cell_lock_1": lambda w: w.loops.update(cell_1="cut"),
    "cell_lock_2": lambda w: w.loops.update(cell_2="implausible"),
}


def codes(answer: Answer) -> set[tuple[str, str | None]]:
    return {(r.code, r.item) for r in answer.refusals}


@pytest.mark.parametrize("phase", ["start", *PHASES])
@pytest.mark.parametrize("item", ["radio", "beacon", "intercom"])
def test_R03_radio_beacon_and_intercom_are_watched_in_every_phase(phase: str, item: str) -> None:
    w = World()
    w.run(3.0)
    if phase != "start":
        getattr(w, phase)()
    w.contacts["beacon_switch"] = True  # a beacon can only be seen to fail while it should flash
    w.run(3.0)
    assert w.snapshot()["equipment"][item]["status"] == "working"
    BREAKS[item](w)
    w.run(4.0)
    assert w.snapshot()["equipment"][item]["status"] in ("fault", "stale")
    assert not w.out["permit_enable"]
    if w.trip.aboard and item != "beacon":  # a lost beacon is a line on the display and no alarm
        w.run(5.0)
        assert f"{item}_lost" in {a.code for a in w.trip.alarms}


def test_R04_with_women_on_board_boarding_waits_for_a_servicewoman() -> None:
    w = World()
    w.to_ready(women_on_board=True)
    expected = {("item_not_proven", "servicewoman_in_escort"), ("driver_not_ready", None)}
    assert codes(w.do("open_boarding")) == expected
    assert {(r.item, r.rule) for r in w.live.refusals} >= {("servicewoman_in_escort", "4")}
    w.must("confirm", item="servicewoman_in_escort")
    w.press("driver_ready")
    w.must("open_boarding")
    w.run(0.1)
    assert w.out["permit_enable"]


def test_R06_R12_the_trip_and_its_record_carry_the_numbers_of_request_and_order() -> None:
    w = World()
    w.to_under_way()
    shown = w.snapshot()["trip"]
    assert shown["request_number"] == "4"
    assert shown["order"] == {"number": "17", "valid_until": "2026-12-01"}
    (opened,) = w.happened(ev.TripOpened)
    assert (opened.request_number, opened.order_number, opened.order_valid_until) == ("4", "17", "2026-12-01")
    w.restart()
    assert w.snapshot()["trip"]["request_number"] == "4"


@pytest.mark.parametrize("missing", ACCEPTANCE)
def test_R14_boarding_waits_for_every_condition_of_acceptance(missing: str) -> None:
    w = World()
    w.to_ready()
    w.must("withdraw", item="acceptance")
    for part in ACCEPTANCE:
        if part != missing:
            w.must("confirm", item="acceptance", part=part)
    assert w.press("driver_ready").refusals
    assert ("item_not_proven", "acceptance") in codes(w.do("open_boarding"))
    w.must("confirm", item="acceptance", part=missing)
    w.press("driver_ready")
    w.must("open_boarding")


@pytest.mark.parametrize("item", BREAKS)
def test_R15_boarding_waits_for_each_thing_that_a_sensor_must_prove(item: str) -> None:
    """One thing is broken, all the rest is proven: boarding is refused for this thing, with Rule 15's or 3's number."""
    w = World()
    w.run(3.0)
    w.must("open_trip", **PLAN)
    BREAKS[item](w)
    w.must("start_tests")
    w.run(12.0)
    w.prove_locks(*(cell for cell in (1, 2) if item != f"cell_lock_{cell}"))
    w.attest()
    assert w.press("driver_ready").refusals
    answer = w.do("open_boarding")
    assert {r.item for r in answer.refusals} == {item, None}
    assert {r.code for r in answer.refusals if r.item is None} == {"driver_not_ready"}
    assert {r.rule for r in answer.refusals if r.item == item} <= {"3", "15"}
    w.run(1.0)
    assert not w.out["permit_enable"]


def test_R16_at_the_door_is_confirmed_standing_and_again_after_moving() -> None:
    w = World()
    w.to_ready()
    w.must("withdraw", item="at_door")
    w.contacts["handbrake"] = False
    w.run(0.1)
    assert codes(w.do("confirm", item="at_door")) == {("vehicle_moving", None)}
    w.contacts["handbrake"] = True
    w.run(0.5)
    w.must("confirm", item="at_door")
    w.contacts["handbrake"] = False
    w.run(0.1)
    w.contacts["handbrake"] = True
    w.run(0.5)
    assert ("item_expired", "at_door") in w.codes()
    assert w.do("open_boarding").refusals


def test_R16_each_person_is_one_command_and_one_press_and_only_while_boarding_is_open() -> None:
    w = World()
    w.to_ready()
    assert codes(w.do("board_person", cell=2)) == {("wrong_phase", None)}
    w.must("open_boarding")
    for number in (1, 2):
        w.must("board_person", cell=2)
        assert w.snapshot()["counts"] == {"commander": number, "body": number - 1, "unloaded": 0}
        w.press("body_count")
        assert w.snapshot()["counts"] == {"commander": number, "body": number, "unloaded": 0}
    w.must("suspend_boarding")
    assert codes(w.do("board_person", cell=1)) == {("reopen_needed", None)}
    assert w.trip.seated[2] == 2
    w.must("finish_boarding")
    assert codes(w.do("board_person", cell=1)) == {("wrong_phase", None)}


@pytest.mark.parametrize("missing", SECURING)
def test_R17_departure_waits_for_each_row_of_the_securing_check(missing: str) -> None:
    w = World()
    w.to_securing()
    for item in SECURING:
        if item != missing:
            w.must("confirm", item=item)
    answer = w.do("secure")
    assert codes(answer) == {("securing_incomplete", missing)}
    assert {r.rule for r in answer.refusals} == {"17"}
    assert codes(w.do("depart")) == {("wrong_phase", None)}
    w.must("confirm", item=missing)
    w.must("secure")
    w.must("depart")


def test_R18_arrival_and_unloading_are_commands_and_need_a_standing_vehicle() -> None:
    w = World()
    w.to_under_way()
    assert codes(w.do("arrive")) == {("vehicle_moving", None)}
    w.park()
    assert w.trip.phase == "under_way", "standing still is no arrival"
    assert codes(w.do("open_unloading")) == {("wrong_phase", None)}
    w.must("arrive")
    assert codes(w.do("unload_person", cell=1)) == {("wrong_phase", None)}
    w.contacts["handbrake"] = False
    w.run(0.1)
    assert codes(w.do("open_unloading")) == {("vehicle_moving", None)}
    w.park()
    w.must("open_unloading")
    w.must("unload_person", cell=1)
    assert w.trip.unloaded == 1


@pytest.mark.parametrize(("out", "seen", "pressed"), list(product((0, 2, 3), (0, 1, 2), (False, True))))
def test_R18_H38_a_trip_closes_only_with_everyone_out_and_the_vehicle_seen_empty(
    out: int, seen: int, pressed: bool
) -> None:
    """Of three persons `out` were counted out, `seen` of two cells were seen open, COUNT was pressed at the rear."""
    w = World()
    w.to_unloading()
    for cell in (1, 2, 2)[:out]:
        w.must("unload_person", cell=cell)
    for cell in (1, 2)[:seen]:
        w.loops[f"cell_{cell}"] = "both_open"
        w.run(0.2)
    if pressed:
        w.press("body_count")
    answer = w.do("close_trip")
    if (out, seen, pressed) == (3, 2, True):
        assert not answer.refusals
        assert w.trip.phase == "closed"
        return
    assert answer.refusals
    assert w.trip.phase == "unloading"
    if out < 3:
        assert codes(answer) == {("persons_aboard", None)}
        assert w.status("vehicle_empty") != "passed", "COUNT says nothing while somebody is aboard"


def test_R19_every_notice_names_the_moment_of_departure() -> None:
    w = World()
    w.to_secured()
    before = w.utc
    w.must("depart")
    left = (w.utc, before)
    w.drive(60.0)
    told = {n.record.recipient: n.record for n in w.trip.notices}
    assert set(told) == {"astana-mp", "karaganda-mp", "almaty-mp"}
    for record in told.values():
        assert (record.kind, record.origin, record.time_source) == ("departure", "almaty-mp", "gnss")
        assert record.destination == "astana-mp"
        assert record.departed_at[:19] in {moment.isoformat()[:19] for moment in left}
        assert record.departed_at.endswith("Z")


DOCUMENT_LISTS = [
    ("within_settlement", False, False),
    ("within_settlement", False, True),
    ("within_settlement", True, False),
    ("outside_settlement", False, False),
    ("outside_settlement", True, False),
    ("medical", False, False),
    ("medical", True, False),
]


@pytest.mark.parametrize(("kind", "takeover", "to_court"), DOCUMENT_LISTS)
def test_A1_boarding_waits_for_every_document_of_its_list(kind: str, takeover: bool, to_court: bool) -> None:
    listed = rules.documents(kind, takeover=takeover, to_court=to_court)
    w = World()
    w.run(3.0)
    w.must("open_trip", **(PLAN | {"kind": kind, "takeover": takeover, "to_court": to_court}))
    w.must("start_tests")
    w.run(6.0)
    w.prove_locks()
    for item in ATTESTED:
        w.must("confirm", item=item)
    for part in ACCEPTANCE:
        w.must("confirm", item="acceptance", part=part)
    ready = (w.trip, w.live, w.durable)
    for missing in listed:
        w.trip, w.live, w.durable = ready
        for part in listed:
            if part != missing:
                w.must("confirm", item="documents", part=part)
        w.press("driver_ready")
        assert ("item_not_proven", "documents") in codes(w.do("open_boarding")), missing
        row = next(row for row in w.snapshot()["checklist"] if row["item"] == "documents")
        assert [part["part"] for part in row["parts"] if not part["confirmed"]] == [missing]
        w.must("confirm", item="documents", part=missing)
        w.press("driver_ready")
        w.must("open_boarding")
    assert codes(w.do("confirm", item="documents", part="nonsense")) == {("unknown_item", "documents.nonsense")}
