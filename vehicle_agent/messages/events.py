"""The CloudEvents 1.0 envelope of every message (contract.md, MQTT), with its ids and times.

Bytes are what counts: a notice sent again must be byte-identical, so `to_bytes` depends on nothing but the event's own
fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vehicle_agent.messages import schema
from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX, MessageError, decode_json, encode_json

_TYPE_PREFIX = "kz.mp.stv."
_TYPE_SUFFIX = ".v1"
_SEQUENCE_DIGITS = 20  # contract: zero-padded, so that text order is row order


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One message; `kind` is the middle of its type, one of `schema.KINDS`."""

    id: str  # UUIDv7, made when the row was written
    kind: str
    source: str  # vehicle_source(...) or unit_source(...)
    data: Mapping[str, Any]
    time: str | None  # when it happened; None only in a last will, whose time nobody can know in advance
    subject: str | None = None  # the trip
    sequence: int | None = None  # the journal's row

    @property
    def type(self) -> str:
        return f"{_TYPE_PREFIX}{self.kind}{_TYPE_SUFFIX}"

    def to_bytes(self) -> bytes:
        """Deterministic bytes, checked against the shipped schema and the size limit; MessageError otherwise."""
        members: dict[str, Any] = {"specversion": "1.0", "id": self.id, "source": self.source, "type": self.type}
        if self.subject is not None:
            members["subject"] = self.subject
        if self.time is not None:
            members["time"] = self.time
        if self.sequence is not None:
            members["sequence"] = f"{self.sequence:0{_SEQUENCE_DIGITS}d}"
        members["data"] = dict(self.data)
        schema.check(self.kind, members, closed=True)
        raw = encode_json(members)
        if len(raw) > PAYLOAD_BYTES_MAX:
            raise MessageError("oversize", f"{len(raw)} bytes, at most {PAYLOAD_BYTES_MAX}")
        return raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> CloudEvent:
        """The event in `raw` (of a signed message: the verified payload); MessageError if it is not one of ours."""
        members = decode_json(raw)
        kind_type = members.get("type") if isinstance(members, dict) else None
        if not isinstance(kind_type, str):
            raise MessageError("schema", "no CloudEvents type")
        kind = kind_type.removeprefix(_TYPE_PREFIX).removesuffix(_TYPE_SUFFIX)
        schema.check(kind, members, closed=False)
        sequence = members.get("sequence")
        return cls(
            id=members["id"],
            kind=kind,
            source=members["source"],
            data=members["data"],
            time=members.get("time"),
            subject=members.get("subject"),
            sequence=None if sequence is None else int(sequence),
        )


def vehicle_source(vehicle: str) -> str:
    """CloudEvents `source` of a vehicle."""
    return f"/stv/vehicles/{vehicle}"


def unit_source(unit: str) -> str:
    """CloudEvents `source` of a unit."""
    return f"/stv/units/{unit}"


def uuid7(unix_ms: int, entropy: bytes) -> str:
    """RFC 9562 UUIDv7 of a time and ten bytes; equal arguments give an equal id, for what may be sent twice."""
    number = (unix_ms & (2**48 - 1)) << 80 | int.from_bytes(entropy[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def format_time(time_utc: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return time_utc.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """An aware datetime in UTC; MessageError (`schema`) if `text` is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MessageError("schema", "no date and time") from error
    if moment.tzinfo is None:
        raise MessageError("schema", "a time without its zone")
    return moment.astimezone(UTC)


def unix_ms(time_utc: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, for `uuid7`."""
    return round(time_utc.timestamp() * 1000)
