"""The bodies of the commands: exactly the contract's fields and types, and a PIN is never repeated in an error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.control_rig import trip
from vehicle_agent.commands import COMMANDS, MalformedError, parse_command, parse_session

CONTRACT = [
    "open_trip",
    "start_tests",
    "confirm",
    "withdraw",
    "open_boarding",
    "suspend_boarding",
    "board_person",
    "unboard_person",
    "finish_boarding",
    "secure",
    "depart",
    "log_halt",
    "halt_out",
    "halt_in",
    "end_halt",
    "arrive",
    "open_unloading",
    "unload_person",
    "close_trip",
    "cancel_trip",
    "acknowledge_alarm",
    "shelve_alarm",
    "told_by_radio",
]


def test_there_is_a_form_for_every_command_of_the_contract_and_no_other() -> None:
    assert list(COMMANDS) == CONTRACT


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("open_trip", {**trip(5), "destination": None, "destination_place": "Сот", "cells": [], "intermediate": []}),
        ("open_trip", trip(5, unloading_place={"latitude_deg": 43, "longitude_deg": 76.9, "radius_m": 200})),
        ("start_tests", {}),
        ("confirm", {"item": "seats_fixed"}),
        ("confirm", {"item": "documents", "part": "list_3"}),
        ("confirm", {"item": "lighting", "pin": "2468"}),
        ("board_person", {"cell": 6}),
        ("log_halt", {"reason": "Дәретхана"}),
        ("shelve_alarm", {"alarm": "01a20383-b172-70f9-8d2f-017918d1fefd", "reason": "Туннель", "for_s": 600.0}),
        ("told_by_radio", {"notice": "01a20383-b172-70f9-8d2f-017918d1fefd", "post": "кезекші"}),
    ],
)
def test_good_bodies_are_taken_as_they_are(name: str, arguments: dict[str, Any]) -> None:
    body = {**arguments, "rev": 5}
    rev, parsed = parse_command(name, body)
    assert rev == 5
    assert {key: value for key, value in parsed.items() if key in arguments} == {
        key: value for key, value in arguments.items() if key != "rev"
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("depart", {"rev": None}),
        ("depart", {"rev": True}),
        ("depart", {"rev": 1.5}),
        ("depart", {"rev": "5"}),
        ("depart", {"cell": 1}),
        ("confirm", {}),
        ("confirm", {"item": ""}),
        ("confirm", {"item": "a b"}),
        ("board_person", {"cell": 10_000}),
        ("board_person", {"cell": "1"}),
        ("board_person", {"cell": 1.5}),
        ("board_person", {"cell": 0}),
        ("log_halt", {"reason": " \t"}),
        ("log_halt", {"reason": "two\nlines"}),
        ("log_halt", {"reason": "x" * 201}),
        ("log_halt", {"reason": "\ud800"}),
        ("cancel_trip", {"reason": None}),
    ],
)
def test_malformed_bodies_name_the_field(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError) as refused:
        parse_command(name, {"rev": 5, **changes})
    assert str(refused.value).split(":")[0] in ("rev", "cell", "item", "reason")


@pytest.mark.parametrize(("item", "part"), [("documents", None), ("acceptance", None), ("seats_fixed", "list")])
def test_a_part_belongs_to_a_row_with_parts_whatever_the_moment(item: str, part: str | None) -> None:
    with pytest.raises(MalformedError, match="part"):
        parse_command("confirm", {"rev": 5, "item": item, "part": part})


def test_a_rev_that_never_was_and_a_cell_that_is_not_there_are_no_matter_of_form() -> None:
    assert parse_command("board_person", {"rev": -1, "cell": 99}) == (-1, {"cell": 99})


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "holiday"},
        {"destination": None, "destination_place": None},
        {"cells": [{"cell": 1, "planned": 1, "supervision": False}] * 2},
        {"takeover": 1},
        {"women_on_board": None},
        {"order": {"number": "1", "valid_until": "2026-02-30"}},
        {"order": {"number": "1", "valid_until": "30.11.2026"}},
        {"order": {"number": "1"}},
        {"destination": "no such code"},
        {"intermediate": "karaganda-mp"},
        {"unloading_place": {"latitude_deg": 91.0, "longitude_deg": 0.0, "radius_m": 5.0}},
        {"unloading_place": {"latitude_deg": float("nan"), "longitude_deg": 0.0, "radius_m": 5.0}},
        {"cells": [{"cell": 1, "planned": -1, "supervision": False}]},
        {"cells": [{"cell": 1, "planned": 1}]},
        {"cells": {"1": 1}},
        {"name": "a person's name has no field"},
    ],
)
def test_malformed_trips_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_command("open_trip", trip(5, **changes))


@pytest.mark.parametrize("body", [None, [], "text", 5, {}, {"pin": 2468}, {"pin": ""}, {"pin": "2468", "more": 1}])
def test_a_session_needs_a_pin_as_text_and_an_error_never_repeats_it(body: object) -> None:
    with pytest.raises(MalformedError) as refused:
        parse_session(body)
    assert "2468" not in str(refused.value)
    assert parse_session({"pin": "2468"}) == ("2468", None)
    assert parse_session({"pin": "2468", "by": "captain A."}) == ("2468", "captain A.")
