"""A real uplink as a child process between a scripted control on a real Unix socket and a spy on a real broker."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jsonschema import Draft202012Validator
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.brokers import Broker, mosquitto
from tests.integration.uplink_control import VEHICLE, WITHIN_S, Control, Json, new_id, now, until
from vehicle_agent.control.forms import parse_request
from vehicle_agent.messages import jws, notices, receipts, schema, topics

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("almaty-mp", "taraz-mp", "karaganda-mp", "astana-mp")
FILES = [path.name for path in schema.DIRECTORY.glob("*.v1.json")]
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, DRAFT202012.create_resource(schema.load(name))) for name in FILES
)


def make_signer(party: str, file: Path | None = None, number: int = 1) -> jws.FileSigner:
    key = Ed25519PrivateKey.generate()
    if file is not None:
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.chmod(0o600)
    return jws.FileSigner(key, f"{party}/{number}")


@dataclass
class Message:
    topic: str
    payload: bytes
    retain: bool
    at_s: float = 0.0  # CLOCK_MONOTONIC of its arrival

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.payload)
        return found


class Spy:
    """Sees everything at the broker, and speaks for the units (and for their forgers)."""

    def __init__(self, port: int) -> None:
        self.messages: list[Message] = []
        self.acked: queue.Queue[int] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"spy-{new_id()}", protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(
            "stv/#", options=SubscribeOptions(qos=1, retainAsPublished=True)
        )
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port, clean_start=True)
        self._client.loop_start()
        assert subscribed.wait(WITHIN_S)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.messages.append(Message(message.topic, bytes(message.payload), bool(message.retain), time.monotonic()))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WITHIN_S)

    def on(self, topic: str) -> list[Message]:
        return [one for one in list(self.messages) if one.topic == topic]

    def channel(self, name: str) -> list[Message]:
        return self.on(topics.vehicle_topic(VEHICLE, name))

    def notices(self, unit: str) -> list[Message]:
        return self.on(topics.notice_topic(unit, VEHICLE))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Rig:
    """Everything one test needs; the uplink is started by the test."""

    directory: Path
    port: int
    control: Control
    vehicle: jws.FileSigner
    units: dict[str, jws.FileSigner] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    @property
    def keys(self) -> dict[str, Any]:
        return {VEHICLE: jws.public_keys({self.vehicle.kid: self.vehicle.public_key})}

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        code = (
            "import sys,pathlib; from vehicle_agent.uplink.run import main; sys.exit(main(pathlib.Path(sys.argv[1])))"
        )
        with (self.directory / "uplink.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-c", code, str(self.directory)],
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **environment},
            )
        return self.child

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.child is not None
        self.child.send_signal(number)
        try:
            return self.child.wait(WITHIN_S)
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            self.child = None

    @property
    def log(self) -> str:
        return (self.directory / "uplink.log").read_text(errors="replace")

    def opened(self, message: Message) -> notices.Notice:
        """A notice as its recipient opens it."""
        return notices.open_notice(message.topic, message.payload, retained=message.retain, keys=self.keys)

    def receipt(self, message: Message, stage: str = "received", by: str | None = None) -> tuple[str, bytes]:
        """The genuine receipt for a notice: topic and bytes."""
        notice = self.opened(message)
        raw = receipts.build_receipt(
            notice,
            stage,
            by=by,
            post="duty officer" if by else None,
            at=now(),
            event_id=new_id(),
            signer=self.units[notice.unit],
        )
        return topics.receipt_topic(VEHICLE, notice.unit), raw


@contextmanager
def uplink_rig(tmp_path: Path, port: int, **rates: float) -> Iterator[Rig]:
    """A configured vehicle; what still runs at the end is ended."""
    vehicle = make_signer(VEHICLE, tmp_path / "signing.pem")
    units = {unit: make_signer(unit) for unit in UNITS}
    reference = ROOT / "config" / "vehicle" / "vehicle.toml"
    text = reference.read_text(encoding="utf-8")
    paths = "\n".join(f'{name} = "{tmp_path}/{name}"' for name in ("state_dir", "runtime_dir", "uplink_dir"))
    (tmp_path / "vehicle.toml").write_text(text.replace("[paths]\n", f"[paths]\n{paths}\n"), encoding="utf-8")
    (tmp_path / "units.toml").write_text(
        "\n".join(
            f'[[unit]]\ncode = "{unit}"\nname = {{ kk = "{unit}", ru = "{unit}", en = "{unit}" }}\n'
            f'keys = {{ "{signer.kid}" = "{signer.public_key}" }}'
            for unit, signer in units.items()
        ),
        encoding="utf-8",
    )
    lines = ["[broker]", 'host = "127.0.0.1"', f"port = {port}", "tls = false", "keepalive_s = 5"]
    lines += ["[signing]", f'key = "{tmp_path}/signing.pem"', f'kid = "{vehicle.kid}"', "[rates]"]
    lines += [f"{name} = {value}" for name, value in ({"resend_first_s": 0.5, "resend_max_s": 2.0} | rates).items()]
    (tmp_path / "uplink.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    control = Control(tmp_path / "runtime_dir" / "control.sock")
    rig = Rig(tmp_path, port, control, vehicle, units)
    control.start()
    try:
        yield rig
    finally:
        if rig.child is not None:
            rig.stop(signal.SIGKILL)
        control.stop()


@contextmanager
def spying(port: int) -> Iterator[Spy]:
    spy = Spy(port)
    try:
        yield spy
    finally:
        spy.close()


@dataclass
class World:
    rig: Rig
    spy: Spy
    broker: Broker


@contextmanager
def running_world(tmp_path: Path) -> Iterator[World]:
    """Broker, scripted control and a running uplink; at the end all messages are checked by jsonschema."""
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port) as rig, spying(broker.port) as spy:
        rig.start()
        until(lambda: spy.channel("state"), what="the uplink's first state")
        yield World(rig, spy, broker)
        check_messages(spy)
        for asked in rig.control.asked:  # control's own forms take every question of the uplink
            parse_request(asked["op"], {name: value for name, value in asked.items() if name not in ("id", "op")})
        assert "Traceback" not in rig.log, rig.log


def check_messages(spy: Spy) -> None:
    """Nothing left the vehicle that the shipped schemas do not allow, or that a person had typed."""
    for message in list(spy.messages):
        if "/receipts/" in message.topic:
            continue
        payload = message.payload
        if topics.parse_notice_topic(message.topic):
            payload = jws.decode_base64url(message.json["payload"])
        assert b"CANARY" not in payload
        event = json.loads(payload)
        kind = event["type"].removeprefix("kz.mp.stv.").removesuffix(".v1")
        validator = Draft202012Validator({"$ref": f"{kind}.v1.json"}, registry=REGISTRY)
        assert list(validator.iter_errors(event)) == [], event
        is_kept = kind in ("session", "state")
        assert message.retain is is_kept, message.topic


def first_notice(world: World, unit: str = "astana-mp") -> Message:
    return until(lambda: world.spy.notices(unit), what=f"a notice to {unit}")[0]


def stage_is(world: World, notice: str, stage: str) -> None:
    until(lambda: world.rig.control.stages[notice] == stage, what=f"stage {stage}")
