"""Control's socket against rude, slow and malicious clients; the order of a command's checks; PIN and lockout."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.control_rig import PIN, ControlRig, Json, Wire, control_rig, trip, until


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlRig]:
    with control_rig(tmp_path_factory.mktemp("control")) as made:
        made.start()
        yield made


@pytest.fixture
def wire(rig: ControlRig) -> Iterator[Wire]:
    with rig.connect() as made:
        yield made


@pytest.fixture(scope="module")
def session(rig: ControlRig) -> str:
    with rig.connect() as made:
        return rig.session(made)


def rev(wire: Wire) -> int:
    return int(wire.ask("snapshot")[1]["rev"])


def test_socket_is_for_owner_and_group_only(rig: ControlRig) -> None:
    assert stat.S_IMODE(rig.socket.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"\n", None),
        (b"nonsense\n", None),
        (b"\xff\xfe\x00\n", None),
        (b"[1, 2]\n", None),
        (b'"text"\n', None),
        (b"[" * 60000 + b"\n", None),
        (b'{"id": 1e400, "op": "snapshot"}\n', None),
        (b'{"id": NaN, "op": "snapshot"}\n', None),
        (b'{"id": ' + b"9" * 5000 + b', "op": "snapshot"}\n', None),
        (b'{"op": "snapshot"}\n', None),
        (b'{"id": true, "op": "snapshot"}\n', None),
        (b'{"id": 7}\n', 7),
        (b'{"id": 7, "op": "reboot"}\n', 7),
        (b'{"id": 7, "op": ["snapshot"]}\n', 7),
        (b'{"id": 7, "op": "snapshot", "extra": 1}\n', 7),
        (b'{"id": 7, "op": "session", "pin": 2468}\n', 7),
        (b'{"id": 7, "op": "session"}\n', 7),
        (b'{"id": 7, "op": "session", "pin": "\\ud800"}\n', 7),
        (b'{"id": 7, "op": "cursor", "seq": -1}\n', 7),
        (b'{"id": 7, "op": "cursor", "seq": 999999999}\n', 7),
        (b'{"id": 7, "op": "notice_sending", "notice": "x", "late_by_s": "now"}\n', 7),
        (b'{"id": 7, "op": "receipt", "notice": "x", "stage": "told_by_radio"}\n', 7),
        (b'{"id": 7, "op": "commission", "by": ""}\n', 7),
        (b"x" * 70_000 + b"\n", None),
    ],
)
def test_H30_malformed_lines_are_answered_and_the_next_is_served(wire: Wire, line: bytes, number: int | None) -> None:
    wire.write(line)
    answer = wire.read()
    assert (answer["id"], answer["status"]) == (number, 422)
    assert answer["body"]["error"] == "malformed"
    assert wire.ask("snapshot")[0] == 200


def test_a_line_in_pieces_is_a_line(wire: Wire) -> None:
    for piece in (b'{"id": 5,', b' "op": "snap', b'shot"}', b"\n"):
        wire.write(piece)
    assert wire.read()["id"] == 5


def test_random_bytes_from_many_clients_stop_nobody(rig: ControlRig, wire: Wire) -> None:
    random_ = random.Random(1)
    for _ in range(20):
        with rig.connect() as rude:
            rude.write(random_.randbytes(3000))
    assert wire.ask("health")[0] == 200


def test_a_client_that_never_reads_is_disconnected_and_slows_nobody(rig: ControlRig, wire: Wire) -> None:
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deaf.settimeout(5.0)
    deaf.connect(str(rig.socket))
    sent = 0
    with pytest.raises(OSError):  # either end of the connection may notice first
        while sent < 20_000:
            deaf.sendall(b'{"id": 1, "op": "snapshot"}\n')
            sent += 1
    deaf.close()
    status, body = wire.ask("health")
    assert status == 200
    assert body["scan_ms_p50"] < 5.0
    assert "does not read" in rig.log


def test_H27_commands_are_checked_in_the_contracts_order(rig: ControlRig, wire: Wire, session: str) -> None:
    def command(name: object, token: object, body: object) -> int:
        return wire.ask("command", name=name, session=token, body=body)[0]

    assert command("driver_ready", None, None) == 404
    assert command(7, session, None) == 404
    assert command("depart", None, None) == 401
    assert command("depart", "wrong", {"nonsense": 1}) == 401
    assert command("depart", 5, {}) == 401
    assert command("depart", session, None) == 422
    assert command("depart", session, {"rev": "1"}) == 422
    assert command("depart", session, {"rev": 1, "more": 1}) == 422
    assert command("open_trip", session, trip(0, cells=[{"cell": "1", "planned": 1, "supervision": True}])) == 422
    status, body = wire.ask("command", name="depart", session=session, body={"rev": 1})
    assert (status, body["accepted"], [entry["code"] for entry in body["refusals"]]) == (409, False, ["stale_view"])
    assert body["refusals"][0]["text"].startswith("Things changed")
    status, body = wire.ask("command", name="depart", session=session, body={"rev": rev(wire)})
    assert (status, [entry["code"] for entry in body["refusals"]]) == (409, ["wrong_phase"])
    status, body = wire.ask(
        "command", name="open_trip", session=session, body=trip(rev(wire), destination="nowhere-mp")
    )
    assert (status, [(r["code"], r["item"]) for r in body["refusals"]]) == (409, [("unknown_unit", "nowhere-mp")])


def test_a_command_is_accepted_with_its_row_and_its_rev(rig: ControlRig, wire: Wire, session: str) -> None:
    status, body = wire.ask("command", name="open_trip", session=session, body=trip(rev(wire)))
    assert (status, body["accepted"]) == (200, True)
    with rig.connect() as uplink:
        uplink.ask("feed")
        row = uplink.push("row")
        while row["seq"] < body["seq"]:
            row = uplink.push("row")
    assert (row["seq"], row["type"]) == (body["seq"], "trip_opened")
    assert "supervision" in json.dumps(row["data"])
    status, second = wire.ask("command", name="log_halt", session=session, body={"rev": body["rev"], "reason": "x"})
    assert [r["code"] for r in second["refusals"]] in (["wrong_phase"], ["stale_view"])


def test_H27_of_two_who_act_on_the_same_view_exactly_one_is_accepted(rig: ControlRig, session: str) -> None:
    wires = [rig.connect(), rig.connect()]
    commands = ("confirm", "withdraw")
    for turn in range(25):
        seen = rev(wires[0])
        results: list[tuple[int, Json]] = []
        body = {"rev": seen, "item": "seats_fixed"}

        def act(wire: Wire, name: str = commands[turn % 2], body: Json = body, into: object = results) -> None:
            assert isinstance(into, list)
            into.append(wire.ask("command", name=name, session=session, body=body))

        threads = [threading.Thread(target=act, args=(wire,)) for wire in wires]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(status for status, _ in results) in ([200, 409], [409, 409]), results
        refused = [body["refusals"][0]["code"] for status, body in results if status == 409]
        assert set(refused) == {"stale_view"}
    for wire in wires:
        wire.connection.close()


def test_watching_gives_a_snapshot_then_changes_and_two_ticks_a_second(
    rig: ControlRig, wire: Wire, session: str
) -> None:
    status, first = wire.ask("watch")
    assert (status, first["phase"]) == (200, "checking")
    ticks = [wire.push("tick") for _ in range(4)]
    spans = [later["uptime_s"] - earlier["uptime_s"] for earlier, later in itertools.pairwise(ticks)]
    assert all(0.4 <= span <= 0.7 for span in spans)
    assert set(ticks[0]) == {"rev", "at", "phase", "uptime_s"}
    rig.set_wire("cell_1", "door_open")
    opened = wire.push("snapshot")
    while opened["equipment"]["cell_lock_1"]["detail"].get("loop") != "door_open":
        opened = wire.push("snapshot")
    rig.set_wire("cell_1", "auto")
    assert all("text" in refusal for refusal in opened["boarding"]["refusals"])
    assert set(opened["uplink"]) >= {"connected", "pending_notices", "pending_positions", "oldest_pending_s"}


def test_nobody_watches_nothing_is_pushed_and_a_quiet_vehicle_pushes_no_snapshots(rig: ControlRig, wire: Wire) -> None:
    wire.ask("watch")
    rig.bench("PUT", "gnss", {"mode": "off"})
    until(lambda: wire.ask("snapshot")[1]["equipment"]["gnss"]["status"] == "stale", "gnss is stale")
    until(lambda: wire.ask("snapshot")[1]["equipment"]["radio"]["status"] != "unknown", "radio is known")
    for _ in range(6):
        wire.push("tick")
    wire.pushes.clear()
    for _ in range(4):
        wire.push("tick")
    assert [message for message in wire.pushes if message["push"] == "snapshot"] == []
    rig.bench("PUT", "gnss", {"mode": "parked", "latitude_deg": 43.25, "longitude_deg": 76.92})


def test_the_uplinks_state_is_shown_and_its_loss_too(rig: ControlRig, wire: Wire) -> None:
    with rig.connect() as uplink:
        uplink.ask("feed")
        state = {"connected": True, "pending_notices": 2, "pending_positions": 30, "oldest_pending_s": 4.5}
        assert uplink.ask("uplink_state", **state) == (200, {})
        assert state.items() <= wire.ask("snapshot")[1]["uplink"].items()
    until(lambda: wire.ask("snapshot")[1]["uplink"]["connected"] is False, "the uplink is gone")


def test_the_feed_gives_every_row_in_order_then_live_and_fixes(rig: ControlRig, wire: Wire, session: str) -> None:
    status, body = wire.ask("feed")
    assert (status, body["vehicle"], body["cursor"], body["notices"]) == (200, "kz-mp-017", 0, [])
    assert re.fullmatch(r"[0-9a-f]{64}", body["head"]["hash"])
    rows = [wire.push("row") for _ in range(body["head"]["seq"])]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    fix = wire.push("fix")
    assert fix["latitude_deg"] == pytest.approx(43.25, abs=0.1)
    assert wire.ask("cursor", seq=len(rows)) == (200, {"seq": len(rows)})
    with rig.connect() as commander:
        answer = commander.ask(
            "command", name="confirm", session=session, body={"rev": rev(commander), "item": "body_condition"}
        )
        if answer[0] == 200:
            row = wire.push("row")
            while row["seq"] < answer[1]["seq"]:
                row = wire.push("row")
            assert row["data"]["item"] == "body_condition"
    with rig.connect() as later:
        assert later.ask("feed")[1]["cursor"] == len(rows)
        assert later.push("row")["seq"] == len(rows) + 1


def test_notices_that_are_not_owed_are_404(wire: Wire) -> None:
    receipt = {"stage": "received", "by": None, "post": None, "at": "2026-11-22T13:00:00Z", "sha256": "a" * 64}
    assert wire.ask("notice_sending", notice="no-such", late_by_s=1.0)[0] == 404
    assert wire.ask("at_broker", notice="no-such")[0] == 404
    assert wire.ask("receipt", notice="no-such", unit="astana-mp", **receipt)[0] == 404


def test_H34_commissioning_tells_what_was_never_exercised(rig: ControlRig, wire: Wire) -> None:
    rig.press("driver_stop")
    status, body = wire.ask("commission", by="technician")
    assert status == 200
    assert "driver_stop" in body["wires"]
    assert "alarm_button" in body["not_exercised"]
    assert wire.ask("snapshot")[1]["commissioned"] is True


def test_wrong_pins_lock_out_and_a_restart_does_not_help(rig: ControlRig, wire: Wire) -> None:
    kept = rig.session(wire)
    for _ in range(5):
        status, body = wire.ask("session", pin="0000")
        assert (status, body["error"]) == (401, "wrong_pin")
    status, body = wire.ask("session", pin=PIN)
    assert status == 429
    assert 250 < body["retry_after_s"] <= 300
    assert wire.ask("command", name="depart", session=kept, body={"rev": 1})[0] == 409  # a session outlives a lockout
    rig.end(signal.SIGKILL)
    again = rig.start()
    status, body = again.ask("session", pin=PIN)
    assert status == 429
    assert 240 < body["retry_after_s"] <= 300
    assert again.ask("command", name="depart", session=kept, body={"rev": 1})[0] == 401  # a session no restart


def test_H33_a_second_control_refuses_and_disturbs_nothing(rig: ControlRig) -> None:
    with rig.connect() as wire:
        second = rig.spawn()
        assert second.wait(10) == 1
        assert f"another control is running (process {rig.pid})" in rig.log
        assert wire.ask("health")[0] == 200
        assert Path(f"/proc/{rig.pid}").exists()


def test_idle_it_takes_little_of_the_processor(rig: ControlRig) -> None:
    def spent_s() -> float:
        fields = Path(f"/proc/{rig.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with rig.connect() as wire:
        began_s, before_s = time.monotonic(), spent_s()
        until(lambda: time.monotonic() - began_s > 2.0, "two seconds pass")
        share = (spent_s() - before_s) / (time.monotonic() - began_s)
        health = wire.ask("health")[1]
    assert share < 0.12, health  # twice the promise, which is measured on a quiet machine
