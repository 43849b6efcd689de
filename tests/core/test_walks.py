"""Seeded random trips: whatever people, wires and restarts do, the permit's promise holds and nothing falls over.

The invariants are read from the Order and the contract, not from the gate's code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.world import ACCEPTANCE, ATTESTED, DOCUMENTS, PLAN, SECURING, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import NAMES
from vehicle_agent.core.inputs import AtBroker, Input, NoticeSending, Receipt

STEPS = 350
LOOPS = ("locked", "bolt_open", "door_open", "both_open", "cut", "short", "implausible", None)
WIRES = (
    "airflow",
    "light_sense",
    "beacon_sense",
    "intercom_return",
    "permit_readback",
    "fan_switch",
    "light_switch",
    "handbrake",
    "driver_stop",
    "alarm_button",
)
PROVEN = ("radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2", "order_valid")


def check(w: World, opened_before: int) -> None:
    """What must hold after every scan."""
    if w.out["permit_enable"]:
        assert w.trip.phase == "boarding"
        assert w.live.motion == "standing"
        assert w.journal_ok
        for cell in (1, 2):
            assert w.live.equipment[f"cell_lock_{cell}"].status == "working"
        for name in ("radio", "beacon", "intercom", "ventilation", "lighting", "body_door"):
            assert w.live.equipment[name].status == "working"
    if w.trip.aboard > 0:
        assert not w.out["fan_inhibit"]
        assert not w.out["light_inhibit"]
    if w.trip.opening != opened_before and w.trip.is_open:
        for item in (*PROVEN, *ATTESTED, "documents", "acceptance"):
            assert w.status(item) in ("passed", "manual_fallback"), item
        assert w.trip.report is not None
    assert w.trip.commander >= 0
    assert w.trip.body >= 0
    assert 0 <= w.trip.unloaded <= w.trip.commander
    assert sum(w.trip.seated.values()) == w.trip.commander - w.trip.unloaded
    if w.trip.phase == "closed":
        assert w.trip.commander == w.trip.unloaded
    if w.trip.phase == "under_way":
        told = [n for n in w.trip.notices if n.trip == w.trip.id and n.record.kind == "departure"]
        assert {n.record.recipient for n in told} == {"astana-mp", "karaganda-mp", "almaty-mp"}
    w.snapshot()


def arguments(rng: random.Random, name: str, w: World) -> dict[str, Any]:
    if name == "open_trip":
        return dict(PLAN)
    if name in ("confirm", "withdraw"):
        item = rng.choice([*ATTESTED, *SECURING, "documents", "acceptance", "radio", "cell_lock_1", "nonsense"])
        part = rng.choice({"documents": DOCUMENTS, "acceptance": ACCEPTANCE}.get(item, (None,)))
        return {"item": item, **({"part": part} if name == "confirm" and part else {})}
    if name in ("log_halt", "cancel_trip"):
        return {"reason": "x"}
    if name in ("acknowledge_alarm", "shelve_alarm"):
        shelf = {"reason": "x", "for_s": rng.choice([1.0, 600.0])} if name == "shelve_alarm" else {}
        return {"alarm": rng.choice([a.id for a in w.trip.alarms] or ["none"]), **shelf}
    if name == "told_by_radio":
        return {"notice": rng.choice([n.id for n in w.trip.notices] or ["none"]), "post": "duty officer"}
    return {"cell": rng.choice([1, 2, 3])} if name.endswith(("person", "_out", "_in")) else {}


def uplink(rng: random.Random, w: World) -> None:
    notice = rng.choice([n.id for n in w.trip.notices] or ["none"])
    unit = rng.choice(["astana-mp", "karaganda-mp", "almaty-mp", "taraz-mp"])
    stage = rng.choice(["received", "acknowledged"])
    at = "2026-11-22T08:00:00Z"
    said: list[Input] = [AtBroker(notice), NoticeSending(notice, 1.0), Receipt(notice, stage, "A", "B", at, "0", unit)]
    w.scan(rng.choice(said))


def _loop(rng: random.Random) -> Any:
    return rng.choice(LOOPS)


def order(rng: random.Random, w: World) -> None:
    name = rng.choice(sorted(NAMES))
    w.do(name, **arguments(rng, name, w))


def step(rng: random.Random, w: World) -> None:
    """One thing that somebody or something does; orders are likelier than faults, so that trips get somewhere."""
    deeds: list[tuple[int, Callable[[], Any]]] = [
        (30, lambda: order(rng, w)),
        (8, lambda: w.press("driver_ready", rng.choice([0.02, 0.5, 5.0]))),
        (8, lambda: w.press("body_count", rng.choice([0.3, 4.0, 9.0]))),
        (4, lambda: w.loops.__setitem__(rng.choice(["cell_1", "cell_2", "body_door"]), _loop(rng))),
        (4, lambda: w.loops.update(dict.fromkeys(["cell_1", "cell_2", "body_door"], "locked"))),
        (3, lambda: w.forced.__setitem__(rng.choice(WIRES), rng.choice([True, False, None]))),
        (6, w.forced.clear),
        (3, lambda: w.contacts.__setitem__("handbrake", rng.random() < 0.6)),
        (2, lambda: setattr(w, "speed_mps", rng.choice([0.0, 0.0, 15.0]))),
        (1, lambda: setattr(w, "radio_lives", rng.random() < 0.7)),
        (1, lambda: setattr(w, "journal_ok", rng.random() < 0.8)),
        (1, lambda: setattr(w, "source", rng.choice(["gnss", "gnss", "none"]))),
        (1, lambda: w.restart(same_boot=rng.random() < 0.7)),
        (4, lambda: uplink(rng, w)),
    ]
    weights = [weight for weight, _ in deeds]
    rng.choices([deed for _, deed in deeds], weights)[0]()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("begin", ["start", "to_ready", "to_boarding", "to_secured", "to_under_way", "to_unloading"])
def test_H01_H07_H37_H38_random_trips_keep_the_promises(begin: str, seed: int) -> None:
    rng = random.Random(f"{begin} {seed}")
    w = World()
    w.run(2.0)
    if begin != "start":
        getattr(w, begin)()
    for _ in range(STEPS):
        before = w.trip.opening
        step(rng, w)
        for _ in range(rng.choice([1, 1, 2, 12, 40])):
            w.scan()
            check(w, before)


@pytest.mark.parametrize("seed", range(4))
def test_H07_a_restart_after_every_event_gives_the_same_trip_and_no_permit(seed: int) -> None:
    rng = random.Random(seed)
    w = World()
    w.to_boarding()
    for _ in range(60):
        step(rng, w)
        w.run(0.2)
        phase, aboard, seated = w.trip.phase, w.trip.aboard, dict(w.trip.seated)
        notices = [(n.id, n.stage) for n in w.trip.notices]
        w.restart()
        assert (w.trip.phase, w.trip.aboard, dict(w.trip.seated)) == (phase, aboard, seated)
        assert [(n.id, n.stage) for n in w.trip.notices] == notices
        assert not w.trip.is_open
        w.scan()
        assert not w.out["permit_enable"]
        assert not any(isinstance(e.event, ev.BoardingOpened) for e in w.envelopes[-1:])
