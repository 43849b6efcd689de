"""The desk's HTTP interface: who may speak to it, what it hands out, how it stops (H29)."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.brokers import Broker, mosquitto
from tests.integration.desk_rig import (
    DeskProcess,
    Keys,
    TestVehicle,
    new_id,
    position,
    running_desk,
    session,
    state,
    until,
)
from vehicle_agent.dispatch.export import register_csv
from vehicle_agent.messages.events import CloudEvent, vehicle_source


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


@pytest.fixture(scope="module")
def vehicle(keys: Keys, broker: Broker, desk: DeskProcess) -> Iterator[TestVehicle]:
    running = TestVehicle(keys, broker.port)
    yield running
    running.close()


FOREIGN = "evil.example"
PATHS = ("/", "/api/v1/notices", "/api/v1/register.csv", "/healthz")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{self}"}, 200),
        ({"Host": FOREIGN}, 400),
        ({"Host": "127.0.0.1"}, 400),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
    ],
)
def test_H29_only_our_own_pages_are_served(desk: DeskProcess, path: str, headers: dict[str, str], status: int) -> None:
    port = desk.url.rpartition(":")[2]
    sent = {name: value.replace("{self}", desk.url).replace("{port}", port) for name, value in headers.items()}
    assert desk.http.get(desk.url + path, headers=sent).status_code == status


def test_H29_a_foreign_page_cannot_acknowledge(desk: DeskProcess, vehicle: TestVehicle) -> None:
    sent = vehicle.notice("astana-mp", 1)
    vehicle.send(sent)
    vehicle.next_receipt()
    url = f"{desk.url}/api/v1/notices/{sent.id}/acknowledge"
    body = {"by": "x", "post": "y"}
    text = {"Content-Type": "text/plain"}
    answers = [
        desk.http.post(url, json=body, headers={"Origin": "http://evil.example"}).status_code,
        desk.http.post(url, json=body, headers={"Sec-Fetch-Site": "cross-site"}).status_code,
        desk.http.post(url, json=body, headers={"Host": FOREIGN}).status_code,
        desk.http.post(url, content=json.dumps(body), headers=text).status_code,
        desk.http.post(url, content=b"{").status_code,
        desk.http.post(url, json={"by": "x" * 20_000, "post": "y"}).status_code,
        desk.http.get(url).status_code,
    ]
    assert answers == [403, 403, 400, 422, 422, 413, 405]
    assert desk.notices()[0]["stage"] == "received"


def test_the_register_opens_in_a_spreadsheet_and_runs_nothing(desk: DeskProcess, vehicle: TestVehicle) -> None:
    sent = vehicle.notice("astana-mp", 2, kind="arrival")
    vehicle.send(sent)
    vehicle.next_receipt()
    assert desk.acknowledge(sent.id, '=HYPERLINK("http://evil")', '@кезекші; "a"').status_code == 200
    answer = desk.http.get(f"{desk.url}/api/v1/register.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    row = next(row for row in rows if row["id"] == sent.id)
    assert (row["by"], row["post"]) == ('\'=HYPERLINK("http://evil")', '\'@кезекші; "a"')
    assert (row["unit"], row["kind"], row["intermediate"]) == ("astana-mp", "arrival", "taraz-mp karaganda-mp")
    assert row["departed_local"] and row["departed_at"].endswith("Z")
    assert int(row["journal_seq"]) > 0 and len(row["journal_hash"]) == 64


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\u00a0=1", "＝1", "a=1", "ok"])
def test_no_cell_begins_like_a_formula(text: str) -> None:
    names = next(csv.reader(["".join(register_csv([]))]))
    row = dict.fromkeys((name.lstrip("\ufeff") for name in names), None) | {"by": text, "journal": None}
    cell = list(csv.reader(io.StringIO("".join(register_csv([row])), newline="")))[1][list(row).index("by")]
    is_formula = text not in {"a=1", "ok"}
    assert cell == (f"'{text}" if is_formula else text)


def test_vehicles_show_what_they_said_and_how_old_it_is(desk: DeskProcess, vehicle: TestVehicle) -> None:
    assert desk.vehicle("kz-mp-018")["online"] is None  # configured, never heard
    alarm = {"id": new_id(), "code": "airflow_lost", "priority": "critical", "state": "unacknowledged"}
    vehicle.report("state", state(alarms=[{**alarm, "since": None, "item": "ventilation"}], alarms_total=1))
    vehicle.report("position", position())
    vehicle.report("session", session())
    until(lambda: desk.vehicle("kz-mp-017")["online"] and desk.vehicle("kz-mp-017")["position"])
    row = desk.vehicle("kz-mp-017")
    assert (row["phase"], row["alarms"][0]["code"]) == ("under_way", "airflow_lost")
    assert 0 <= row["state_age_s"] < 5 and 0 <= row["position_age_s"] < 5
    assert (row["is_state_stale"], row["is_position_stale"]) == (False, False)


def test_a_message_from_the_past_is_as_old_as_what_it_says(desk: DeskProcess, vehicle: TestVehicle) -> None:
    vehicle.report("position", position(), time_text="2026-01-02T00:00:00.000Z")
    until(lambda: desk.vehicle("kz-mp-017")["position_at"] == "2026-01-02T00:00:00.000Z")
    row = desk.vehicle("kz-mp-017")
    assert row["position_age_s"] > 3600 and row["is_position_stale"]


def test_a_last_will_without_a_time_shows_the_vehicle_offline(desk: DeskProcess, vehicle: TestVehicle) -> None:
    will = CloudEvent(new_id(), "session", vehicle_source("kz-mp-017"), session(online=False), None)
    vehicle.publish("stv/v1/vehicles/kz-mp-017/session", will.to_bytes(), retain=True)
    until(lambda: desk.vehicle("kz-mp-017")["online"] is False)


def test_the_documented_paths_answer(desk: DeskProcess) -> None:
    paths = desk.get("/openapi.json")["paths"]
    for path in ("/api/v1/notices", "/api/v1/vehicles", "/api/v1/register.csv", "/api/v1/stream"):
        assert path in paths
    assert desk.get("/healthz")["status"] == "ok"
    assert "stv_desk_notices" in desk.http.get(f"{desk.url}/metrics").text


def test_the_stream_brings_rows_at_once_and_two_ticks_a_second(desk: DeskProcess, vehicle: TestVehicle) -> None:
    events: list[tuple[str, str]] = []
    with httpx.stream("GET", f"{desk.url}/api/v1/stream", timeout=10) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, line.removeprefix("data: ")))
                if len(events) == 5:
                    vehicle.send(vehicle.notice("astana-mp", 3))
                if sum(event == "tick" for event, _ in events) == 4:
                    break
    names = [event for event, _ in events]
    assert {"notices", "vehicles", "warnings", "events"} <= set(names[:5])
    later = [json.loads(data) for event, data in events[5:] if event == "notices"]
    assert later and later[0]["reset"] is False and later[0]["rows"][0]["recipient_sequence"] == 3


def test_sigterm_with_open_streams_stops_within_3_s(
    keys: Keys, broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    desk = DeskProcess(Keys(tmp_path_factory.mktemp("stopping")), broker.port)
    desk.start(is_connected=False)
    began = threading.Barrier(4)

    def read() -> None:
        try:
            with httpx.stream("GET", f"{desk.url}/api/v1/stream", timeout=10) as answer:
                lines = answer.iter_lines()
                next(lines)
                began.wait(10)
                list(lines)
        except httpx.HTTPError:
            pass

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    began.wait(10)
    took_s = desk.stop()
    for reader in readers:
        reader.join(10)
    assert took_s < 3
