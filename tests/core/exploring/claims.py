"""What is promised of every scan, one function for each promise; its docstring is the rule, its value whether it holds.

They are written from the Order and the contract and look at the far side of the wires where there is one. `SCAN_CLAIMS`
are asked after every scan of the search, `RESTART_CLAIMS` of every restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.core.exploring import order
from tests.core.exploring.vehicle import FAULTS, SLOW_TO_SHOW, Wires
from vehicle_agent.core import events as ev
from vehicle_agent.core.inputs import Command, Input, Press
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.state import Live, Trip

BAD_SAMPLES = 2  # the contract's "two bad samples revoke"
INHIBIT_LIMIT_S = 6.25  # the test's own limit of 6 s and a scan of this search; the cut-off outside is at 10 s


@dataclass(slots=True)
class Seen:
    """One scan: what was before, what came in, what was decided.

    `held` counts the scans with these wires, `permitted` those since the permit was last off.
    """

    before: Trip
    trip: Trip
    live: Live
    durable: Trip
    out: dict[str, bool]
    wires: Wires
    held: int
    permitted: int
    inputs: tuple[Input, ...]
    envelopes: tuple[ev.Envelope, ...]
    at_s: float
    inhibited_s: float
    settings: Settings

    @property
    def facts(self) -> order.Facts:
        """The product's own view, in the contract's words."""
        trip, live = self.trip, self.live
        report = "fresh"
        if trip.report is None:
            report = "none"
        elif self.at_s - trip.report.at_s > self.settings.driver_report_valid_s:
            report = "old"
        elif any(trip.rows[i].order > trip.report.order for i in order.rows(len(self.wires.cells)) if i in trip.rows):
            report = "outdated"
        return order.Facts(
            trip.phase,
            trip.is_open,
            {item: row.status for item, row in trip.rows.items()},
            {name: status.status for name, status in live.equipment.items()},
            report,
            "standing" if live.motion_reason is None else live.motion,
            trip.commissioned == self.settings.wiring_sha256,
            live.equipment["permit_output"].status if "permit_output" in live.equipment else "unknown",
            live.journal_ok,
        )

    def happened(self, kind: type[ev.Event]) -> list[ev.Envelope]:
        return [envelope for envelope in self.envelopes if isinstance(envelope.event, kind)]

    def has_order(self, *names: str) -> bool:
        return any(isinstance(item, Command) and item.name in names for item in self.inputs)

    def has_press(self, button: str) -> bool:
        return any(isinstance(item, Press) and item.button == button for item in self.inputs)


def opens_only_when_everything_is_proven(seen: Seen) -> bool:
    """Start conditions: on the scan that opens boarding every row is proven, the report fresh and the newest, ..."""
    if not seen.happened(ev.BoardingOpened):
        return True
    facts = seen.facts
    cells = len(seen.wires.cells)
    return facts.report == "fresh" and not order.against_start(facts, cells)


def opens_only_by_the_commanders_order(seen: Seen) -> bool:
    """Rule 16: no time, wire, press, receipt or restart opens boarding; the order `open_boarding` does."""
    has_opened = bool(seen.happened(ev.BoardingOpened)) or (seen.trip.is_open and not seen.before.is_open)
    return not has_opened or seen.has_order("open_boarding")


def permits_only_under_running_conditions(seen: Seen) -> bool:
    """While the permit is on: phase boarding, open, and every running condition of the contract holds."""
    if not seen.out["permit_enable"]:
        return True
    is_open = seen.trip.phase == "boarding" and seen.trip.is_open
    return is_open and not order.against_running(seen.facts, len(seen.wires.cells))


def permits_only_what_the_disk_knows(seen: Seen) -> bool:
    """Granting waits until its event is on disk: this very opening, not an earlier one."""
    is_there = seen.durable.is_open and seen.durable.opening == seen.trip.opening
    return is_there or not seen.out["permit_enable"]


def a_bad_wire_ends_the_permit(seen: Seen) -> bool:
    """Two bad samples revoke: a cut, short or implausible loop, a lost sense, a released brake, a pressed STOP."""
    if not seen.out["permit_enable"] or seen.held < BAD_SAMPLES:
        return True
    if seen.wires.is_stopped or not seen.wires.is_braked or "handbrake_unreadable" in seen.wires.broken:
        return False
    rows = seen.trip.rows
    for fault in seen.wires.broken:
        name = FAULTS[fault]
        if name in SLOW_TO_SHOW or not name:
            continue
        # The relay may take 0.2 s to follow; two samples after that are a fault.
        is_late = fault != "readback_lost" or min(seen.held, seen.permitted) > 2 * BAD_SAMPLES
        is_by_hand = name in order.SENSED and name in rows and rows[name].status == "manual_fallback"
        if is_late and not is_by_hand and fault != "readback_stuck":
            return False
    return "journal_lost" not in seen.wires.broken


def revokes_in_the_same_scan(seen: Seen) -> bool:
    """In the scan in which a reason appears boarding is closed and the permit off."""
    if not seen.live.refusals:
        return True
    return not seen.out["permit_enable"] and not (
        seen.trip.is_open and order.against_running(seen.facts, len(seen.wires.cells))
    )


def only_the_drivers_button_reports(seen: Seen) -> bool:
    """Rule 16: the report comes from his button alone, and only with every row proven."""
    if not seen.happened(ev.DriverReported):
        return True
    rows = seen.trip.rows
    is_proven = all(
        i in rows and rows[i].status in ("passed", "manual_fallback") for i in order.rows(len(seen.wires.cells))
    )
    return seen.has_press("driver_ready") and is_proven


def answers_by_hand_only_with_pin_and_driver(seen: Seen) -> bool:
    """A fallback is for a configured sensor, never a lock; asked for with the PIN, pressed for in 30 s."""
    for item, row in seen.trip.rows.items():
        if row.status != "manual_fallback":
            continue
        if item not in seen.settings.manual_fallback or item not in order.SENSED:
            return False
        if item not in seen.before.rows or seen.before.rows[item].status != "manual_fallback":
            asked = seen.before.fallback
            is_asked = asked is not None and asked[0] == item and seen.at_s - asked[1] <= 30.0
            if not is_asked or not seen.has_press("driver_ready"):
                return False
    if seen.trip.fallback is not None and seen.trip.fallback != seen.before.fallback:
        return any(isinstance(i, Command) and i.name == "confirm" and i.args.get("pin_is_right") for i in seen.inputs)
    return True


def counts_only_by_people(seen: Seen) -> bool:
    """Rules 16 and 18: only boarding, taking back, unloading and the body's button change who is aboard."""
    old, new = seen.before, seen.trip
    if seen.has_order("open_trip"):
        return True
    is_commander = old.commander == new.commander or seen.has_order("board_person", "unboard_person")
    is_unloaded = old.unloaded == new.unloaded or seen.has_order("unload_person")
    is_body = old.body == new.body or seen.has_press("body_count") or seen.has_order("unboard_person")
    return is_commander and is_unloaded and is_body


def boards_only_while_open(seen: Seen) -> bool:
    """Rule 16: nobody is counted in unless boarding is open, and never more than were planned for the cell."""
    return not seen.happened(ev.PersonBoarded) or seen.before.is_open


def nobody_is_forgotten(seen: Seen) -> bool:
    """Those seated are those counted in and not yet out; a trip closes only when everyone is out."""
    trip = seen.trip
    if min(trip.commander, trip.body, trip.unloaded, *trip.seated.values(), 0) < 0:
        return False
    if trip.phase in ("closed", "no_trip"):
        old = seen.before
        # Before the departure the body escort's count counts as well; in unloading a look inside takes its place.
        is_out = old.commander == old.unloaded and (old.phase == "unloading" or old.body == 0)
        return old.phase in ("closed", "no_trip") or is_out
    return sum(trip.seated.values()) == trip.commander - trip.unloaded


def closes_only_empty_and_looked_at(seen: Seen) -> bool:
    """Rule 18: all cells used were seen open, all persons counted out, and the body looked at from the rear."""
    if not seen.happened(ev.TripClosed):
        return True
    rows = seen.before.rows
    is_looked_at = all(i in rows and rows[i].status == "passed" for i in ("cells_seen_open", "vehicle_empty"))
    return is_looked_at and seen.before.phase == "unloading"


def interrupts_nothing_with_people_aboard(seen: Seen) -> bool:
    """Fan and light are interrupted only with nobody aboard by either count, standing, and never for long."""
    if not (seen.out["fan_inhibit"] or seen.out["light_inhibit"]):
        return True
    trip = seen.trip
    is_empty = trip.commander == 0 and trip.body == 0 and seen.durable.commander == 0 and seen.durable.body == 0
    is_moving = not seen.wires.is_braked and seen.held >= BAD_SAMPLES
    return is_empty and not is_moving and seen.inhibited_s <= INHIBIT_LIMIT_S


def moving_off_is_a_departure(seen: Seen) -> bool:
    """Movement with anyone aboard, or once boarding is finished, is a departure: no scan ends moving before it."""
    is_moving = seen.live.motion == "moving"
    if not seen.wires.is_braked and seen.held >= BAD_SAMPLES and not is_moving:
        return False
    is_aboard = seen.trip.phase == "boarding" and max(seen.trip.commander, seen.trip.body) > 0
    return not (is_moving and (is_aboard or seen.trip.phase in ("securing", "secured")))


def every_departure_is_told(seen: Seen) -> bool:
    """Rule 19: one notice for each unit that has to know, at departure and at arrival, in the same scan."""
    for kind, name in ((ev.Departed, "departure"), (ev.Arrived, "arrival")):
        count = len(seen.happened(kind))
        told = [
            envelope.event.recipient
            for envelope in seen.envelopes
            if isinstance(envelope.event, ev.NoticeRecorded) and envelope.event.kind == name
        ]
        if count > 1 or sorted(told) != sorted(_owed(seen.trip) if count else ()):
            return False
    return True


def _owed(trip: Trip) -> set[str]:
    assert trip.plan is not None
    return {unit for unit in (trip.plan.destination, *trip.plan.intermediate, "almaty-mp") if unit is not None}


def is_open_only_in_boarding(seen: Seen) -> bool:
    """Open is a word of the phase boarding; what stands secured or rolls has no open boarding."""
    return not seen.trip.is_open or (seen.trip.phase == "boarding" and seen.live.motion != "moving")


SCAN_CLAIMS: tuple[Callable[[Seen], bool], ...] = (
    opens_only_when_everything_is_proven,
    opens_only_by_the_commanders_order,
    permits_only_under_running_conditions,
    permits_only_what_the_disk_knows,
    a_bad_wire_ends_the_permit,
    revokes_in_the_same_scan,
    only_the_drivers_button_reports,
    answers_by_hand_only_with_pin_and_driver,
    counts_only_by_people,
    boards_only_while_open,
    nobody_is_forgotten,
    closes_only_empty_and_looked_at,
    interrupts_nothing_with_people_aboard,
    moving_off_is_a_departure,
    every_departure_is_told,
    is_open_only_in_boarding,
)


def a_restart_permits_nothing(durable: Trip, after: Trip) -> bool:
    """Neither the opening nor the driver's report nor a half-made fallback survives a restart."""
    return not after.is_open and after.report is None and after.fallback is None


def a_restart_forgets_nobody(durable: Trip, after: Trip) -> bool:
    """Phase, counts, cells and who is out at a halt are as the disk has them."""
    names = ("phase", "commander", "body", "unloaded", "seated", "used", "halt", "aboard")
    return all(getattr(durable, name) == getattr(after, name) for name in names)


def a_restart_proves_nothing(durable: Trip, after: Trip) -> bool:
    """No row is better after a restart; with nobody aboard every sensed pass is gone, by hand too."""
    for item, row in after.rows.items():
        is_good = row.status in ("passed", "manual_fallback")
        if is_good and durable.rows[item].status != row.status:
            return False
        is_sensed = item in order.SENSED or item.startswith("cell_lock_")
        if is_good and is_sensed and max(after.commander, after.body) - after.unloaded <= 0:
            return False
    return True


RESTART_CLAIMS: tuple[Callable[[Trip, Trip], bool], ...] = (
    a_restart_permits_nothing,
    a_restart_forgets_nobody,
    a_restart_proves_nothing,
)
