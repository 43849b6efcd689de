"""The desk's own words: a delivery from the broker, a notice that passed every check, a refusal (Rule 19)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a message was refused. The values are shown, counted and stored."""

    RETAINED = "retained"
    OVERSIZE = "oversize"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_VEHICLE = "unknown_vehicle"
    BAD_SIGNATURE = "bad_signature"
    MALFORMED = "malformed"
    MISMATCH = "mismatch"
    FORK = "fork"
    OVERLOAD = "overload"
    REGISTER_DAMAGED = "register_damaged"


class Stage(StrEnum):
    """What this desk can say of a notice: it lies on its disk, or a named person has pressed."""

    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came from the broker; `retain`: sent to be kept (a notice), or kept until now (a report)."""

    topic: str
    payload: bytes
    retain: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice whose signature, schema and addresses were checked. `payload` is the signed event, byte for byte."""

    id: str
    unit: str
    vehicle: str
    kind: str
    trip: str
    sequence: int
    payload: bytes
    sha256: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Head:
    """What a receipt needs to know of a notice that lies in the register."""

    unit: str
    vehicle: str
    trip: str
    sha256: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Report:
    """What a vehicle of this unit says of itself, unsigned: `part` is `state`, `session`, `position` or `events`."""

    vehicle: str
    part: str
    id: str
    kind: str
    trip: str
    time: str
    retain: bool
    at_s: float
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was not accepted. `vehicle` and `unit` are names of the configuration or empty, never free."""

    reason: Reason
    vehicle: str = ""
    unit: str = ""
    detail: str = ""
    fingerprint: str = ""
    count: int = 1

    @property
    def key(self) -> str:
        """Equal for refusals that are counted together."""
        return ":".join((self.reason, self.vehicle, self.unit, self.fingerprint))


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of this desk, signed once and sent byte for byte the same ever after."""

    notice: str
    stage: str
    unit: str
    vehicle: str
    message: bytes
