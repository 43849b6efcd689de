"""The scenario language: the contract's own lines are read; a mistake is named with its line and the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.scenario.errors import ScenarioError
from simulators.scenario.language import read_line, read_scenario
from simulators.scenario.registry import VERBS

README = Path(__file__).parents[2] / "simulators" / "scenario" / "README.md"


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("AT 00:02 PRESS driver_ready", {"button": "driver_ready"}),
        ("CUT cell_2", {"wires": ["cell_2"]}),
        ("BROKER DOWN 90s", {"mode": "down", "span_s": 90.0}),
        ("KILL control", {"process": "control"}),
        ('ACKNOWLEDGE astana-mp BY "duty officer"', {"unit": "astana-mp", "by": "duty officer"}),
        ("EXPECT REFUSED cell_lock_2", {"what": "cell_lock_2"}),
        (
            "EXPECT NOTICE astana-mp ACKNOWLEDGED WITHIN 10s",
            {"unit": "astana-mp", "stage": "acknowledged", "within_s": 10.0},
        ),
    ],
)
def test_the_contracts_examples_are_read_as_written(line: str, values: dict[str, object]) -> None:
    assert read_line("here:1", line).values == values


def test_at_is_a_time_since_the_start() -> None:
    assert read_line("here:1", "AT 00:02 PRESS driver_ready").at_s == 2.0
    assert read_line("here:1", "AT 1:01:02.5 PRESS driver_ready").at_s == 3662.5


def test_optional_parts_come_in_any_order() -> None:
    line = "OPEN TRIP TO astana-mp WOMEN CELLS cell_1:1, cell_2:2! VIA taraz-mp, karaganda-mp UNTIL 2026-12-01"
    line += ' ORDER "17 a"'
    assert read_line("here:1", line).values == {
        "to": "astana-mp",
        "women": True,
        "cells": [
            {"cell": 1, "planned": 1, "supervision": False},
            {"cell": 2, "planned": 2, "supervision": True},
        ],
        "via": ["taraz-mp", "karaganda-mp"],
        "until": "2026-12-01",
        "order": "17 a",
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("PRES driver_ready", ["expected a verb", "nearest: PRESS"]),
        ("PRESS driver_redy", ["driver_stop", "nearest: driver_ready", "saw 'driver_redy'"]),
        ("PRESS", ["expected button", "saw the end of the line"]),
        ("PRESS driver_ready TWICE", ["end of the line or FOR", "saw 'TWICE'"]),
        ("EXPECT PHASE boading", ["nearest: boarding"]),
        ("EXPECT PERMITED", ["nearest: PERMITTED"]),
        ("OPEN BORDING", ["BOARDING", "TRIP", "UNLOADING", "nearest: BOARDING"]),
        ("CUT cel_2", ["an input wire", "nearest: cell_1"]),
        ("CUT permit_enable", ["an input wire"]),
        ("BROKER DOWN 90", ["a duration such as 300ms"]),
        ("AT 2 PRESS driver_ready", ["after AT", "00:02"]),
        ("ROUTE longest", ["short", "kilometre"]),
        ("ACKNOWLEDGE astana BY x", ["nearest: astana-mp"]),
        ('CANCEL TRIP "it rains', ["quotation mark"]),
    ],
)
def test_a_mistake_is_named(line: str, words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_line("trip.scn:7", line)
    message = str(caught.value)
    assert message.startswith(f"trip.scn:7: {line}\n")
    for word in words:
        assert word in message


def test_a_file_includes_another_and_names_both_in_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "push.scn").write_text("# Two presses.\nPRESS driver_ready\nPRESS driver_stop\n")
    file = tmp_path / "a.scn"
    file.write_text("# A title.\nVEHICLE two_cells\n\nINCLUDE steps/push.scn\nWAIT 1s\n")
    scenario = read_scenario(file)
    assert (scenario.title, scenario.vehicle) == ("A title", "two_cells")
    assert [statement.text for statement in scenario.statements] == [
        "PRESS driver_ready",
        "PRESS driver_stop",
        "WAIT 1s",
    ]
    (tmp_path / "steps" / "push.scn").write_text("PUSH driver_ready\n")
    with pytest.raises(ScenarioError, match=r"a\.scn:4 > steps/push\.scn:1"):
        read_scenario(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("VEHICLE two_cell\n", "nearest: two_cells"),
        ("INCLUDE missing.scn\n", "cannot be read"),
        ("INCLUDE self.scn\n", "at most 5 deep"),
    ],
)
def test_a_file_that_cannot_be_played_says_why(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "self.scn"
    file.write_text(content)
    with pytest.raises(ScenarioError, match=words):
        read_scenario(file)


def test_every_verb_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8").replace("\\|", "|")
    for verb in VERBS:
        if verb.does:
            shape = verb.pattern.shown.removeprefix("EXPECT ").removesuffix(" [WITHIN {duration}] [FOR {duration}]")
            assert f"| `{shape}` | {verb.does} |" in text
