"""What a hostile or broken broker may do to a client: each by name, as a script of the fake broker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.attack.fake_broker import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    Peer,
    Script,
    connack,
    packet,
    publish,
    text,
    varint,
)

RECEIPTS = "stv/v1/vehicles/kz-mp-017/receipts/astana-mp"
NOTICES = "stv/v1/units/astana-mp/notices/kz-mp-017"
CODES = sorted({*range(0x01, 0x06), *range(0x7F, 0xA4), 0xFF})  # those of MQTT 3.1.1, of MQTT 5, and some of nobody
FLOOD = 3000
BIG_BYTES = 24 * 1024 * 1024  # of a packet that says it has 256 MiB
LINGER_S, LONG_S = 0.05, 0.2


def _answer(raw: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.until(CONNECT)
        peer.send(raw)
        peer.pause(LINGER_S)

    return script


def _after(*raw: bytes, properties: bytes = b"") -> Script:
    """Behave until the subscription stands, then say this."""

    def script(peer: Peer) -> None:
        peer.welcome(properties)
        for one in raw:
            peer.send(one)
        peer.pause(LINGER_S)

    return script


def _noise(peer: Peer) -> None:
    peer.send(peer.rng.randbytes(peer.rng.randrange(1, 2000)))
    peer.pause(LINGER_S)


def _noise_later(peer: Peer) -> None:
    peer.welcome()
    for _ in range(20):
        kind, flags = peer.rng.randrange(16), peer.rng.randrange(16)
        peer.send(packet(kind, peer.rng.randbytes(peer.rng.randrange(60)), flags))
    peer.pause(LINGER_S)


def _drip(peer: Peer) -> None:
    peer.until(CONNECT)
    for byte in connack():
        peer.pause(LINGER_S)
        peer.send(bytes([byte]))
    peer.until(SUBSCRIBE)
    peer.pause(LINGER_S)


def _big(peer: Peer) -> None:
    peer.welcome()
    peer.send(bytes([PUBLISH << 4]) + b"\xff\xff\xff\x7f" + text(RECEIPTS) + b"\x00")
    for _ in range(BIG_BYTES // 65536):
        peer.send(b"x" * 65536)


def _wrong_answers(peer: Peer) -> None:
    peer.welcome()
    for number in range(FLOOD):
        peer.send(packet(PUBACK, (number % 65536).to_bytes(2, "big")))
    peer.pause(LINGER_S)


def _flood(topic: str, payload: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.welcome()
        for number in range(1, FLOOD):
            peer.send(publish(topic, payload, number))
        peer.pause(LONG_S)

    return script


def _deaf(peer: Peer) -> None:
    peer.welcome()
    peer.pause(1.0)  # reads nothing


_PROPERTIES = {
    "no keepalive": b"\x13\x00\x00",
    "a keepalive of a second": b"\x13\x00\x01",
    "receive maximum 0": b"\x21\x00\x00",
    "receive maximum 1": b"\x21\x00\x01",
    "maximum packet size 0": b"\x27\x00\x00\x00\x00",
    "maximum packet size 1": b"\x27\x00\x00\x00\x01",
    "maximum QoS 0": b"\x24\x00",
    "no retained messages": b"\x25\x00",
    "no wildcards": b"\x28\x00",
    "another identifier": b"\x12" + text("kz-mp-666"),
    "an identifier that is no text": b"\x12" + text(b"\xff\xfe"),
    "a property twice": b"\x13\x00\x01\x13\x00\x02",
    "a property that does not exist": b"\x7f\x00",
    "a property cut short": b"\x13\x00",
    "60 kB of user properties": (b"\x26" + text("k" * 50) + text("v" * 50)) * 570,
    "another server": b"\x1c" + text("evil.example"),
    "authentication": b"\x15" + text("SCRAM") + b"\x16" + text("data"),
}


def _all() -> Iterator[tuple[str, Script]]:
    yield "closes at once", lambda _: None
    yield "reads the greeting and closes", _answer(b"")
    yield "noise instead of an answer", _noise
    yield "noise once it is trusted", _noise_later
    yield "an answer byte by byte", _drip
    for code in CODES:
        yield f"CONNACK {code:#04x}", _answer(connack(code))
    for code in range(6):
        yield f"CONNACK of MQTT 3.1.1, {code}", _answer(packet(CONNACK, bytes([0, code])))
    whole = connack(properties=_PROPERTIES["a keepalive of a second"])
    for cut in range(1, len(whole)):
        yield f"CONNACK cut after {cut}", _answer(whole[:cut])
    yield "CONNACK with every flag", _answer(connack(flags=0xFF))
    yield "CONNACK twice", _answer(connack() * 2)
    yield "CONNACK without an end", _answer(bytes([CONNACK << 4]) + b"\xff" * 5)
    for name, properties in _PROPERTIES.items():
        yield name, _after(properties=properties)
    for code in (0x00, 0x02, *range(0x80, 0xA3), 0xFF):
        yield f"SUBACK {code:#04x}", _subscription(bytes([code]))
    yield "SUBACK of nothing", _subscription(b"")
    yield "SUBACK of a hundred", _subscription(b"\x01" * 100)
    for code in (0x00, 0x04, *range(0x80, 0xA3)):
        yield f"DISCONNECT {code:#04x}", _after(packet(DISCONNECT, bytes([code])))
    yield "DISCONNECT with another server", _after(packet(DISCONNECT, b"\x9d\x04\x1c" + text("x")))
    for kind in range(16):
        yield f"packet type {kind}, empty", _after(packet(kind))
        yield f"packet type {kind}, full", _after(packet(kind, b"\x00\x01" * 20, flags=kind & 3))
    yield "answers that nobody asked for", _wrong_answers
    yield "pings that nobody asked for", _after(packet(PINGRESP) * FLOOD)
    yield "a length without an end", _after(bytes([PUBLISH << 4]) + b"\xff" * 8)
    yield "256 MiB announced", _big
    yield "a message in the wrong direction", _after(packet(CONNECT, text("MQTT") + b"\x05\x02\x00\x3c\x00\x00\x00"))
    for name, topic in {
        "no topic": b"",
        "a topic with a zero byte": b"stv/\x00",
        "a topic that is no text": b"stv/\xff\xfe",
        "a topic with wildcards": b"stv/+/#",
        "a topic of 65 535 bytes": b"t" * 65535,
        "half a surrogate": b"stv/\xed\xa0\x80",
    }.items():
        yield name, _after(publish(topic, b"{}"))
    for qos in range(4):
        yield f"QoS {qos}", _after(publish(RECEIPTS, b"{}", flags=qos << 1), packet(6, b"\x00\x01", 2))
    yield "message number 0", _after(publish(RECEIPTS, b"{}", number=0))
    yield "an alias without a topic", _after(publish("", b"{}", properties=b"\x23\x00\x01"))
    yield "alias 0", _after(publish(RECEIPTS, b"{}", properties=b"\x23\x00\x00"))
    yield "no payload", _after(publish(RECEIPTS, b""))
    yield "100 kB", _after(publish(RECEIPTS, b"x" * 100_000))
    message = publish(RECEIPTS, b'{"payload":"e30"}')
    for cut in range(1, len(message)):
        yield f"a message cut after {cut}", _after(message[:cut])
    yield "a flood of receipts", _flood(RECEIPTS, b'{"payload":"e30","protected":"e30","signature":"e30"}')
    yield "a flood of notices", _flood(NOTICES, b'{"payload":"e30","protected":"e30","signature":"e30"}')
    yield "a flood on a topic that nobody asked for", _flood("$SYS/broker", b"x" * 500)
    yield "does not read", _deaf
    yield "a split second between any two bytes", _split


def _subscription(codes: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.until(CONNECT)
        peer.send(connack())
        body = peer.until(SUBSCRIBE)
        peer.send(packet(SUBACK, body[:2] + b"\x00" + codes))
        peer.pause(LINGER_S)

    return script


def _split(peer: Peer) -> None:
    peer.welcome()
    message = publish(RECEIPTS, b"{}")
    for start, end in pairwise([*range(0, len(message), 3), len(message)]):
        peer.send(message[start:end])
        peer.pause(0.001)


HOSTILITIES: dict[str, Script] = dict(_all())
assert varint(268_435_455) == b"\xff\xff\xff\x7f"
