"""The care watch through real control on a real bench: shown and alarmed where it is fitted, else absent (H36)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control_rig import ControlRig, Json, Wire, control_rig, until

CARE = {"cell_call_1", "cell_call_2", "cell_temperature_1", "cell_temperature_2"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlRig]:
    with control_rig(tmp_path_factory.mktemp("care"), "two_cells_care") as made:
        yield made


@pytest.fixture
def wire(rig: ControlRig) -> Iterator[Wire]:
    opened = start(rig)
    yield opened
    for name in CARE:
        rig.set_wire(name, "auto")
    assert rig.end() == 0


def start(rig: ControlRig) -> Wire:
    """Control that decides: on a busy machine it serves before its journal is read."""
    opened = rig.start()
    until(lambda: opened.ask("health")[1]["journal"] == "healthy", "the journal is read", 10.0)
    return opened


def equipment(wire: Wire) -> dict[str, Json]:
    found: dict[str, Json] = wire.ask("snapshot")[1]["equipment"]
    return found


def alarms(wire: Wire) -> dict[str, Json]:
    """The alarms by code."""
    return {each["code"]: each for each in wire.ask("snapshot")[1]["alarms"]}


def is_working(wire: Wire) -> bool:
    shown = equipment(wire)
    return all(shown[name]["status"] == "working" for name in CARE)


def press(rig: ControlRig, wire: Wire, name: str) -> None:
    """A finger that stays until control has seen it, however busy the machine is."""
    for word, call in (("pressed", "pressed"), ("auto", "idle")):
        rig.set_wire(name, word)
        until(lambda: equipment(wire)[name]["detail"] == {"call": call}, f"control sees {name} {call}")  # noqa: B023


def act(rig: ControlRig, wire: Wire, name: str, **arguments: Any) -> None:
    def is_done() -> bool:
        body = {"rev": wire.ask("snapshot")[1]["rev"], **arguments}
        return wire.ask("command", name=name, session=token, body=body)[0] == 200

    token = rig.session(wire)
    until(is_done, f"{name} is accepted")


def test_H36_the_snapshot_shows_the_equipment_and_every_fault_of_its_wires(rig: ControlRig, wire: Wire) -> None:
    until(lambda: is_working(wire), f"the care watch works: {equipment(wire)}", 10.0)
    shown = equipment(wire)
    assert shown["cell_call_1"]["detail"] == {"call": "idle"}
    assert shown["cell_temperature_2"]["detail"]["celsius"] == pytest.approx(21.0, abs=0.5)
    for name, word, status, reason in (
        ("cell_call_1", "cut", "fault", "cut"),
        ("cell_call_2", "short", "fault", "short"),
        ("cell_call_1", "leak", "unknown", "implausible"),
        ("cell_temperature_1", "cut", "fault", "not_readable"),
        ("cell_temperature_2", "short", "fault", "not_readable"),
    ):
        rig.set_wire(name, word)
        expected = {"status": status, "reason": reason}
        until(lambda: {key: equipment(wire)[name][key] for key in expected} == expected, f"{name} {word}")  # noqa: B023
        rig.set_wire(name, "auto")
        until(lambda: is_working(wire), f"{name} works again")
    rig.set_wire("cell_temperature_1", "36.5")
    until(lambda: equipment(wire)["cell_temperature_1"]["detail"]["celsius"] > 36.0, "the heat is shown")
    assert alarms(wire) == {}, "nobody is aboard and nobody is to sit there"


def test_H36_a_call_is_an_alarm_with_its_cell_and_ends_only_with_an_answer(rig: ControlRig, wire: Wire) -> None:
    until(lambda: is_working(wire), "the care watch works", 10.0)
    press(rig, wire, "cell_call_2")
    call = until(lambda: alarms(wire).get("cell_call"), "the call is told")
    assert (call["item"], call["priority"]) == ("cell_call_2", "critical")
    assert rig.bench("GET", "wires")["wires"]["buzzer"]["level"] is True
    returned = until(lambda: (a := alarms(wire).get("cell_call")) and a["state"] == "returned" and a, "let go")
    act(rig, wire, "acknowledge_alarm", alarm=returned["id"])
    until(lambda: not alarms(wire), "answered")
    until(lambda: not rig.bench("GET", "wires")["wires"]["buzzer"]["level"], "silent")


def test_H34_commissioning_asks_for_every_call_button(rig: ControlRig, wire: Wire) -> None:
    until(lambda: is_working(wire), "the care watch works", 10.0)
    press(rig, wire, "cell_call_1")
    status, body = wire.ask("commission", by="technician")
    assert status == 200
    assert "cell_call_1" in body["wires"]
    assert "cell_call_2" in body["not_exercised"]
    assert not [name for name in (*body["wires"], *body["not_exercised"]) if "temperature" in name]


def test_H36_a_cut_line_is_not_exercised_by_its_cut(rig: ControlRig, wire: Wire) -> None:
    until(lambda: is_working(wire), "the care watch works", 10.0)
    rig.set_wire("cell_call_2", "cut")
    until(lambda: equipment(wire)["cell_call_2"]["reason"] == "cut", "control sees the cut")
    assert "cell_call_2" in wire.ask("commission", by="technician")[1]["not_exercised"]


def test_the_doctor_tries_the_lines_itself_when_control_is_off(rig: ControlRig) -> None:
    rig.set_wire("cell_call_1", "pressed")
    rig.set_wire("cell_call_2", "cut")
    rig.set_wire("cell_temperature_2", "short")
    try:
        found = doctor(rig)
    finally:
        for name in CARE:
            rig.set_wire(name, "auto")
    assert found["cell_call_1"]["status"] == "warn"
    assert (found["cell_call_2"]["status"], found["cell_call_2"]["found"]) == ("fail", "cut")
    assert (found["cell_temperature_2"]["status"], found["cell_temperature_2"]["found"]) == ("fail", "cannot be read")
    assert found["cell_temperature_1"]["status"] == "ok"
    assert float(found["cell_temperature_1"]["found"].removesuffix(" °C")) == pytest.approx(21.0, abs=0.5)


def doctor(rig: ControlRig) -> dict[str, dict[str, str]]:
    bench = {"GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(rig.places.bench)}
    command = [sys.executable, "-m", "vehicle_agent.cli", "doctor", "--json", "--config", str(rig.places.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **bench}, check=False)
    assert done.returncode == 1, done.stderr
    return {entry["name"]: entry for entry in json.loads(done.stdout)["checks"]}


def test_without_care_equipment_nothing_of_it_is_there(tmp_path: Path) -> None:
    with control_rig(tmp_path) as rig:
        wire = start(rig)
        until(lambda: "power" in equipment(wire), "the equipment is shown")
        assert not [name for name in equipment(wire) if name.startswith(("cell_call", "cell_temperature"))]
        status, body = wire.ask("commission", by="technician")
        assert status == 200, body
        assert not [name for name in (*body["wires"], *body["not_exercised"]) if name in CARE]
        assert not [name for name in rig.bench("GET", "wires")["wires"] if name in CARE]
