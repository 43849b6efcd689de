"""The bench's HTTP interface as the contract has it, on the real process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.stack.variants import INPUTS, OUTPUTS
from tests.contract.bench_process import CELLS, BenchProcess, rig_on, wait_for, write_wiring


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        process = BenchProcess(tmp_path_factory.mktemp("http"), "--broker", f"127.0.0.1:{broker.getsockname()[1]}")
        yield process
        assert process.stop() == 0
    assert not (process.directory / "pins.sock").exists()
    assert not (process.directory / "wires.shm").exists()


@pytest.fixture(autouse=True)
def _auto(bench: BenchProcess) -> None:
    bench.all_auto()


def test_the_ready_line_tells_where_everything_is(bench: BenchProcess) -> None:
    assert bench.ready["url"].startswith("http://127.0.0.1:")
    assert Path(bench.ready["bench_dir"]) == bench.directory
    assert bench.ready["broker"].startswith("mqtt://127.0.0.1:")


def test_every_wire_of_the_contract_is_there(bench: BenchProcess) -> None:
    body = bench.wires()
    inputs = {name for name, wire in body["wires"].items() if wire["direction"] == "input"}
    outputs = {name for name, wire in body["wires"].items() if wire["direction"] == "output"}
    assert inputs == {*CELLS, "body_door", *INPUTS}
    assert outputs == set(OUTPUTS)
    assert body["permit_relay"]["closed"] is False
    assert all(wire["since_ns"] <= time.monotonic_ns() for wire in body["wires"].values())
    assert all(isinstance(body["wires"][name]["level"], bool) for name in outputs)


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("wires/cell_1", {"set": "closed"}, 422, "bolt_open"),
        ("wires/airflow", {"set": "locked"}, 422, "closed, open, cut, short"),
        ("wires/airflow", {"set": 1}, 422, "closed"),
        ("wires/airflow", {"level": "open"}, 422, "set"),
        ("wires/airflow", {"set": "open", "for": 3}, 422, "set"),
        ("wires/airflow", [], 422, ""),
        ("wires/airflow", {"fault": {"kind": "rust"}}, 422, "supply"),
        ("wires/airflow", {"fault": None, "for": 3}, 422, "set"),
        ("wires/cell_99", {"set": "cut"}, 404, "cell_1"),
        ("wires/cell_99", {"fault": None}, 404, "cell_1"),
        ("wires/permit_enable", {"set": "closed"}, 404, "no input wire"),
        ("processes", {"pids": {"control": "1"}}, 422, "process id"),
        ("processes", {}, 422, "pids"),
    ],
)
def test_a_bad_body_is_refused_with_what_is_allowed(
    bench: BenchProcess, path: str, body: Any, status: int, told: str
) -> None:
    answer = bench.client.put(f"/{path}", json=body)
    assert answer.status_code == status
    assert told in answer.text


def test_a_fault_lies_over_the_mechanism_until_it_is_repaired(bench: BenchProcess) -> None:
    fault = {"kind": "leak", "ohms": 600.0}
    wire = bench.client.put("/wires/cell_1", json={"set": "bolt_open", "fault": fault}).json()
    assert (wire["set"], wire["level"], wire["fault"]) == ("bolt_open", "bolt_open+leak", fault)
    jammed = bench.client.put("/wires/cell_2", json={"fault": {"kind": "stuck"}, "set": "both_open"}).json()
    assert (jammed["set"], jammed["level"]) == ("both_open", "locked")
    for name in ("cell_1", "cell_2"):
        wire = bench.client.put(f"/wires/{name}", json={"fault": None}).json()
        assert (wire["level"], wire["fault"]) == (wire["set"], None)


@pytest.mark.parametrize("device", ["gnss", "radio", "broker"])
def test_a_mode_that_does_not_exist_is_refused(bench: BenchProcess, device: str) -> None:
    before = bench.client.get(f"/{device}").json()
    answer = bench.client.put(f"/{device}", json={"mode": "sideways"})
    assert answer.status_code == 422, answer.text
    assert bench.client.get(f"/{device}").json()["mode"] == before["mode"]


def test_devices_take_their_modes(bench: BenchProcess) -> None:
    for device, mode in (("gnss", "off"), ("gnss", "unplug"), ("radio", "searching"), ("broker", "down")):
        assert bench.client.put(f"/{device}", json={"mode": mode}).status_code == 200
        assert bench.client.get(f"/{device}").json()["mode"] == mode
    bench.client.put("/gnss", json={"mode": "parked", "latitude_deg": 43.25, "longitude_deg": 76.92}).raise_for_status()
    bench.client.put("/radio", json={"mode": "registered", "rssi_dbm": -84}).raise_for_status()
    bench.client.put("/broker", json={"mode": "up"}).raise_for_status()


def test_a_route_drives_the_vehicle_and_parks_it_again(bench: BenchProcess) -> None:
    route = {"mode": "route", "waypoints": [[43.25, 76.92], [43.25002, 76.92]], "speed_mps": 15.0}
    bench.client.put("/gnss", json=route).raise_for_status()
    wait_for(lambda: bench.wires()["wires"]["ignition"]["level"] == "closed", "ignition on")
    assert bench.wires()["wires"]["handbrake"]["level"] == "open"
    wait_for(lambda: bench.wires()["wires"]["ignition"]["level"] == "open", "parked at the end of the route")
    assert bench.wires()["wires"]["handbrake"]["level"] == "closed"


def test_a_press_answers_after_its_release(bench: BenchProcess) -> None:
    seen = bench.last()
    began_s = time.monotonic()
    bench.press("driver_ready", 0.25)
    assert time.monotonic() - began_s >= 0.25
    edges = [entry for entry in bench.timeline(seen) if entry["wire"] == "driver_ready"]
    assert [entry["level"] for entry in edges] == ["closed", "open"]
    assert (edges[1]["t_ns"] - edges[0]["t_ns"]) / 1e9 == pytest.approx(0.25, abs=0.1)


def test_two_fingers_on_one_button_press_it_twice(bench: BenchProcess) -> None:
    seen = bench.last()
    fingers = [threading.Thread(target=bench.press, args=("body_count", 0.1)) for _ in range(2)]
    for finger in fingers:
        finger.start()
    for finger in fingers:
        finger.join()
    levels = [entry["level"] for entry in bench.timeline(seen) if entry["wire"] == "body_count"]
    assert levels == ["closed", "open", "closed", "open"]


@pytest.mark.parametrize(
    ("button", "body", "status"),
    [
        ("driver_ready", {"hold_s": 0}, 422),
        ("driver_ready", {"hold_s": -1}, 422),
        ("driver_ready", {"hold_s": 3600}, 422),
        ("driver_ready", {"hold_s": "long"}, 422),
        ("driver_ready", {"hold_s": True}, 422),
        ("driver_ready", {"seconds": 1}, 422),
        ("horn", {"hold_s": 0.1}, 404),
    ],
)
def test_a_bad_press_is_refused(bench: BenchProcess, button: str, body: dict[str, Any], status: int) -> None:
    assert bench.client.post(f"/press/{button}", json=body).status_code == status


def test_the_timeline_is_numbered_and_continues(bench: BenchProcess) -> None:
    bench.set("cell_2", "cut")
    before = bench.timeline()
    bench.set("cell_2", "bolt_open")
    bench.set("cell_2", "bolt_open")
    new = bench.timeline(before[-1]["n"])
    assert [(entry["wire"], entry["level"]) for entry in new] == [("cell_2", "bolt_open")]
    numbers = [entry["n"] for entry in bench.timeline()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    times = [entry["t_ns"] for entry in bench.timeline()]
    assert times == sorted(times)


def test_processes_are_what_the_demo_registered(bench: BenchProcess) -> None:
    pids = {"control": 11, "uplink": 12, "display": 13}
    assert bench.client.put("/processes", json={"pids": pids}).status_code == 200
    assert bench.client.get("/processes").json() == {"pids": pids}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "evil.example"}, 400),
        ({"Host": "127.0.0.1.evil.example"}, 400),
        ({"Host": "127.0.0.1:80@evil.example"}, 400),
        ({"Origin": "http://127.0.0.1:8081"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_H29_foreign_pages_and_names_are_refused(bench: BenchProcess, headers: dict[str, str], status: int) -> None:
    assert httpx.get(f"{bench.url}/api/v1/wires", headers=headers).status_code == status


def test_a_bench_that_cannot_start_says_why(tmp_path: Path, bench: BenchProcess) -> None:
    command = [sys.executable, "-m", "simulators.bench.cli", "run", "--port", "0"]
    nothing = subprocess.run([*command, "--config", str(tmp_path)], capture_output=True, text=True, check=False)
    assert nothing.returncode == 2
    assert "vehicle.toml" in nothing.stderr
    config = write_wiring(tmp_path)
    second = subprocess.run(
        [*command, "--config", str(config), "--bench-dir", str(bench.directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 2
    assert "another bench" in second.stderr
    bench.set("cell_1", "cut")
    with rig_on(bench.directory) as rig:
        assert rig.read(time.monotonic()).loops["cell_1"] == "cut", "the first one still has its wires"
