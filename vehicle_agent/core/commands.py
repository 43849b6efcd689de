"""The escort commander's orders, decided one at a time: events, or every reason against (Rules 12 to 19).

No command grants a permit by itself: `open_boarding` passes the gate, and no command reports for the driver (Rule 16).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import events as ev
from . import fallback, notices, rules
from .alarm_table import DEFINITIONS, SHELVED_MAX_S
from .inputs import Command, Now
from .interlock import Refusal, checklist, refusal, refusals
from .motion import is_inside, position
from .settings import Settings
from .state import Live, Row, Trip


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one input: its events, or the reasons against it, or what is malformed about it."""

    events: tuple[ev.Event, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    malformed: str | None = None
    event_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a decision looks at."""

    trip: Trip
    live: Live
    now: Now
    settings: Settings


def decide_command(command: Command, scene: Scene) -> Answer:
    """The answer to one order. Raises KeyError for a name that is no command."""
    return _COMMANDS[command.name]({**command.args, "by": command.by}, scene)


def _yes(*events: ev.Event) -> Answer:
    return Answer(events=events)


def _no(code: str, item: str | None = None) -> Answer:
    return Answer(refusals=(refusal(code, item),))


def _open_trip(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase not in ("no_trip", "closed"):
        return _no("wrong_phase")
    units = [u for u in (args["destination"], *args["intermediate"]) if u is not None]
    found = [refusal("unknown_unit", unit) for unit in units if unit not in scene.settings.units]
    listed = [cell["cell"] for cell in args["cells"]]
    found += [refusal("unknown_item", f"cell_{cell}") for cell in listed if cell not in scene.settings.cells]
    if found:
        return Answer(refusals=tuple(found))
    if len(set(listed)) != len(listed):
        return Answer(malformed="cells: a cell is listed twice")
    if args["destination"] is None and not args.get("destination_place"):
        return Answer(malformed="destination or destination_place is needed: where does the trip go?")
    plan = {cell["cell"]: cell for cell in args["cells"]}
    cells = tuple(plan.get(cell, {"cell": cell, "planned": 0, "supervision": False}) for cell in scene.settings.cells)
    opened = ev.TripOpened(
        kind=args["kind"],
        takeover=args["takeover"],
        to_court=args["to_court"],
        women_on_board=args["women_on_board"],
        order_number=args["order"]["number"],
        order_valid_until=args["order"]["valid_until"],
        request_number=args.get("request_number"),
        destination=args["destination"],
        destination_place=args.get("destination_place"),
        intermediate=tuple(dict.fromkeys(args["intermediate"])),
        unloading_place=args.get("unloading_place"),
        cells=cells,
    )
    return _yes(opened)


def _start_tests(args: dict[str, Any], scene: Scene) -> Answer:
    trip = scene.trip
    if trip.phase not in ("checking", "boarding") or trip.is_open:
        return _no("wrong_phase")
    if scene.live.motion_reason is not None:
        return _no(scene.live.motion_reason)
    running = [
        ev.RowChanged(row.item, "running")
        for row in checklist(trip, scene.settings)
        if row.stage == rules.BEFORE_BOARDING and row.kind == "sensed" and not trip.rows.get(row.item, Row()).is_good
    ]
    return _yes(ev.TestsStarted(), *running)


_CONFIRMED_IN = {rules.BEFORE_BOARDING: ("checking", "boarding"), rules.BEFORE_DEPARTURE: ("securing",)}


def _row_rule(item: object, scene: Scene) -> rules.ItemRule | None:
    return next((row for row in checklist(scene.trip, scene.settings) if row.item == item), None)


def _confirm(args: dict[str, Any], scene: Scene) -> Answer:
    trip, item, part = scene.trip, args["item"], args.get("part")
    rule = _row_rule(item, scene)
    if rule is None:
        return _no("wrong_phase") if trip.plan is None else _no("unknown_item", item)
    if rule.kind == "sensed":
        return _ask_fallback(args, rule, scene)
    if rule.kind == "computed" and scene.now.source != "none":
        return _no("unknown_item", item)
    if trip.phase not in _CONFIRMED_IN.get(rule.stage, ()):
        return _no("wrong_phase")
    if item == "at_door" and scene.live.motion_reason is not None:
        return _no(scene.live.motion_reason)
    parts = _parts(item, scene)
    if bool(parts) != (part is not None):
        form = f"part is needed: one of {', '.join(parts)}" if parts else f"{item} has no parts"
        return Answer(malformed=form)
    if not parts:
        return _yes() if trip.rows.get(item, Row()).is_good else _yes(ev.RowChanged(item, "passed"))
    if part not in parts:
        return _no("unknown_item", f"{item}.{part}")
    done = trip.rows.get(item, Row()).parts
    if part in done:
        return _yes()
    is_last = set(parts) <= {*done, part}
    return _yes(ev.PartConfirmed(item, part), *((ev.RowChanged(item, "passed"),) if is_last else ()))


def _parts(item: str, scene: Scene) -> tuple[str, ...]:
    plan = scene.trip.plan
    assert plan is not None
    return rules.parts_of(item, plan.kind, takeover=plan.takeover, to_court=plan.to_court)


def _ask_fallback(args: dict[str, Any], rule: rules.ItemRule, scene: Scene) -> Answer:
    """Half of a manual fallback: the PIN, checked before this, and then the driver's own button within 30 s."""
    item = rule.item
    if not fallback.is_allowed(item, scene.settings) or not args.get("pin_is_right"):
        return _no("unknown_item", item)
    if scene.trip.phase not in ("checking", "boarding") or scene.trip.is_open:
        return _no("wrong_phase")
    row = scene.trip.rows.get(item, Row())
    if row.is_good:
        return _yes()
    if not fallback.is_sensor_in_doubt(row, scene.live.equipment.get(item)):
        return Answer(refusals=(refusal("item_not_proven", item, rule.rule),))  # its sensor works: it can be proven
    return _yes(ev.FallbackRequested(item))


def _withdraw(args: dict[str, Any], scene: Scene) -> Answer:
    rule = _row_rule(args["item"], scene)
    if rule is None:
        return _no("wrong_phase") if scene.trip.plan is None else _no("unknown_item", args["item"])
    if rule.kind != "attested":
        return _no("unknown_item", args["item"])
    if scene.trip.phase not in _CONFIRMED_IN.get(rule.stage, ()):
        return _no("wrong_phase")
    closing = (ev.BoardingClosed("withdrawn"),) if scene.trip.is_open and rule.stage == rules.BEFORE_BOARDING else ()
    return _yes(ev.RowChanged(rule.item, "pending"), *closing)


def _open_boarding(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase not in ("checking", "boarding", "securing") or scene.trip.is_open:
        return _no("no_trip" if scene.trip.phase in ("no_trip", "closed") else "wrong_phase")
    found = refusals(scene.trip, scene.live, scene.now.mono_s, scene.settings)
    return Answer(refusals=found) if found else _yes(ev.BoardingOpened())


def _suspend_boarding(args: dict[str, Any], scene: Scene) -> Answer:
    return _yes(ev.BoardingClosed("suspended")) if scene.trip.is_open else _no("wrong_phase")


def _cell(args: dict[str, Any], scene: Scene) -> tuple[str | None, int, int]:
    """`(unknown item, planned, seated)` of the cell that is meant."""
    assert scene.trip.plan is not None
    number = args["cell"]
    planned = {cell["cell"]: cell["planned"] for cell in scene.trip.plan.cells}
    return (None if number in planned else f"cell_{number}"), planned.get(number, 0), scene.trip.seated.get(number, 0)


def _board_person(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "boarding":
        return _no("wrong_phase")
    if not scene.trip.is_open:
        return _no("reopen_needed")
    unknown, planned, seated = _cell(args, scene)
    if unknown is not None:
        return _no("unknown_item", unknown)
    return _no("cell_full", f"cell_{args['cell']}") if seated >= planned else _yes(ev.PersonBoarded(args["cell"]))


def _one_less(phases: tuple[str, ...], kind: Callable[[int], ev.Event]) -> Callable[[dict[str, Any], Scene], Answer]:
    def decide(args: dict[str, Any], scene: Scene) -> Answer:
        if scene.trip.phase not in phases:
            return _no("wrong_phase")
        unknown, _, seated = _cell(args, scene)
        if unknown is not None:
            return _no("unknown_item", unknown)
        return _no("cell_empty", f"cell_{args['cell']}") if seated <= 0 else _yes(kind(args["cell"]))

    return decide


def _finish_boarding(args: dict[str, Any], scene: Scene) -> Answer:
    trip = scene.trip
    if trip.phase != "boarding":
        return _no("wrong_phase")
    is_counted = trip.commander == trip.body >= 1
    return _yes(ev.BoardingFinished()) if is_counted else _no("counts_disagree")


def _secure(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "securing":
        return _no("wrong_phase")
    found = securing_refusals(scene)
    return Answer(refusals=found) if found else _yes(ev.TripSecured())


def securing_refusals(scene: Scene) -> tuple[Refusal, ...]:
    """Rule 17: every lock that is not locked, the door, the counts, and every row that nobody has confirmed."""
    trip, live = scene.trip, scene.live
    found = [
        refusal("lock_open", f"cell_lock_{cell}")
        for cell in scene.settings.cells
        if not live.is_locked(f"cell_{cell}", f"cell_lock_{cell}")
    ]
    if not live.is_locked("body_door", "body_door"):
        found.append(refusal("body_door_open", "body_door"))
    if trip.commander != trip.body or trip.commander < 1:
        found.append(refusal("counts_disagree"))
    found.extend(
        refusal("securing_incomplete", row.item, row.rule)
        for row in checklist(trip, scene.settings)
        if row.stage == rules.BEFORE_DEPARTURE and row.kind == "attested" and not trip.rows.get(row.item, Row()).is_good
    )
    return tuple(found)


def depart(scene: Scene, cause: str) -> tuple[ev.Event, ...]:
    """The departure and the notices that it makes owing (Rule 19), by command or by the first movement."""
    is_secured = scene.trip.phase == "secured" and not securing_refusals(scene)
    checks = notices.departure_checks(scene.trip, scene.live, scene.settings)
    where = position(scene.live.fix, scene.now.mono_s)
    return (ev.Departed(is_secured, cause, where, checks),)


def _depart(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "secured":
        return _no("wrong_phase")
    found = securing_refusals(scene)
    return Answer(refusals=found) if found else _yes(*depart(scene, "command"))


def _log_halt(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "under_way" or scene.trip.halt is not None:
        return _no("wrong_phase")
    if scene.live.motion_reason is not None:
        return _no(scene.live.motion_reason)
    return _yes(ev.HaltLogged(args["reason"]))


def _halt_out(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "under_way" or scene.trip.halt is None:
        return _no("wrong_phase")
    unknown, _, seated = _cell(args, scene)
    if unknown is not None:
        return _no("unknown_item", unknown)
    is_empty = seated - scene.trip.halt.out.get(args["cell"], 0) <= 0
    return _no("cell_empty", f"cell_{args['cell']}") if is_empty else _yes(ev.HaltOut(args["cell"]))


def _halt_in(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "under_way" or scene.trip.halt is None:
        return _no("wrong_phase")
    unknown, _, _ = _cell(args, scene)
    if unknown is not None:
        return _no("unknown_item", unknown)
    is_in = scene.trip.halt.out.get(args["cell"], 0) <= 0
    return _no("cell_empty", f"cell_{args['cell']}") if is_in else _yes(ev.HaltIn(args["cell"]))


def _end_halt(args: dict[str, Any], scene: Scene) -> Answer:
    halt = scene.trip.halt
    if scene.trip.phase != "under_way" or halt is None:
        return _no("wrong_phase")
    return _no("persons_out") if any(halt.out.values()) else _yes(ev.HaltEnded())


def _arrive(args: dict[str, Any], scene: Scene) -> Answer:
    trip = scene.trip
    if trip.phase != "under_way":
        return _no("wrong_phase")
    if scene.live.motion_reason is not None:
        return _no(scene.live.motion_reason)
    if trip.halt is not None and any(trip.halt.out.values()):
        return _no("persons_out")
    assert trip.plan is not None
    where = position(scene.live.fix, scene.now.mono_s)
    inside = is_inside(trip.plan.unloading_place, where)
    warnings = ("outside_unloading_place",) if inside is False else ()
    return Answer(events=(ev.Arrived(where, inside),), warnings=warnings)


def _open_unloading(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase != "arrived":
        return _no("wrong_phase")
    if scene.live.motion_reason is not None:
        return _no(scene.live.motion_reason)
    return _yes(ev.UnloadingOpened())


def _close_trip(args: dict[str, Any], scene: Scene) -> Answer:
    trip = scene.trip
    if trip.phase != "unloading":
        return _no("wrong_phase")
    if trip.aboard != 0:
        return _no("persons_aboard")
    missing = [
        refusal("not_confirmed_empty", row.item, row.rule)
        for row in checklist(trip, scene.settings)
        if row.stage == rules.BEFORE_CLOSE and not trip.rows.get(row.item, Row()).is_good
    ]
    return Answer(refusals=tuple(missing)) if missing else _yes(ev.TripClosed())


def _cancel_trip(args: dict[str, Any], scene: Scene) -> Answer:
    if scene.trip.phase not in ("checking", "boarding", "securing", "secured"):
        return _no("wrong_phase")
    if scene.trip.commander > 0 or scene.trip.body > 0:
        return _no("persons_aboard")
    return _yes(ev.TripCancelled(args["reason"]))


def _acknowledge_alarm(args: dict[str, Any], scene: Scene) -> Answer:
    alarm = next((a for a in scene.trip.alarms if a.id == args["alarm"]), None)
    if alarm is None:
        return _no("unknown_item", args["alarm"])
    if alarm.is_acknowledged:
        return _yes()
    # Whoever confirms that the look at the people was due says that it has been taken. Where the alarm has returned
    # somebody else has looked, and he says only that he has seen that.
    is_check = alarm.code == "welfare_due" and alarm.is_active
    checked = (ev.WelfareChecked(args["by"]),) if is_check else ()
    return _yes(ev.AlarmAcknowledged(alarm.id, args["by"]), *checked)


def _shelve_alarm(args: dict[str, Any], scene: Scene) -> Answer:
    """Put aside for a while what needs no eye now; never what endangers people (hmi.md A2)."""
    alarm = next((a for a in scene.trip.alarms if a.id == args["alarm"]), None)
    if alarm is None:
        return _no("unknown_item", args["alarm"])
    if not alarm.is_active or not DEFINITIONS[alarm.code].is_shelvable:
        return _no("not_shelvable", alarm.id)
    if alarm.shelf is not None:
        return _yes()
    return _yes(ev.AlarmShelved(alarm.id, args["by"], args["reason"], min(args["for_s"], SHELVED_MAX_S)))


def _told_by_radio(args: dict[str, Any], scene: Scene) -> Answer:
    notice = notices.find(scene.trip, args["notice"])
    if notice is None:
        return _no("unknown_item", args["notice"])
    told = ev.NoticeStage(notice.id, "told_by_radio", None, args["post"], notices.wire_time(scene.now.utc))
    return _yes(told)


_COMMANDS: dict[str, Callable[[dict[str, Any], Scene], Answer]] = {
    "open_trip": _open_trip,
    "start_tests": _start_tests,
    "confirm": _confirm,
    "withdraw": _withdraw,
    "open_boarding": _open_boarding,
    "suspend_boarding": _suspend_boarding,
    "board_person": _board_person,
    "unboard_person": _one_less(("boarding", "securing", "secured"), ev.PersonUnboarded),
    "finish_boarding": _finish_boarding,
    "secure": _secure,
    "depart": _depart,
    "log_halt": _log_halt,
    "halt_out": _halt_out,
    "halt_in": _halt_in,
    "end_halt": _end_halt,
    "arrive": _arrive,
    "open_unloading": _open_unloading,
    "unload_person": _one_less(("unloading",), ev.PersonUnloaded),
    "close_trip": _close_trip,
    "cancel_trip": _cancel_trip,
    "acknowledge_alarm": _acknowledge_alarm,
    "shelve_alarm": _shelve_alarm,
    "told_by_radio": _told_by_radio,
}
NAMES = frozenset(_COMMANDS)
