"""A vehicle in a test's hands: readings that obey simple electrics, its own clock, one scan each 20 ms."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import Answer
from vehicle_agent.core.decide import scan
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.inputs import Command, Fix, Input, Now, Press, Radio, Readings
from vehicle_agent.core.outputs import outputs
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.snapshot import snapshot, view_key
from vehicle_agent.core.state import Live, Trip

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SCAN_S = 0.02
PLAN: dict[str, Any] = {
    "kind": "outside_settlement",
    "takeover": False,
    "to_court": False,
    "women_on_board": False,
    "order": {"number": "17", "valid_until": "2026-12-01"},
    "request_number": "4",
    "destination": "astana-mp",
    "destination_place": None,
    "intermediate": ["karaganda-mp"],
    "unloading_place": None,
    "cells": [{"cell": 1, "planned": 1, "supervision": True}, {"cell": 2, "planned": 2, "supervision": False}],
}
SETTINGS = Settings(
    vehicle="kz-mp-017",
    origin="almaty-mp",
    units=frozenset({"almaty-mp", "taraz-mp", "karaganda-mp", "astana-mp"}),
    cells=(1, 2),
    wiring_sha256="w",
)
ATTESTED = ("body_condition", "seats_fixed", "objects_removed", "intercom_speech", "at_door")
DOCUMENTS = ("list_3", "files", "order", "travel_documents", "route_sheet", "travel_journal", "food_certificate")
ACCEPTANCE = ("papers", "fit", "pregnant_certificate", "food_clothing", "infection")
SECURING = ("isolation", "escort_placed", "keys_with_commander", "commander_in_cab")

_walked: dict[tuple[str, ...], dict[str, Any]] = {}


def _walked_once(way: Callable[..., None]) -> Callable[..., None]:
    """From the same state a way always leads to the same state, so it is walked once and then remembered.

    Most tests begin some hundred scans into a trip; without this they would spend nearly all their time on the way.
    """

    @wraps(way)
    def walk(self: World, **plan: Any) -> None:
        key = (way.__name__, repr(plan), repr(vars(self)))
        if key in _walked:
            vars(self).update(_own(_walked[key]))
            return
        way(self, **plan)
        _walked[key] = _own(vars(self))

    return walk


def _own(state: dict[str, Any]) -> dict[str, Any]:
    """The state with copies of what a test changes in place; everything of the core is frozen."""
    return {
        name: copy(value) if isinstance(value, dict | list | itertools.count) else value
        for name, value in state.items()
    }


class World:
    """The core with a bench around it. `forced` overrides what the electrics would give a wire."""

    def __init__(self, settings: Settings = SETTINGS, *, source: str = "gnss") -> None:
        self.settings, self.source = settings, source
        self.uncertainty_s: float | None = 0.2 if source != "none" else None
        self.trip, self.live = Trip(commissioned=settings.wiring_sha256), Live()
        self.durable = self.trip
        self.disk_works = True
        self.mono_s, self.utc, self.boot_id = 100.0, START, "boot-1"
        self.loops = {f"cell_{cell}": "locked" for cell in settings.cells} | {"body_door": "locked"}
        closed, opened = ("fan_switch", "light_switch", "handbrake"), ("beacon_switch", "driver_stop", "alarm_button")
        self.contacts: dict[str, bool | None] = {**dict.fromkeys(closed, True), **dict.fromkeys(opened, False)}
        self.forced: dict[str, bool | None] = {}
        self.radio: Radio | None = Radio(0.0, True, True, -84, "TMO")
        self.speed_mps, self.mode, self.trusted, self.has_gnss = 0.0, 3, True, True
        self.out: dict[str, bool] = {}
        self.envelopes: list[ev.Envelope] = []
        self.numbers = itertools.count(1)
        self.radio_lives, self.latitude_deg = True, 43.25
        self.stuck: frozenset[str] = frozenset()
        self.journal_ok = True
        self.supply_ok = True
        self.calls: dict[str, str | None] = {f"cell_call_{cell}": "idle" for cell in settings.call_cells}
        self.temperatures_c: dict[str, float | None] = {
            f"cell_temperature_{cell}": 21.0 for cell in settings.temperature_cells
        }

    def now(self) -> Now:
        return Now(
            self.mono_s, self.utc, self.source, self.uncertainty_s, self.boot_id, lambda: f"id-{next(self.numbers)}"
        )

    def readings(self) -> Readings:
        out = self.out
        contacts = dict(self.contacts)
        contacts["airflow"] = contacts["fan_switch"] and not out.get("fan_inhibit")
        contacts["light_sense"] = contacts["light_switch"] and not out.get("light_inhibit")
        is_lit = contacts["beacon_switch"] or out.get("beacon_test", False)
        contacts["beacon_sense"] = is_lit and self.mono_s % 0.5 < 0.25
        contacts["intercom_return"] = out.get("intercom_tone", False)
        contacts["permit_readback"] = out.get("permit_enable", False)
        contacts |= self.forced
        radio = replace(self.radio, at_s=self.mono_s) if self.radio is not None and self.radio_lives else self.radio
        self.radio = radio
        fix = None
        if self.has_gnss:
            is_fix = self.mode > 1
            fix = Fix(
                self.mono_s,
                self.mode,
                is_fix,
                self.trusted,
                self.utc,
                self.latitude_deg,
                76.9,
                800.0,
                self.speed_mps,
                None,
                9,
                1.0,
            )
        return Readings(
            self.mono_s,
            dict(self.loops),
            contacts,
            self.supply_ok,
            True,
            fix,
            radio,
            self.stuck,
            self.journal_ok,
            out.get("permit_enable", False),
            dict(self.calls),
            dict(self.temperatures_c),
        )

    def scan(self, *inputs: Input) -> tuple[Answer, ...]:
        self.mono_s += SCAN_S
        self.utc += timedelta(seconds=SCAN_S)
        step = scan(self.trip, self.live, self.readings(), inputs, self.now(), self.settings)
        self.trip, self.live = step.trip, step.live
        self.envelopes += step.envelopes
        self.out = outputs(self.trip, self.durable, self.live, self.mono_s)
        if self.disk_works:
            self.durable = self.trip
        return step.answers

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / SCAN_S)):
            self.scan()

    def do(self, name: str, **args: Any) -> Answer:
        return self.scan(Command(name, args))[0]

    def must(self, name: str, **args: Any) -> None:
        answer = self.do(name, **args)
        assert not answer.refusals and answer.malformed is None, (name, args, answer)

    def press(self, button: str, hold_s: float = 0.5) -> Answer:
        return self.scan(Press(button, hold_s))[0]

    def restart(self, *, same_boot: bool = True) -> None:
        """SIGKILL and start: the live half is gone, the trip is folded again from its rows."""
        if not same_boot:
            self.boot_id, self.mono_s = self.boot_id + "'", 5.0
        trip = Trip(commissioned=self.settings.wiring_sha256)
        for envelope in self.envelopes:
            trip = evolve(trip, envelope)
        started = ev.Envelope(
            f"start-{next(self.numbers)}",
            self.utc,
            self.mono_s,
            self.source,
            self.uncertainty_s,
            self.boot_id,
            trip.id,
            ev.Started("test", 1, same_boot, "test"),
        )
        self.envelopes.append(started)
        self.trip = self.durable = evolve(trip, started)
        self.live, self.out = Live(), {}

    def codes(self) -> set[tuple[str, str | None]]:
        return {(r.code, r.item) for r in self.live.refusals}

    def status(self, item: str) -> str:
        row = self.trip.rows.get(item)
        return "pending" if row is None else row.status

    def snapshot(self) -> dict[str, Any]:
        return snapshot(self.trip, self.live, self.now(), self.settings)

    def rev_key(self) -> tuple[Any, ...]:
        return view_key(self.trip, self.live)

    def happened(self, kind: type[ev.Event]) -> list[Any]:
        return [e.event for e in self.envelopes if isinstance(e.event, kind)]

    # The trip, step by step.

    def prove_locks(self, *cells: int) -> None:
        for cell in cells or self.settings.cells:
            self.loops[f"cell_{cell}"] = "both_open"
            self.run(0.5)
            self.loops[f"cell_{cell}"] = "locked"
            self.run(0.7)

    def attest(self) -> None:
        for item in ATTESTED:
            self.must("confirm", item=item)
        for part in DOCUMENTS:
            self.must("confirm", item="documents", part=part)
        for part in ACCEPTANCE:
            self.must("confirm", item="acceptance", part=part)

    @_walked_once
    def to_ready(self, **plan: Any) -> None:
        self.run(3.0)
        self.must("open_trip", **(PLAN | plan))
        self.must("start_tests")
        self.run(6.0)
        self.prove_locks()
        self.attest()
        self.press("driver_ready")

    @_walked_once
    def to_boarding(self, **plan: Any) -> None:
        self.to_ready(**plan)
        self.must("open_boarding")
        self.run(0.1)

    def board(self, *cells: int) -> None:
        for cell in cells:
            self.must("board_person", cell=cell)
            self.press("body_count")

    @_walked_once
    def to_securing(self) -> None:
        self.to_boarding()
        self.board(1, 2, 2)
        self.must("finish_boarding")
        self.run(0.1)

    @_walked_once
    def to_secured(self) -> None:
        self.to_securing()
        for item in SECURING:
            self.must("confirm", item=item)
        self.must("secure")

    def drive(self, seconds: float = 5.0) -> None:
        self.contacts["handbrake"], self.speed_mps = False, 10.0
        self.run(seconds)

    def park(self) -> None:
        self.contacts["handbrake"], self.speed_mps = True, 0.0
        self.run(0.5)

    @_walked_once
    def to_under_way(self) -> None:
        self.to_secured()
        self.drive()

    @_walked_once
    def to_unloading(self) -> None:
        self.to_under_way()
        self.park()
        self.must("arrive")
        self.must("open_unloading")
