"""The doctor's look at the broker: name, TCP, TLS, and whether it takes our name (hazards H13, H31)."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

from vehicle_agent.config import BrokerTable, Config
from vehicle_agent.doctor_result import Check, Status
from vehicle_agent.doctor_wires import Control

CONNECT_TIMEOUT_S = 5.0
PACKET_CONNACK = 0x20
# MQTT 5 reason codes that a person can do something about.
REASONS = {
    0x84: "it speaks an older protocol",
    0x85: "the client identifier is not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "it is not available",
    0x8A: "we are banned",
}


def check_broker(config: Config, control: Control | None) -> Iterator[Check]:
    """A connected uplink is the proof; a second session under its name would throw it out, so none is opened then."""
    broker = config.uplink.broker
    if control is not None:
        uplink = control.snapshot.get("uplink") or {}
        if uplink.get("connected"):
            found = f"uplink is connected to {broker.host}, {uplink.get('pending_notices')} notices waiting"
            yield Check("broker", Status.OK, found)
            return
    yield try_broker(broker, broker.client_id or config.vehicle.vehicle.id)


def try_broker(broker: BrokerTable, client_id: str) -> Check:
    """Connect as the uplink would, and leave again."""
    where = f"{broker.host}:{broker.port}"
    try:
        plain = socket.create_connection((broker.host, broker.port), CONNECT_TIMEOUT_S)
        with plain, _secured(broker, plain) as wire:
            wire.sendall(connect_packet(client_id))
            reason = read_connack(wire)
            wire.sendall(b"\xe0\x00")  # DISCONNECT: a clean end sends no will
    except ssl.SSLCertVerificationError as error:
        advice = "Is `ca` the one that signed the broker's certificate, and this computer's clock right?"
        return Check("broker", Status.FAIL, f"{where}: its certificate is refused: {error.verify_message}", advice)
    except ssl.SSLError as error:
        advice = "It refuses our certificate, or is no TLS port: see broker.certificate and broker.port."
        return Check("broker", Status.FAIL, f"{where}: TLS failed: {error.reason or error}", advice)
    except ConnectionResetError:
        return Check(
            "broker", Status.FAIL, f"{where} hangs up at once", "Does it want TLS? See broker.tls and broker.port."
        )
    except OSError as error:
        advice = "Is the modem up, the name right, and the broker running?"
        return Check("broker", Status.FAIL, f"{where}: {error.strerror or error}", advice)
    if reason == 0:
        return Check("broker", Status.OK, f"{where} takes us as {client_id}")
    if reason is None:
        return Check(
            "broker", Status.FAIL, f"{where} does not answer as an MQTT 5 broker", "See broker.host and broker.port."
        )
    found = f"{where} refuses us: {REASONS.get(reason, f'reason 0x{reason:02x}')}"
    return Check(
        "broker",
        Status.FAIL,
        found,
        "Is this vehicle's name in the broker's access list, and its certificate not revoked?",
    )


def _secured(broker: BrokerTable, plain: socket.socket) -> socket.socket:
    if not broker.tls:
        return plain
    context = ssl.create_default_context(cafile=str(broker.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.certificate and broker.key:
        context.load_cert_chain(str(broker.certificate), str(broker.key))
    return context.wrap_socket(plain, server_hostname=broker.host)


def connect_packet(client_id: str) -> bytes:
    """MQTT 5 CONNECT: clean start, no will, keep-alive 10 s (MQTT 5.0, 3.1)."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x05" + b"\x02" + struct.pack(">H", 10) + b"\x00" + struct.pack(">H", len(name)) + name
    if len(body) > 127:
        raise ValueError("a longer packet would need a longer length field")
    return bytes((0x10, len(body))) + body


def read_connack(wire: socket.socket) -> int | None:
    """The reason code, or None when the answer is no CONNACK."""
    head = wire.recv(4)
    while head and len(head) < 4 and (more := wire.recv(4 - len(head))):
        head += more
    if len(head) == 4 and head[0] == PACKET_CONNACK:
        return head[3]
    return None
