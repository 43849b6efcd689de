"""What every request passes first: exact Host, own Origin, small body; and what every response carries (H29).

A page of another site in the kiosk's browser, or a name rebound to 127.0.0.1, must reach nothing. The body is read
here, whole, because a chunked body tells its size only by its end.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 16 * 1024  # the contract's limit
BODY_TIMEOUT_S = 10.0  # a client that trickles its body is let go
DRAIN_BYTES_MAX = 64 * 1024 * 1024  # of a body that is too large; who sends more is cut off
DRAIN_TIMEOUT_S = 2.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOREIGN_SITES = frozenset({b"cross-site", b"same-site"})  # same-site: another port of this machine

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Guard:
    """ASGI middleware around the whole application; `hosts` are the only Host headers served, port included."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.encode() for host in hosts)
        self._origins = frozenset(b"http://" + host for host in self._hosts)
        self.responses: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self.responses[message["status"]] += 1
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            await send(message)

        try:
            if refused := self._refused(scope):
                await _answer(send_guarded, *refused)
                return
            body = b"" if scope["method"] in SAFE_METHODS else await _read(scope, receive)
            if isinstance(body, int):
                await _answer(send_guarded, *_UNREAD[body])
                return
            await self._app(scope, _replay(body, receive), send_guarded)
        except Exception:
            log.exception("request failed: %s %s", scope["method"], scope["path"])
            if not started:
                await _answer(send_guarded, 500, "internal", "this is recorded; try again")

    def _refused(self, scope: Scope) -> tuple[int, str, str] | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 400, "host", "this address is not served here"
        if any(value not in self._origins for name, value in headers if name == b"origin"):
            return 403, "origin", "pages of other sites are refused"
        sites = {value for name, value in headers if name == b"sec-fetch-site"}
        if scope["method"] not in SAFE_METHODS and sites & FOREIGN_SITES:
            return 403, "origin", "pages of other sites are refused"
        return None


_UNREAD = {
    413: (413, "too_large", f"a body may have {BODY_BYTES_MAX} bytes"),
    408: (408, "timeout", "the body did not arrive in time"),
    400: (400, "disconnected", "the body ended early"),
}


async def _read(scope: Scope, receive: Receive) -> bytes | int:
    """The whole body, or the status that refuses it.

    One that is too large is taken and forgotten: a client that is cut off while it sends never reads why. A client that
    asks first (`Expect: 100-continue`) has sent nothing yet and is simply told.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    lengths = [value for name, value in headers if name == b"content-length"]
    is_too_large = any(not value.isdigit() or int(value) > BODY_BYTES_MAX for value in lengths)
    if is_too_large and any(name == b"expect" for name, _ in headers):
        return 413
    body, taken = bytearray(), 0
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S if is_too_large else BODY_TIMEOUT_S):
            while taken <= DRAIN_BYTES_MAX:
                message = await receive()
                if message["type"] != "http.request":
                    return 400
                part = message.get("body", b"")
                taken += len(part)
                is_too_large = is_too_large or taken > BODY_BYTES_MAX
                if not is_too_large:
                    body += part
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        return 413 if is_too_large else 408
    return 413 if is_too_large else bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, then whatever the connection says next (its end)."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _answer(send: Send, status: int, error: str, detail: str) -> None:
    body = json.dumps({"error": error, "detail": detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # what is left of a refused body is never read
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
