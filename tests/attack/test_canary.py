"""No name, paper, plan or word that a person typed leaves the vehicle: every field carries a mark, and none is found.

What may hold it is the vehicle's own record and the cab's screen; that it is found there proves that fields were used.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulators.scenario.commander import Commander
from simulators.stack.calls import Answer, call
from tests.attack.seeds import drawn_seed
from tests.attack.test_hostile_vehicle import paths, put
from tests.brokers import mosquitto
from tests.core.world import SECURING, World
from tests.delivery.prepared import Prepared, store
from tests.delivery.uplink_parts import LoopLink
from tests.delivery.world import Delivery, play_as
from tests.faults.crew_of_the_killed import TRIP, Crew
from tests.integration.uplink_control import TRIP as TRIP_ID
from tests.integration.uplink_control import fix_body, new_id, notice_data, now
from tests.integration.uplink_rig import uplink_rig
from tests.scenarios.running import Demo, until
from vehicle_agent.messages import jws

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]
MARK = f"CANARY{secrets.token_hex(4)}"
PLAN: dict[str, Any] = {
    "order": {"number": f"{MARK} order", "valid_until": "2099-12-31"},
    "request_number": f"{MARK} request",
    "destination_place": f"{MARK} court",
}


def opened(topic: str, payload: bytes) -> bytes:
    """What a message says, its signed part in clear."""
    if "/notices/" not in topic and "/receipts/" not in topic:
        return payload
    return jws.decode_base64url(json.loads(payload)["payload"])


# In made time: many trips with every fault of the delivery worlds.


class Marked(Delivery):
    """A world whose commander types the mark wherever he can, and that looks at every message on its way."""

    found: list[str]
    seen: int
    has_spoken = False

    def build(self, weather: Any) -> None:
        super().build(weather)
        self.found, self.seen = [], 0
        judge = self.vehicle.on_publish

        def look(link: LoopLink, topic: str, payload: bytes) -> None:
            self.seen += 1
            if MARK.encode() in opened(topic, payload):
                self.found.append(topic)
            judge(link, topic, payload)

        self.vehicle.on_publish = look

    async def journey(self) -> None:
        await asyncio.gather(super().journey(), self.talk())

    async def talk(self) -> None:
        """Halts with reasons, people told by radio, alarms acknowledged: all that a commander says under way."""
        while self.vehicle.trip is None or self.vehicle.trip.phase != "under_way":
            await asyncio.sleep(1.0)
        await asyncio.sleep(self.random.uniform(1.0, 4.0))
        while (trip := self.vehicle.trip) is None or not trip.notices:  # control is just being started again
            await asyncio.sleep(0.5)
        await self.vehicle.order("told_by_radio", notice=trip.notices[0].id, post=f"{MARK} post")
        self.has_spoken = True

    @property
    def is_over(self) -> bool:
        return super().is_over and self.has_spoken


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    template = tmp_path_factory.mktemp("marked") / "state"
    template.mkdir()
    world = Prepared()
    world.to_boarding(**PLAN)
    world.board(1, 2, 2)
    world.must("finish_boarding")
    world.run(0.1)
    for item in SECURING:
        world.must("confirm", item=item)
    world.must("secure")
    store(template, world)
    return template, world


@pytest.mark.parametrize("count", [5, pytest.param(200, marks=pytest.mark.campaign("attack"))])
def test_H32_random_trips_with_faults_tell_nothing_that_was_typed(
    count: int, tmp_path: Path, marked: tuple[Path, World], caplog: pytest.LogCaptureFixture, tell: Tell
) -> None:
    caplog.set_level(logging.DEBUG)
    first = drawn_seed()
    messages = 0
    for seed in range(first, first + count):
        _, world = play_as(Marked, seed, tmp_path / str(seed), *marked)
        assert world.found == [], f"seed {seed}: {MARK} on {set(world.found)}"
        assert MARK not in caplog.text, (
            f"seed {seed}: {[line for line in caplog.text.splitlines() if MARK in line][:3]}"
        )
        caplog.clear()
        messages += world.seen
        journal = b"".join(path.read_bytes() for path in (tmp_path / str(seed) / "state").glob("journal.db*"))
        assert f"{MARK} court".encode() in journal and f"{MARK} post".encode() in journal, (
            f"seed {seed}: nothing was typed"
        )
        for path in (tmp_path / str(seed)).rglob("*"):
            if path.is_file() and not path.name.startswith("journal.db") and path.parent.name != "state":
                assert MARK.encode() not in path.read_bytes(), f"seed {seed}: {path}"
        shutil.rmtree(tmp_path / str(seed))
    tell("canary: trips", count)
    tell("canary: messages looked at", messages)


# The running system: one whole trip of a demo, everything that its processes wrote, and a spy at the broker.


class MarkedCommander(Commander):
    """Signs in under the mark."""

    def _open_session(self, pin: str) -> tuple[Answer, str | None]:
        answer = call("POST", self._display, "/api/v1/session", {"pin": pin, "by": f"{MARK} name"})
        cookie = answer.headers.get("set-cookie", "").split(";")[0]
        return answer, cookie if answer.status == 200 and cookie else None


class MarkedCrew(Crew):
    """Types the mark wherever a person may type."""

    def __init__(self, ready: dict[str, Any]) -> None:
        super().__init__(ready)
        self._commander = MarkedCommander(ready["display"])

    def _give(self, name: str, **arguments: Any) -> bool:
        if name == "open_trip":
            arguments |= TRIP | PLAN
        if name == "arrive" and not self._has_halted:
            self._has_halted = True
            super()._give("log_halt", reason=f"{MARK} reason")
            super()._give("end_halt")
            for alarm in (self._commander.look() or {}).get("alarms", []):
                super()._give("acknowledge_alarm", alarm=alarm["id"])
        return super()._give(name, **arguments)

    _has_halted = False


class Spy:
    """Everything on a broker, from the moment that it is there."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("mqtt://").partition(":")
        self.messages: list[tuple[str, bytes]] = []
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="canary-spy", protocol=mqtt.MQTTv5)
        client.on_message = lambda _c, _d, message: self.messages.append((message.topic, bytes(message.payload)))
        ready = threading.Event()
        client.on_connect = lambda one, *_: one.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.connect(host, int(port))
        client.loop_start()
        assert ready.wait(10)
        self.client = client

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def demo() -> Iterator[Demo]:
    running = Demo("--ports", "auto")
    try:
        yield running.wait_ready()
    finally:
        running.sweep()


def test_H32_a_whole_trip_of_the_running_system_leaves_the_mark_in_its_own_record_alone(demo: Demo, tell: Tell) -> None:
    """Signed in under the mark, with a wrong PIN that is the mark, a halt, and an alarm acknowledged under it."""
    ready = demo.ready
    spy = Spy(ready["broker"])
    call("POST", ready["display"], "/api/v1/session", {"pin": MARK[-4:] + "9", "by": f"{MARK} nobody"})
    crew = MarkedCrew(ready)
    phases = set()

    def step() -> bool:
        phases.add(crew.step())
        return crew.trips > 0

    assert until(step, 120.0), f"the trip did not end: {phases}"
    spy.close()
    root = Path(ready["state_dir"]).parent
    told = [topic for topic, payload in spy.messages if MARK.encode() in opened(topic, payload)]
    assert told == [], set(told)
    notices = [opened(topic, payload) for topic, payload in spy.messages if "/notices/" in topic]
    assert all(any(kind in one for one in notices) for kind in (b"departure", b"arrival")), "no trip was told of"
    files = [path for path in root.rglob("*") if path.is_file()]
    with_mark = {str(path.relative_to(root)) for path in files if MARK.encode() in path.read_bytes()}
    assert with_mark, "the record itself does not know what was typed"
    assert {name for name in with_mark if "journal.db" not in name} == set(), with_mark
    for path in ("/api/v1/notices", "/api/v1/vehicles", "/api/v1/events", "/api/v1/register.csv", "/metrics"):
        assert MARK not in call("GET", ready["desk"], path).text, path
    tell("canary: messages looked at", len(spy.messages))
    tell("canary: files looked at", len(files))
    tell("canary: trips", 1)


def test_H32_what_the_uplink_cannot_read_is_not_repeated_in_its_log(tmp_path: Path, tell: Tell) -> None:
    """Rows, fixes and snapshots of a control gone mad, with the mark in the place of each value in turn."""
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port) as rig:
        child = rig.start()
        until(lambda: rig.control.is_feeding, 10.0)
        bodies: dict[str, dict[str, Any]] = {
            "fix": fix_body(),
            "row": {
                "seq": 1, "id": new_id(), "at": now(), "boot_id": "b", "mono_s": 1.0, "trip": TRIP_ID, "hash": "0" * 64,
                "type": "notice_recorded", "data": notice_data(new_id(), "astana-mp", 1),
            },
            "snapshot": rig.control.snapshot,
        }  # fmt: skip
        tried = 0
        for kind, body in bodies.items():
            for path in paths(body):
                if kind == "row" and path[0] in ("seq", "hash", "id"):
                    continue  # a journal's head and a notice's number are no person's words, and are named
                spoilt = copy.deepcopy(body)
                put(spoilt, path, MARK)
                rig.control.push(kind, spoilt)
                tried += 1
            rig.control.push(kind, {MARK: MARK})
        rig.control.stop()
        rig.control.start()
        row = rig.control.record_notice("astana-mp")
        assert until(lambda: rig.control.stages[row["id"]] == "at_broker", 20.0), rig.log[-2000:]
        assert child.poll() is None
        assert "is not understood" in rig.log
        assert MARK not in rig.log, [line for line in rig.log.splitlines() if MARK in line][:5]
    tell("canary: values that could not be read", tried)
