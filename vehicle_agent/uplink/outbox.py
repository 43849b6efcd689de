"""Which notice goes out when (Rule 19): one lane for each recipient, sent again until that unit's own receipt is
recorded.

Pure: time is an argument, and nothing here is stored. The journal is the queue; this is its projection, built anew from
control's feed after every restart. The bytes of a notice are a function of its row and of the stored `late_by_s`, so
they never change.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vehicle_agent.messages import jws, notices
from vehicle_agent.messages.events import parse_time
from vehicle_agent.messages.limits import MessageError
from vehicle_agent.messages.topics import is_identifier

log = logging.getLogger(__name__)

CONFIRMED = frozenset({"received", "acknowledged"})
ASK_FIRST_S, ASK_MAX_S = 60.0, 900.0  # for an officer's word that may be lost: how often, doubling
PREPARING_S = 2.0  # within this control answers how late a notice is, or it hangs


@dataclass(slots=True)
class Owed:
    """One notice that its recipient has not yet acknowledged."""

    notice: str
    recipient: str
    recipient_sequence: int
    row: Mapping[str, Any]
    is_received: bool  # the unit's receipt is recorded: sent again only to ask for an officer's word
    due_s: float
    delay_s: float
    late_by_s: float | None = None  # as control has stored it; None before the first sending
    message: bytes = b""  # the signed bytes; empty before `late_by_s` is stored
    sha256: str = ""  # of the payload
    asked_s: float | None = None  # when control was asked to store `late_by_s`
    in_flight_since_s: float | None = None
    is_at_broker: bool = False  # as far as control knows or is being told
    is_said: bool = False  # on this connection: what a broker has forgotten since has to be said again
    is_held: bool = False  # from an old row: a receipt for it may follow among the old rows
    is_broken: bool = False  # its row fits no schema: it can never be sent, the cab says "tell them by radio"

    @property
    def can_go(self) -> bool:
        """Whether it may be sent at all."""
        return not self.is_broken and not self.is_held


class Outbox:
    """All notices that are owed; at most one for each recipient is with the broker unanswered."""

    def __init__(self, signer: jws.Signer, resend_first_s: float, resend_max_s: float) -> None:
        self._signer = signer
        self._first_s = resend_first_s
        self._max_s = resend_max_s
        self._owed: dict[str, Owed] = {}
        self._is_loaded = False

    def lose_sight(self) -> None:
        """Control is gone: it may have recorded what we do not know of."""
        self._is_loaded = False

    def load(self, entries: Iterable[Mapping[str, Any]], now_s: float) -> None:
        """Control's list of what is owed, made anew at each connection to control; what is in flight stays so."""
        before, self._owed, self._is_loaded = self._owed, {}, True
        for entry in entries:
            try:
                self.add(entry["row"], now_s, stage=str(entry["stage"]), late_by_s=entry["late_by_s"])
            except (KeyError, TypeError, ValueError):  # one that nobody can read must not keep the others here
                log.error("a notice in the journal cannot be read and is not sent: the cab will say who is to be told")
        for owed in before.values():
            # The list ends with the newest that wait for an officer; the digest of an older one is still needed.
            if owed.is_received:
                self._owed.setdefault(owed.notice, owed)
            if owed.notice in self._owed:
                kept = self._owed[owed.notice]
                kept.in_flight_since_s, kept.due_s, kept.delay_s = owed.in_flight_since_s, owed.due_s, owed.delay_s
                kept.is_said = owed.is_said

    def add(
        self,
        row: Mapping[str, Any],
        now_s: float,
        *,
        stage: str = "recorded",
        late_by_s: float | None = None,
        is_held: bool = False,
    ) -> None:
        """A row of type `notice_recorded`; one already known changes nothing. A held one waits for `release`.

        Raises KeyError, TypeError or ValueError for what is no such row.
        """
        data = row["data"]
        parse_time(row["at"])
        if not isinstance(row["mono_s"], int | float) or not isinstance(data["recipient_sequence"], int):
            raise MessageError("schema", "a notice's row without its time or its number")
        if not is_identifier(data["recipient"]):
            raise MessageError("schema", "a notice's row without its recipient")
        if row["id"] in self._owed or stage == "acknowledged":
            return
        owed = Owed(
            notice=row["id"],
            recipient=data["recipient"],
            recipient_sequence=data["recipient_sequence"],
            row=row,
            is_received=stage in CONFIRMED,
            due_s=self._first_due_s(now_s, is_received=stage in CONFIRMED),
            delay_s=ASK_FIRST_S if stage in CONFIRMED else self._first_s,
            is_at_broker=stage != "recorded",
            is_held=is_held,
        )
        self._owed[owed.notice] = owed
        if late_by_s is not None:
            self.set_lateness(owed.notice, late_by_s)

    def set_lateness(self, notice: str, late_by_s: float) -> None:
        """Control has stored when this notice was first sent: from here on its bytes are fixed."""
        owed = self._owed.get(notice)
        if owed is None or owed.message:
            return
        owed.late_by_s = late_by_s
        try:
            payload = notices.build_payload(owed.row, late_by_s)
            owed.message = jws.sign(payload, self._signer)
        except (MessageError, KeyError, TypeError, ValueError) as error:
            owed.is_broken = True
            log.error("notice %s to %s cannot be written: %s", notice, owed.recipient, error)
        else:
            owed.sha256 = jws.digest(payload)

    def get(self, notice: str) -> Owed | None:
        """The notice, while it is owed or waits for its acknowledgement."""
        return self._owed.get(notice)

    def settle(self, notice: str, stage: str, now_s: float) -> None:
        """A stage is in the journal."""
        owed = self._owed.get(notice)
        if owed is None:
            return
        if stage == "acknowledged":
            del self._owed[notice]
        elif stage == "received" and not owed.is_received:  # what is repeated does not make us ask more often
            owed.is_received, owed.delay_s, owed.due_s = True, ASK_FIRST_S, now_s + ASK_FIRST_S

    def release(self) -> None:
        """All old rows have come: what was held and not settled by them is owed."""
        for owed in self._owed.values():
            owed.is_held = False

    def forget(self, notice: str) -> None:
        """Control does not know it (its journal was replaced): nothing is owed under this id."""
        self._owed.pop(notice, None)

    def due(self, now_s: float) -> list[Owed]:
        """What to send now: in each lane the lowest sequence whose time has come, unless one is in flight there.

        What its unit has not received yet goes first.
        """
        lanes: dict[str, Owed | None] = {}
        for owed in sorted(self._owed.values(), key=lambda one: (one.is_received, one.recipient_sequence)):
            if owed.in_flight_since_s is not None:
                lanes[owed.recipient] = None
            elif owed.recipient not in lanes and owed.due_s <= now_s and owed.can_go:
                lanes[owed.recipient] = owed
        return [owed for owed in lanes.values() if owed is not None]

    def is_preparing(self, now_s: float) -> bool:
        """Whether a notice is about to go, so that everything else lets it pass; a control that hangs stops nobody for
        long."""
        waiting = [owed for owed in self.due(now_s) if not owed.is_received]
        return any(owed.message or owed.asked_s is None or now_s - owed.asked_s < PREPARING_S for owed in waiting)

    def published(self, owed: Owed, now_s: float) -> None:
        """It is with paho; the next attempt after the delay, which doubles."""
        owed.is_said = True
        owed.in_flight_since_s = now_s
        owed.due_s = now_s + owed.delay_s
        owed.delay_s = min(owed.delay_s * 2, ASK_MAX_S if owed.is_received else self._max_s)

    def answered(self, notice: str) -> None:
        """The broker has answered for it, or the connection is gone: its lane is free."""
        owed = self._owed.get(notice)
        if owed is not None:
            owed.in_flight_since_s = None

    def connected(self, now_s: float) -> None:
        """A new connection: everything unconfirmed at once, and a little later what no officer has acknowledged.

        An acknowledgement that the broker forgot is never said again by itself, as a unit on the way does not see us
        come back. Asking with the known notice makes its desk repeat every receipt of it; the broker may forget that
        too, so it is asked again and again, ever more seldom.
        """
        for owed in self._owed.values():
            owed.in_flight_since_s, owed.delay_s = None, ASK_FIRST_S if owed.is_received else self._first_s
            owed.due_s = self._first_due_s(now_s, is_received=owed.is_received)
            owed.is_said = False

    def _first_due_s(self, now_s: float, *, is_received: bool) -> float:
        return now_s + self._first_s if is_received else now_s

    @property
    def is_clear(self) -> bool:
        """Whether older positions may go: all that no unit has is known, at the broker, and said on this connection."""
        waiting = (owed for owed in self._owed.values() if not owed.is_received and not owed.is_broken)
        return self._is_loaded and all(owed.is_at_broker and owed.is_said and not owed.is_held for owed in waiting)

    @property
    def pending(self) -> tuple[Owed, ...]:
        """Notices without the unit's receipt."""
        return tuple(owed for owed in self._owed.values() if not owed.is_received and not owed.is_held)

    def next_due_s(self) -> float:
        """When `due` will next have something, if nothing happens before; infinity for never."""
        waiting = (one.due_s for one in self._owed.values() if one.in_flight_since_s is None and one.can_go)
        return min(waiting, default=float("inf"))
