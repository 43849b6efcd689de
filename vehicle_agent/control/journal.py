"""The journal's one writer thread: takes events from the scan, flushes them in groups, says what is durable.

The scan never waits for the disk. It appends and later drains what has become durable; the permit counts only with the
durable half. Whatever the disk does, nothing that was appended is dropped: it stays in memory and is tried again, the
journal is unhealthy meanwhile, and an unhealthy journal refuses boarding.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.chain import Head, Row, canonical, digest, plain
from vehicle_agent.core.events import Envelope, to_data

if TYPE_CHECKING:  # the database library takes a fifth of a second to import: the writer thread does it for itself
    from vehicle_agent.control.ring import Told
    from vehicle_agent.control.store import Opening, Store

STALL_S = 2.0  # a disk that has not answered for so long counts as none
IDLE_S = 0.5  # the thread shows that it lives twice a second
RETRY_S = 1.0
REOPEN_AFTER = 5  # failed tries with one connection
POSITIONS_HELD_S = 8.0  # promised on disk within 10 s
TOLD_HELD_S = 30.0  # a page of the card each time: what is told twice after a power cut costs less
POSITIONS_WAITING_MAX = 3600  # an hour of fixes: what a disk that fails may cost of memory
SCAN_ROWS_MAX = 200  # no scan makes more: a departure with every unit told, all rows of a long list, and alarms
GROUP_MAX = 500  # rows of one transaction, so that one commit stays well under the stall limit

log = logging.getLogger("journal")


@dataclass(frozen=True, slots=True)
class Durable:
    """One event that is on the disk. `ordinal` counts the appended events of this run from 1."""

    ordinal: int
    envelope: Envelope
    row: Row


@dataclass(frozen=True, slots=True)
class _Question:
    ask: Callable[[Store], Any]
    answer: Callable[[Any], None]  # gets the result, or the exception
    is_of_positions: bool


class Journal:
    """Owned by the scan thread, but for `ask`, which any thread may call."""

    def __init__(
        self, directory: Path, mono: Callable[[], float] = time.monotonic, ballast: Ballast | None = None
    ) -> None:
        self._directory = directory
        self._mono = mono
        self._ballast = ballast or Ballast(directory)
        self._inbox: queue.SimpleQueue[_Question | list[tuple[int, Envelope]] | dict[str, Any] | Told | None] = (
            queue.SimpleQueue()
        )
        self._durable: collections.deque[Durable] = collections.deque()
        self._appended = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        # Written by the thread, read by others; each is one assignment.
        self.opening: Opening | None = None
        self.head = Head()
        self._reason: str | None = "the journal is being checked"
        self._stamp_s = mono()
        self._busy_since_s: float | None = None
        # The thread's own.
        self._store: Store | None = None
        self._waiting: collections.deque[tuple[int, Envelope]] = collections.deque()
        self._positions: collections.deque[dict[str, Any]] = collections.deque(maxlen=POSITIONS_WAITING_MAX)
        self._told: Told | None = None
        self._positions_since_s = self._told_since_s = 0.0
        self._tried: list[dict[str, Any]] = []
        self._failures = 0
        self._retry_at_s = 0.0
        self._is_full = False
        self._is_stopping = threading.Event()

    def start(self) -> None:
        """Begin to open the journal; `opening` is set once it is proven."""
        self._thread.start()

    def append(self, *envelopes: Envelope) -> int:
        """Hand over what one scan made: all of it is on the disk, or nothing. Returns the last ordinal in `drain`.

        A departure and the notices that it makes owing (Rule 19) must not be torn apart by a power cut.
        """
        first = self._appended + 1
        self._appended += len(envelopes)
        if envelopes:
            self._inbox.put(list(enumerate(envelopes, first)))
        return self._appended

    @property
    def appended(self) -> int:
        """How many events were handed over in this run."""
        return self._appended

    def add_position(self, position: dict[str, Any]) -> None:
        """Hand one fix over for the ring; it is on the disk within ten seconds, unless the disk is full."""
        self._inbox.put(position)

    def positions_told(self, told: Told) -> None:
        """How far the broker has the positions; kept with some later ones, so that it costs no flush of its own."""
        self._inbox.put(told)

    def ask(
        self, question: Callable[[Store], Any], answer: Callable[[Any], None], *, is_of_positions: bool = False
    ) -> None:
        """Have the writer thread call `question` with the open file, and `answer` with its result or exception.

        Positions that wait to be written are written first where it is of them.
        """
        self._inbox.put(_Question(question, answer, is_of_positions))

    def drain(self) -> list[Durable]:
        """What has become durable since the last call, in order."""
        found: list[Durable] = []
        while self._durable:
            found.append(self._durable.popleft())
        return found

    def problem(self) -> str | None:
        """Why nothing can be promised to be on disk now; None while all is well."""
        busy_since_s = self._busy_since_s
        if self._reason is not None:
            return self._reason
        if busy_since_s is not None and self._mono() - busy_since_s > STALL_S:
            return "the disk does not answer"
        return None if self._thread.is_alive() else "the journal's thread has ended"

    def is_alive(self) -> bool:
        """Whether the thread works, or is known to wait for the disk: what the watchdog may be told."""
        if not self._thread.is_alive():
            return False
        return self._busy_since_s is not None or self._mono() - self._stamp_s < STALL_S

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Flush what is waiting and close. False when the disk did not let it in time."""
        self._is_stopping.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._waiting

    # What follows runs in the thread.

    def _run(self) -> None:
        while not self._open():
            if self._is_stopping.wait(RETRY_S):
                return
        while True:
            try:
                is_open = self._turn()
            except Exception as error:  # noqa: BLE001 (the thread must live: without it nothing is ever durable again)
                self._fail(error)
                is_open = not self._is_stopping.wait(IDLE_S)
            if not is_open:
                break
        if self._store is not None:
            self._store.close()

    def _open(self) -> bool:
        self._busy_since_s = self._mono()
        try:
            from vehicle_agent.control.store import open_proven  # noqa: PLC0415 (see TYPE_CHECKING above)

            self._store, opening = open_proven(self._directory)
        except Exception as error:  # noqa: BLE001 (a disk may come back; until then the reason is shown)
            self._say(f"the journal cannot be opened: {error}")
            if _is_full(error):
                self._ballast.release()  # even reading takes some space for the log's index
            return False
        finally:
            self._busy_since_s = None
            self._stamp_s = self._mono()
        self._ballast.take()
        self.head = opening.head
        self._reason = None
        self.opening = opening
        return True

    def _turn(self) -> bool:
        """Collect, commit, answer. False when it is time to end."""
        questions: list[_Question] = []
        is_ending = self._collect(questions)
        self._stamp_s = self._mono()
        self._busy_since_s = self._stamp_s
        try:
            while self._waiting and (self._stamp_s >= self._retry_at_s or is_ending):
                if not self._commit():
                    break
            is_asked = is_ending or any(question.is_of_positions for question in questions)
            if not self._waiting and self._are_positions_due(is_asked=is_asked):
                self._commit(is_asked=is_asked)
            for question in questions:
                self._answer(question)
        finally:
            self._busy_since_s = None
        return not is_ending

    def _collect(self, questions: list[_Question]) -> bool:
        timeout_s: float | None = IDLE_S
        is_ending = False
        while True:
            try:
                item = self._inbox.get(timeout=timeout_s) if timeout_s else self._inbox.get_nowait()
            except queue.Empty:
                return is_ending
            timeout_s = None
            if item is None:
                is_ending = True
            elif isinstance(item, _Question):
                questions.append(item)
            elif isinstance(item, list):
                self._waiting.extend(item)
            elif isinstance(item, dict):
                if not self._positions:
                    self._positions_since_s = self._mono()
                self._positions.append(item)
            else:
                if self._told is None:
                    self._told_since_s = self._mono()
                self._told = item

    def _are_positions_due(self, *, is_asked: bool) -> bool:
        held_s = self._mono() - self._positions_since_s
        is_due = bool(self._positions) and (is_asked or held_s >= POSITIONS_HELD_S)
        # The mark goes with positions, and by itself only when none come.
        is_due = is_due or self._is_told_due(0.0 if is_asked else TOLD_HELD_S + POSITIONS_HELD_S)
        return is_due and self._mono() >= self._retry_at_s

    def _is_told_due(self, held_s: float) -> bool:
        return self._told is not None and self._mono() - self._told_since_s >= held_s

    def _commit(self, *, is_asked: bool = False) -> bool:
        """Write one group. True when it is on the disk; otherwise it stays, and the reason is set."""
        assert self._store is not None  # noqa: S101 (only `_run` calls, after `_open`)
        group = self._group()
        # A group that failed goes alone: fixes must never keep an event from the disk.
        is_alone = bool(self._failures and group)
        positions = [] if is_alone else self._positions_to_keep()
        told = self._told if not is_alone and self._is_told_due(0.0 if is_asked else TOLD_HELD_S) else None
        try:
            if self._failures and self._is_on_disk_after_all():
                group = group[: len(self._tried)]
            else:
                self._tried = self._sealed([envelope for _, envelope in group])
                self._store.write(self._tried, positions, told)
        except Exception as error:  # noqa: BLE001 (whatever stops the disk, the rows must wait, not vanish)
            return self._fail(error)
        for (ordinal, envelope), sealed in zip(group, self._tried, strict=True):
            self._waiting.popleft()
            row: Row = {**sealed, "data": to_row_data(envelope)}
            self.head = Head(row["seq"], row["hash"])
            self._durable.append(Durable(ordinal, envelope, row))
        for _ in positions:
            self._positions.popleft()
        self._told = None if told is self._told else self._told
        if self._failures:
            log.warning("the journal writes again")
        self._tried, self._failures, self._retry_at_s, self._reason = [], 0, 0.0, None
        return True

    def _group(self) -> list[tuple[int, Envelope]]:
        """The first of what waits, but never a part of one scan: what was made at one moment is written as one."""
        size = min(len(self._waiting), GROUP_MAX)
        most = min(len(self._waiting), size + SCAN_ROWS_MAX)
        ends = (n for n in range(size, most) if _moment(self._waiting[n]) != _moment(self._waiting[n - 1]))
        size = next(ends, most if most == len(self._waiting) else size)
        return [self._waiting[index] for index in range(size)]

    def _positions_to_keep(self) -> list[dict[str, Any]]:
        if self._is_full and not self._ballast.take():
            self._positions.clear()
        else:
            self._is_full = False
        return list(self._positions)

    def _sealed(self, envelopes: list[Envelope]) -> list[dict[str, Any]]:
        head = self.head
        rows = []
        for envelope in envelopes:
            row = seal(envelope, head)
            head = Head(row["seq"], row["hash"])
            rows.append(row)
        return rows

    def _is_on_disk_after_all(self) -> bool:
        """Whether a commit that reported an error was done nevertheless. Raises when the file is not ours any more."""
        assert self._store is not None  # noqa: S101 (see `_commit`)
        found = self._store.head()
        if found == self.head:
            return False
        if self._tried and found == Head(self._tried[-1]["seq"], self._tried[-1]["hash"]):
            return True
        raise RuntimeError(
            f"the journal was changed by another program: its last row is {found.seq}, not {self.head.seq}"
        )

    def _fail(self, error: Exception) -> bool:
        if _is_full(error) and self._ballast.release():
            log.error("the disk is full: the space kept back is given to the journal; positions are no longer kept")
            self._is_full = True
            self._positions.clear()
            self._failures += 1
            return self._commit()
        self._failures += 1
        self._retry_at_s = self._mono() + RETRY_S
        self._say(f"the journal cannot be written: {error}")
        if self._failures % REOPEN_AFTER == 0:
            self._reopen()
        return False

    def _reopen(self) -> None:
        from vehicle_agent.control.store import FILE_NAME, Store  # noqa: PLC0415 (already imported by `_open`)

        with contextlib.suppress(Exception):  # the next try says what is wrong
            fresh = Store(self._directory / FILE_NAME)
            if self._store is not None:
                self._store.close()
            self._store = fresh

    def _answer(self, question: _Question) -> None:
        assert self._store is not None  # noqa: S101 (see `_commit`)
        try:
            result = question.ask(self._store)
        except Exception as error:  # noqa: BLE001 (the asker gets it as the answer)
            result = error
        question.answer(result)

    def _say(self, reason: str) -> None:
        if reason != self._reason:
            log.error("%s", reason)
        self._reason = reason


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def to_row_data(envelope: Envelope) -> dict[str, Any]:
    """An event's data as JSON values; what JSON cannot say becomes null."""
    data: dict[str, Any] = plain(to_data(envelope.event))
    return data


def seal(envelope: Envelope, head: Head) -> dict[str, Any]:
    """The stored row of an event that follows `head`; `data` is canonical text."""
    uncertainty_s = plain(envelope.uncertainty_s)
    row: dict[str, Any] = {
        "seq": head.seq + 1,
        "id": envelope.id,
        "at": rfc3339(envelope),
        "time_source": envelope.source,
        "time_uncertainty_s": None if uncertainty_s is None else round(float(uncertainty_s), 3),
        "boot_id": envelope.boot_id,
        "mono_s": round(float(envelope.at_s), 3),
        "trip": envelope.trip,
        "type": envelope.event.type,
        "data": canonical(to_row_data(envelope)),
        "prev": head.hash,
    }
    row["hash"] = digest(row, row["data"])
    return row


def rfc3339(envelope: Envelope) -> str:
    """When it happened, in UTC with milliseconds."""
    return envelope.at_utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{envelope.at_utc.microsecond // 1000:03d}Z"


def _moment(waiting: tuple[int, Envelope]) -> tuple[str, float]:
    return waiting[1].boot_id, waiting[1].at_s
