"""A scripted stand-in for control: a real Unix socket that answers as told and records what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
Json = dict[str, Any]
Answer = tuple[int, Json]
Handler = Callable[[Json], Answer | None]  # None: never answer

TICK_S = 0.5


class ControlStandIn:
    """Runs in a thread of its own; every method may be called from the test's thread."""

    def __init__(self, path: Path, snapshot: Json) -> None:
        self.path = path
        self.requests: list[Json] = []
        self.handlers: dict[str, Handler] = {}
        self.ticking = True
        self._snapshot = copy.deepcopy(snapshot)
        self._watchers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> ControlStandIn:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def start(self) -> None:
        """Listen, as control does when it starts."""
        self._run(self._start())

    def stop(self) -> None:
        """Vanish with every connection, as control does when it is killed."""
        self._run(self._stop())

    @property
    def snapshot(self) -> Json:
        return copy.deepcopy(self._snapshot)

    def set(self, snapshot: Json | None = None, **fields: Any) -> int:
        """Replace the snapshot or fields of it, move rev, push it. Returns the new rev."""

        async def change() -> int:
            new = copy.deepcopy(self._snapshot if snapshot is None else snapshot) | copy.deepcopy(fields)
            new["rev"] = self._snapshot["rev"] + 1
            self._snapshot = new
            self._push("snapshot", new)
            self._push("tick", self._tick())
            return int(new["rev"])

        return self._run(change())

    def push(self, kind: str, body: Json) -> None:
        """Send one push to every watcher."""

        async def send() -> None:
            self._push(kind, body)

        self._run(send())

    def tick(self) -> None:
        """One tick more, now."""
        self.push("tick", self._tick())

    def commands(self) -> list[Json]:
        """The commands asked for so far."""
        return [request for request in self.requests if request["op"] == "command"]

    def wait_command(self, name: str, timeout_s: float = 5.0) -> Json:
        """The newest command of that name, once it has come."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for request in reversed(self.commands()):
                if request["name"] == name:
                    return request
            time.sleep(0.01)
        raise AssertionError(f"{name} never came; got {[request['name'] for request in self.commands()]}")

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        self._ticker = asyncio.create_task(self._tick_for_ever())

    async def _stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        if self._server is not None:
            self._server.close()
        for writer in list(self._clients):
            writer.close()
        self.path.unlink(missing_ok=True)
        await asyncio.sleep(0)

    def _tick(self) -> Json:
        return {
            "rev": self._snapshot["rev"],
            "at": self._snapshot["at"],
            "phase": self._snapshot["phase"],
            "uptime_s": 12.0,
        }

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self.ticking:
                self._push("tick", self._tick())

    def _push(self, kind: str, body: Json) -> None:
        for writer in list(self._watchers):
            writer.write(_line({"push": kind, "body": body}))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                request = json.loads(line)
                self.requests.append(request)
                answer = self._answer(request)
                if answer is not None:
                    writer.write(_line({"id": request["id"], "status": answer[0], "body": answer[1]}))
                    if request["op"] == "watch":
                        self._watchers.add(writer)
        self._watchers.discard(writer)
        self._clients.discard(writer)
        writer.close()

    def _answer(self, request: Json) -> Answer | None:
        op = request["op"]
        handler = self.handlers.get(request["name"] if op == "command" else op) or self.handlers.get(op)
        if handler is not None:
            return handler(request)
        if op in ("snapshot", "watch"):
            return 200, self._snapshot
        if op == "session":
            return (
                (200, {"session": "token-1", "expires_s": 43200})
                if request["pin"] == "2468"
                else (401, {"error": "pin"})
            )
        if op == "health":
            return 200, {"phase": "checking", "rev": self._snapshot["rev"], "scan_ms_p99": 1.5, "journal": "healthy"}
        if op == "command":
            return self._command(request)
        return 422, {"error": "op"}

    def _command(self, request: Json) -> Answer:
        """The contract's order of checks, without any knowledge of the trip."""
        if request["session"] != "token-1":
            return 401, {"error": "no_session"}
        body = request["body"]
        if not isinstance(body, dict) or not isinstance(body.get("rev"), int):
            return 422, {"error": "malformed", "detail": "rev"}
        if body["rev"] != self._snapshot["rev"]:
            return 409, {"accepted": False, "refusals": [{"code": "stale_view", "rule": None, "item": None}]}
        return 200, {"accepted": True, "rev": self._snapshot["rev"], "seq": 7}


def _line(message: Json) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"
