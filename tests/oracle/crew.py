"""People who do a trip as the Order wants it, stretch by stretch; they decide by the naive reading alone."""

from __future__ import annotations

from typing import Any

from tests.core.world import PLAN
from tests.oracle import law
from tests.oracle.witness import Witness
from vehicle_agent.core.inputs import Radio

PROOF_S = 0.6  # each state of a lock: 300 ms, and what filters may add
TESTS_S = 5.0  # light, fan, beacon, intercom and radio one after the other
ROLL_S = 0.6


def plan(**changes: Any) -> dict[str, Any]:
    return PLAN | changes


def repair(w: Witness) -> None:
    """Every wire as in a healthy vehicle that stands."""
    w.forced.clear()
    w.loops.update(dict.fromkeys(w.loops, "locked"))
    w.contacts.update(fan_switch=True, light_switch=True, handbrake=True, driver_stop=False, alarm_button=False)
    w.contacts["beacon_switch"] = False
    w.radio = Radio(w.mono_s, True, True, -84, "TMO")
    w.radio_lives, w.has_gnss, w.mode, w.trusted, w.speed_mps = True, True, 3, True, 0.0
    w.journal_ok = True
    w.turn_disk(works=True)
    w.wait(0.4)


def check(w: Witness) -> None:
    """Rule 15: prove what is not proven, confirm what is not confirmed."""
    w.do("start_tests")
    if any("passed" not in w.reading.status(duty.item) for duty in law.TESTED):
        w.wait(TESTS_S)
    unproven = [cell for cell in w.settings.cells if "passed" not in w.reading.status(f"cell_lock_{cell}")]
    if unproven:
        turn(w, unproven, "both_open")
        turn(w, unproven, "locked")
    for duty in w.reading.checklist():
        if duty.kind == "attested" and "passed" not in w.reading.status(duty.item):
            for part in sorted(w.reading.parts(duty.item)) or [""]:
                w.do("confirm", item=duty.item, **({"part": part} if part else {}))
    if w.reading.history.held("source")[0] == "none" and "passed" not in w.reading.status("order_valid"):
        w.do("confirm", item="order_valid")


def turn(w: Witness, cells: list[int], word: str) -> None:
    for cell in cells:
        w.loops[f"cell_{cell}"] = word
    w.wait(PROOF_S)


def open_boarding(w: Witness) -> None:
    w.press("driver_ready")
    w.do("open_boarding")


def board(w: Witness, most: int = 99) -> None:
    """Rule 16: one at a time, counted and repeated."""
    for cell in w.settings.cells:
        while most > 0 and w.reading.seated(cell) < w.reading.planned(cell) and w.reading.is_open():
            w.do("board_person", cell=cell)
            w.press("body_count")
            most -= 1


def secure(w: Witness) -> None:
    for duty in law.SECURING_BY_HAND:
        if "passed" not in w.reading.securing(duty.item):
            w.do("confirm", item=duty.item)
    w.do("secure")


def drive(w: Witness, seconds: float = 1.0) -> None:
    w.contacts["handbrake"], w.speed_mps = False, 10.0
    w.wait(seconds)


def park(w: Witness) -> None:
    w.contacts["handbrake"], w.speed_mps = True, 0.0
    w.wait(ROLL_S)


def halt(w: Witness) -> None:
    """Rule 4: one at a time, and back again."""
    park(w)
    w.do("log_halt", reason="toilet")
    for cell in w.settings.cells:
        if w.reading.seated(cell) > 0:
            w.do("halt_out", cell=cell)
            w.do("halt_in", cell=cell)
    w.do("end_halt")


def unload(w: Witness) -> None:
    """Rule 18: counted out, every used cell looked into, the body seen empty."""
    turn(w, list(w.settings.cells), "both_open")
    for cell in w.settings.cells:
        while w.reading.seated(cell) > 0:
            w.do("unload_person", cell=cell)
    turn(w, list(w.settings.cells), "locked")
    w.press("body_count")


def go_on(w: Witness) -> None:
    """The next stretch of a trip, whatever has happened to it so far."""
    match w.reading.phase():
        case "no_trip" | "closed":
            w.do("open_trip", **plan())
        case "checking":
            check(w)
            open_boarding(w)
        case "boarding" if w.reading.is_open():
            board(w)
            w.do("finish_boarding")
        case "boarding":
            check(w)
            open_boarding(w)
            if w.reading.commander() != w.reading.body():
                w.press("body_count", 0.5 if w.reading.commander() > w.reading.body() else 4.0)
        case "securing":
            secure(w)
        case "secured":
            w.do("depart")
        case "under_way":
            for cell in w.settings.cells:
                if w.reading.out(cell) > 0:
                    w.do("halt_in", cell=cell)
            drive(w)
            park(w)
            w.do("arrive")
        case "arrived":
            w.do("open_unloading")
        case _:
            unload(w)
            w.do("close_trip")


def bring_to(w: Witness, phase: str, stretches: int = 9) -> None:
    """Stretch after stretch until the trip is there, or as far as it comes."""
    for _ in range(stretches):
        if w.reading.phase() == phase:
            return
        go_on(w)
