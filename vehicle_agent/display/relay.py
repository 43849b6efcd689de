"""The bridge between HTTP and control: what a request says is passed on, what control answers is passed back.

Nothing is decided here. A body that is no JSON goes to control as null, because control checks the commander's session
before the body (401 before 422).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from vehicle_agent.control_client import Body, ControlClient, ControlGoneError
from vehicle_agent.display.hub import compact

GONE: Body = {"error": "control_gone", "detail": "control does not answer: trust the lamps"}


class Relay:
    """Requests to control, each answered with (status, body); 503 when control does not answer."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._asking = asyncio.Lock()
        self._queued: asyncio.Task[tuple[int, str]] | None = None

    async def snapshot(self) -> tuple[int, str]:
        """The snapshot as it is after this call began, as JSON text.

        However many pages ask, one question at a time goes to control: those who ask while one is on its way share
        the next, so that no answer is older than its question.
        """
        if self._queued is None:
            self._queued = asyncio.create_task(self._ask_snapshot(), name="snapshot")
        return await asyncio.shield(self._queued)

    async def session(self, body: Any) -> tuple[int, Body]:
        """Try a PIN. Anything but its own two fields is sent as null, which control refuses."""
        is_form = isinstance(body, dict) and set(body) <= {"pin", "by"} and isinstance(body.get("pin"), str)
        return await self._ask("session", **(body if is_form else {"pin": None}))

    async def command(self, name: str, session: str | None, body: Any) -> tuple[int, Body]:
        """Run a command of the contract."""
        return await self._ask("command", name=name, session=session, body=body)

    async def health(self) -> Body | None:
        """Control's own figures, or None when it does not answer."""
        status, body = await self._ask("health")
        return body if status == 200 else None

    async def _ask_snapshot(self) -> tuple[int, str]:
        async with self._asking:
            self._queued = None
            status, body = await self._ask("snapshot")
            return status, compact(body)

    async def _ask(self, op: str, **fields: Any) -> tuple[int, Body]:
        try:
            return await self._client.request(op, **fields)
        except ControlGoneError:
            return 503, GONE


def parse_json(content_type: str | None, raw: bytes) -> Any:
    """The body's value, or None when it is not strict JSON (other type, NaN, doubled keys, half a surrogate pair)."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        value = json.loads(raw, parse_constant=_refuse, object_pairs_hook=_object)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # what cannot be written again is not JSON
    except (ValueError, RecursionError):
        return None
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value
