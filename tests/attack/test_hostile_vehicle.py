"""A vehicle with genuine keys that tells a desk whatever it likes: shown as text, or refused; never a crash (H14, H30).

This is the reach of a stolen vehicle computer: it speaks as itself, until its key is taken off the list.
"""

from __future__ import annotations

import contextlib
import copy
import json
import queue
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests import resources
from tests.attack.mutations import NASTY, spoil_members, spoil_signed
from tests.attack.seeds import drawn_seed
from tests.brokers import Broker, mosquitto
from tests.integration.desk_rig import (
    VEHICLES,
    DeskProcess,
    Keys,
    TestVehicle,
    new_id,
    now,
    position,
    running_desk,
    session,
    state,
    until,
)
from vehicle_agent.messages import topics

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]
UNIT = "astana-mp"
BATCH = 40  # below the quota of one topic
DESK_MIB_MAX = 130.0
MARKUP = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path, lines=["message_size_limit 1000000"]) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def desk(keys: Keys, broker: Broker) -> Iterator[DeskProcess]:
    with running_desk(keys, broker.port) as running:
        yield running


@pytest.fixture
def vehicle(keys: Keys, broker: Broker) -> Iterator[TestVehicle]:
    running = TestVehicle(keys, broker.port)
    yield running
    running.close()


def is_quiet(desk: DeskProcess, keys: Keys, broker: Broker, sequence: int) -> None:
    """The desk has come through: an honest vehicle's notice is received, every page answers, nothing was logged."""
    honest = TestVehicle(keys, broker.port, VEHICLES[1])
    sent = honest.notice(UNIT, sequence)
    honest.send(sent)
    assert honest.next_receipt()["notice"] == sent.id
    honest.close()
    assert desk.get("/healthz")["status"] == "ok"
    for path in ("/api/v1/notices", "/api/v1/vehicles", "/api/v1/warnings", "/api/v1/register.csv", "/metrics"):
        assert desk.http.get(desk.url + path).status_code == 200, path
    log = desk.log.read_text()
    assert "Traceback" not in log, log[-3000:]
    assert resources.peak_mib(desk.pid) < DESK_MIB_MAX


@pytest.mark.parametrize("count", [1200, pytest.param(60_000, marks=pytest.mark.campaign("attack"))])
def test_H13_H30_a_flood_of_forged_and_odd_notices(
    desk: DeskProcess, vehicle: TestVehicle, keys: Keys, broker: Broker, count: int, tell: Tell
) -> None:
    """Spoilt ones and odd but valid ones; what is kept was signed by this vehicle, each number once."""
    seed = drawn_seed()
    rng = random.Random(seed)
    own, other = keys.signers[VEHICLES[0]], keys.signers[VEHICLES[1]]
    topic = topics.notice_topic(UNIT, vehicle.vehicle)
    for number in range(count):
        genuine = vehicle.notice(UNIT, rng.choice([1, 2, 3, number + 1, 2**40]), rng.choice(["departure", "arrival"]))
        raw = spoil_signed(genuine.message, [own, own, other], rng)
        info = vehicle.client.publish(topic, raw, qos=1)
        if number % BATCH == 0:
            info.wait_for_publish(10)
            desk.get("/healthz")
    info.wait_for_publish(10)
    is_quiet(desk, keys, broker, 1)
    kept = desk.notices(vehicle.vehicle)
    sequences = [row["recipient_sequence"] for row in kept]
    assert sequences, "not one of the odd ones was valid: nothing was tried"
    assert len(sequences) == len(set(sequences)), f"seed {seed}"
    assert len({row["id"] for row in kept}) == len(kept)
    tell("attack: notices to a running desk", count)


@pytest.mark.parametrize("count", [1000, pytest.param(40_000, marks=pytest.mark.campaign("attack"))])
def test_H30_a_flood_of_odd_reports(
    desk: DeskProcess, vehicle: TestVehicle, keys: Keys, broker: Broker, count: int, tell: Tell
) -> None:
    rng = random.Random(drawn_seed())
    samples = reports()
    for number in range(count):
        part, event = rng.choice(samples)
        spoilt: Any = copy.deepcopy(event) | {"id": new_id(), "source": f"/stv/vehicles/{vehicle.vehicle}"}
        for _ in range(rng.randint(1, 3)):
            spoilt["data"] = spoil_members(spoilt["data"], rng) if spoilt["data"] else spoilt["data"]
        info = vehicle.client.publish(
            topics.vehicle_topic(vehicle.vehicle, part), json.dumps(spoilt).encode(), qos=1, retain=rng.random() < 0.3
        )
        if number % BATCH == 0:
            info.wait_for_publish(10)
    info.wait_for_publish(10)
    is_quiet(desk, keys, broker, 1)
    tell("attack: reports to a running desk", count)


def test_H14_a_thousand_old_notices_again_make_nothing_new(
    desk: DeskProcess, vehicle: TestVehicle, keys: Keys, broker: Broker, tell: Tell
) -> None:
    """Recorded off the wire and sent again, also with the retain flag, to other units and as another vehicle."""
    sent = [vehicle.notice(UNIT, number) for number in range(1, 41)]
    for one in sent:
        vehicle.send(one)
    first = {vehicle.next_receipt()["notice"]: vehicle.raw[-1] for _ in sent}
    assert first.keys() == {one.id for one in sent}
    before = desk.http.get(f"{desk.url}/api/v1/register.csv").text
    for _ in range(25):
        for one in sent:
            vehicle.send(one)
    again = 0
    with contextlib.suppress(queue.Empty):
        while True:  # one answer may serve several that came while it was on its way
            assert vehicle.next_receipt(within_s=1.0)["notice"] in first
            assert vehicle.raw[-1] in first.values(), "a receipt that is not the stored one"
            again += 1
    assert again >= len(sent)
    for one in sent[:10]:
        vehicle.send(one, retain=True)
        vehicle.send(one, topic=topics.notice_topic("almaty-mp", vehicle.vehicle))
        vehicle.send(one, topic=topics.notice_topic(UNIT, VEHICLES[1]))
    until(lambda: desk.refused("mismatch") >= 20 and desk.refused("retained") >= 10, what="all refused")
    assert desk.http.get(f"{desk.url}/api/v1/register.csv").text == before
    vehicle.no_receipt()
    tell("attack: notices replayed", 25 * len(sent) + 30)


def test_H30_markup_in_every_text_of_every_report_is_shown_as_text(
    desk: DeskProcess, vehicle: TestVehicle, keys: Keys, broker: Broker, tell: Tell
) -> None:
    """In a real browser: no element, no script, no error on the page, in any language."""
    tried = 0
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"]) as browser,
    ):
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(desk.url)
        for part, event in reports():
            for path in paths(event["data"]):
                for nasty in (MARKUP, *[one for one in NASTY if isinstance(one, str) and "\ud800" not in one][:4]):
                    spoilt = copy.deepcopy(event) | {"id": new_id(), "source": f"/stv/vehicles/{vehicle.vehicle}"}
                    put(spoilt["data"], path, nasty)
                    vehicle.publish(topics.vehicle_topic(vehicle.vehicle, part), json.dumps(spoilt).encode())
                    tried += 1
        _look(page, desk)
        assert errors == []
    is_quiet(desk, keys, broker, 1)
    tell("attack: markup in a text of a report", tried)


def _look(page: Page, desk: DeskProcess) -> None:
    until(lambda: desk.refused("malformed"), what="the desk has seen them")
    for language in ("kk", "en", "ru"):
        page.click(f"#languages [data-language={language}]")
        page.wait_for_timeout(300)
        assert page.locator("img, main script, iframe").count() == 0
    page.reload()
    page.wait_for_timeout(600)
    assert page.locator("img, main script, iframe").count() == 0
    assert page.evaluate("window.hacked") is None


def reports() -> list[tuple[str, dict[str, Any]]]:
    """One valid message of each kind that a vehicle may send unsigned, by its channel."""
    alarm = {
        "alarm": new_id(), "code": "airflow_lost", "priority": "critical", "item": "ventilation", "change": "raised",
    }  # fmt: skip
    stage = {
        "notice": new_id(), "kind": "departure", "recipient": "taraz-mp", "at": now(), "stage": "acknowledged",
        "by": "Maj. Serikov", "post": "duty officer", "sha256": None,
    }  # fmt: skip
    full = state(
        alarms=[
            {
                "id": new_id(),
                "code": "airflow_lost",
                "priority": "critical",
                "state": "unacknowledged",
                "since": now(),
                "item": None,
            }
        ],
        alarms_total=1,
    )
    full["boarding"]["refusals"] = [{"code": "item_not_proven", "rule": "15", "item": "cell_lock_1"}]
    phase = {"phase": "under_way", "secured": True, "inside": None}
    found = [
        ("state", "state", full), ("session", "session", session()), ("position", "position", position()),
        ("events", "alarm", alarm), ("events", "notice_stage", stage), ("events", "phase", phase),
        ("events", "fallback", {"item": "ventilation", "reason": None}),
    ]  # fmt: skip
    return [
        (part, {
            "specversion": "1.0", "id": new_id(), "source": "/stv/vehicles/kz-mp-017", "type": f"kz.mp.stv.{kind}.v1",
            "subject": "trip", "time": now(), "sequence": f"{7:020d}", "data": data,
        })
        for part, kind, data in found
    ]  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the leaves of a JSON value are."""
    if isinstance(value, dict):
        return [path for key, inner in value.items() for path in paths(inner, (*at, key))]
    if isinstance(value, list):
        return [path for number, inner in enumerate(value) for path in paths(inner, (*at, number))]
    return [at]


def put(value: Any, path: tuple[Any, ...], leaf: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = leaf


def test_the_sample_reports_are_valid(desk: DeskProcess, vehicle: TestVehicle) -> None:
    """Else nothing above would get beyond the schema."""
    for part, event in reports():
        vehicle.publish(topics.vehicle_topic(vehicle.vehicle, part), json.dumps(event).encode())
    vehicle.report("state", state(phase="arrived"), retain=False)
    until(lambda: desk.vehicle(vehicle.vehicle)["phase"] == "arrived")
    assert sum(row["count"] for row in desk.get("/api/v1/warnings")) == 0, desk.get("/api/v1/warnings")
