"""Requests as the scan takes them: which become inputs of the core, and what each is answered when its scan is done.

One command a scan, and none in a scan that also has a press: a command is judged by the very state that its `rev`
names, so of two people who act on the same view exactly one is accepted (hazard H27).
"""

from __future__ import annotations

import collections
import queue
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vehicle_agent.control.intake import Request
from vehicle_agent.control.pending import ANSWER_WITHIN_S, Pending, Waiting
from vehicle_agent.control.ring import Told
from vehicle_agent.core.commands import Answer
from vehicle_agent.core.events import Commissioned, PinLocked, PinWrong, SessionOpened
from vehicle_agent.core.inputs import AtBroker, Command, Input, NoticeSending, Receipt
from vehicle_agent.core.interlock import refusal
from vehicle_agent.core.notices import find

if TYPE_CHECKING:
    from vehicle_agent.control.loop import Control
    from vehicle_agent.control.server import Client

INPUTS_A_SCAN = 16  # receipts come in bursts after an outage; a scan stays a scan
_UNCONFIRMED = ("recorded", "at_broker", "told_by_radio")
RECEIVED_TOLD_MAX = 64  # newest notices that wait for an officer's acknowledgement; the uplink needs their digests

Tell = Callable[[Mapping[str, int]], None]


class Counter:
    """Belongs to the scan thread."""

    def __init__(self, control: Control, requests: queue.SimpleQueue[Request]) -> None:
        self._control = control
        self._requests = requests
        self._queue: collections.deque[Request] = collections.deque()
        self._asked: list[Request] = []
        self.pending = Pending()

    def take(self, *, has_presses: bool) -> list[Input]:
        """What this scan is to decide; everything else that waits is answered at once."""
        while True:
            try:
                self._queue.append(self._requests.get_nowait())
            except queue.Empty:
                break
        self._asked = []
        inputs: list[Input] = []
        for _ in range(min(len(self._queue), INPUTS_A_SCAN)):
            if self._queue[0].op == "command" and (has_presses or any(isinstance(i, Command) for i in inputs)):
                break
            request = self._queue.popleft()
            found = self._input(request)
            if found is not None:
                self._asked.append(request)
                inputs.append(found)
        return inputs

    def settle(self, answers: tuple[Answer, ...]) -> None:
        """Answer what `take` gave, in the same order, once its rows are durable."""
        for request, answer in zip(self._asked, answers, strict=True):
            if answer.malformed is not None:
                self._answer(request, 422, {"error": "malformed", "detail": answer.malformed})
            elif request.op == "command":
                self._settle_command(request, answer)
            elif answer.refusals:
                self._answer(request, 404, {"error": "unknown_notice", "detail": "this unit is owed no such notice"})
            else:
                self._when_durable(request, answer.event_ids, partial(self._noted, request))

    def _input(self, request: Request) -> Input | None:
        """The core's input, or None when the request needs no decision and has been answered."""
        fields = request.fields
        if request.op in _DIRECT:
            _DIRECT[request.op](self, request)
            return None
        if not self._control.is_live:
            self._answer(request, 503, {"error": "starting", "detail": self._control.journal_problem() or "starting"})
            return None
        match request.op:
            case "command":
                return self._command(request)
            case "notice_sending":
                return NoticeSending(fields["notice"], fields["late_by_s"])
            case "at_broker":
                return AtBroker(fields["notice"])
            case _:
                return Receipt(**fields)

    def _command(self, request: Request) -> Command | None:
        if self._control.journal_problem() is not None:
            self._answer(request, 409, self._control.refused(refusal("journal_unavailable")))
        elif request.fields["rev"] != self._control.view.rev:
            self._answer(request, 409, self._control.refused(refusal("stale_view")))
        else:
            return Command(request.fields["name"], request.fields["args"], request.fields["by"])
        return None

    def _settle_command(self, request: Request, answer: Answer) -> None:
        if answer.refusals:
            self._answer(request, 409, self._control.refused(*answer.refusals))
            return
        body: dict[str, Any] = {"accepted": True, "rev": self._control.view.rev}
        if answer.warnings:
            body["warnings"] = list(answer.warnings)
        first = answer.event_ids[0] if answer.event_ids else ""

        def tell(seqs: Mapping[str, int]) -> None:
            self._answer(request, 200, {**body, "seq": seqs.get(first) or self._control.journal.head.seq})

        self._when_durable(request, answer.event_ids[:1], tell)

    def _noted(self, request: Request, _: Mapping[str, int]) -> None:
        notice = find(self._control.trip, request.fields["notice"])
        body = {"late_by_s": notice.late_by_s} if request.op == "notice_sending" and notice is not None else {}
        self._answer(request, 200, body)

    def _snapshot(self, request: Request) -> None:
        self._answer(request, 200, self._control.snapshot())

    def _watch(self, request: Request) -> None:
        self._answer(request, 200, self._control.snapshot())

        def begin() -> None:
            request.client.is_watching = True
            self._control.server.count_watchers()

        self._control.server.call(begin)

    def _health(self, request: Request) -> None:
        self._answer(request, 200, self._control.health())

    def _feed(self, request: Request) -> None:
        control = self._control
        if not control.is_live:
            self._answer(request, 503, {"error": "starting", "detail": control.journal_problem() or "starting"})
            return
        # Notices and head are of one moment, and durable: a notice is either listed here or follows as a row after
        # this head, and the uplink never signs what a power cut could take back.
        notices = control.durable.notices
        received = [notice for notice in notices if notice.reached == "received"][-RECEIVED_TOLD_MAX:]
        owed = {
            notice.id: {"stage": notice.reached, "late_by_s": notice.late_by_s}
            for notice in (*received, *(notice for notice in notices if notice.reached in _UNCONFIRMED))
        }
        head = {"seq": control.durable_head.seq, "hash": control.durable_head.hash}
        body = {"vehicle": control.settings.vehicle, "boot_id": control.boot_id, "head": head}
        control.feeds.open(request.client, request.number, body, owed)

    def _commission(self, request: Request) -> None:
        control = self._control
        exercised, idle = control.wires_seen()
        event_id = control.record(
            Commissioned(wires=exercised, wiring_sha256=control.settings.wiring_sha256, by=request.fields["by"])
        )
        if event_id is None:
            self._answer(request, 503, {"error": "starting", "detail": control.journal_problem() or "starting"})
            return
        body = {"wires": list(exercised), "not_exercised": list(idle)}
        self._when_durable(
            request, (event_id,), lambda seqs: self._answer(request, 200, {"seq": seqs[event_id], **body})
        )

    def _session(self, request: Request) -> None:
        self._control.record(SessionOpened(request.fields["by"]))
        body = {"session": request.fields["token"], "expires_s": request.fields["expires_s"]}
        self._soon(request, 200, body)

    def _pin_wrong(self, request: Request) -> None:
        self._control.record(PinWrong(request.fields["count"]))
        if request.fields["lockout_s"] is not None:
            self._control.record(PinLocked(request.fields["lockout_s"]))
        self._soon(request, 401, {"error": "wrong_pin", "detail": "the PIN is wrong"})

    def _uplink_state(self, request: Request) -> None:
        told = request.fields.pop("told")
        if told is not None:
            self._control.journal.positions_told(Told(**told))
        self._control.view.set_uplink(dict(request.fields), self._control.clock.mono())
        self._answer(request, 200, {})

    def _uplink_gone(self, _: Request) -> None:
        self._control.view.lose_uplink()

    def _soon(self, request: Request, status: int, body: dict[str, Any]) -> None:
        """Answer when it is journalled; a broken disk keeps nobody out, for a session alone moves nothing."""

        def answer(*_: object) -> None:
            self._answer(request, status, body)

        if self._control.journal_problem() is not None:
            answer()
        else:
            self._wait((), answer, answer)

    def _when_durable(self, request: Request, event_ids: tuple[str, ...], tell: Tell) -> None:
        def give_up() -> None:
            detail = self._control.journal_problem() or "the disk has not answered in time"
            self._answer(request, 503, {"error": "journal_unavailable", "detail": detail})

        self._wait(event_ids, tell, give_up)

    def _wait(self, event_ids: tuple[str, ...], tell: Tell, give_up: Callable[[], None]) -> None:
        deadline_s = self._control.clock.mono() + ANSWER_WITHIN_S
        self.pending.add(Waiting(self._control.journal.appended, event_ids, deadline_s, tell, give_up))

    def _answer(self, request: Request, status: int, body: dict[str, Any]) -> None:
        self._control.server.settle(request.client, request.number, status, body)


_DIRECT: dict[str, Callable[[Counter, Request], None]] = {
    "snapshot": Counter._snapshot,
    "watch": Counter._watch,
    "health": Counter._health,
    "feed": Counter._feed,
    "commission": Counter._commission,
    "session": Counter._session,
    "pin_wrong": Counter._pin_wrong,
    "uplink_state": Counter._uplink_state,
    "uplink_gone": Counter._uplink_gone,
}


def is_fed(client: Client) -> bool:
    """Whether this is an uplink's feed."""
    return client.feed_from is not None


def is_looking(client: Client) -> bool:
    """Whether this client gets snapshots."""
    return client.is_watching or client.feed_from is not None


def is_watching(client: Client) -> bool:
    """Whether this client gets ticks."""
    return client.is_watching
