"""The other topics and the life of a real uplink: birth, death, state, positions, events."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import free_port, mosquitto
from tests.integration.uplink_control import TRIP, fix_body, new_id, now, until
from tests.integration.uplink_rig import Message, World, check_messages, running_world, spying, stage_is, uplink_rig

Json = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_world(tmp_path) as running:
        yield running


def test_birth_and_clean_death(world: World) -> None:
    birth = world.spy.channel("session")[0].json
    assert birth["data"]["online"] is True
    assert birth["data"]["boot_id"]
    assert birth["data"]["journal"] == {"seq": 0, "hash": "0" * 64}
    started_s = time.monotonic()
    assert world.rig.stop() == 0
    assert time.monotonic() - started_s < 3.0
    death = until(lambda: [one for one in world.spy.channel("session") if not one.json["data"]["online"]])
    assert [one.json["data"]["reason"] for one in death] == ["stopped"]
    assert death[0].json["time"]


def test_a_killed_uplink_is_reported_by_its_will(world: World) -> None:
    world.rig.stop(signal.SIGKILL)
    will = until(lambda: [one for one in world.spy.channel("session") if not one.json["data"]["online"]])[0].json
    assert will["data"]["reason"] == "lost"
    assert "time" not in will


def test_it_ends_in_time_though_the_broker_does_not_answer(world: World) -> None:
    world.broker.pause()
    try:
        started_s = time.monotonic()
        assert world.rig.stop() == 0
        assert time.monotonic() - started_s < 3.0
    finally:
        world.broker.resume()


def test_it_ends_in_time_without_broker_and_control(tmp_path: Path) -> None:
    with uplink_rig(tmp_path, free_port()) as rig:
        rig.control.stop()
        rig.start()
        until(lambda: "refused" in rig.log.lower())
        started_s = time.monotonic()
        assert rig.stop() == 0
        assert time.monotonic() - started_s < 3.0


def test_state_is_an_allow_list_and_goes_on_a_change_only(world: World) -> None:
    control, spy = world.rig.control, world.spy
    data = spy.channel("state")[-1].json["data"]
    assert data["phase"] == "under_way"
    assert data["boarding"]["refusals"] == [{"code": "wrong_phase", "rule": "16", "item": None}]
    assert data["equipment"]["cell_lock_1"]["reason"] == "cut"
    seen = len(spy.channel("state"))
    for _ in range(5):
        control.push_snapshot()
    alarms = [
        {
            "id": new_id(),
            "code": "airflow_lost",
            "priority": priority,
            "state": "unacknowledged",
            "since": now(),
            "item": None,
        }
        for priority in ("advisory",) * 8 + ("critical",) * 2 + ("warning",) * 5
    ]
    control.push_snapshot(phase="arrived", alarms=alarms)
    changed = until(lambda: spy.channel("state")[seen:])
    assert len(changed) == 1
    data = changed[0].json["data"]
    assert (data["phase"], data["alarms_total"]) == ("arrived", 15)
    assert [one["priority"] for one in data["alarms"]] == ["critical"] * 2 + ["warning"] * 5 + ["advisory"] * 3


def test_state_of_a_large_vehicle_fits_the_limit(world: World) -> None:
    equipment = {f"cell_lock_{n}": {"status": "unknown", "reason": "implausible", "since": now()} for n in range(1, 43)}
    refusals = [
        {"code": "equipment_unknown", "rule": "15", "item": name, "since": now(), "text": "CANARY"}
        for name in equipment
    ]
    boarding = {"permitted": False, "open": False, "energised": False, "refusals": refusals}
    world.rig.control.push_snapshot(equipment=equipment, boarding=boarding)
    big = until(lambda: [one for one in world.spy.channel("state") if len(one.json["data"]["equipment"]) == 42])[0]
    assert len(big.payload) <= 8192
    assert big.json["data"]["boarding"]["refusals_total"] == 42


def test_positions_follow_movement(world: World) -> None:
    control, spy = world.rig.control, world.spy
    control.push("fix", fix_body())
    first = until(lambda: spy.channel("position"))[0].json
    assert first["subject"] == TRIP
    assert (first["data"]["latitude_deg"], first["data"]["historical"]) == (43.25, False)
    for _ in range(20):
        control.push("fix", fix_body())  # parked: the next one is due in five minutes

    def drive() -> list[Message]:
        control.push("fix", fix_body(speed_mps=8.0, course_deg=90.0))
        return spy.channel("position")[1:]

    moved = until(drive)  # once the least distance between two positions has passed
    assert moved[0].json["data"]["speed_mps"] == 8.0
    assert len(spy.channel("position")) == 2


def test_events_come_in_order_once_and_move_the_cursor(world: World) -> None:
    control, spy, rig = world.rig.control, world.spy, world.rig
    alarm = new_id()
    control.append("trip_opened", {"kind": "medical"})
    control.append("body_counted", {"delta": 1})
    control.append(
        "row_changed", {"item": "ventilation", "status": "manual_fallback", "reason": "CANARY typed", "evidence": {}}
    )
    control.append("row_changed", {"item": "radio", "status": "passed", "reason": None, "evidence": {}})
    control.append(
        "alarm_raised", {"alarm": alarm, "code": "airflow_lost", "priority": "critical", "item": "ventilation"}
    )
    control.append("alarm_acknowledged", {"alarm": alarm, "by": "CANARY"})
    control.append("departed", {"secured": False, "cause": "movement", "position": None})
    until(lambda: control.cursor == 7 and len(spy.channel("events")) == 5)
    found = [one.json for one in spy.channel("events")]
    assert [int(one["sequence"]) for one in found] == [1, 3, 5, 6, 7]
    assert [one["id"] for one in found] == [control.rows[int(one["sequence"]) - 1]["id"] for one in found]
    assert found[0]["data"] == {"phase": "checking", "secured": None, "inside": None}
    assert found[1]["data"] == {"item": "ventilation", "reason": None}
    assert found[3]["data"]["code"] == "airflow_lost"
    assert found[4]["data"]["secured"] is False
    # Neither restart brings one of them again, and what was written meanwhile comes.
    control.stop()
    control.append("arrived", {"position": None, "inside": None})
    control.start()
    until(lambda: control.cursor == 8)
    rig.stop(signal.SIGKILL)
    control.append("trip_closed", {})
    rig.start()
    until(lambda: control.cursor == 9)
    # The broker may have answered the uplink before the spy.
    until(lambda: spy.channel("events")[-1].json["sequence"].endswith("9"))
    assert [int(one.json["sequence"]) for one in spy.channel("events")] == [1, 3, 5, 6, 7, 8, 9]


def test_H17_thousands_of_rows_after_an_outage_come_in_order(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port) as rig, spying(broker.port) as spy:
        for number in range(2000):
            rig.control.append("alarm_returned" if number % 2 else "arrived", {"alarm": new_id(), "inside": None})
        row = rig.control.record_notice("astana-mp")
        rig.start()
        until(lambda: spy.notices("astana-mp"))
        until(lambda: rig.control.cursor >= 2001 and len(spy.channel("events")) >= 2001, 20.0)
        numbers = [int(one.json["sequence"]) for one in spy.channel("events")]
        assert numbers[:2001] == list(range(1, 2002))
        assert row["seq"] == 2001
        notice_at = spy.messages.index(spy.notices("astana-mp")[0])
        assert notice_at < 50, "the notice does not wait for the backlog"
        check_messages(spy)


def test_rows_that_make_no_sense_stop_nothing(world: World) -> None:
    control = world.rig.control
    control.push("row", {"seq": "x"})
    control.push("fix", {"at": 1})
    control.push("snapshot", {})
    control.append("alarm_raised", {"alarm": "not an id", "code": "x", "priority": "critical", "item": None})
    bad = control.record_notice("astana-mp")
    assert bad["id"]
    control.append(
        "notice_recorded", {"notice": "1", "kind": "feast", "recipient": "taraz-mp", "recipient_sequence": 1}
    )
    row = control.record_notice("karaganda-mp")
    stage_is(world, row["id"], "at_broker")
    until(lambda: control.cursor >= row["seq"])


def test_T10_a_broker_that_speaks_rubbish_ends_only_its_own_connection(tmp_path: Path) -> None:
    replies = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\xff\xff\xff\xff\xff", b"\x20\x02\x00\x01"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(20.0)
        with uplink_rig(tmp_path, port) as rig:
            rig.control.record_notice("astana-mp")  # so that it dials again soon
            rig.start()
            versions = []
            for reply in replies:
                connection, _ = listener.accept()
                with connection:
                    versions.append(connection.recv(100).partition(b"MQTT")[2][0])
                    connection.sendall(reply)
            connection, _ = listener.accept()
            with connection:
                versions.append(connection.recv(100).partition(b"MQTT")[2][0])
            # A broker that hangs up on its greeting may know the older protocol only, as one that says so does.
            assert versions == [5, 4, 5, 4]
            assert rig.child is not None
            assert rig.child.poll() is None
            assert "Traceback" not in rig.log


def test_systemd_is_told_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, uplink_rig(tmp_path, free_port()) as rig:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(8.0)
        rig.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        said = [manager.recv(100) for _ in range(4)]
        assert said[0] == b"READY=1"
        assert set(said[1:]) == {b"WATCHDOG=1"}
        rig.stop()
        manager.settimeout(0.5)
        while (last := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert last == b"STOPPING=1"


def test_a_wrong_key_or_configuration_is_said_in_one_line(tmp_path: Path) -> None:
    with uplink_rig(tmp_path, free_port()) as rig:
        (tmp_path / "signing.pem").unlink()
        child = rig.start()
        assert child.wait(8.0) == 1
        assert "keys new" in rig.log
        (tmp_path / "uplink.toml").write_text("[broker]\nprot = 1\n")
        child = rig.start()
        assert child.wait(8.0) == 2
        assert "Traceback" not in rig.log
        rig.child = None


def test_figures_name_what_waits(world: World) -> None:
    world.rig.control.record_notice("astana-mp")
    until(lambda: world.rig.control.requests("uplink_state")[-1]["pending_notices"] == 1)
    until(lambda: world.spy.channel("state")[-1].json["data"]["uplink"]["pending_notices"] == 1)
    state = until(lambda: [one for one in world.rig.control.requests("uplink_state") if one["pending_notices"]])[-1]
    assert state["connected"] is True
    assert state["oldest_pending_s"] >= 0


def test_a_control_that_is_just_starting_is_asked_again(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port) as rig:
        rig.control.is_starting = True
        rig.start()
        until(lambda: len(rig.control.requests("feed")) >= 2)
        rig.control.is_starting = False
        row = rig.control.record_notice("astana-mp")
        until(lambda: rig.control.stages[row["id"]] == "at_broker")
