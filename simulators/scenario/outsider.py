"""Somebody on the broker who should not be believed: forged, replayed and senseless receipts (H13, H14, H15).

Makes its messages with its own few lines, so that a fault in the vehicle's own message code cannot hide itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from paho.mqtt.enums import CallbackAPIVersion

from simulators.scenario.errors import NotMetError
from simulators.stack.variants import VEHICLE

CONNECT_WITHIN_S = 5.0


class Outsider:
    """Anonymous on the demo's broker; connects when first needed and listens to every notice from then on."""

    def __init__(self, broker: str, keys: Path) -> None:
        self._broker = urlsplit(broker)
        self._keys = keys
        self._client: mqtt.Client | None = None
        self._notices: dict[str, bytes] = {}  # notice id -> the exact bytes that its sender signed

    def connect(self) -> None:
        if self._client is not None:
            return
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.on_message = lambda _client, _data, message: self._keep(bytes(message.payload))
        client.on_connect = lambda client, *_: client.subscribe("stv/v1/units/+/notices/+", qos=1)
        client.connect(self._broker.hostname or "127.0.0.1", self._broker.port or 18830)
        client.loop_start()
        self._client = client
        deadline_s = time.monotonic() + CONNECT_WITHIN_S
        while not client.is_connected():
            if time.monotonic() > deadline_s:
                raise NotMetError(f"the broker {self._broker.geturl()} does not answer")
            time.sleep(0.02)

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def publish(self, unit: str, payload: bytes, *, is_retained: bool = False) -> None:
        """Put these bytes where this unit's receipts are expected."""
        self.connect()
        assert self._client is not None
        topic = f"stv/v1/vehicles/{VEHICLE}/receipts/{unit}"
        self._client.publish(topic, payload, qos=1, retain=is_retained).wait_for_publish(CONNECT_WITHIN_S)

    def receipt(self, stage: str, unit: str, signer: str, notice: str, *, is_other_notice: bool = False) -> bytes:
        """A receipt as `unit` would send it, signed with the key of `signer` (`stranger`: a key that nobody knows)."""
        signed = self._notices.get(notice, b"not the notice's bytes")
        data = {
            "notice": _uuid7() if is_other_notice else notice,
            "sha256": hashlib.sha256(signed).hexdigest(),
            "stage": stage,
            "by": "Nobody",
            "post": "duty officer",
            "at": _now(),
        }
        event = {
            "specversion": "1.0",
            "id": _uuid7(),
            "source": f"/stv/units/{unit}",
            "type": "kz.mp.stv.receipt.v1",
            "time": _now(),
            "datacontenttype": "application/json",
            "data": data,
        }
        return self._signed(json.dumps(event).encode(), unit, signer)

    def _signed(self, payload: bytes, unit: str, signer: str) -> bytes:
        """JWS, flattened JSON; the `kid` always claims to be the unit."""
        protected = _b64url(json.dumps({"alg": "EdDSA", "kid": f"{unit}/1"}).encode())
        body = _b64url(payload)
        signature = _b64url(self._key(signer).sign(f"{protected}.{body}".encode()))
        return json.dumps({"protected": protected, "payload": body, "signature": signature}).encode()

    def _key(self, signer: str) -> Ed25519PrivateKey:
        if signer == "stranger":
            return Ed25519PrivateKey.generate()
        key = load_pem_private_key((self._keys / f"{signer}.pem").read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return key

    def _keep(self, payload: bytes) -> None:
        try:
            encoded = json.loads(payload)["payload"]
            signed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            self._notices[json.loads(signed)["id"]] = signed
        except (ValueError, KeyError, TypeError):
            return  # not a notice: nothing to remember


def _uuid7() -> str:
    """Time first, version 7 (RFC 9562): a right-looking id, so that only the forgery itself is wrong."""
    value = int(time.time() * 1000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
