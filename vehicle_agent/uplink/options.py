"""What the uplink needs of the configuration, as plain values: its parts know nothing of files and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vehicle_agent.uplink.link import Address
from vehicle_agent.uplink.positions import PositionRate


@dataclass(frozen=True, slots=True)
class Options:
    """One vehicle's uplink; `unit_keys` are the public keys of each unit by kid."""

    vehicle: str
    software: str
    address: Address
    unit_keys: Mapping[str, Mapping[str, Ed25519PublicKey]]
    resend_first_s: float
    resend_max_s: float
    rate: PositionRate
