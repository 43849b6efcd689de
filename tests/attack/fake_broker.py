"""A broker that does whatever its script says: a real socket on loopback that speaks MQTT as badly as one can."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

CLEAN = 0x02  # of the flags of a CONNECT
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14
RECV_TIMEOUT_S = 30.0  # a peer that says nothing for so long has been forgotten by its test


def varint(number: int) -> bytes:
    """MQTT's variable byte integer (MQTT 5, 1.5.5)."""
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    """A string with its length before it (MQTT 5, 1.5.4); bytes go as they are, UTF-8 or not."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """A whole control packet."""
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def connack(code: int = 0, properties: bytes = b"", flags: int = 0) -> bytes:
    """The broker's answer to CONNECT, MQTT 5."""
    return packet(CONNACK, bytes([flags, code]) + varint(len(properties)) + properties)


def publish(topic: str | bytes, payload: bytes, number: int = 1, flags: int = 2, properties: bytes = b"") -> bytes:
    """One message; `flags` are DUP, QoS and RETAIN (2: QoS 1)."""
    middle = struct.pack(">H", number) if flags & 6 else b""
    return packet(PUBLISH, text(topic) + middle + varint(len(properties)) + properties + payload, flags)


class Peer:
    """One connection, from the broker's side."""

    def __init__(self, channel: socket.socket, rng: random.Random) -> None:
        self.channel = channel
        self.rng = rng
        self.seen: list[tuple[int, bytes]] = []

    def send(self, data: bytes) -> None:
        self.channel.sendall(data)

    def read(self) -> tuple[int, bytes]:
        """The next packet: its kind and its body. ConnectionError at the end."""
        head = self._exactly(1)[0]
        length = shift = 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        found = head >> 4, self._exactly(length)
        self.seen.append(found)
        return found

    def until(self, kind: int) -> bytes:
        """Read on to the next packet of this kind; its body."""
        while True:
            found, body = self.read()
            if found == kind:
                return body

    def welcome(self, properties: bytes = b"") -> None:
        """Take the connection and its subscription as a broker should."""
        self.until(CONNECT)
        self.send(connack(properties=properties))
        body = self.until(SUBSCRIBE)
        self.send(packet(SUBACK, body[:2] + b"\x00" + bytes([1]) * _filters(body)))

    def pause(self, seconds: float) -> None:
        """Leave the other side alone with what it has: nothing is read, nothing is sent."""
        select.select([], [], [], seconds)

    def hold(self) -> None:
        """Read and answer nothing until the other side has had enough."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.read()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.channel.recv(count - len(data))
            if not more:
                raise ConnectionError("the other side is gone")
            data += more
        return data


Script = Callable[[Peer], None]


def honest(port: int) -> Script:
    """Hand everything on to a real broker on loopback, both ways."""

    def script(peer: Peer) -> None:
        with socket.create_connection(("127.0.0.1", port)) as broker:
            back = threading.Thread(target=_pump, args=(broker, peer.channel), daemon=True)
            back.start()
            _pump(peer.channel, broker)
            back.join()

    return script


def only_older(port: int, refusal: bytes) -> Script:
    """A broker that knows MQTT 3.1.1 alone: it refuses MQTT 5 with these bytes, and is a real one otherwise."""

    def script(peer: Peer) -> None:
        head = peer.channel.recv(64, socket.MSG_PEEK)
        level = head[head.index(b"MQTT") + 4]
        if level > 4:
            peer.until(CONNECT)
            peer.send(refusal)
            peer.pause(0.05)
        else:
            honest(port)(peer)

    return script


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class FakeBroker:
    """Serves every connection with the script of the moment; that a script finds its connection closed is expected."""

    def __init__(self, seed: int) -> None:
        self.script: Script = Peer.hold
        self.accepted = 0
        self.levels: list[int] = []  # of the protocol, as each connection greeted
        self.keeps_session: list[tuple[int, bool]] = []  # with each level: whether a session is to be kept
        self.served = 0
        self.wrong: list[BaseException] = []
        self._rng = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection."""
        with self._lock:
            for channel in self._open:
                with contextlib.suppress(OSError):
                    channel.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with self._lock:
                self._open.add(channel)
            self._note_level(channel)
            rng = random.Random(self._rng.getrandbits(64))
            threading.Thread(target=self._serve, args=(channel, self.script, rng), daemon=True).start()

    def _note_level(self, channel: socket.socket) -> None:
        """Which protocol a client greets with, if it greets soon."""
        channel.settimeout(0.5)
        with contextlib.suppress(OSError, ValueError, IndexError):
            head = channel.recv(64, socket.MSG_PEEK)
            level, flags = head[head.index(b"MQTT") + 4 :][:2]
            self.levels.append(level)
            self.keeps_session.append((level, not flags & CLEAN))

    def _serve(self, channel: socket.socket, script: Script, rng: random.Random) -> None:
        channel.settimeout(RECV_TIMEOUT_S)
        try:
            script(Peer(channel, rng))
        except OSError:
            pass  # the other side has ended it, or we have
        except BaseException as error:
            self.wrong.append(error)
        finally:
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(channel)
            channel.close()
            self.served += 1


def _filters(subscribe: bytes) -> int:
    """How many topic filters a SUBSCRIBE of MQTT 5 has (with properties shorter than 128 bytes)."""
    at, count = 3 + subscribe[2], 0
    while at < len(subscribe):
        at += 3 + struct.unpack_from(">H", subscribe, at)[0]
        count += 1
    return count
