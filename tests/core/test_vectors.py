"""Every combination of what the gate looks at, judged by the contract's conditions (tests/core/exploring/order.py).

The full product of all inputs has some 10^17 members, so it is split: all of each axis against all phases, and every
pair of axes that share a decision. What is split and why is in tests/core/README.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from tests.core.exploring import order
from tests.core.world import PLAN, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import Scene, decide_command
from vehicle_agent.core.inputs import Command, Now
from vehicle_agent.core.interlock import Refusal, refusals
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.state import Live, Report, Row, Status, Trip

Tell = Callable[[str, int], None]
CELLS = 1
ROWS, EQUIPMENT = order.rows(CELLS), order.equipment(CELLS)
PHASES = ("no_trip", "checking", "boarding", "securing", "secured", "under_way", "arrived", "unloading", "closed")
BOARDING_PHASES = ("checking", "boarding", "securing")
ROW = ("passed", "manual_fallback", "pending", "running", "failed", "expired")
EQUIPPED = ("working", "fault", "stale", "unknown")
REPORT = ("fresh", "none", "outdated", "old")
MOTION = ("standing", "moving", "contradicted", "unknown")
WIRING = ("w", "another", None)
AT_S, UTC_NOW = 5000.0, datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ONE_CELL = Settings(SETTINGS.vehicle, SETTINGS.origin, SETTINGS.units, cells=(1,), wiring_sha256="w")
NOW = Now(AT_S, UTC_NOW, "gnss", 0.2, "boot", lambda: "id")
OPEN_BOARDING, OPENED = Command("open_boarding", {}), (ev.BoardingOpened(),)

# The rows' events have numbers up to 20: a report is newer or older than the last of them by its own.
_ROWS = {status: Row(status, 20, AT_S - 60.0, UTC_NOW) for status in ROW}
_STATUSES = {status: Status(status, None, UTC_NOW, 0, True) for status in EQUIPPED}
_REPORTS = {
    "fresh": Report(21, AT_S - ONE_CELL.driver_report_valid_s, UTC_NOW),  # "at most" so old: the last good moment
    "none": None,
    "outdated": Report(19, AT_S - 1.0, UTC_NOW),
    "old": Report(21, AT_S - ONE_CELL.driver_report_valid_s - 0.001, UTC_NOW),
}
_MOTIONS = {
    "standing": ("standing", None),
    "moving": ("moving", "vehicle_moving"),
    "contradicted": ("moving", "motion_unknown"),
    "unknown": ("unknown", "motion_unknown"),
}


def _plan() -> ev.TripOpened:
    """The plan that the order `open_trip` makes of the tests' usual trip, for one cell."""
    w = World(ONE_CELL)
    w.must("open_trip", **(PLAN | {"cells": PLAN["cells"][:1]}))
    assert w.trip.plan is not None
    return w.trip.plan


THE_PLAN = _plan()


class Vehicle:
    """The real trip and live state in given circumstances; rows and equipment change from vector to vector."""

    def __init__(
        self,
        phase: str = "checking",
        *,
        is_open: bool = False,
        report: str = "fresh",
        motion: str = "standing",
        wiring: str | None = "w",
        readback: str = "working",
        has_journal: bool = True,
    ) -> None:
        self.rows = dict.fromkeys(ROWS, "passed")
        self.equipment = dict.fromkeys(EQUIPMENT, "working")
        is_right = wiring == ONE_CELL.wiring_sha256
        self.facts = order.Facts(
            phase, is_open, self.rows, self.equipment, report, motion, is_right, readback, has_journal
        )
        self._rows = dict.fromkeys(ROWS, _ROWS["passed"])
        self._equipment = dict.fromkeys(EQUIPMENT, _STATUSES["working"])
        self._equipment["permit_output"] = _STATUSES[readback]
        has_plan = phase != "no_trip"
        # Both keep these very mappings, so that a vector only has to write into them.
        self.trip = Trip(
            order=30,
            phase=phase,
            plan=THE_PLAN if has_plan else None,
            rows=self._rows,
            report=_REPORTS[report],
            is_open=is_open,
            commissioned=wiring,
        )
        word, reason = _MOTIONS[motion]
        self.live = Live(AT_S, equipment=self._equipment, motion=word, motion_reason=reason, journal_ok=has_journal)
        self.scene = Scene(self.trip, self.live, NOW, ONE_CELL)

    def set_rows(self, statuses: Sequence[str], items: Sequence[str] = ROWS) -> None:
        for item, status in zip(items, statuses, strict=True):
            self.rows[item], self._rows[item] = status, _ROWS[status]

    def set_equipment(self, statuses: Sequence[str], names: Sequence[str] = EQUIPMENT) -> None:
        for name, status in zip(names, statuses, strict=True):
            self.equipment[name], self._equipment[name] = status, _STATUSES[status]

    def judge(self) -> bool:
        """Compare one vector: the order `open_boarding`, and the reasons on the display. True where it may be open."""
        facts = self.facts
        answer = decide_command(OPEN_BOARDING, self.scene)
        against = (order.against_running if facts.is_open else order.against_start)(facts, CELLS)
        is_to_open = order.is_phase_to_open(facts) and not against
        assert (answer.events == OPENED and not answer.refusals) is is_to_open, facts
        if facts.phase in ("no_trip", "closed"):
            assert answer.refusals, facts
            return False
        # What the order is refused for in its own phases is what the display shows; elsewhere only the latter lists it.
        found = answer.refusals if order.is_phase_to_open(facts) else self._refusals()
        assert {r.item or r.code for r in found} == against, (facts, against, found)
        return not against and (is_to_open or facts.is_open)

    def _refusals(self) -> tuple[Refusal, ...]:
        return refusals(self.trip, self.live, AT_S, ONE_CELL)


def situations(phases: Sequence[str] = PHASES) -> Iterator[Vehicle]:
    """All is well, in every phase, and with boarding open, which only the phase boarding has."""
    yield from (Vehicle(phase) for phase in phases)
    if "boarding" in phases:
        yield Vehicle("boarding", is_open=True)


def circumstances() -> Iterator[Vehicle]:
    """Every combination of phase, open or not, report, motion, wiring, read-back and journal."""
    for phase, report, motion, wiring, readback, has_journal in itertools.product(
        PHASES, REPORT, MOTION, WIRING, EQUIPPED, (True, False)
    ):
        for is_open in (False, True) if phase == "boarding" else (False,):
            yield Vehicle(
                phase,
                is_open=is_open,
                report=report,
                motion=motion,
                wiring=wiring,
                readback=readback,
                has_journal=has_journal,
            )


class Tally:
    """How many vectors were judged, and in how many of them people may board."""

    def __init__(self) -> None:
        self.judged = self.permitted = 0

    def judge(self, vehicle: Vehicle) -> None:
        self.judged += 1
        self.permitted += vehicle.judge()

    def tell(self, tell: Tell) -> None:
        tell("vectors of the gate judged", self.judged)
        tell("vectors of the gate with permission", self.permitted)


def every_equipment(vehicles: Iterator[Vehicle], statuses: Sequence[str]) -> Tally:
    tally = Tally()
    for vehicle in vehicles:
        for chosen in itertools.product(statuses, repeat=len(EQUIPMENT)):
            vehicle.set_equipment(chosen)
            tally.judge(vehicle)
    return tally


def every_set_of_rows(missing: str, phases: Sequence[str]) -> Tally:
    tally = Tally()
    for vehicle in (Vehicle(phase) for phase in phases):
        for statuses in itertools.product(("passed", missing), repeat=len(ROWS)):
            vehicle.set_rows(statuses)
            tally.judge(vehicle)
    return tally


@pytest.mark.slow
def test_H01_H28_every_combination_of_equipment_before_and_after_opening(tell: Tell) -> None:
    """Permission in one vector of 16,384 each: everything working, and nothing unknown or stale."""
    both = iter((Vehicle("checking"), Vehicle("boarding", is_open=True)))
    tally = every_equipment(both, EQUIPPED)
    assert (tally.judged, tally.permitted) == (2 * 4**7, 2)
    tally.tell(tell)


def test_H01_every_set_of_broken_equipment_in_every_phase(tell: Tell) -> None:
    tally = every_equipment(situations(), ("working", "fault"))
    assert (tally.judged, tally.permitted) == (10 * 2**7, len(BOARDING_PHASES) + 1)  # and once open
    tally.tell(tell)


def test_H01_every_set_of_rows_that_have_expired(tell: Tell) -> None:
    tally = every_set_of_rows("expired", ("checking",))
    assert (tally.judged, tally.permitted) == (2**14, 1)
    tally.tell(tell)


@pytest.mark.slow
def test_H01_every_status_of_every_two_rows_in_every_phase(tell: Tell) -> None:
    tally = Tally()
    for vehicle in situations():
        for pair in itertools.combinations(ROWS, 2):
            for statuses in itertools.product(ROW, repeat=2):
                vehicle.set_rows(statuses, pair)
                tally.judge(vehicle)
            vehicle.set_rows(("passed", "passed"), pair)
    assert tally.judged == 10 * 91 * 36
    tally.tell(tell)


@pytest.mark.slow
def test_H01_H05_H28_every_combination_of_circumstances_with_every_single_defect(tell: Tell) -> None:
    """Report, motion, wiring, read-back and journal in every phase: with all proven, and with one item that is not."""
    tally = Tally()
    for vehicle in circumstances():
        tally.judge(vehicle)
        for item in ROWS:
            vehicle.set_rows(("expired",), (item,))
            tally.judge(vehicle)
            vehicle.set_rows(("passed",), (item,))
        for name in EQUIPMENT:
            vehicle.set_equipment(("unknown",), (name,))
            tally.judge(vehicle)
            vehicle.set_equipment(("working",), (name,))
    assert tally.judged == 10 * 4 * 4 * 3 * 4 * 2 * (1 + 14 + 7)
    # Not open: one of the circumstances permits, in each of three phases. Open: neither the report's age nor the
    # wiring counts any more (4 x 3), nor does a row of its own (1 + 14): what is lost shows in the equipment.
    assert tally.permitted == len(BOARDING_PHASES) + 4 * 3 * (1 + 14)
    tally.tell(tell)


@pytest.mark.slow
def test_H01_a_person_answers_for_a_sensor_and_never_for_a_lock_or_the_door(tell: Tell) -> None:
    """Every set of rows confirmed by hand with every set of broken equipment, before and after opening."""
    tally = Tally()
    items = EQUIPMENT[:-1]  # the door has no row
    for vehicle in situations(("checking", "boarding")):
        for by_hand in itertools.product(("passed", "manual_fallback"), repeat=len(items)):
            vehicle.set_rows(by_hand, items)
            for statuses in itertools.product(("working", "fault"), repeat=len(EQUIPMENT)):
                vehicle.set_equipment(statuses)
                tally.judge(vehicle)
    assert tally.judged == 3 * 2**6 * 2**7
    # Each of the five sensors: working and passed, working or broken and answered for, so three of four. The lock and
    # the door: working; an open boarding looks at the lock itself and not at its row.
    assert tally.permitted == (2 + 2) * 3**5
    tally.tell(tell)


@pytest.mark.campaign("gate")
def test_H01_H28_every_combination_of_equipment_in_every_phase(tell: Tell) -> None:
    tally = every_equipment(situations(), EQUIPPED)
    assert (tally.judged, tally.permitted) == (10 * 4**7, len(BOARDING_PHASES) + 1)  # and once open
    tally.tell(tell)


@pytest.mark.campaign("gate")
@pytest.mark.parametrize("missing", ["pending", "running", "failed", "expired"])
def test_H01_every_set_of_rows_that_are_not_proven(missing: str, tell: Tell) -> None:
    """Every subset of the rows is missing, in each way in which a row can be missing."""
    tally = every_set_of_rows(missing, BOARDING_PHASES)
    assert (tally.judged, tally.permitted) == (3 * 2**14, 3)
    tally.tell(tell)


@pytest.mark.campaign("gate")
def test_H01_every_row_proven_refuted_or_unknown(tell: Tell) -> None:
    """The whole product of three answers for each of the thirteen rows beside the order's date: one permits."""
    tally = Tally()
    vehicle = Vehicle("checking")
    items = [item for item in ROWS if item != order.DATE]
    for statuses in itertools.product(("passed", "failed", "pending"), repeat=len(items)):
        vehicle.set_rows(statuses, items)
        tally.judge(vehicle)
    assert (tally.judged, tally.permitted) == (1_594_323, 1)  # 3 to the 13th
    tally.tell(tell)


@pytest.mark.campaign("gate")
def test_H01_H28_every_sensor_with_its_row_in_every_way(tell: Tell) -> None:
    """Each of the five sensors in nine ways: row good, by hand or lost; working, broken or unknown."""
    tally = Tally()
    ways = list(itertools.product(("passed", "manual_fallback", "expired"), ("working", "fault", "unknown")))
    names = (*order.SENSED, "cell_lock_1")
    for vehicle in situations(("checking", "boarding")):
        for chosen in itertools.product(ways, repeat=len(order.SENSED)):
            vehicle.set_rows([row for row, _ in chosen], order.SENSED)
            for lock in ("working", "fault"):
                vehicle.set_equipment([*(status for _, status in chosen), lock], names)
                tally.judge(vehicle)
    assert tally.judged == 3 * 9**5 * 2
    # Closed: passed and working, or by hand (3): 4 of 9 each. Open: the row passed or expired and working (2), or by
    # hand (3): 5 of 9 each.
    assert tally.permitted == 2 * 4**5 + 5**5
    tally.tell(tell)


@pytest.mark.campaign("gate")
def test_H01_H05_H28_every_combination_of_circumstances_with_every_status_of_one_item(tell: Tell) -> None:
    tally = Tally()
    for vehicle in circumstances():
        for item in ROWS:
            for status in ROW:
                vehicle.set_rows((status,), (item,))
                tally.judge(vehicle)
            vehicle.set_rows(("passed",), (item,))
        for name in EQUIPMENT:
            for status in EQUIPPED:
                vehicle.set_equipment((status,), (name,))
                tally.judge(vehicle)
            vehicle.set_equipment(("working",), (name,))
    assert tally.judged == 10 * 4 * 4 * 3 * 4 * 2 * (14 * 6 + 7 * 4)
    tally.tell(tell)
