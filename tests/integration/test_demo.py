"""The demo as a whole: its JSON line, its restarts, its end; and a busy port, a scenario that fails, a broken start."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.stack.calls import call
from tests.scenarios.running import Demo, descendants, until

RESTART_WITHIN_S = 1.0  # contract
NOISE_S = 0.7  # starting an interpreter and its imports on a loaded machine is not the supervisor's time


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = Demo("--ports", "auto", "--vehicle", "two_cells")
    try:
        yield running.wait_ready()
    finally:
        running.sweep()


def test_the_line_says_where_everything_is(demo: Demo) -> None:
    assert set(demo.ready) >= {"display", "bench", "desk", "broker", "state_dir", "pids"}
    assert set(demo.ready["pids"]) >= {"control", "uplink", "display"}
    assert demo.ready["broker"].startswith("mqtt://127.0.0.1:")
    for pid in demo.ready["pids"].values():
        os.kill(pid, 0)
    logs = {path.name for path in (Path(demo.ready["state_dir"]) / "logs").iterdir()}
    assert {"control.log", "uplink.log", "display.log", "bench.log", "desk.log", "broker.log"} <= logs


def test_when_the_line_comes_all_pages_answer_and_the_vehicle_is_commissioned(demo: Demo) -> None:
    snapshot = call("GET", demo.ready["display"], "/api/v1/snapshot").body
    assert snapshot["vehicle"] == "kz-mp-017"
    assert "not_commissioned" not in [refusal["code"] for refusal in snapshot["boarding"]["refusals"]]
    assert snapshot["uplink"]["connected"] is True
    assert call("GET", demo.ready["bench"], "/api/v1/wires").status == 200
    assert call("GET", demo.ready["desk"], "/api/v1/notices").status == 200
    assert call("POST", demo.ready["display"], "/api/v1/session", {"pin": "2468"}).status == 200


@pytest.mark.parametrize("name", ["control", "uplink", "display"])
def test_H06_a_killed_process_is_started_again_within_a_second(demo: Demo, name: str) -> None:
    pids = call("GET", demo.ready["bench"], "/api/v1/processes").body["pids"]
    killed_at_s = time.monotonic()
    os.kill(pids[name], signal.SIGKILL)

    def is_back() -> bool:
        now = call("GET", demo.ready["bench"], "/api/v1/processes").body["pids"]
        return bool(now[name] != pids[name])

    assert until(is_back, RESTART_WITHIN_S + NOISE_S)
    assert time.monotonic() - killed_at_s < RESTART_WITHIN_S + NOISE_S
    os.kill(call("GET", demo.ready["bench"], "/api/v1/processes").body["pids"][name], 0)

    def answers() -> bool:
        snapshot = call("GET", demo.ready["display"], "/api/v1/snapshot")
        return snapshot.status == 200 and snapshot.body["uplink"]["connected"] is True

    assert until(answers, 20.0)


def test_a_killed_bench_is_told_again_who_runs(demo: Demo) -> None:
    pids = call("GET", demo.ready["bench"], "/api/v1/processes").body["pids"]
    os.kill(int((Path(demo.ready["state_dir"]) / "pids" / "bench").read_text()), signal.SIGKILL)
    assert until(lambda: call("GET", demo.ready["bench"], "/api/v1/processes").status == 0, 2.0)

    def is_told() -> bool:
        answer = call("GET", demo.ready["bench"], "/api/v1/processes")
        return answer.status == 200 and set(answer.body["pids"]) == set(pids)

    assert until(is_told, 10.0)


@pytest.mark.parametrize("version", [4, 5])
def test_the_broker_takes_anonymous_clients_of_both_mqtt_versions(demo: Demo, version: int) -> None:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    seen: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion(version))
    client.on_connect = lambda client, *_: client.subscribe("stv/v1/vehicles/+/state", qos=1)
    client.on_message = lambda _client, _data, message: seen.append(message.topic)
    client.connect("127.0.0.1", int(demo.ready["broker"].rpartition(":")[2]))
    client.loop_start()
    try:
        assert until(lambda: seen, 10.0), "the vehicle's retained state did not come"
    finally:
        client.disconnect()
        client.loop_stop()


def test_sigterm_leaves_nothing_behind_and_the_next_demo_has_a_new_directory(demo: Demo) -> None:
    first = Demo("--ports", "auto", "--vehicle", "two_cells")
    try:
        first.wait_ready()
        assert first.ready["state_dir"] != demo.ready["state_dir"]
        assert len(descendants(first.process.pid)) >= 7
        assert first.end(signal.SIGTERM) == 0
        assert until(lambda: not descendants(first.process.pid), 2.0), descendants(first.process.pid)
    finally:
        first.sweep()


def test_a_killed_demo_takes_its_processes_with_it() -> None:
    running = Demo("--ports", "auto", "--vehicle", "two_cells")
    try:
        running.wait_ready()
        os.kill(running.ready["pids"]["display"], signal.SIGSTOP)
        running.process.kill()
        running.process.wait(5.0)
        assert until(lambda: not descendants(running.process.pid), 3.0), descendants(running.process.pid)
    finally:
        running.sweep()


def test_ctrl_c_while_starting_ends_everything() -> None:
    running = Demo("--ports", "auto", "--vehicle", "two_cells")
    try:
        assert until(lambda: len(descendants(running.process.pid)) > 2, 20.0)
        assert running.end(signal.SIGINT) == 0
        assert not descendants(running.process.pid)
    finally:
        running.sweep()


def test_a_busy_port_is_named() -> None:
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            busy.bind(("127.0.0.1", 8081))
        except OSError:
            pytest.skip("somebody else has port 8081 already")
        busy.listen(1)
        refused = Demo()
        try:
            _, said = refused.process.communicate(timeout=30.0)
        finally:
            refused.sweep()
    assert refused.process.returncode == 1
    assert "port 808" in said
    assert "--ports auto" in said


def test_a_scenario_ends_the_demo_with_its_verdict(tmp_path: Path) -> None:
    scenario = tmp_path / "a.scn"
    for lines, code in (("EXPECT PHASE no_trip\n", 0), ("PRESS driver_ready\nEXPECT PERMITTED WITHIN 1s\n", 1)):
        scenario.write_text("# A title\nVEHICLE two_cells\n" + lines)
        running = Demo("--ports", "auto", "--scenario", str(scenario))
        try:
            out, said = running.process.communicate(timeout=60.0)
        finally:
            running.sweep()
        assert running.process.returncode == code, said
        assert set(json.loads(out)) >= {"display", "state_dir"}  # one line and no more
        assert ("all 1 lines came true" in said) is (code == 0)
        assert ("a.scn:4: EXPECT PERMITTED WITHIN 1s" in said) is (code == 1)
        assert ("refused by no_trip" in said) is (code == 1)


def test_a_scenario_that_cannot_be_read_starts_nothing(tmp_path: Path) -> None:
    scenario = tmp_path / "b.scn"
    scenario.write_text("PRESS driver_redy\n")
    running = Demo("--ports", "auto", "--scenario", str(scenario))
    try:
        out, said = running.process.communicate(timeout=30.0)
    finally:
        running.sweep()
    assert (running.process.returncode, out) == (1, "")
    assert "nearest: driver_ready" in said


def test_a_start_that_fails_names_the_process_and_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "mosquitto"
    broken.write_text("#!/bin/sh\necho out of order\nexit 3\n")
    broken.chmod(0o755)
    running = Demo("--ports", "auto", "--broker", "mosquitto", path=f"{tmp_path}:{os.environ['PATH']}")
    try:
        out, said = running.process.communicate(timeout=60.0)
    finally:
        running.sweep()
    assert (running.process.returncode, out) == (1, "")
    assert "broker ended with exit code 3" in said
    assert "out of order" in said
    assert not descendants(running.process.pid)
