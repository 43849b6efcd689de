"""Birth, death and last will on the `session` topic (contract.md, MQTT): who we are, how far the journal is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vehicle_agent.uplink import projection


class Presence:
    """Knows boot and journal head as control last told them; None while control has not been seen."""

    def __init__(self, vehicle: str, software: str) -> None:
        self._vehicle = vehicle
        self._software = software
        self._boot_id: str | None = None
        self._head: Mapping[str, Any] | None = None
        self.is_born = False  # the birth message of this connection has gone out

    def fed(self, feed: Mapping[str, Any]) -> None:
        """A new feed, perhaps of another boot or journal: the birth message is due again."""
        self._boot_id, self._head = feed["boot_id"], feed["head"]
        self.is_born = False

    def saw(self, row: Mapping[str, Any]) -> None:
        """A row of the feed moves the head; old ones, which the feed repeats, do not."""
        if self._head is None or row["seq"] > self._head["seq"]:
            self._head = {"seq": row["seq"], "hash": row["hash"]}

    def birth(self, at: str) -> bytes:
        return self._message(is_online=True, reason=None, at=at, made_at=at)

    def death(self, at: str | None) -> bytes:
        """Said by ourselves when we stop."""
        return self._message(is_online=False, reason="stopped", at=at, made_at=at)

    def will(self, made_at: str | None) -> bytes:
        """Left with the broker when we connect; nobody can know in advance when it will be said."""
        return self._message(is_online=False, reason="lost", at=None, made_at=made_at)

    def _message(self, *, is_online: bool, reason: str | None, at: str | None, made_at: str | None) -> bytes:
        event = projection.session_event(
            self._vehicle,
            is_online=is_online,
            reason=reason,
            software=self._software,
            boot_id=self._boot_id,
            head=self._head,
            at=at,
            made_at=made_at,
        )
        return event.to_bytes()
