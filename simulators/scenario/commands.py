"""The escort commander's verbs: one for each command of the cab display."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from simulators.scenario.acts import newest_notice
from simulators.scenario.errors import NotMetError
from simulators.scenario.registry import action, command
from simulators.scenario.words import ALMATY
from simulators.scenario.world import World

ORDER_VALID_DAYS = 30
STAGE_OF_PHASE = {"checking": "before_boarding", "boarding": "before_boarding", "securing": "before_departure"}

Values = dict[str, Any]


@action("SIGN IN [WITH PIN {pin:text}]", "types the PIN (the right one)")
def sign_in(world: World, pin: str = "2468") -> None:
    world.commander.sign_in(pin)


@action("SIGN OUT", "forgets the session; without this line, commands sign in by themselves")
def sign_out(world: World) -> None:
    world.commander.sign_out()


@action("REMEMBER VIEW", "keeps the view of this moment for `TRY … FROM OLD VIEW`")
def remember_view(world: World) -> None:
    world.commander.remembered_rev = world.commander.must_look()["rev"]


def _trip(_world: World, values: Values) -> Values:
    """The body of `open_trip`; a destination that is no unit's code is a place."""
    is_unit = values["to"].endswith("-mp")
    valid_until = values.get("until") or str(datetime.now(ALMATY).date() + timedelta(days=ORDER_VALID_DAYS))
    place = values.get("place")
    return {
        "kind": values.get("kind", "within_settlement"),
        "takeover": "takeover" in values,
        "to_court": "court" in values,
        "women_on_board": "women" in values,
        "order": {"number": values.get("order", "17"), "valid_until": valid_until},
        "request_number": values.get("request", "1"),
        "destination": values["to"] if is_unit else None,
        "destination_place": None if is_unit else values["to"],
        "intermediate": values.get("via", []),
        "unloading_place": place
        and {"latitude_deg": place[0], "longitude_deg": place[1], "radius_m": values.get("radius_m", 100)},
        "cells": values.get("cells", [{"cell": 1, "planned": 1, "supervision": False}]),
    }


def _alarm(world: World, values: Values) -> Values:
    found = [alarm["id"] for alarm in world.commander.must_look()["alarms"] if alarm["code"] == values["code"]]
    if not found:
        raise NotMetError(f"there is no alarm {values['code']}")
    return {"alarm": found[0]}


def _radio_message(world: World, values: Values) -> Values:
    notice = newest_notice(world, world.commander.must_look(), values["unit"], values.get("kind", "departure"))
    return {"notice": notice["id"], "post": values.get("post", "duty officer")}


command(
    "OPEN TRIP TO {to:text} [VIA {via:unit*}] [KIND {kind:trip_kind}] [CELLS {cells:cell_plan*}] [ORDER {order:text}]"
    " [UNTIL {until:day}] [REQUEST {request:text}] [UNLOADING {place:point}] [RADIUS {radius_m:number}]"
    " [TAKEOVER] [COURT] [WOMEN]",
    "open_trip",
    "opens a trip to a unit, or to a place that has none (in quotation marks); by default one person in cell_1",
    _trip,
)
command("START TESTS", "start_tests", "starts the tests of lighting, ventilation, beacon, intercom, radio and locks")
command("CONFIRM {item:name} [PART {part:name}] [WITH PIN {pin:text}]", "confirm", "confirms a row, or one part of it")
command("WITHDRAW {item:name}", "withdraw", "takes a confirmation back")
command("OPEN BOARDING", "open_boarding", "opens boarding: the vehicle gives the permit or says why not")
command("SUSPEND BOARDING", "suspend_boarding", "closes boarding for a while")
command("BOARD {cell:cell}", "board_person", "the commander counts one person into a cell")
command("UNBOARD {cell:cell}", "unboard_person", "one person leaves the cell again before departure")
command("FINISH BOARDING", "finish_boarding", "everybody is in")
command("SECURE", "secure", "the securing check is complete")
command("DEPART", "depart", "the vehicle departs")
command("LOG HALT {reason:text}", "log_halt", "logs a halt on the way")
command("HALT OUT {cell:cell}", "halt_out", "one person leaves the cell during the halt")
command("HALT IN {cell:cell}", "halt_in", "that person is back")
command("END HALT", "end_halt", "the journey goes on")
command("ARRIVE", "arrive", "the vehicle has arrived")
command("OPEN UNLOADING", "open_unloading", "unloading begins")
command("UNLOAD {cell:cell}", "unload_person", "the commander counts one person out of a cell")
command("CLOSE TRIP", "close_trip", "the trip is over")
command("CANCEL TRIP {reason:text}", "cancel_trip", "the trip does not take place")
command("ACKNOWLEDGE ALARM {code:name}", "acknowledge_alarm", "the commander has seen an alarm", _alarm)
command(
    "TELL {unit:unit} BY RADIO [POST {post:text}] [KIND {kind:notice_kind}]",
    "told_by_radio",
    "the commander told a unit by radio, and says whom",
    _radio_message,
)


@action("CONFIRM EVERYTHING", "confirms, one by one, every row and part that waits for the commander in this phase")
def confirm_everything(world: World) -> None:
    snapshot = world.commander.must_look()
    stage = STAGE_OF_PHASE.get(snapshot["phase"])
    rows = [row for row in snapshot["checklist"] if row["stage"] == stage and row["kind"] == "attested"]
    if not rows:
        raise NotMetError(f"nothing to confirm in phase {snapshot['phase']}")
    for row in rows:
        if row["status"] == "passed":
            continue
        for part in [part["part"] for part in row.get("parts") or () if not part["confirmed"]] or [None]:
            arguments = {"item": row["item"]} | ({"part": part} if part else {})
            world.commander.must("confirm", arguments)
