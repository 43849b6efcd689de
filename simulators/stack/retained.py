"""MQTT 5's "retain as published" for the embedded broker, which delivers live messages without the flag.

The desk and the vehicle refuse retained notices and receipts (hazard H14), which they can only do where the broker
tells them. The splitter sees both directions, so it puts the flag back for who subscribed with that option.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator

KEPT_MAX = 1000  # messages that are remembered; a demo retains a few topics
PUBLISH, SUBSCRIBE = 3, 8
RETAIN, QOS = 0x01, 0x06
RETAIN_AS_PUBLISHED = 0x08


class Marks:
    """Which messages were last published with the flag; one for all connections."""

    def __init__(self) -> None:
        self._marked: OrderedDict[bytes, None] = OrderedDict()

    def note(self, key: bytes, *, is_retained: bool) -> None:
        self._marked.pop(key, None)
        if is_retained:
            self._marked[key] = None
            if len(self._marked) > KEPT_MAX:
                self._marked.popitem(last=False)

    def has(self, key: bytes) -> bool:
        return key in self._marked


class Direction:
    """One way of one connection: bytes in, whole packets out, changed where needed."""

    def __init__(self, marks: Marks, filters: set[str], *, is_v5: bool, to_broker: bool) -> None:
        """`filters`: what this client subscribed to with the option; shared by both ways."""
        self._marks = marks
        self._filters = filters
        self._is_v5 = is_v5
        self._to_broker = to_broker
        self._half = b""

    def feed(self, data: bytes) -> bytes:
        """What to pass on now. Bytes that are no MQTT are passed on unchanged."""
        self._half += data
        return b"".join(self._take())

    def _take(self) -> Iterator[bytes]:
        while True:
            body, end = _bounds(self._half)
            if end is None:
                return
            packet, self._half = self._half[:end], self._half[end:]
            try:
                yield self._pass(packet, body)
            except (IndexError, ValueError):
                yield packet

    def _pass(self, packet: bytes, at: int) -> bytes:
        kind = packet[0] >> 4
        if kind == SUBSCRIBE and self._to_broker and self._is_v5:
            self._filters.update(_filters(packet, at))
        if kind != PUBLISH:
            return packet
        topic, at = _text(packet, at)
        at += 2 if packet[0] & QOS else 0
        if self._is_v5:
            at = _after_properties(packet, at)
        key = hashlib.sha256(topic.encode() + b"\0" + packet[at:]).digest()
        if self._to_broker:
            self._marks.note(key, is_retained=bool(packet[0] & RETAIN))
        elif self._marks.has(key) and any(matches(one, topic) for one in self._filters):
            return bytes((packet[0] | RETAIN,)) + packet[1:]
        return packet


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT's wildcards."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(one in ("+", level) for one, level in zip(wanted, levels, strict=True))


def _bounds(data: bytes) -> tuple[int, int | None]:
    """Where the first packet's body begins and ends; no end while bytes are missing."""
    length, at = 0, 1
    while at < len(data) and at <= 4:
        length |= (data[at] & 0x7F) << 7 * (at - 1)
        at += 1
        if not data[at - 1] & 0x80:
            return at, at + length if len(data) >= at + length else None
    return at, len(data) if at > 4 else None  # five bytes of length: no MQTT


def _text(packet: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
    return packet[at + 2 : end].decode(), end


def _after_properties(packet: bytes, at: int) -> int:
    _, end = _bounds(b"\0" + packet[at:])
    if end is None:
        raise ValueError("properties beyond the packet")
    return at + end - 1


def _filters(packet: bytes, at: int) -> Iterator[str]:
    at = _after_properties(packet, at + 2)
    while at < len(packet):
        topic_filter, at = _text(packet, at)
        if packet[at] & RETAIN_AS_PUBLISHED:
            yield topic_filter
        at += 1
