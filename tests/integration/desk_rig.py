"""A real desk as a child process and a test vehicle that signs as a real one does."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from vehicle_agent.messages import jws, topics
from vehicle_agent.messages.events import CloudEvent, format_time, unit_source, uuid7, vehicle_source

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("almaty-mp", "astana-mp")
VEHICLES = ("kz-mp-017", "kz-mp-018", *(f"test-{number:03}" for number in range(60)))
WITHIN_S = 10.0
Json = dict[str, Any]
Found = TypeVar("Found")


def until(look: Callable[[], Found], within_s: float = WITHIN_S, what: str = "") -> Found:
    """The first true value of `look`; an assertion that names the last one otherwise."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or look} (last: {found!r})"
        time.sleep(0.02)


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def now() -> str:
    return format_time(datetime.now(UTC))


@dataclass
class Keys:
    """Every party's private key; a desk gets the public ones of the vehicles in its file."""

    directory: Path
    signers: dict[str, jws.FileSigner] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for party in (*UNITS, *VEHICLES):
            key = Ed25519PrivateKey.generate()
            file = self.directory / f"{party}.pem"
            file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            self.signers[party] = jws.FileSigner(key, f"{party}/1")


def desk_toml(keys: Keys, broker_port: int, units: tuple[str, ...] = UNITS, language: str = "ru") -> str:
    lines = [
        "[desk]",
        f"units = {json.dumps(list(units))}",
        "port = 0",
        f'language = "{language}"',
        f'database = "{keys.directory}/desk.db"',
        "[broker]",
        'host = "127.0.0.1"',
        f"port = {broker_port}",
        "tls = false",
        "keepalive_s = 5",
    ]
    for unit in units:
        lines += ["[[signing]]", f'unit = "{unit}"', f'kid = "{unit}/1"', f'key = "{keys.directory}/{unit}.pem"']
    for vehicle in VEHICLES:
        public = keys.signers[vehicle].public_key
        lines += ["[[vehicle]]", f'id = "{vehicle}"', f'keys = {{ "{vehicle}/1" = "{public}" }}']
    return "\n".join(lines) + "\n"


class DeskProcess:
    """`dispatch-desk run` as a child; `kill` is SIGKILL."""

    def __init__(self, keys: Keys, broker_port: int, language: str = "ru") -> None:
        self.file = keys.directory / "desk.toml"
        self.database = keys.directory / "desk.db"
        self.log = keys.directory / "desk.log"
        self.file.write_text(desk_toml(keys, broker_port, language=language), encoding="utf-8")
        self._child: subprocess.Popen[str] | None = None
        self.url = ""
        self.http = httpx.Client(timeout=WITHIN_S)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def start(self, is_connected: bool = True, environment: dict[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "vehicle_agent.dispatch.cli", "run", "--config", str(self.file)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
            )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, f"the desk did not start: {self.log.read_text()[-2000:]}"
        self.url = json.loads(line)["desk"]
        if is_connected:
            until(lambda: self.get("/healthz")["broker"]["connected"], what="connected to the broker")

    def stop(self) -> float:
        """SIGTERM; the seconds it took."""
        assert self._child is not None
        began = time.monotonic()
        self._child.send_signal(signal.SIGTERM)
        self._child.wait(WITHIN_S)
        assert self._child.returncode == 0, self.log.read_text()[-2000:]
        self._close()
        return time.monotonic() - began

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(WITHIN_S)
            self._close()

    def wait_dead(self) -> None:
        assert self._child is not None
        self._child.wait(WITHIN_S)
        self._close()

    def _close(self) -> None:
        assert self._child is not None and self._child.stdout is not None
        self._child.stdout.close()
        self._child = None

    def get(self, path: str) -> Any:
        return self.http.get(self.url + path).json()

    def notices(self, vehicle: str | None = None) -> list[Json]:
        rows: list[Json] = self.get("/api/v1/notices")
        return [row for row in rows if vehicle in (None, row["vehicle"])]

    def vehicle(self, vehicle: str) -> Json:
        rows: list[Json] = self.get("/api/v1/vehicles")
        return next(row for row in rows if row["vehicle"] == vehicle)

    def warnings(self, reason: str, vehicle: str | None = None) -> list[Json]:
        rows: list[Json] = self.get("/api/v1/warnings")
        return [row for row in rows if row["reason"] == reason and vehicle in (None, row["vehicle"])]

    def refused(self, reason: str) -> int:
        return sum(row["count"] for row in self.warnings(reason))

    def acknowledge(self, notice: str, by: str = "Maj. Serikov", post: str = "duty officer") -> httpx.Response:
        return self.http.post(f"{self.url}/api/v1/notices/{notice}/acknowledge", json={"by": by, "post": post})


@contextmanager
def running_desk(keys: Keys, broker_port: int, language: str = "ru") -> Iterator[DeskProcess]:
    desk = DeskProcess(keys, broker_port, language)
    try:
        desk.start()
        yield desk
    finally:
        desk.kill()
        desk.http.close()


@dataclass(frozen=True)
class Sent:
    """A signed notice ready to be sent any number of times."""

    id: str
    unit: str
    vehicle: str
    payload: bytes
    message: bytes


class TestVehicle:
    """Publishes what it is told to and keeps every receipt it gets."""

    __test__ = False

    def __init__(self, keys: Keys, broker_port: int, vehicle: str = VEHICLES[0]) -> None:
        self.keys = keys
        self.vehicle = vehicle
        self.trip = new_id()
        self.received: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        self.receipts: list[Json] = []
        self.raw: list[bytes] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{vehicle}", protocol=mqtt.MQTTv5)
        subscribed: queue.Queue[bool] = queue.Queue()
        self.client.on_message = lambda _c, _d, message: self.received.put(
            (message.topic, bytes(message.payload), message.retain)
        )
        self.client.on_connect = lambda client, *_: client.subscribe(
            topics.receipt_filter(vehicle), options=SubscribeOptions(qos=1)
        )
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", broker_port)
        self.client.loop_start()
        subscribed.get(timeout=WITHIN_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WITHIN_S)

    def notice(self, unit: str, sequence: int, kind: str = "departure", **changes: Any) -> Sent:
        """A genuine notice; `changes` go into its data, `_signer`, `_source` and `_id` around it."""
        signer = changes.pop("_signer", self.keys.signers[self.vehicle])
        source = changes.pop("_source", vehicle_source(self.vehicle))
        notice = changes.pop("_id", new_id())
        data: Json = {
            "departed_at": now(),
            "time_source": "gnss",
            "time_uncertainty_s": 0.2,
            "late_by_s": 0.4,
            "secured": True,
            "origin": UNITS[0],
            "destination": UNITS[1],
            "intermediate": ["taraz-mp", "karaganda-mp"],
            "recipient": unit,
            "recipient_sequence": sequence,
            "vehicle": self.vehicle,
            "journal": {"seq": 100 + sequence, "hash": "ab" * 32},
            "checks": {"all_passed": True, "fallbacks": []},
            "position": {"latitude_deg": 43.25, "longitude_deg": 76.92},
            "test": False,
            **({"arrived_at": now()} if kind == "arrival" else {}),
            **changes,
        }
        event = CloudEvent(notice, kind, source, data, now(), subject=self.trip, sequence=100 + sequence)
        payload = event.to_bytes()
        return Sent(notice, unit, self.vehicle, payload, jws.sign(payload, signer))

    def send(self, sent: Sent, topic: str | None = None, retain: bool = False) -> None:
        self.publish(topic or topics.notice_topic(sent.unit, self.vehicle), sent.message, retain)

    def report(self, part: str, data: Json, time_text: str | None = None, retain: bool | None = None) -> None:
        kind = part if part != "events" else data.pop("_kind")
        event = CloudEvent(
            new_id(),
            kind,
            vehicle_source(self.vehicle),
            data,
            time_text or now(),
            subject=self.trip if part not in {"session"} else None,
            sequence=7 if part == "events" else None,
        )
        is_retained = part in {"state", "session"} if retain is None else retain
        self.publish(topics.vehicle_topic(self.vehicle, part), event.to_bytes(), is_retained)

    def next_receipt(self, keys: Keys | None = None, within_s: float = WITHIN_S) -> Json:
        """The next receipt's data, its signature and addresses checked as a vehicle would."""
        topic, message, retain = self.received.get(timeout=within_s)
        assert not retain
        parsed = topics.parse_receipt_topic(topic)
        assert parsed and parsed[0] == self.vehicle
        unit = parsed[1]
        key = (keys or self.keys).signers[unit]
        verified = jws.verify(message, jws.public_keys({key.kid: key.public_key}), unit)
        event = CloudEvent.from_bytes(verified.payload)
        assert (event.kind, event.source) == ("receipt", unit_source(unit))
        self.raw.append(message)
        return dict(event.data)

    def no_receipt(self, for_s: float = 0.7) -> None:
        try:
            topic, _, _ = self.received.get(timeout=for_s)
        except queue.Empty:
            return
        raise AssertionError(f"an unexpected receipt on {topic}")


def state(**changes: Any) -> Json:
    """What a vehicle's `state` message says."""
    return {
        "rev": 1,
        "phase": "under_way",
        "boarding": {"permitted": False, "open": False, "energised": False, "refusals": [], "refusals_total": 0},
        "equipment": {"radio": {"status": "working", "reason": None, "since": None}},
        "alarms": [],
        "alarms_total": 0,
        "clock": {"source": "gnss", "uncertainty_s": 0.2},
        "uplink": {"pending_notices": 0, "pending_positions": 0, "oldest_pending_s": None},
        **changes,
    }


def position(**changes: Any) -> Json:
    """What a vehicle's `position` message says."""
    return {
        "time": now(),
        "latitude_deg": 43.25,
        "longitude_deg": 76.92,
        "altitude_m": 800.0,
        "speed_mps": 21.0,
        "course_deg": 15.0,
        "mode": 3,
        "satellites": 9,
        "hdop": 1.1,
        "trusted": True,
        "historical": False,
        **changes,
    }


def session(online: bool = True) -> Json:
    """Birth or death of a vehicle's connection."""
    return {
        "online": online,
        "reason": None if online else "lost",
        "software": "0.1.0",
        "schema_version": 1,
        "boot_id": "boot-1",
        "journal": None,
    }
