"""Hazards that the core alone answers for: readiness by hand only, overrides, cells, movement while boarding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from tests.core.world import ACCEPTANCE, PLAN, SECURING, SETTINGS, World
from vehicle_agent.commands import COMMANDS
from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import NAMES

PHASES = ("to_ready", "to_boarding", "to_securing", "to_secured", "to_under_way", "to_unloading")
LOCKS = ("cell_lock_1", "cell_lock_2")
SENSED = ("radio", "beacon", "intercom", "ventilation", "lighting", *LOCKS)
# Every item that a configuration could possibly name, were there no check of it: the core itself must refuse a lock.
ALL_BY_HAND = replace(SETTINGS, manual_fallback=frozenset({*SENSED, "body_door", "order_valid", "permit_output"}))
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "open_trip": [PLAN],
    "confirm": [
        *(
            {"item": item, "pin_is_right": True}
            for item in (*SENSED, "at_door", "seats_fixed", "driver_ready", *SECURING)
        ),
        *({"item": "acceptance", "part": part} for part in ACCEPTANCE),
    ],
    "withdraw": [{"item": "seats_fixed"}],
    "log_halt": [{"reason": "toilet"}],
    "cancel_trip": [{"reason": "order withdrawn"}],
    "acknowledge_alarm": [{"alarm": "id-1"}],
    "shelve_alarm": [{"alarm": "id-1", "reason": "seen", "for_s": 60.0}],
    "told_by_radio": [{"notice": "id-1", "post": "duty officer"}],
    **{name: [{"cell": 1}] for name in ("board_person", "unboard_person", "halt_out", "halt_in", "unload_person")},
}


@pytest.mark.parametrize("phase", ["start", *PHASES])
def test_R16_H28_no_command_reports_for_the_driver(phase: str) -> None:
    """There is no such command, and no command that exists makes a report; only his own button does (Rule 16)."""
    assert not [name for name in NAMES | COMMANDS.keys() if "driver" in name or "ready" in name]
    for name in sorted(NAMES):
        for arguments in ARGUMENTS.get(name, [{}]):
            w = _cached(phase)
            w.trip = replace(w.trip, report=None)
            before = len(w.envelopes)
            w.do(name, **arguments)
            w.run(0.1)
            made = [e.event for e in w.envelopes[before:]]
            assert not [event for event in made if isinstance(event, ev.DriverReported)], name
            assert w.trip.report is None
            assert not w.snapshot()["driver"]["ready"]


_reached: dict[str, World] = {}


def _cached(phase: str) -> World:
    """A world in this phase; the way there is gone once and its end copied."""
    if phase not in _reached:
        w = World(ALL_BY_HAND)
        w.run(3.0) if phase == "start" else getattr(w, phase)()
        _reached[phase] = w
    old, w = _reached[phase], World(ALL_BY_HAND)
    for name, value in vars(old).items():
        setattr(w, name, value.copy() if isinstance(value, dict | list) else value)
    return w


@pytest.mark.parametrize("item", [*LOCKS, "body_door", "order_valid", "permit_output"])
def test_H35_a_lock_is_never_confirmed_by_hand_whatever_the_settings_say(item: str) -> None:
    """Every loop is cut: the right PIN and the driver's button make no pass of it, in whatever phase."""
    for phase in ("start", *PHASES):
        w = _cached(phase)
        if phase == "start":
            w.must("open_trip", **PLAN)
        w.loops["cell_1"] = w.loops["cell_2"] = w.loops["body_door"] = "cut"
        w.run(0.2)
        assert w.do("confirm", item=item, pin_is_right=True).refusals, phase
        w.press("driver_ready")
        w.run(0.1)
        assert w.status(item) != "manual_fallback"
        assert not w.happened(ev.FallbackRequested)
        assert not w.out["permit_enable"]


def test_H35_a_confirmation_by_hand_is_told_with_the_departure_and_ends_with_the_trip() -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"ventilation"})))
    w.run(3.0)
    w.must("open_trip", **PLAN)
    w.forced["airflow"] = False
    w.must("start_tests")
    w.run(10.0)
    w.must("confirm", item="ventilation", pin_is_right=True)
    w.press("driver_ready")
    assert w.status("ventilation") == "manual_fallback"
    (changed,) = [e for e in w.happened(ev.RowChanged) if e.status == "manual_fallback"]
    assert (changed.item, changed.reason) == ("ventilation", "sensor_faulty")
    w.prove_locks()
    w.attest()
    w.press("driver_ready")
    w.must("open_boarding")
    w.board(1)
    w.drive(1.0)
    assert {n.record.checks["fallbacks"][0] for n in w.trip.notices} == {"ventilation"}
    w.park()
    w.must("arrive")
    w.must("open_unloading")
    w.loops["cell_1"] = "both_open"
    w.run(0.2)
    w.must("unload_person", cell=1)
    w.press("body_count")
    w.must("close_trip")
    w.must("open_trip", **PLAN)
    assert w.status("ventilation") == "pending"
    assert ("item_not_proven", "ventilation") in {(r.code, r.item) for r in w.do("open_boarding").refusals}


@pytest.mark.parametrize(("one", "two"), list(product(range(4), range(4))))
def test_H40_a_cell_takes_as_many_as_were_planned_and_no_more(one: int, two: int) -> None:
    w = World()
    planned = {1: one, 2: two}
    cells = [{"cell": cell, "planned": number, "supervision": False} for cell, number in planned.items()]
    w.to_boarding(cells=cells)
    for cell, number in planned.items():
        for _ in range(number):
            w.must("board_person", cell=cell)
        refused = w.do("board_person", cell=cell).refusals
        assert [(r.code, r.item, r.rule) for r in refused] == [("cell_full", f"cell_{cell}", "12.2")]
    assert [r.item for r in w.do("board_person", cell=3).refusals] == ["cell_3"]
    shown = {cell["cell"]: (cell["planned"], cell["seated"]) for cell in w.snapshot()["trip"]["cells"]}
    assert shown == {1: (one, one), 2: (two, two)}


def test_R12_H40_the_mark_of_enhanced_supervision_is_shown_in_every_phase() -> None:
    for phase in PHASES:
        shown = _cached(phase).snapshot()["trip"]["cells"]
        assert [(cell["cell"], cell["supervision"]) for cell in shown] == [(1, True), (2, False)], phase


HANDBRAKE: dict[str, Callable[[World], object]] = {
    "released": lambda w: w.contacts.update(handbrake=False),
    "unreadable": lambda w: w.contacts.update(handbrake=None),
}


@pytest.mark.parametrize("handbrake", HANDBRAKE)
@pytest.mark.parametrize(("commander", "body"), [(0, 0), (0, 1), (1, 0), (1, 1), (3, 2), (3, 3)])
def test_H41_movement_closes_boarding_whoever_is_aboard(commander: int, body: int, handbrake: str) -> None:
    """Within three scans, 60 ms, the permit is gone and stays gone; with anybody aboard the alarm is critical."""
    w = World()
    w.to_boarding()
    for cell in (1, 2, 2)[:commander]:
        w.must("board_person", cell=cell)
    for _ in range(body):
        w.press("body_count")
    assert w.out["permit_enable"]
    HANDBRAKE[handbrake](w)
    for _ in range(3):
        w.scan()
    assert not w.out["permit_enable"]
    w.run(1.0)
    assert not w.trip.is_open
    is_aboard = commander + body > 0
    if handbrake == "released":
        assert w.trip.phase == ("under_way" if is_aboard else "boarding")
        alarms = {(a.code, a.priority) for a in w.trip.alarms}
        assert (("moved_unpermitted", "critical") in alarms) == is_aboard
    w.contacts["handbrake"] = True
    w.run(3.0)
    assert not w.out["permit_enable"]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("handbrake", [False, None])
@pytest.mark.parametrize("mode", [1, 2, 3])
@pytest.mark.parametrize("speed_mps", [0.0, 1.9, 2.5, 60.0])
def test_H23_no_fix_stands_in_for_the_handbrake(
    speed_mps: float, mode: int, handbrake: bool | None, trusted: bool
) -> None:
    """Everything is proven and reported, the handbrake is not seen applied: whatever a receiver says, nobody boards."""
    w = _cached("to_ready")
    w.contacts["handbrake"] = handbrake
    w.speed_mps, w.mode, w.trusted = speed_mps, mode, trusted
    w.run(2.5)
    refused = {r.code for r in w.do("open_boarding").refusals}
    assert refused & {"vehicle_moving", "motion_unknown"}
    assert not w.out["permit_enable"]
