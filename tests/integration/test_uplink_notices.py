"""Notices and receipts through a real uplink: restarts, dead brokers, forgers (Rule 19)."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import free_port, mosquitto
from tests.integration.uplink_control import TRIP, VEHICLE, new_id, now, until
from tests.integration.uplink_rig import (
    UNITS,
    Message,
    World,
    check_messages,
    first_notice,
    make_signer,
    running_world,
    spying,
    stage_is,
    uplink_rig,
)
from vehicle_agent.messages import jws, topics
from vehicle_agent.messages.events import unit_source
from vehicle_agent.messages.limits import encode_json

Json = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_world(tmp_path) as running:
        yield running


def test_H08_a_notice_lives_from_recorded_to_acknowledged(world: World) -> None:
    control, spy, rig = world.rig.control, world.spy, world.rig
    rows = {unit: control.record_notice(unit) for unit in ("astana-mp", "karaganda-mp", "almaty-mp")}
    for unit, row in rows.items():
        notice = rig.opened(first_notice(world, unit))
        assert (notice.event.id, notice.event.sequence, notice.event.subject) == (row["id"], row["seq"], TRIP)
        assert notice.event.data["journal"] == {"seq": row["seq"], "hash": row["hash"]}
        stage_is(world, row["id"], "at_broker")
    notice_id = rows["astana-mp"]["id"]
    spy.publish(*rig.receipt(first_notice(world)))
    stage_is(world, notice_id, "received")
    spy.publish(*rig.receipt(first_notice(world), "acknowledged", "Maj. Serikov"))
    stage_is(world, notice_id, "acknowledged")
    receipt = control.requests("receipt")[-1]
    assert (receipt["by"], receipt["unit"]) == ("Maj. Serikov", "astana-mp")
    assert receipt["sha256"] == rig.opened(first_notice(world)).sha256

    def stages() -> list[str]:
        events = [one.json["data"] for one in spy.channel("events")]
        return [one["stage"] for one in events if one["notice"] == notice_id]

    until(lambda: stages() == ["recorded", "at_broker", "received", "acknowledged"])
    told = [one.json["data"] for one in spy.channel("events") if one.json["data"]["notice"] == notice_id]
    assert {(one["kind"], one["recipient"]) for one in told} == {("departure", "astana-mp")}
    assert told[-1]["by"] == "Maj. Serikov"


def test_lateness_is_stored_before_the_first_byte_leaves(world: World) -> None:
    control = world.rig.control
    control.is_hung = True
    row = control.record_notice("astana-mp")
    until(lambda: any(one["notice"] == row["id"] for one in control.requests("notice_sending")))
    assert world.spy.notices("astana-mp") == []
    control.is_hung = False
    notice = world.rig.opened(first_notice(world))
    assert notice.event.data["late_by_s"] == control.lateness[row["id"]]


def test_H09_every_resend_is_byte_identical_over_all_restarts(world: World) -> None:
    rig, spy, control = world.rig, world.spy, world.rig.control
    control.record_notice("astana-mp")
    until(lambda: len(spy.notices("astana-mp")) >= 2, what="a resend")
    control.stop()
    control.start()
    until(lambda: control.is_feeding)
    seen = len(spy.notices("astana-mp"))
    until(lambda: len(spy.notices("astana-mp")) > seen, what="a resend after control's restart")
    rig.stop(signal.SIGKILL)
    seen = len(spy.notices("astana-mp"))
    rig.start()
    until(lambda: len(spy.notices("astana-mp")) > seen, what="a resend after the uplink's restart")
    assert len({one.payload for one in spy.notices("astana-mp")}) == 1


def test_resending_ends_with_the_receipt_and_slows_down_before(world: World) -> None:
    rig, spy = world.rig, world.spy
    row = rig.control.record_notice("astana-mp")
    until(lambda: len(spy.notices("astana-mp")) == 3)  # at once, after 0.5 s, after 1 s more
    spy.publish(*rig.receipt(first_notice(world)))
    stage_is(world, row["id"], "received")
    other = rig.control.record_notice("taraz-mp")
    until(lambda: len(spy.notices("taraz-mp")) == 3)
    assert other["id"] != row["id"]
    assert len(spy.notices("astana-mp")) == 3


def test_notices_of_one_lane_keep_their_order(world: World) -> None:
    for kind in ("departure", "correction", "arrival"):
        row = world.rig.control.record_notice("astana-mp", kind if kind != "correction" else "departure")
        assert row["seq"]
    until(lambda: len({one.payload for one in world.spy.notices("astana-mp")}) == 3)
    first = list(dict.fromkeys(one.payload for one in world.spy.notices("astana-mp")))
    numbers = [
        json.loads(jws.decode_base64url(json.loads(one)["payload"]))["data"]["recipient_sequence"] for one in first
    ]
    assert numbers == [1, 2, 3]


def test_H17_a_broker_that_comes_late_gets_everything_notices_first(tmp_path: Path) -> None:
    port = free_port()
    with uplink_rig(tmp_path, port) as rig, mosquitto(tmp_path, port=port, start=False) as broker:
        rig.control.append("trip_opened", {"kind": "medical"})
        row = rig.control.record_notice("astana-mp")
        rig.start()
        until(lambda: any(one["connected"] is False for one in rig.control.requests("uplink_state")))
        state = rig.control.requests("uplink_state")[-1]
        assert state["pending_notices"] == 1
        broker.start()
        started_s = time.monotonic()
        with spying(port) as spy:
            message = until(lambda: spy.notices("astana-mp"), 10.0)[0]
            assert time.monotonic() - started_s < 10.0
            assert rig.opened(message).event.id == row["id"]
            until(lambda: [one.json["sequence"][-1] for one in spy.channel("events")][:2] == ["1", "2"])
            until(lambda: rig.control.stages[row["id"]] == "at_broker")
            until(lambda: rig.control.requests("uplink_state")[-1]["connected"])
            check_messages(spy)


def test_H17_a_killed_broker_costs_nothing(world: World) -> None:
    rig, broker, control = world.rig, world.broker, world.rig.control
    row = control.record_notice("astana-mp")
    stage_is(world, row["id"], "at_broker")
    broker.kill()
    until(lambda: control.requests("uplink_state")[-1]["connected"] is False)
    late = control.record_notice("karaganda-mp")
    control.append("arrived", {"position": None, "inside": True})
    broker.start()
    with spying(broker.port) as spy:
        until(lambda: spy.notices("karaganda-mp"), 10.0)
        until(lambda: spy.notices("astana-mp"))
        assert rig.opened(spy.notices("karaganda-mp")[0]).event.data["late_by_s"] > 0
        until(lambda: [one for one in spy.channel("session") if one.json["data"]["online"]])
        until(lambda: spy.channel("state"))
        until(lambda: [one for one in spy.channel("events") if one.json["type"] == "kz.mp.stv.phase.v1"])
        stage_is(world, late["id"], "at_broker")
        spy.publish(*rig.receipt(spy.notices("astana-mp")[0]))
        stage_is(world, row["id"], "received")
        check_messages(spy)


def forgeries(world: World, message: Message) -> Iterator[tuple[str, bytes, bool]]:
    """Receipts that must count for nothing: topic, bytes, retain flag."""
    rig = world.rig
    topic, genuine = rig.receipt(message)
    notice = rig.opened(message)
    data = {
        "notice": notice.event.id,
        "sha256": notice.sha256,
        "stage": "received",
        "by": None,
        "post": None,
        "at": now(),
    }

    def event(unit: str = "astana-mp", **changes: object) -> bytes:
        return encode_json(
            {
                "specversion": "1.0",
                "id": new_id(),
                "source": unit_source(unit),
                "type": "kz.mp.stv.receipt.v1",
                "time": now(),
                "data": data | changes,
            }
        )

    astana, taraz = rig.units["astana-mp"], rig.units["taraz-mp"]
    stranger = make_signer("astana-mp")
    yield topic, jws.sign(event(), stranger), False  # another key under the right name
    yield topic, jws.sign(event(), make_signer("astana-mp", number=2)), False  # an unknown key number
    yield topic, jws.sign(event(), taraz), False  # another unit's key on this unit's topic
    taraz_topic = topics.receipt_topic(VEHICLE, "taraz-mp")
    yield taraz_topic, genuine, False  # a genuine one on another unit's topic
    yield taraz_topic, jws.sign(event("taraz-mp"), taraz), False  # a unit confirming what another one was told
    yield topic, jws.sign(event(sha256="00" * 32), astana), False  # the digest of something else
    yield topic, jws.sign(event(notice=new_id()), astana), False  # a notice that never was
    yield topic, jws.sign(event(stage="acknowledged"), astana), False  # nobody acknowledged
    yield topic, jws.sign(event(stage="told_by_radio"), astana), False  # a stage that is the commander's
    yield topic, jws.sign(event("taraz-mp"), astana), False  # content in another's name
    yield topic, event(), False  # no signature at all
    yield topic, json.dumps(json.loads(genuine) | {"header": {"alg": "none"}}).encode(), False
    yield topic, genuine[:-1], False
    yield topic, genuine.replace(b'"signature":"', b'"signature":"A'), False
    yield topic, genuine, True  # genuine but retained
    yield topic, message.payload, False  # our own notice sent back
    yield topic, b"", False
    yield topic, b"[" * 4000, False
    yield topic, b"\xff" * 8000, False
    yield topics.receipt_topic(VEHICLE, "nowhere-mp"), genuine, False


def test_H15_no_forged_receipt_moves_anything(world: World) -> None:
    control, spy, rig = world.rig.control, world.spy, world.rig
    row = control.record_notice("astana-mp")
    control.record_notice("taraz-mp")
    stage_is(world, row["id"], "at_broker")
    made = list(forgeries(world, first_notice(world)))
    assert len(made) >= 10
    for topic, payload, retain in made:
        spy.publish(topic, payload, retain=retain)
        if retain:
            spy.publish(topic, b"", retain=True)
    genuine = rig.receipt(first_notice(world))
    spy.publish(*genuine)
    stage_is(world, row["id"], "received")  # and it was the only one that got through
    assert len(control.requests("receipt")) == 1
    assert "receipt refused" in rig.log
    until(lambda: control.requests("uplink_state")[-1]["refused_messages"] == len(made) + 1)  # and the clearing
    assert set(control.stages.values()) == {"received", "at_broker"}


def test_H30_a_flood_of_rubbish_stops_nothing(world: World) -> None:
    rig, spy = world.rig, world.spy
    row = rig.control.record_notice("astana-mp")
    genuine = rig.receipt(first_notice(world))
    for number in range(300):
        spy.publish(topics.receipt_topic(VEHICLE, UNITS[number % 4]), bytes([number % 256]) * (number * 20))
    spy.publish(*genuine)
    stage_is(world, row["id"], "received")


def test_a_receipt_waits_for_control(world: World) -> None:
    rig, spy, control = world.rig, world.spy, world.rig.control
    row = control.record_notice("astana-mp")
    message = first_notice(world)
    stage_is(world, row["id"], "at_broker")
    control.stop()
    spy.publish(*rig.receipt(message))
    spy.publish(*rig.receipt(message, "acknowledged", "Maj. Serikov"))
    control.start()
    stage_is(world, row["id"], "acknowledged")


def test_an_acknowledgement_counts_after_a_restart_of_the_uplink(world: World) -> None:
    rig, spy, control = world.rig, world.spy, world.rig.control
    row = control.record_notice("astana-mp")
    message = first_notice(world)
    spy.publish(*rig.receipt(message))
    stage_is(world, row["id"], "received")
    entry = {
        "id": row["id"],
        "kind": "departure",
        "recipient": "astana-mp",
        "stage": "received",
        "at": now(),
        "by": None,
    }
    control.snapshot["notices"] = [entry]
    rig.stop(signal.SIGKILL)
    seen = len(spy.channel("state"))
    rig.start()
    until(lambda: len(spy.channel("state")) > seen)
    other = dict(json.loads(rig.receipt(message)[1]))
    forged = jws.sign(b"{}", rig.units["taraz-mp"])
    spy.publish(topics.receipt_topic(VEHICLE, "taraz-mp"), forged)
    assert other["payload"]
    spy.publish(*rig.receipt(message, "acknowledged", "Maj. Serikov"))
    stage_is(world, row["id"], "acknowledged")


def test_a_broker_that_forbids_notices_is_no_delivery(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite stv/v1/vehicles/#\n")
    with mosquitto(tmp_path, lines=[f"acl_file {acl}"]) as broker, uplink_rig(tmp_path, broker.port) as rig:
        rig.start()
        row = rig.control.record_notice("astana-mp")
        until(lambda: "the broker refuses a notice" in rig.log)
        assert rig.control.stages[row["id"]] == "recorded"
        assert rig.control.requests("at_broker") == []
