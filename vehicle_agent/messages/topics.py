"""MQTT topics of the contract: builders, filters and parsers, so no topic is spelt anywhere else.

A parser answers None for whatever is not exactly one of our topics: a topic is chosen by the sender and proves nothing.
"""

from __future__ import annotations

import re

from vehicle_agent.messages.limits import MessageError

ROOT = "stv/v1"
VEHICLE_CHANNELS = frozenset({"session", "state", "position", "track", "events"})
_IDENTIFIER = re.compile(r"[a-z0-9-]{3,32}")
_VEHICLE = re.compile(r"stv/v1/vehicles/([a-z0-9-]{3,32})/(session|state|position|track|events)")
_NOTICE = re.compile(r"stv/v1/units/([a-z0-9-]{3,32})/notices/([a-z0-9-]{3,32})")
_RECEIPT = re.compile(r"stv/v1/vehicles/([a-z0-9-]{3,32})/receipts/([a-z0-9-]{3,32})")


def is_identifier(text: str) -> bool:
    """Whether `text` may name a vehicle or a unit; `+`, `#` and `/` never do."""
    return _IDENTIFIER.fullmatch(text) is not None


def vehicle_topic(vehicle: str, channel: str) -> str:
    """`session`, `state`, `position`, `track` or `events` of one vehicle."""
    if channel not in VEHICLE_CHANNELS:
        raise MessageError("topic", f"no channel {channel!r}")
    return f"{ROOT}/vehicles/{_identifier(vehicle)}/{channel}"


def notice_topic(unit: str, vehicle: str) -> str:
    """Where `vehicle` sends what `unit` is owed under Rule 19."""
    return f"{ROOT}/units/{_identifier(unit)}/notices/{_identifier(vehicle)}"


def receipt_topic(vehicle: str, unit: str) -> str:
    """Where `unit` answers `vehicle`."""
    return f"{ROOT}/vehicles/{_identifier(vehicle)}/receipts/{_identifier(unit)}"


def notice_filter(unit: str) -> str:
    """A desk's subscription: the notices of every vehicle to its unit."""
    return f"{ROOT}/units/{_identifier(unit)}/notices/+"


def receipt_filter(vehicle: str) -> str:
    """A vehicle's only subscription."""
    return f"{ROOT}/vehicles/{_identifier(vehicle)}/receipts/+"


def vehicle_filter(channel: str, vehicle: str = "+") -> str:
    """A desk's subscription to one channel of one vehicle, or of all that the broker lets it see."""
    return vehicle_topic(vehicle, channel) if vehicle != "+" else f"{ROOT}/vehicles/+/{_channel(channel)}"


def parse_vehicle_topic(topic: str) -> tuple[str, str] | None:
    """(vehicle, channel) of a topic that a vehicle writes for its own unit."""
    found = _VEHICLE.fullmatch(topic)
    return (found[1], found[2]) if found else None


def parse_notice_topic(topic: str) -> tuple[str, str] | None:
    """(unit, vehicle) of a notice's topic."""
    found = _NOTICE.fullmatch(topic)
    return (found[1], found[2]) if found else None


def parse_receipt_topic(topic: str) -> tuple[str, str] | None:
    """(vehicle, unit) of a receipt's topic."""
    found = _RECEIPT.fullmatch(topic)
    return (found[1], found[2]) if found else None


def _identifier(text: str) -> str:
    if not is_identifier(text):
        raise MessageError("topic", f"{text!r} is no identifier of a vehicle or unit")
    return text


def _channel(channel: str) -> str:
    if channel not in VEHICLE_CHANNELS:
        raise MessageError("topic", f"no channel {channel!r}")
    return channel
