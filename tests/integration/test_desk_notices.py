"""Notices and receipts of Rule 19 at the desk: stored before answered, shown once, acknowledged by a person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest

from tests.brokers import Broker, mosquitto
from tests.integration.desk_rig import (
    UNITS,
    VEHICLES,
    DeskProcess,
    Keys,
    TestVehicle,
    new_id,
    now,
    running_desk,
    session,
    until,
)
from vehicle_agent.messages import jws
from vehicle_agent.messages.topics import notice_topic

UNUSED = iter(VEHICLES)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def desk(keys: Keys, broker: Broker) -> Iterator[DeskProcess]:
    with running_desk(keys, broker.port) as running:
        yield running


@pytest.fixture
def vehicle(keys: Keys, broker: Broker, desk: DeskProcess) -> Iterator[TestVehicle]:
    """One that this desk has not heard of before."""
    running = TestVehicle(keys, broker.port, next(UNUSED))
    yield running
    running.close()


def test_a_notice_is_stored_shown_and_answered_with_a_signed_receipt(desk: DeskProcess, vehicle: TestVehicle) -> None:
    sent = vehicle.notice("astana-mp", 1, late_by_s=3.5, test=True)
    vehicle.send(sent)
    receipt = vehicle.next_receipt()
    (row,) = desk.notices(vehicle.vehicle)
    assert {name: receipt[name] for name in ("notice", "stage", "by", "post")} == {
        "notice": sent.id,
        "stage": "received",
        "by": None,
        "post": None,
    }
    assert json.loads(jws.decode_base64url(json.loads(vehicle.raw[-1])["payload"]))["subject"] == vehicle.trip
    assert (row["id"], row["unit"], row["vehicle"], row["kind"]) == (sent.id, "astana-mp", vehicle.vehicle, "departure")
    assert (row["stage"], row["by"], row["post"]) == ("received", None, None)
    assert (row["late_by_s"], row["time_source"], row["test"], row["secured"]) == (3.5, "gnss", True, True)
    assert (row["destination"], row["intermediate"]) == ("astana-mp", ["taraz-mp", "karaganda-mp"])
    assert (row["received_at"], row["sha256"]) == (receipt["at"], receipt["sha256"])
    with sqlite3.connect(desk.database) as stored:
        assert stored.execute("select payload, envelope from notices where id = ?", (sent.id,)).fetchall() == [
            (sent.payload, sent.message)
        ]


def test_H09_a_known_notice_gets_the_stored_receipt_and_is_not_shown_again(
    desk: DeskProcess, vehicle: TestVehicle
) -> None:
    sent = vehicle.notice("astana-mp", 1)
    for _ in range(5):
        vehicle.send(sent)
        vehicle.next_receipt()
    assert len(set(vehicle.raw)) == 1
    assert [row["id"] for row in desk.notices(vehicle.vehicle)] == [sent.id]


def test_acknowledge_the_first_person_stays_and_gets_sent(desk: DeskProcess, vehicle: TestVehicle) -> None:
    sent = vehicle.notice("astana-mp", 1)
    vehicle.send(sent)
    vehicle.next_receipt()
    first = desk.acknowledge(sent.id, "майор Серіков Ә.Қ.", "кезекші")
    receipt = vehicle.next_receipt()
    again = desk.acknowledge(sent.id, "somebody else", "another post")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["receipt"] == again.json()["receipt"] == receipt
    assert (receipt["stage"], receipt["by"], receipt["post"]) == ("acknowledged", "майор Серіков Ә.Қ.", "кезекші")
    (row,) = desk.notices(vehicle.vehicle)
    assert (row["stage"], row["by"], row["post"]) == ("acknowledged", "майор Серіков Ә.Қ.", "кезекші")
    vehicle.no_receipt(0.3)
    vehicle.send(sent)  # asked again: both receipts, byte for byte
    assert [vehicle.next_receipt()["stage"] for _ in range(2)] == ["received", "acknowledged"]
    assert sorted(vehicle.raw[-2:]) == sorted(vehicle.raw[:2])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"by": "", "post": "duty officer"}, 422),
        ({"by": "   ", "post": "duty officer"}, 422),
        ({"by": "a\nb", "post": "duty officer"}, 422),
        ({"by": "\u202egnp", "post": "duty officer"}, 422),
        ({"by": "x" * 121, "post": "duty officer"}, 422),
        ({"by": 7, "post": "duty officer"}, 422),
        ({"post": "duty officer"}, 422),
        ({"by": "x"}, 200),
        ({"by": "x", "post": None}, 200),
        ({"by": "x", "post": "y", "role": "z"}, 422),
        (["x"], 422),
        ({"by": "x", "post": ""}, 200),
    ],
)
def test_acknowledge_takes_nothing_malformed(
    desk: DeskProcess, vehicle: TestVehicle, body: object, status: int
) -> None:
    sent = vehicle.notice("astana-mp", 1)
    vehicle.send(sent)
    vehicle.next_receipt()
    path = f"{desk.url}/api/v1/notices/{sent.id}/acknowledge"
    assert desk.http.post(path, json=body).status_code == status
    row = desk.notices(vehicle.vehicle)[0]
    assert (row["stage"], row["post"]) == ("acknowledged" if status == 200 else "received", None)


def test_acknowledge_of_an_unknown_notice_is_404(desk: DeskProcess) -> None:
    assert [desk.acknowledge(name).status_code for name in (new_id(), "nonsense")] == [404, 404]


def test_every_served_unit_has_its_own_row_and_signs_its_own_receipt(desk: DeskProcess, vehicle: TestVehicle) -> None:
    for unit in UNITS:
        vehicle.send(vehicle.notice(unit, 1))
        vehicle.next_receipt()  # checks the unit's own signature
    assert {row["unit"] for row in desk.notices(vehicle.vehicle)} == set(UNITS)
    assert len({row["id"] for row in desk.notices(vehicle.vehicle)}) == 2


def test_H10_a_gap_is_shown_and_closes_when_the_missing_one_comes(desk: DeskProcess, vehicle: TestVehicle) -> None:
    sent = [vehicle.notice("astana-mp", number) for number in range(1, 7)]
    for number in (1, 5, 2, 6):  # out of order, 3 and 4 missing
        vehicle.send(sent[number - 1])
        vehicle.next_receipt()
    assert [(row["first"], row["last"], row["unit"]) for row in desk.warnings("gap", vehicle.vehicle)] == [
        (3, 4, "astana-mp")
    ]
    vehicle.send(sent[3])
    vehicle.next_receipt()
    assert [(row["first"], row["last"]) for row in desk.warnings("gap", vehicle.vehicle)] == [(3, 3)]
    vehicle.send(sent[2])
    vehicle.next_receipt()
    assert desk.warnings("gap", vehicle.vehicle) == []


def test_H10_a_first_notice_that_is_not_number_one_shows_what_is_missing(
    desk: DeskProcess, vehicle: TestVehicle
) -> None:
    vehicle.send(vehicle.notice("astana-mp", 3))
    vehicle.next_receipt()
    assert [(row["first"], row["last"]) for row in desk.warnings("gap", vehicle.vehicle)] == [(1, 2)]


def test_H14_another_notice_under_a_seen_number_is_a_fork(desk: DeskProcess, vehicle: TestVehicle) -> None:
    first = vehicle.notice("astana-mp", 1)
    vehicle.send(first)
    vehicle.next_receipt()
    vehicle.send(vehicle.notice("astana-mp", 1))  # another id, the same number
    vehicle.send(vehicle.notice("astana-mp", 1, _id=first.id, secured=False))  # the same id, other bytes
    vehicle.send(vehicle.notice("astana-mp", 2, _id=first.id))  # the same id under another number
    until(lambda: len(desk.warnings("fork", vehicle.vehicle)) == 3, what="three forks")
    vehicle.no_receipt(0.3)
    assert [row["id"] for row in desk.notices(vehicle.vehicle)] == [first.id]
    assert desk.warnings("gap", vehicle.vehicle) == []


def test_a_warning_stays_seen_until_it_happens_again(desk: DeskProcess, vehicle: TestVehicle) -> None:
    vehicle.publish(notice_topic("astana-mp", vehicle.vehicle), b"x")
    row = until(lambda: desk.warnings("malformed", vehicle.vehicle))[0]
    body = {"key": row["key"], "count": row["count"], "by": "Maj. Serikov", "post": "duty officer"}
    assert desk.http.post(f"{desk.url}/api/v1/warnings/seen", json=body).status_code == 200
    assert desk.warnings("malformed", vehicle.vehicle)[0]["seen"]["by"] == "Maj. Serikov"
    vehicle.publish(notice_topic("astana-mp", vehicle.vehicle), b"x")
    until(lambda: desk.warnings("malformed", vehicle.vehicle)[0]["seen"] is None, what="raised again")


def test_a_receipt_that_nobody_was_there_to_take_is_sent_when_the_vehicle_is_back(
    desk: DeskProcess, keys: Keys, broker: Broker
) -> None:
    name = next(UNUSED)
    away = TestVehicle(keys, broker.port, name)
    sent = away.notice("astana-mp", 1)
    away.send(sent)
    away.next_receipt()
    away.close()
    assert desk.acknowledge(sent.id).status_code == 200
    back = TestVehicle(keys, broker.port, name)
    back.report("session", session())
    stages = {back.next_receipt()["stage"] for _ in range(2)}
    assert "acknowledged" in stages
    back.close()


def test_the_sending_unit_sees_every_recipients_stage(desk: DeskProcess, vehicle: TestVehicle) -> None:
    vehicle.send(vehicle.notice("almaty-mp", 1))
    vehicle.next_receipt()
    assert [(one["unit"], one["stage"]) for one in desk.notices(vehicle.vehicle)[0]["recipients"]] == [
        ("taraz-mp", None),
        ("karaganda-mp", None),
        ("astana-mp", None),
    ]

    def karaganda() -> dict[str, str]:
        found: dict[str, str] = desk.notices(vehicle.vehicle)[0]["recipients"][1]
        return found

    for stage, by in (("received", None), ("acknowledged", "Capt. Omarov")):
        data = {"_kind": "notice_stage", "notice": new_id(), "kind": "departure", "recipient": "karaganda-mp"}
        vehicle.report("events", {**data, "stage": stage, "by": by, "post": by, "at": now(), "sha256": None})
    until(
        lambda: desk.notices(vehicle.vehicle)[0]["recipients"][1]["stage"] == "acknowledged",
        what="the other unit's stage",
    )
    assert karaganda()["by"] == "Capt. Omarov"
    assert sum(row["vehicle"] == vehicle.vehicle for row in desk.get("/api/v1/events")) == 2
