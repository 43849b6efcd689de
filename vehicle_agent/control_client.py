"""Client of control's Unix socket, for the display and the uplink: newline-delimited JSON both ways.

A request is sent at most once: when the connection is lost after sending, the caller learns `ControlGoneError`;
a command must never be repeated behind a person's back. Only subscriptions connect again by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

LINE_BYTES_MAX = 64 * 1024  # the protocol's limit for one line
READ_BYTES_MAX = 1024 * 1024  # a peer that sends longer lines than this is not control
ANSWER_TIMEOUT_S = (
    3.0  # control answers within one scan and one flush of the disk; a hung disk must not hang the screen
)
CONNECT_TIMEOUT_S = 1.0
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 1.0  # control restarts within 10 s; asking once a second costs nothing

Body = dict[str, Any]


class ControlGoneError(Exception):
    """Control did not answer: not running, stopped, or it hung up. What was asked may or may not be done."""


@dataclass(frozen=True, slots=True)
class Push:
    """One message of a subscription.

    `kind` is the push's own name (`snapshot`, `tick`, `row`, `fix`), or `opened` (the subscription's answer, each time
    it is made anew; `status` is the answer's), or `gone` (the connection was lost; `opened` follows when it is back).
    """

    kind: str
    body: Body
    status: int = 200


class ControlClient:
    """Requests over one shared connection, opened when first needed and again after a loss; any number at a time."""

    def __init__(self, path: str | os.PathLike[str], answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._path = os.fspath(path)
        self._answer_timeout_s = answer_timeout_s
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[tuple[int, Body]]] = {}
        self._next_id = 1
        self._connecting = asyncio.Lock()

    async def request(self, op: str, **fields: Any) -> tuple[int, Body]:
        """Ask once and return (status, body). Raises `ControlGoneError` when no answer comes."""
        writer = await self._connected()
        number = self._next_id
        self._next_id += 1
        answer: asyncio.Future[tuple[int, Body]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                writer.write(_line({**fields, "id": number, "op": op}))
                await writer.drain()
                return await answer
        except (OSError, TimeoutError) as error:
            raise ControlGoneError(f"{self._path}: no answer to {op}") from error
        finally:
            self._waiting.pop(number, None)

    async def subscribe(self, op: str, *, silence_s_max: float | None = None, **fields: Any) -> AsyncIterator[Push]:
        """Yield the answer to `op` as `opened`, then every push; for ever, over any number of control's restarts.

        `silence_s_max`: a connection that says nothing for so long counts as lost (for `watch`, which ticks at 2 Hz).
        """
        retry_s = RETRY_FIRST_S
        while True:
            writer: asyncio.StreamWriter | None = None
            try:
                reader, writer = await _open(self._path)
                writer.write(_line({**fields, "id": 0, "op": op}))
                await writer.drain()
                async for message in _messages(reader, silence_s_max):
                    if "push" in message:
                        yield Push(str(message["push"]), message.get("body") or {})
                    else:
                        yield Push("opened", message.get("body") or {}, int(message.get("status", 503)))
                        retry_s = RETRY_FIRST_S
            except (OSError, TimeoutError, ValueError):
                pass  # said once below, as `gone`
            finally:
                if writer is not None:
                    writer.close()
            yield Push("gone", {})
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, RETRY_MAX_S)

    async def close(self) -> None:
        """Close the shared connection; a later request would open it again."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        self._drop()

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None or self._reading is None or self._reading.done():
                self._drop()
                try:
                    reader, self._writer = await _open(self._path)
                except (OSError, TimeoutError) as error:
                    raise ControlGoneError(f"{self._path}: {error or 'no connection'}") from error
                self._reading = asyncio.create_task(self._read(reader), name="control answers")
            return self._writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, ValueError):
            async for message in _messages(reader, None):
                answer = self._waiting.get(message.get("id", -1))
                if answer is not None and not answer.done():
                    answer.set_result((int(message.get("status", 503)), message.get("body") or {}))
        self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("control closed the connection"))


async def _open(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        return await asyncio.open_unix_connection(path, limit=READ_BYTES_MAX)


async def _messages(reader: asyncio.StreamReader, silence_s_max: float | None) -> AsyncIterator[Body]:
    """Every JSON object line until the stream ends. Raises ValueError for anything else, TimeoutError for silence."""
    while True:
        async with asyncio.timeout(silence_s_max):
            line = await reader.readline()
        if not line.endswith(b"\n"):
            return
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("a line from control is not an object")
        yield message


def _line(message: Body) -> bytes:
    line = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"request of {len(line)} bytes is over the protocol's {LINE_BYTES_MAX}")
    return line
