"""Receipts on the wire (Rule 19): a unit's own signed word that a notice arrived, and that an officer has read it.

The broker's acknowledgement is never a receipt. A receipt counts only for the notice whose payload it quotes by its
digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vehicle_agent.messages import jws
from vehicle_agent.messages.events import CloudEvent, unit_source
from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX, MessageError
from vehicle_agent.messages.notices import Notice
from vehicle_agent.messages.topics import parse_receipt_topic

RECEIVED = "received"  # the notice is on the desk's disk
ACKNOWLEDGED = "acknowledged"  # a person has confirmed it


@dataclass(frozen=True, slots=True)
class Receipt:
    """A genuine receipt; whether it fits a notice of ours is for the one who sent the notice to say."""

    unit: str
    notice: str
    sha256: str
    stage: str
    by: str | None
    post: str | None
    at: str


def build_receipt(
    notice: Notice, stage: str, *, by: str | None, post: str | None, at: str, event_id: str, signer: jws.Signer
) -> bytes:
    """The signed receipt of `notice.unit`; `at` is RFC 3339 UTC. MessageError for a blank or over-long name."""
    data = {"notice": notice.event.id, "sha256": notice.sha256, "stage": stage, "by": by, "post": post, "at": at}
    _check_person(stage, by)
    if jws.party_of(signer.kid) != notice.unit:
        raise MessageError("party", f"{signer.kid} does not sign for {notice.unit}")
    event = CloudEvent(event_id, "receipt", unit_source(notice.unit), data, at, subject=notice.event.subject)
    return jws.sign(event.to_bytes(), signer)


def open_receipt(
    topic: str, raw: bytes, *, retained: bool, vehicle: str, keys: Mapping[str, Mapping[str, Ed25519PublicKey]]
) -> Receipt:
    """What arrived on a receipt's topic of `vehicle`, if its unit signed it; otherwise MessageError.

    `keys` holds each unit's public keys by kid. Topic, key and content must name the same unit.
    """
    if len(raw) > PAYLOAD_BYTES_MAX:
        raise MessageError("oversize", f"{len(raw)} bytes, at most {PAYLOAD_BYTES_MAX}")
    if retained:
        raise MessageError("retained", "a receipt is never retained")
    parties = parse_receipt_topic(topic)
    if parties is None or parties[0] != vehicle:
        raise MessageError("topic", "not a receipt's topic of this vehicle")
    unit = parties[1]
    verified = jws.verify(raw, keys.get(unit, {}), unit)
    event = CloudEvent.from_bytes(verified.payload)
    if event.kind != "receipt":
        raise MessageError("mismatch", f"a {event.kind} is no receipt")
    if event.source != unit_source(unit):
        raise MessageError("mismatch", "the content names another unit than the topic")
    data = event.data
    _check_person(data["stage"], data["by"])
    return Receipt(unit, data["notice"], data["sha256"], data["stage"], data["by"], data["post"], data["at"])


def _check_person(stage: str, by: str | None) -> None:
    if stage == ACKNOWLEDGED and not (by and by.strip()):
        raise MessageError("schema", "an acknowledgement names the person who gave it")
