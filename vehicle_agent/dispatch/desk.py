"""The desk's one working thread: takes what came, judges it, commits it, and only then answers or shows it (Rule 19).

Whatever fails inside a round is logged and shown; the thread goes on. Its stamp is what the page's ticks rest on.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.board import Board, lag_s
from vehicle_agent.dispatch.flood import AlarmRate
from vehicle_agent.dispatch.inbox import Batch, Inbox
from vehicle_agent.dispatch.intake import Keyring, judge_notice, judge_report
from vehicle_agent.dispatch.model import Delivery, Head, Notice, Reason, Receipt, Refusal, Report, Stage
from vehicle_agent.dispatch.outbox import Outbox, Publish
from vehicle_agent.dispatch.store import Store
from vehicle_agent.messages import jws
from vehicle_agent.messages.events import CloudEvent, unit_source, unix_ms, uuid7
from vehicle_agent.notify import notify

log = logging.getLogger(__name__)

ROUND_S = 0.5  # longest wait for work: the stamp and the watchdog follow it
NOTICES_PER_ROUND = 100  # one commit for so many; a hundred signatures take some 20 ms
OWED_WINDOW = 500
OWED_FOR = timedelta(days=7)  # then a receipt that nobody fetched waits until the vehicle asks
CAME_BACK_WITHIN = timedelta(days=1)  # what a vehicle may have missed while its link was half open
WATCHDOG_EVERY_S = 1.0


Judged = TypeVar("Judged", Notice, Report)


class UnknownNoticeError(LookupError):
    """There is no such notice or warning in the register."""


@dataclass(slots=True)
class Changes:
    """What one round changed, for the pages."""

    notices: set[str] = field(default_factory=set)
    vehicles: set[str] = field(default_factory=set)
    warnings: bool = False
    events: bool = False


class Desk:
    """`run` is the thread; `acknowledge`, `mark_seen`, `link_changed` and `puback` are for any thread."""

    def __init__(
        self,
        *,
        store: Store,
        inbox: Inbox,
        keyring: Keyring,
        signers: Mapping[str, jws.Signer],
        board: Board,
        rate: AlarmRate,
        publish: Publish,
        on_change: Callable[[Changes], None],
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._keyring = keyring
        self._signers = signers
        self._board = board
        self._rate = rate
        self._outbox = Outbox(publish)
        self._on_change = on_change
        self._changes = Changes()
        self._delivered: list[Receipt] = []
        self._stopping = threading.Event()
        self._watchdog_s = 0.0
        self.stamp_s = clock.mono_s()
        self.problem: str | None = None

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            batch = self._inbox.take(ROUND_S, NOTICES_PER_ROUND)
            try:
                self._round(batch)
                self.problem = None
            except sqlite3.Error as error:
                # Nothing was answered, so nothing is lost: the vehicle sends its notice again.
                self.problem = f"the register cannot be written: {error}"
                log.exception("the register cannot be written; %d notices wait for the vehicle", len(batch.notices))
                self._stopping.wait(ROUND_S)
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}"
                log.exception("a round of the desk failed")
            self._stamp()

    def stop(self) -> None:
        """End `run` after the round that is under way."""
        self._stopping.set()
        self._inbox.call(lambda: None)

    def acknowledge(self, notice: str, by: str, post: str | None) -> Future[None]:
        """Enter who acknowledged. The future ends when that, or the first person's entry, is on disk."""
        return self._ask(lambda: self._acknowledge(notice, by, post))

    def mark_seen(self, key: str, count: int, by: str, post: str | None) -> Future[None]:
        """Enter who has seen a warning that then counted `count`."""
        return self._ask(lambda: self._mark_seen(key, count, by, post))

    def link_changed(self) -> None:
        """The connection to the broker came or went."""
        self._inbox.call(self._outbox.connection_changed)

    def puback(self, number: int, code: int) -> None:
        """The broker answered for message `number`."""
        self._inbox.call(lambda: self._puback(number, code))

    def _ask(self, do: Callable[[], None]) -> Future[None]:
        answer: Future[None] = Future()

        def call() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                do()
                answer.set_result(None)
            except Exception as error:  # noqa: BLE001  whoever asked gets it
                answer.set_exception(error)

        self._inbox.call(call)
        return answer

    def _round(self, batch: Batch) -> None:
        for call in batch.calls:
            call()
        judged = [
            (delivery, _guarded(delivery, lambda one: judge_notice(one, self._keyring))) for delivery in batch.notices
        ]
        reports = [_guarded(delivery, judge_report) for delivery in batch.reports]
        if judged or reports or batch.refusals or self._delivered:
            self._commit(judged, reports, batch.refusals)
        if self._changes != Changes():
            changes, self._changes = self._changes, Changes()
            self._on_change(changes)
        owed_after = clock.to_text(clock.now_utc() - OWED_FOR)
        self._outbox.send(self._store.receipts_owed(owed_after, OWED_WINDOW))

    def _commit(
        self,
        judged: list[tuple[Delivery, Notice | Refusal]],
        reports: list[Report | Refusal],
        refusals: list[Refusal],
    ) -> None:
        changes = Changes()
        accepted: list[tuple[Report, float | None]] = []
        received = clock.now_utc()
        now = clock.to_text(received)
        with self._store.transaction():
            for delivery, notice in judged:
                refusal = self._enter(delivery, notice, now, changes) if isinstance(notice, Notice) else notice
                if refusal:
                    refusals.append(refusal)
            for report in reports:
                if isinstance(report, Refusal):
                    refusals.append(report)
                    continue
                lag = lag_s(report, received)
                self._store.put_report(report, now, lag)
                accepted.append((report, lag))
                if report.kind == "notice_stage":
                    changes.notices.update(self._store.notices_of_trip(report.vehicle, report.trip))
                if report.part == "session" and report.data["online"] and not report.retain:
                    missed_after = clock.to_text(received - CAME_BACK_WITHIN)
                    self._store.owe_receipts_of(report.vehicle, missed_after, now)
                    self._outbox.retry_now(report.vehicle)
            for refusal in refusals:
                self._store.add_refusal(refusal, now)
            for receipt in self._delivered:
                self._store.receipt_at_broker(receipt.notice, receipt.stage)
        self._delivered = []
        self._publish_changes(changes, accepted, now, is_refused=bool(refusals))

    def _publish_changes(
        self, changes: Changes, accepted: list[tuple[Report, float | None]], now: str, is_refused: bool
    ) -> None:
        """What is on disk now may be shown."""
        for report, lag in accepted:
            if report.part == "events":
                self._changes.events = True
                if report.kind == "alarm" and report.data["change"] == "raised":
                    self._rate.add(report.id, report.vehicle, report.at_s - (lag or 0.0))
            else:
                self._board.put(report, now, lag)
                self._changes.vehicles.add(report.vehicle)
        self._changes.notices |= changes.notices
        self._changes.warnings |= is_refused or bool(changes.notices)

    def _enter(self, delivery: Delivery, notice: Notice, now: str, changes: Changes) -> Refusal | None:
        """Put a genuine notice into the register, recognise a known one, or refuse a conflicting one."""
        known = self._store.known_payload(notice.id)
        if known == notice.payload:
            self._store.owe_receipts(notice.id, now)
            self._outbox.retry_now(notice.vehicle)
            return None
        if known is not None or self._store.is_sequence_taken(notice.vehicle, notice.unit, notice.sequence):
            detail = f"no. {notice.sequence}: {notice.kind} {notice.id}"
            return Refusal(Reason.FORK, notice.vehicle, notice.unit, detail, fingerprint=notice.sha256)
        self._store.add_notice(notice, delivery.payload, now)
        self._store.add_receipt(self._receipt(notice.id, notice, now, Stage.RECEIVED), now)
        changes.notices.add(notice.id)
        return None

    def _acknowledge(self, notice: str, by: str, post: str | None) -> None:
        head = self._store.notice_head(notice)
        if head is None:
            raise UnknownNoticeError(notice)
        if head.stage == Stage.ACKNOWLEDGED:
            return
        now = clock.to_text(clock.now_utc())
        with self._store.transaction():
            self._store.acknowledge(notice, by, post, now)
            self._store.add_receipt(self._receipt(notice, head, now, Stage.ACKNOWLEDGED, by=by, post=post), now)
        self._changes.notices.add(notice)
        log.info("notice %s acknowledged", notice)

    def _mark_seen(self, key: str, count: int, by: str, post: str | None) -> None:
        with self._store.transaction():
            self._store.mark_seen(key, count, by, post, clock.to_text(clock.now_utc()))
        self._changes.warnings = True

    def _puback(self, number: int, code: int) -> None:
        receipt = self._outbox.acknowledged(number, code)
        if receipt:
            self._delivered.append(receipt)

    def _receipt(
        self,
        notice: str,
        about: Notice | Head,
        at: str,
        stage: Stage,
        *,
        by: str | None = None,
        post: str | None = None,
    ) -> Receipt:
        signer = self._signers[about.unit]
        event = CloudEvent(
            id=uuid7(unix_ms(clock.now_utc()), os.urandom(10)),
            kind="receipt",
            source=unit_source(about.unit),
            data={"notice": notice, "sha256": about.sha256, "stage": stage.value, "by": by, "post": post, "at": at},
            time=at,
            subject=about.trip or None,
        )
        return Receipt(notice, stage.value, about.unit, about.vehicle, jws.sign(event.to_bytes(), signer))

    def _stamp(self) -> None:
        self.stamp_s = clock.mono_s()
        if self.stamp_s >= self._watchdog_s:
            self._watchdog_s = self.stamp_s + WATCHDOG_EVERY_S
            notify("WATCHDOG=1")


def _guarded(delivery: Delivery, judge: Callable[[Delivery], Judged | Refusal]) -> Judged | Refusal:
    """One message that trips over a fault of ours must not take the others of its round with it."""
    try:
        return judge(delivery)
    except Exception as error:
        log.exception("a message could not be judged")
        return Refusal(Reason.MALFORMED, detail=type(error).__name__)
