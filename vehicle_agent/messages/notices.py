"""Departure, arrival and correction notices on the wire (Rule 19): made from a journal row, opened by a desk.

The payload is a function of the row and of the stored `late_by_s` alone, so every resend is byte-identical, also after
a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vehicle_agent.messages import jws
from vehicle_agent.messages.events import CloudEvent, vehicle_source
from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX, MessageError
from vehicle_agent.messages.topics import parse_notice_topic

NOTICE_KINDS = frozenset({"departure", "arrival", "correction"})
_EXTRA_FIELDS = {"departure": (), "arrival": ("arrived_at",), "correction": ("arrived_at", "corrects")}
_FIELDS = (
    "secured", "origin", "destination", "intermediate", "recipient", "recipient_sequence", "vehicle",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """A genuine notice, as a desk gets it."""

    unit: str  # the recipient
    vehicle: str
    event: CloudEvent
    payload: bytes  # the signed bytes: what "identical" means
    kid: str

    @property
    def sha256(self) -> str:
        """Hex digest of the payload, to be quoted in the receipt."""
        return jws.digest(self.payload)

    @property
    def recipient_sequence(self) -> int:
        """1, 2, 3 ... for this vehicle and recipient."""
        return int(self.event.data["recipient_sequence"])


def build_payload(row: Mapping[str, Any], late_by_s: float) -> bytes:
    """The event's bytes for a journal row of type `notice_recorded`; MessageError if the row does not fit the schema.

    `destination_place` stays in the vehicle: a person typed it, and messages carry no free text.
    """
    recorded = row["data"]
    kind = str(recorded["kind"])
    if kind not in NOTICE_KINDS:
        raise MessageError("schema", f"no notice is of kind {kind!r}")
    data: dict[str, Any] = {name: recorded[name] for name in ("departed_at", *_EXTRA_FIELDS[kind])}
    data |= {name: recorded[name] for name in ("time_source", "time_uncertainty_s")}
    data["late_by_s"] = normal_lateness(late_by_s)
    data |= {name: recorded[name] for name in _FIELDS}
    data["journal"] = {"seq": row["seq"], "hash": row["hash"]}
    data["checks"] = {name: recorded["checks"][name] for name in ("all_passed", "fallbacks")}
    data["position"] = place(recorded["position"])
    data["test"] = recorded["test"]
    event = CloudEvent(
        id=row["id"],
        kind=kind,
        source=vehicle_source(str(recorded["vehicle"])),
        data=data,
        time=row["at"],
        subject=row["trip"],
        sequence=row["seq"],
    )
    return event.to_bytes()


def normal_lateness(late_by_s: float) -> float:
    """Milliseconds and never negative: one spelling, whether a store gives back 3 or 3.0."""
    return max(0.0, round(float(late_by_s), 3))


def place(position: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Latitude and longitude and nothing else."""
    if position is None:
        return None
    return {"latitude_deg": float(position["latitude_deg"]), "longitude_deg": float(position["longitude_deg"])}


def open_notice(
    topic: str, raw: bytes, *, retained: bool, keys: Mapping[str, Mapping[str, Ed25519PublicKey]]
) -> Notice:
    """What arrived on a notice's topic, if it is genuine; otherwise MessageError.

    `keys` holds each vehicle's public keys by kid. Checked before anything is parsed: size, the retain flag (a broker
    may keep no notice, hazard H14), the topic, the signature; then that topic, signature and content name the same
    vehicle and recipient.
    """
    if len(raw) > PAYLOAD_BYTES_MAX:
        raise MessageError("oversize", f"{len(raw)} bytes, at most {PAYLOAD_BYTES_MAX}")
    if retained:
        raise MessageError("retained", "a notice is never retained")
    parties = parse_notice_topic(topic)
    if parties is None:
        raise MessageError("topic", "not a notice's topic")
    unit, vehicle = parties
    verified = jws.verify(raw, keys.get(vehicle, {}), vehicle)
    event = CloudEvent.from_bytes(verified.payload)
    if event.kind not in NOTICE_KINDS:
        raise MessageError("mismatch", f"a {event.kind} is no notice")
    data = event.data
    if event.source != vehicle_source(vehicle) or data["vehicle"] != vehicle:
        raise MessageError("mismatch", "the content names another vehicle than the topic")
    if data["recipient"] != unit:
        raise MessageError("mismatch", "the content names another recipient than the topic")
    if data["journal"]["seq"] != event.sequence:
        raise MessageError("mismatch", "the content names another journal row than the envelope")
    return Notice(unit, vehicle, event, verified.payload, verified.kid)
