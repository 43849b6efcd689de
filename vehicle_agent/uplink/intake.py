"""Receipts that arrive: genuine, and for a notice that we sent to that unit; everything else is counted (hazards H14,
H15)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vehicle_agent.messages.limits import MessageError
from vehicle_agent.messages.receipts import Receipt, open_receipt
from vehicle_agent.uplink.link import Arrived
from vehicle_agent.uplink.outbox import CONFIRMED, Outbox

log = logging.getLogger(__name__)

LOG_INTERVAL_S = 10.0  # one line so often, whatever pours in
KNOWN_MAX = 256  # alarms and notices whose first row is remembered


class Known:
    """What was said about an alarm or a notice when it began: later rows and receipts name its id only."""

    def __init__(self) -> None:
        self.facts: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def remember(self, key: str, facts: Mapping[str, Any]) -> None:
        """The newest facts win; the oldest keys are forgotten."""
        self.facts[key] = facts
        self.facts.move_to_end(key)
        while len(self.facts) > KNOWN_MAX:
            self.facts.popitem(last=False)


class Intake:
    """Opens what arrives on our one subscription."""

    def __init__(
        self, vehicle: str, unit_keys: Mapping[str, Mapping[str, Ed25519PublicKey]], outbox: Outbox, known: Known
    ) -> None:
        self._vehicle = vehicle
        self._unit_keys = unit_keys
        self._outbox = outbox
        self._known = known
        self._logged_s = float("-inf")
        self.refused = 0

    def take(self, arrived: Arrived, now_s: float) -> Receipt | None:
        """A receipt to be told to control, or None; never raises, whatever arrived."""
        try:
            receipt = open_receipt(
                arrived.topic,
                arrived.payload,
                retained=arrived.is_retained,
                vehicle=self._vehicle,
                keys=self._unit_keys,
            )
            self._match(receipt)
        except MessageError as error:
            self.refused += 1
            if now_s - self._logged_s >= LOG_INTERVAL_S:
                self._logged_s = now_s
                log.warning("receipt refused (%d so far) on %s: %s", self.refused, arrived.topic, error)
            return None
        return receipt

    def _match(self, receipt: Receipt) -> None:
        owed = self._outbox.get(receipt.notice)
        if owed is not None:
            if owed.recipient != receipt.unit:
                raise MessageError("mismatch", f"{receipt.unit} is not the recipient of {receipt.notice}")
            if owed.sha256 != receipt.sha256:
                raise MessageError("mismatch", f"not the digest of the notice {receipt.notice}")
            return
        # No longer owed: then an earlier receipt of that unit, whose digest was compared, is in the journal. Or it is
        # no notice.
        facts = self._known.facts.get(receipt.notice, {})
        if facts.get("recipient") != receipt.unit or facts.get("stage") not in CONFIRMED:
            raise MessageError("mismatch", f"{receipt.notice} is no notice to {receipt.unit}")
