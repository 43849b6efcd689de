"""What the socket's thread does with a request: check its form, its session and its PIN, then hand it to the scan.

The order of a command's checks is the contract's: 404 unknown name, 401 no session, 422 malformed; the scan then says
409. Nothing here changes anything but the count of wrong PINs.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vehicle_agent.control.feed import Feeds
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.server import Client, Server
from vehicle_agent.control.sessions import Correct, LockedOut, Opened, Sessions, Wrong

WAITING_MAX = 64  # requests of one client without an answer: more is a flood, which shall be its own problem only
PINS_WAITING_MAX = 8

log = logging.getLogger("requests")

_COMMAND_FIELDS = frozenset({"id", "op", "name", "session", "body"})
_SESSION_FIELDS = frozenset({"id", "op", "pin", "by"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request with proper form, for the scan. `fields` are the operation's own."""

    client: Client
    number: object
    op: str
    fields: dict[str, Any]


class Intake:
    """`handle` belongs to the server's thread; `requests` is emptied by the scan."""

    def __init__(self, sessions: Sessions, journal: Journal) -> None:
        self.requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._sessions = sessions
        self._journal = journal
        self._server: Server | None = None
        self._feeds: Feeds | None = None
        self._pins: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._checker = threading.Thread(target=self._check_pins, name="pin", daemon=True)

    def attach(self, server: Server, feeds: Feeds) -> None:
        """Where answers go. The checker of PINs starts here: stretching one takes longer than a scan lasts."""
        self._server, self._feeds = server, feeds
        self._checker.start()

    def prepare(self) -> None:
        """Import what the first request would otherwise wait for."""
        from vehicle_agent import texts  # noqa: PLC0415
        from vehicle_agent.control import forms  # noqa: F401, PLC0415

        texts.load()

    def handle(self, client: Client, request: dict[str, Any]) -> None:
        """Take one request. Every request gets exactly one answer, unless its client has gone."""
        number = request.get("id")
        if isinstance(number, bool) or not isinstance(number, int):
            self._refuse(client, None, "id must be a whole number")
            return
        op = request.get("op")
        if op == "command":
            self._command(client, number, request)
        elif op == "session":
            self._session(client, number, request)
        else:
            self._other(client, number, op, request)

    def gone(self, client: Client) -> None:
        """A connection ended. Without its feed the uplink is not there, whatever it said last."""
        if client.feed_from is not None:
            self.requests.put(Request(client, None, "uplink_gone", {}))

    def turn(self) -> None:
        """After every turn of the server's thread."""
        if self._feeds is not None:
            self._feeds.pump()

    def _other(self, client: Client, number: int, op: object, request: dict[str, Any]) -> None:
        from vehicle_agent.commands import MalformedError  # noqa: PLC0415
        from vehicle_agent.control.forms import FORMS, parse_request  # noqa: PLC0415

        if not isinstance(op, str) or op not in FORMS:
            self._refuse(client, number, "op is none of: command, session, " + ", ".join(sorted(FORMS)))
            return
        try:
            fields = parse_request(op, {key: value for key, value in request.items() if key not in ("id", "op")})
        except MalformedError as error:
            self._refuse(client, number, str(error))
            return
        if op == "cursor":
            self._move_cursor(client, number, fields["seq"])
        elif op == "positions":
            self._read_positions(client, number, fields["after"])
        else:
            self._hand_over(client, number, op, fields)

    def _command(self, client: Client, number: int, request: dict[str, Any]) -> None:
        from vehicle_agent.commands import COMMANDS, MalformedError, parse_command  # noqa: PLC0415

        name, token = request.get("name"), request.get("session")
        if not isinstance(name, str) or name not in COMMANDS:
            self._answer(client, number, 404, {"error": "unknown_command", "detail": "there is no such command"})
            return
        holder = self._sessions.holder(token) if isinstance(token, str) else None
        if holder is None:
            self._answer(client, number, 401, {"error": "no_session", "detail": "the commander's PIN is needed"})
            return
        try:
            if extra := set(request) - _COMMAND_FIELDS:
                raise MalformedError(f"unknown fields: {', '.join(sorted(extra))}")
            rev, arguments = parse_command(name, request.get("body"))
        except MalformedError as error:
            self._refuse(client, number, str(error))
            return
        pin = arguments.pop("pin", None)
        fields: dict[str, Any] = {"name": name, "rev": rev, "args": arguments, "by": holder}
        if pin is None:
            self._hand_over(client, number, "command", fields)
        else:
            arguments["pin_is_right"] = True
            self._check_pin(client, number, lambda: self._sessions.check(pin), "command", fields)

    def _session(self, client: Client, number: int, request: dict[str, Any]) -> None:
        from vehicle_agent.commands import MalformedError, parse_session  # noqa: PLC0415

        try:
            if extra := set(request) - _SESSION_FIELDS:
                raise MalformedError(f"unknown fields: {', '.join(sorted(extra))}")
            pin, by = parse_session({key: value for key, value in request.items() if key in ("pin", "by")})
        except MalformedError as error:
            self._refuse(client, number, str(error))
            return
        if not self._sessions.is_restored:  # else a slow disk and the main switch would be a way around the lockout
            detail = "the journal is not open yet: it knows how often the PIN was wrong"
            self._answer(client, number, 503, {"error": "starting", "detail": detail})
            return
        self._check_pin(client, number, lambda: self._sessions.open(pin, by), "session", {"by": by})

    def _check_pin(
        self,
        client: Client,
        number: int,
        check: Callable[[], Opened | Correct | Wrong | LockedOut],
        op: str,
        fields: dict[str, Any],
    ) -> None:
        if self._pins.qsize() >= PINS_WAITING_MAX:
            self._locked(client, number, 1.0)
            return

        def work() -> None:
            match check():
                case LockedOut(retry_after_s):
                    self._locked(client, number, retry_after_s)
                case Wrong() as wrong:
                    self._hand_over_checked(
                        client, number, "pin_wrong", {"count": wrong.count, "lockout_s": wrong.lockout_s}
                    )
                case Opened() as opened:
                    session = {**fields, "token": opened.token, "expires_s": opened.expires_s}
                    self._hand_over_checked(client, number, op, session)
                case Correct():
                    self._hand_over_checked(client, number, op, fields)

        self._pins.put(work)

    def _check_pins(self) -> None:
        while True:
            work = self._pins.get()
            try:
                work()
            except Exception:
                log.exception("a PIN could not be checked")

    def _move_cursor(self, client: Client, number: int, seq: int) -> None:
        if seq > self._journal.head.seq:
            self._refuse(client, number, f"seq {seq} is after the newest row, {self._journal.head.seq}")
            return

        self._journal.ask(lambda store: store.set_cursor("events", seq), self._teller(client, number, "seq"))

    def _read_positions(self, client: Client, number: int, after: int | None) -> None:
        teller = self._teller(client, number, "positions")
        self._journal.ask(lambda store: store.positions_after(after), teller, is_of_positions=after is None)

    def _teller(self, client: Client, number: int, name: str) -> Callable[[object], None]:
        """Answers with the journal's result as `name`."""

        def answered(result: object) -> None:
            if isinstance(result, Exception):
                self._answer(client, number, 503, {"error": "journal_unavailable", "detail": str(result)})
            else:
                self._answer(client, number, 200, {name: result})

        return answered

    def _hand_over(self, client: Client, number: int, op: str, fields: dict[str, Any]) -> None:
        if client.asked >= WAITING_MAX:
            self._answer(client, number, 503, {"error": "busy", "detail": "too many requests are waiting"})
            return
        client.asked += 1
        self.requests.put(Request(client, number, op, fields))

    def _hand_over_checked(self, client: Client, number: int, op: str, fields: dict[str, Any]) -> None:
        """From the thread that checks PINs."""
        if self._server is not None:
            self._server.call(lambda: self._hand_over(client, number, op, fields))

    def _locked(self, client: Client, number: int, retry_after_s: float) -> None:
        self._answer(client, number, 429, {"error": "locked_out", "retry_after_s": round(retry_after_s, 1)})

    def _refuse(self, client: Client, number: int | None, detail: str) -> None:
        self._answer(client, number, 422, {"error": "malformed", "detail": detail})

    def _answer(self, client: Client, number: int | None, status: int, body: dict[str, Any]) -> None:
        if self._server is not None:
            self._server.answer(client, number, status, body)
