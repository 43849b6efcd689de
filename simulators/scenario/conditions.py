"""What a scenario can expect to see, all from outside: cab display, the bench's wires, the desk, processes, logs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from simulators.scenario.acts import newest_notice
from simulators.scenario.commander import refusals_text
from simulators.scenario.errors import NotMetError
from simulators.scenario.registry import Seen, condition
from simulators.scenario.words import STAGES
from simulators.scenario.world import TRACEBACK, World

NO_DATA = Seen(False, "the display has no data")


def _boarding(world: World) -> dict[str, Any] | None:
    snapshot = world.commander.look()
    return snapshot and snapshot["boarding"]


def _codes(refusals: list[dict[str, Any]]) -> str:
    return ", ".join(f"{refusal['code']} {refusal.get('item') or ''}".strip() for refusal in refusals) or "nothing"


@condition("PHASE {phase:phase}", "the trip's phase")
def phase(world: World, phase: str) -> Seen:
    snapshot = world.commander.look()
    return Seen(snapshot["phase"] == phase, f"phase {snapshot['phase']}") if snapshot else NO_DATA


# --- the permit -------------------------------------------------------------------------------------------------------


@condition("PERMITTED", "nothing refuses boarding")
def permitted(world: World) -> Seen:
    boarding = _boarding(world)
    return Seen(boarding["permitted"], f"refused by {_codes(boarding['refusals'])}") if boarding else NO_DATA


@condition("NOT PERMITTED", "something refuses boarding")
def not_permitted(world: World) -> Seen:
    boarding = _boarding(world)
    return Seen(not boarding["permitted"], "permitted") if boarding else NO_DATA


@condition("BOARDING OPEN", "boarding is open")
def boarding_open(world: World) -> Seen:
    boarding = _boarding(world)
    return Seen(boarding["open"], f"not open; refused by {_codes(boarding['refusals'])}") if boarding else NO_DATA


@condition("BOARDING NOT OPEN", "boarding is not open")
def boarding_not_open(world: World) -> Seen:
    boarding = _boarding(world)
    return Seen(not boarding["open"], "open") if boarding else NO_DATA


@condition("ENERGISED", "the display says that the permit is given")
def energised(world: World) -> Seen:
    boarding = _boarding(world)
    return Seen(boarding["energised"], f"not energised, open {boarding['open']}") if boarding else NO_DATA


@condition("NOT ENERGISED", "the display says that no permit is given")
def not_energised(world: World) -> Seen:
    boarding = _boarding(world)
    return Seen(not boarding["energised"], "energised") if boarding else NO_DATA


@condition(
    "RELAY {state:OPEN|CLOSED}", "the permit relay on the bench; WITHIN is measured on the wires, from the act before"
)
def relay(world: World, state: str) -> Seen:
    found = world.wires()["permit_relay"]
    is_so = found["closed"] == (state == "closed")
    return Seen(is_so, f"the relay is {'closed' if found['closed'] else 'open'}", found["since_ns"] if is_so else None)


@condition("RELAY STAYED OPEN", "the permit relay has never been closed since the scenario began")
def relay_stayed_open(world: World) -> Seen:
    closings = [
        entry for entry in world.timeline(world.began_at_n) if entry["wire"] == "permit_relay" and entry["level"]
    ]
    return Seen(not closings, f"the relay was closed {len(closings)} times")


@condition("REFUSED {what:name}", "boarding, or the last TRY, is refused with this code or because of this item")
def refused(world: World, what: str) -> Seen:
    found = _refusals(world)
    return Seen(any(what in (refusal["code"], refusal.get("item")) for refusal in found), f"refused by {_codes(found)}")


@condition("REFUSED {code:name} {item:name}", "the same with this code because of this item")
def refused_for(world: World, code: str, item: str) -> Seen:
    found = _refusals(world)
    pairs = [(refusal["code"], refusal.get("item")) for refusal in found]
    return Seen((code, item) in pairs, f"refused by {_codes(found)}")


def _refusals(world: World) -> list[dict[str, Any]]:
    boarding = _boarding(world)
    return [*(boarding["refusals"] if boarding else ()), *world.commander.refusals]


@condition("ANSWER {status:number} [SAYING {what:text}]", "the last command or request was answered so")
def answer(world: World, status: int, what: str = "") -> Seen:
    last = world.commander.answers[-1] if world.commander.answers else None
    if last is None:
        return Seen(False, "nothing was asked")
    return Seen(last.status == status and what in last.text, f"answer {last.status}: {refusals_text(last)[:200]}")


@condition(
    "ONE ACCEPTED", "of the commands given at the same instant exactly one was accepted, the others saw a stale view"
)
def one_accepted(world: World) -> Seen:
    statuses = sorted(answer.status for answer in world.commander.answers)
    return Seen(statuses == [200, *[409] * (len(statuses) - 1)], f"answers {statuses}")


# --- what the cab shows -----------------------------------------------------------------------------------------------


@condition("ITEM {item:name} {status:row_status}", "a row of the checklist")
def item_status(world: World, item: str, status: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    found = next((row["status"] for row in snapshot["checklist"] if row["item"] == item), "not in the list")
    return Seen(found == status, f"{item} is {found}")


@condition("TESTS PASSED", "every row that sensors prove before boarding has passed")
def tests_passed(world: World) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    rows = [row for row in snapshot["checklist"] if row["stage"] == "before_boarding" and row["kind"] == "sensed"]
    left = [f"{row['item']} {row['status']}" for row in rows if row["status"] != "passed"]
    return Seen(bool(rows) and not left, ", ".join(left) or "no rows")


@condition("EQUIPMENT {equipment:name} {status:status}", "how a piece of equipment is")
def equipment_status(world: World, equipment: str, status: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    found = snapshot["equipment"].get(equipment, {})
    return Seen(found.get("status") == status, f"{equipment} is {found.get('status')} ({found.get('reason')})")


@condition("EVERYTHING WORKING", "all equipment is working")
def everything_working(world: World) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    left = [
        f"{name} {found['status']} ({found.get('reason')})"
        for name, found in snapshot["equipment"].items()
        if found["status"] != "working"
    ]
    return Seen(not left, ", ".join(left))


@condition("ALARM {code:name} [ON {item:text}] [PRIORITY {priority:name}] [STATE {state:name}]", "an alarm is shown")
def alarm(world: World, code: str, **wanted: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    for found in snapshot["alarms"]:
        if found["code"] == code and all(found.get(key) == value for key, value in wanted.items()):
            return Seen(True, f"alarm {code}")
    return Seen(
        False,
        "alarms: "
        + (
            ", ".join(f"{a['code']} {a.get('item') or ''} {a['priority']} {a['state']}" for a in snapshot["alarms"])
            or "none"
        ),
    )


@condition("NO ALARM {code:name}", "an alarm is not shown as present")
def no_alarm(world: World, code: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    shown = [found["state"] for found in snapshot["alarms"] if found["code"] == code and found["state"] != "returned"]
    return Seen(not shown, f"alarm {code} is {', '.join(shown)}")


@condition("COUNTS [COMMANDER {commander:number}] [BODY {body:number}] [UNLOADED {unloaded:number}]", "the counts")
def counts(world: World, **wanted: int) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    found = snapshot["counts"]
    return Seen(all(found[key] == value for key, value in wanted.items()), f"counts {found}")


@condition("SEATED {cell:cell} {persons:number}", "how many sit in a cell")
def seated(world: World, cell: int, persons: int) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    cells = snapshot["trip"]["cells"] if snapshot["trip"] else []
    found = next((entry["seated"] for entry in cells if entry["cell"] == cell), 0)
    return Seen(found == persons, f"{found} in cell {cell}")


@condition("DRIVER {state:READY|SILENT}", "whether the driver's report counts")
def driver(world: World, state: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    return Seen(snapshot["driver"]["ready"] == (state == "ready"), f"driver.ready is {snapshot['driver']['ready']}")


@condition("CLOCK {source:gnss|ntp|rtc|none}", "where the time comes from")
def clock(world: World, source: str) -> Seen:
    snapshot = world.commander.look()
    return Seen(snapshot["clock"]["source"] == source, f"clock {snapshot['clock']}") if snapshot else NO_DATA


@condition("CLOCK WITHIN A DAY", "the vehicle's time is this machine's time, whatever the receiver says")
def clock_right(world: World) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    off_s = abs((datetime.fromisoformat(snapshot["at"]) - datetime.now(UTC)).total_seconds())
    return Seen(off_s < 86400, f"the clock shows {snapshot['at']}")


@condition("POSITION {state:TRUSTED|UNTRUSTED|OLD}", "the position: fresh and trusted, not trusted, or none for 2 s")
def position(world: World, state: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    found = snapshot["position"]
    is_fresh = bool(found) and found["age_s"] is not None and found["age_s"] < 2.0 and found["mode"] != 1
    is_so = {
        "trusted": is_fresh and found["trusted"],
        "untrusted": not found or not found["trusted"],
        "old": not is_fresh,
    }[state]
    return Seen(bool(is_so), f"position {found}")


@condition("UPLINK {state:CONNECTED|DISCONNECTED}", "the vehicle's connection to the broker")
def uplink(world: World, state: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    return Seen(snapshot["uplink"]["connected"] == (state == "connected"), f"uplink {snapshot['uplink']}")


@condition(
    "WIRE {wire:wire} {level:closed|open|locked|bolt_open|both_open|idle|pressed|on|off}",
    "what the bench measures on a wire",
)
def wire_level(world: World, wire: str, level: str) -> Seen:
    found = world.wires()["wires"].get(wire, {}).get("level")
    return Seen(found == {"on": True, "off": False}.get(level, level), f"{wire} is {found}")


# --- notices ----------------------------------------------------------------------------------------------------------


def _notice(world: World, unit: str, kind: str) -> tuple[dict[str, Any] | None, str]:
    snapshot = world.commander.look()
    if snapshot is None:
        return None, NO_DATA.what
    try:
        found = newest_notice(world, snapshot, unit, kind)
    except NotMetError as error:
        return None, str(error)
    return found, f"the {kind} notice for {unit} is {found['stage']}"


@condition(
    "NOTICE {unit:unit} {stage:stage} [KIND {kind:notice_kind}]",
    "the unit's notice has come at least so far, at the vehicle and at the desk",
)
def notice(world: World, unit: str, stage: str, kind: str = "departure") -> Seen:
    found, what = _notice(world, unit, kind)
    if found is None:
        return Seen(False, what)
    if "told_by_radio" in (stage, found["stage"]):
        return Seen(found["stage"] == stage, what)
    at_desk = next(
        (entry for entry in world.desk_notices() if entry["id"] == found["id"] and entry["unit"] == unit), None
    )
    is_there = stage in ("recorded", "at_broker") or (at_desk is not None and _reached(at_desk["stage"], stage))
    return Seen(_reached(found["stage"], stage) and is_there, f"{what}, at the desk {at_desk and at_desk['stage']}")


@condition(
    "NOTICE {unit:unit} NOT {stage:stage} [KIND {kind:notice_kind}]",
    "the vehicle does not believe that the notice has come so far",
)
def notice_not(world: World, unit: str, stage: str, kind: str = "departure") -> Seen:
    found, what = _notice(world, unit, kind)
    return Seen(found is not None and not _reached(found["stage"], stage), what)


@condition("NOTICE {unit:unit} OVERDUE", "the cab says that the unit has not confirmed")
def notice_overdue(world: World, unit: str) -> Seen:
    found, what = _notice(world, unit, "departure")
    return Seen(found is not None and bool(found["overdue"]), f"{what}, overdue {found and found['overdue']}")


@condition(
    "NOTICES {total:number} AT DESK {unit:unit}",
    "how many of this scenario's notices the unit's desk has",
)
def desk_notices(world: World, total: int, unit: str) -> Seen:
    snapshot = world.commander.look()
    if snapshot is None:
        return NO_DATA
    ours = {entry["id"] for entry in snapshot["notices"] if entry["recipient"] == unit} - world.old_notices
    found = [entry["kind"] for entry in world.desk_notices() if entry["unit"] == unit and entry["id"] in ours]
    return Seen(len(found) == total, f"at the desk of {unit}: {', '.join(found) or 'none'}")


def _reached(stage: str, wanted: str) -> bool:
    return STAGES.index(stage) >= STAGES.index(wanted)


# --- processes --------------------------------------------------------------------------------------------------------


@condition("RESTARTED {process:process}", "a killed process runs again under another pid")
def restarted(world: World, process: str) -> Seen:
    pid = world.pid(process)
    if pid == world.killed.get(process):
        return Seen(False, f"{process} still has pid {pid}")
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Seen(False, f"{process} (pid {pid}) is not running")
    return Seen(True, f"pid {pid}")


@condition("NO TRACEBACK", "no process has written a traceback since the scenario began")
def no_traceback(world: World) -> Seen:
    for name, lines in world.new_log_lines().items():
        if TRACEBACK in lines:
            tail = lines[lines.index(TRACEBACK) :].splitlines()
            return Seen(False, f"{name}: " + " | ".join(tail[:2] + tail[-2:]))
    return Seen(True, "none")
