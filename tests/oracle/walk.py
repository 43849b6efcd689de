"""Hypothesis drives the vehicle: people who know what they do and others, wires that break, clocks, disks, restarts."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.oracle import crew, law
from tests.oracle.tally import Tally
from tests.oracle.witness import REPORT_S, VALID_S, Witness
from vehicle_agent.core.inputs import AtBroker, Radio, Receipt

TALLY = Tally()
LOOPS = ("cell_1", "cell_2", "body_door")
WORDS = ("locked", "bolt_open", "door_open", "both_open", "cut", "short", "implausible", None)
SENSES = ("airflow", "light_sense", "beacon_sense", "intercom_return", "permit_readback", "fan_switch", "light_switch")
UNITS = ("astana-mp", "karaganda-mp", "taraz-mp", "almaty-mp")
UNCERTAIN_S: dict[str, float | None] = {"gnss": 0.2, "ntp": 0.5, "rtc": 30.0, "none": None}
ITEMS = (
    *(duty.item for duty in (*law.BY_HAND, law.WOMEN, law.ORDER, *law.TESTED, *law.SECURING_BY_HAND, *law.CLOSING)),
    *("cell_lock_1", "cell_lock_2", "cell_locks_locked", "counts_agree", "gnss", "nonsense"),
)
PLAIN = (
    *("start_tests", "open_boarding", "suspend_boarding", "finish_boarding", "secure", "depart", "end_halt", "arrive"),
    *("open_unloading", "close_trip"),
)
WITH_CELL = ("board_person", "unboard_person", "halt_out", "halt_in", "unload_person")
PARTS = (*law.RULE_14, "list", "list_3", "files", "order", "referral", "accompanying_list_3", "nonsense", None)
plans = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["outside_settlement", "within_settlement", "medical"]),
        "takeover": st.booleans(),
        "to_court": st.booleans(),
        "women_on_board": st.booleans(),
        "destination": st.sampled_from(["astana-mp", "taraz-mp", None, "almaty-mp", "nowhere-mp"]),
        "destination_place": st.sampled_from(["court", None]),
        "intermediate": st.lists(st.sampled_from(UNITS), max_size=3, unique=True),
        "order": st.sampled_from(["2026-12-01", "2026-11-22", "2026-11-21"]).map(
            lambda day: {"number": "17", "valid_until": day}
        ),
        "cells": st.lists(
            st.builds(
                lambda cell, planned: {"cell": cell, "planned": planned, "supervision": False},
                st.sampled_from([1, 2, 2, 1, 1, 3]),
                st.integers(0, 2),
            ),
            max_size=2,
            unique_by=lambda cell: cell["cell"],
        ),
    }
)


class Walk(RuleBasedStateMachine):
    """One vehicle over several trips. Each act is compared with the naive reading as soon as it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.w = Witness(TALLY)

    @initialize(
        source=st.sampled_from(["gnss", "gnss", "gnss", "ntp", "rtc", "none"]),
        commissioned=st.sampled_from([True] * 15 + [False]),
        start=st.sampled_from(["no_trip", "checking", "boarding", "boarding", "securing", "under_way", "unloading"]),
    )
    def begin(self, source: str, commissioned: bool, start: str) -> None:
        TALLY.histories += 1
        self.w = Witness(TALLY, source=source, commissioned=commissioned)
        self.w.uncertainty_s = UNCERTAIN_S[source]
        self.w.wait(0.4)
        crew.bring_to(self.w, start if commissioned else "checking")

    # people who know what they do

    @rule()
    def go_on(self) -> None:
        crew.go_on(self.w)

    @rule(phase=st.sampled_from(["boarding", "securing", "secured", "under_way", "unloading", "closed"]))
    def bring_to(self, phase: str) -> None:
        crew.repair(self.w)
        crew.bring_to(self.w, phase)

    @rule(most=st.integers(1, 3))
    def board(self, most: int) -> None:
        crew.board(self.w, most)

    @rule(change=plans)
    def new_trip(self, change: dict[str, Any]) -> None:
        self.w.do("cancel_trip", reason="again")
        self.w.do("open_trip", **crew.plan(**change))

    @precondition(lambda self: self.w.reading.phase() == "under_way")
    @rule()
    def halt(self) -> None:
        crew.halt(self.w)

    @rule()
    def repair(self) -> None:
        crew.repair(self.w)

    # people who do not

    @rule(name=st.sampled_from(PLAIN))
    def command(self, name: str) -> None:
        self.w.do(name)

    @rule(name=st.sampled_from(WITH_CELL), cell=st.sampled_from([1, 2, 2, 1, 3]))
    def command_for_cell(self, name: str, cell: int) -> None:
        self.w.do(name, cell=cell)

    @rule(name=st.sampled_from(["confirm", "withdraw"]), item=st.sampled_from(ITEMS), part=st.sampled_from(PARTS))
    def by_hand(self, name: str, item: str, part: str | None) -> None:
        if part is not None and (name == "withdraw" or item not in ("documents", "acceptance")):
            part = None
        args: dict[str, Any] = {"item": item} if part is None else {"item": item, "part": part}
        self.w.do(name, **args)

    @rule(name=st.sampled_from(["log_halt", "cancel_trip"]))
    def command_with_reason(self, name: str) -> None:
        self.w.do(name, reason="x")

    @rule(
        button=st.sampled_from(["driver_ready", "driver_ready", "body_count", "body_count", "driver_stop"]),
        data=st.data(),
    )
    def press(self, button: str, data: st.DataObject) -> None:
        hold_s = data.draw(st.sampled_from([0.02, 0.06, 0.5, 2.9, 3.2, 7.9, 8.3]))
        self.w.press(button, hold_s, is_seen=data.draw(st.booleans()))

    # the vehicle and its wires

    @rule(wire=st.sampled_from(LOOPS), word=st.sampled_from(WORDS), settled=st.sampled_from([True, True, True, False]))
    def turn_loop(self, wire: str, word: Any, settled: bool) -> None:
        self.w.wait(0.25)  # slower than what counts as chatter
        self.w.loops[wire] = word
        self.w.wait(0.4 if settled else 0.02)

    @rule(
        wire=st.sampled_from(SENSES),
        level=st.sampled_from([True, False, None]),
        seconds=st.sampled_from([0.1, 3.2, 7.2]),
    )
    def force(self, wire: str, level: bool | None, seconds: float) -> None:
        self.w.wait(0.25)
        self.w.forced[wire] = level
        self.w.wait(seconds)

    @rule(applied=st.sampled_from([True, False, None]), settled=st.sampled_from([True, True, True, False]))
    def handbrake(self, applied: bool | None, settled: bool) -> None:
        self.w.wait(0.25)
        self.w.contacts["handbrake"] = applied
        self.w.wait(0.4 if settled else 0.04)

    @rule(speed_mps=st.sampled_from([0.0, 1.9, 2.1, 20.0]), trusted=st.sampled_from([True, True, False]))
    def spoof_speed(self, speed_mps: float, trusted: bool) -> None:
        self.w.speed_mps, self.w.trusted = speed_mps, trusted
        self.w.wait(2.5)

    @rule(has_gnss=st.booleans(), mode=st.sampled_from([1, 3]))
    def lose_fix(self, has_gnss: bool, mode: int) -> None:
        self.w.has_gnss, self.w.mode = has_gnss, mode
        self.w.wait(0.4)

    @rule(
        said=st.sampled_from([None, (False, None, None), (True, False, -84), (True, True, -110), (True, True, -84)]),
        lives=st.booleans(),
    )
    def radio(self, said: tuple[bool, bool | None, int | None] | None, lives: bool) -> None:
        self.w.radio = None if said is None else Radio(self.w.mono_s, *said)
        self.w.radio_lives = lives
        self.w.wait(0.6 if lives else 3.5)

    # clock, disk, process

    @rule(source=st.sampled_from(["gnss", "ntp", "rtc", "none"]), days=st.sampled_from([0, 0, 1, 30, -30, 7300, -7300]))
    def clock(self, source: str, days: int) -> None:
        self.w.source, self.w.uncertainty_s = source, UNCERTAIN_S[source]
        if abs((self.w.utc + timedelta(days=days)).year - 2026) <= 21:
            self.w.step_clock(timedelta(days=days))
        self.w.wait(0.1)

    @rule(works=st.booleans())
    def slow_disk(self, works: bool) -> None:
        self.w.turn_disk(works=works)
        self.w.wait(0.1)

    @rule(works=st.booleans())
    def journal(self, works: bool) -> None:
        self.w.journal_ok = works
        self.w.wait(0.1)

    @rule(same_boot=st.sampled_from([True, True, False]), seconds=st.sampled_from([0.0, 0.4]))
    def restart(self, same_boot: bool, seconds: float) -> None:
        self.w.restart(same_boot=same_boot)
        self.w.wait(seconds)

    @rule(seconds=st.sampled_from([0.3, 1.0]))
    def hang(self, seconds: float) -> None:
        self.w.hang(seconds)

    @rule(seconds=st.sampled_from([0.02, 0.3, 0.3, 1.0, 8.0]))
    def wait(self, seconds: float) -> None:
        self.w.wait(seconds)

    @rule(seconds=st.sampled_from([REPORT_S + 1.0, VALID_S + 1.0]), sure=st.integers(0, 2))
    def outlive(self, seconds: float, sure: int) -> None:
        if sure == 0:  # a minute is three thousand scans
            self.w.wait(seconds)

    # those who are told

    @precondition(lambda self: self.w.notice_rows())
    @rule(data=st.data(), stage=st.sampled_from(["at_broker", "received", "acknowledged", "told_by_radio"]))
    def tell(self, data: st.DataObject, stage: str) -> None:
        rows = self.w.notice_rows()
        row = rows[data.draw(st.integers(0, 5)) % len(rows)]
        unit = data.draw(st.sampled_from([row.recipient, row.recipient, *UNITS]))
        if stage == "told_by_radio":
            self.w.do("told_by_radio", notice=row.notice if unit == row.recipient else "none", post="duty officer")
        elif stage == "at_broker":
            self.w.say(AtBroker(row.notice))
        else:
            self.w.say(Receipt(row.notice, stage, "A. B.", "duty officer", "2026-11-22T08:00:00Z", "0", unit))


def recorded(number: int, tally: Tally) -> Witness:
    """A whole trip with the slips and faults of one seed, to be restarted in: the history of `number`."""
    rng = random.Random(number)
    tally.histories += 1
    w = Witness(tally, source=rng.choice(["gnss", "gnss", "ntp", "rtc", "none"]))
    w.wait(0.4)
    kinds = ["outside_settlement", "within_settlement", "medical"]
    first = crew.plan(
        kind=rng.choice(kinds),
        **{name: rng.random() < 0.3 for name in ("takeover", "to_court", "women_on_board")},
        intermediate=rng.sample(UNITS, rng.randrange(3)),
        destination=rng.choice([*UNITS, None]),
        destination_place="court",
    )
    w.do("open_trip", **first)
    for _ in range(rng.randrange(9, 17)):
        _slip(rng, w) if rng.random() < 0.35 else crew.go_on(w)
        if rng.random() < 0.2:
            crew.repair(w)
    return w


def _slip(rng: random.Random, w: Witness) -> None:
    """One thing that goes otherwise than planned."""
    cell = rng.choice(w.settings.cells)
    w.wait(0.25)
    match rng.randrange(9):
        case 0:
            word: Any = rng.choice(WORDS)
            w.loops[f"cell_{cell}"] = word
            w.wait(0.4)
        case 1:
            w.do(rng.choice(WITH_CELL), cell=cell)
        case 2:
            w.do(rng.choice(PLAIN))
        case 3:
            w.press(rng.choice(["body_count", "driver_ready", "driver_stop"]), rng.choice([0.5, 4.0]))
        case 4:
            crew.drive(w, 0.6)
        case 5:
            w.do("withdraw", item=rng.choice(["seats_fixed", "acceptance", "at_door", "isolation"]))
        case 6:
            w.set_source(source := rng.choice(list(UNCERTAIN_S)), UNCERTAIN_S[source])
            w.wait(0.1)
        case 7:
            crew.board(w, 1)
        case _:
            w.forced[rng.choice(SENSES)] = rng.choice([True, False, None])
            w.wait(3.2)
