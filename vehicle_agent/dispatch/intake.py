"""What a message must prove before the desk believes it (Rule 19; hazards H13, H14, H30).

The signature is checked first, over the exact bytes; only then is anything parsed; then topic, key and contents must
name the same vehicle and unit. Every failure is a `Refusal`, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vehicle_agent.config import VehicleKeyTable
from vehicle_agent.dispatch.model import Delivery, Notice, Reason, Refusal, Report
from vehicle_agent.messages import jws, topics
from vehicle_agent.messages.events import CloudEvent, vehicle_source
from vehicle_agent.messages.limits import MessageError

NOTICE_KINDS = frozenset({"departure", "arrival", "correction"})
REPORT_KINDS = {
    "state": frozenset({"state"}),
    "session": frozenset({"session"}),
    "position": frozenset({"position"}),
    "events": frozenset({"phase", "alarm", "notice_stage", "fallback"}),
}
DETAIL_CHARACTERS_MAX = 200
REASONS = {
    "oversize": Reason.OVERSIZE,
    "kid": Reason.BAD_SIGNATURE,
    "signature": Reason.BAD_SIGNATURE,
    "party": Reason.MISMATCH,
    "mismatch": Reason.MISMATCH,
}  # every other code of MessageError is MALFORMED


@dataclass(frozen=True, slots=True)
class Keyring:
    """The public keys of the vehicles that this desk knows."""

    keys: Mapping[str, Mapping[str, Ed25519PublicKey]]

    @classmethod
    def load(cls, vehicles: tuple[VehicleKeyTable, ...]) -> Keyring:
        """Raises MessageError (`key`, `kid`, `party`) naming the bad entry."""
        keys = {}
        for vehicle in vehicles:
            # The configuration may write the base64 padding that a JWS must not have.
            keys[vehicle.id] = jws.public_keys({kid: key.rstrip("=") for kid, key in vehicle.keys.items()})
            for kid in vehicle.keys:
                if jws.party_of(kid) != vehicle.id:
                    raise MessageError("party", f"vehicle {vehicle.id} cannot own the key {kid}")
        return cls(keys)

    @property
    def vehicles(self) -> frozenset[str]:
        return frozenset(self.keys)


def judge_notice(delivery: Delivery, keyring: Keyring) -> Notice | Refusal:
    """The notice in a delivery from the inbox, or why it is none."""
    addressed = topics.parse_notice_topic(delivery.topic)
    if addressed is None:
        return Refusal(Reason.UNKNOWN_TOPIC)
    unit, vehicle = addressed
    keys = keyring.keys.get(vehicle)
    if keys is None:
        return Refusal(Reason.UNKNOWN_VEHICLE, unit=unit, detail=vehicle)
    try:
        verified = jws.verify(delivery.payload, keys, vehicle)
        event = CloudEvent.from_bytes(verified.payload)
        _check_addresses(event, vehicle, unit)
    except MessageError as error:
        return _refusal(error, vehicle, unit)
    return Notice(
        id=event.id,
        unit=unit,
        vehicle=vehicle,
        kind=event.kind,
        trip=event.subject or "",
        sequence=event.data["recipient_sequence"],
        payload=verified.payload,
        sha256=verified.sha256,
        data=event.data,
    )


def judge_report(delivery: Delivery) -> Report | Refusal:
    """What a vehicle says of itself. Unsigned: it informs, and nothing of Rule 19 rests on it."""
    addressed = topics.parse_vehicle_topic(delivery.topic)
    if addressed is None:
        return Refusal(Reason.UNKNOWN_TOPIC)
    vehicle, part = addressed
    try:
        event = CloudEvent.from_bytes(delivery.payload)
        if event.kind not in REPORT_KINDS.get(part, frozenset()):
            raise MessageError("schema", f"{event.kind} does not belong on {part}")
        if event.source != vehicle_source(vehicle):
            raise MessageError("mismatch", f"topic of {vehicle}, source {event.source}")
    except MessageError as error:
        return _refusal(error, vehicle, "")
    return Report(
        vehicle=vehicle,
        part=part,
        id=event.id,
        kind=event.kind,
        trip=event.subject or "",
        time=event.time or "",
        retain=delivery.retain,
        at_s=delivery.at_s,
        data=event.data,
    )


def _check_addresses(event: CloudEvent, vehicle: str, unit: str) -> None:
    if event.kind not in NOTICE_KINDS:
        raise MessageError("schema", f"{event.kind} is no notice")
    claims = (event.source, event.data["vehicle"], event.data["recipient"])
    if claims != (vehicle_source(vehicle), vehicle, unit):
        raise MessageError("mismatch", f"topic {vehicle} to {unit}, contents {claims[1]} to {claims[2]}")


def _refusal(error: MessageError, vehicle: str, unit: str) -> Refusal:
    reason = REASONS.get(error.code, Reason.MALFORMED)
    return Refusal(reason, vehicle, unit, str(error)[:DETAIL_CHARACTERS_MAX])
