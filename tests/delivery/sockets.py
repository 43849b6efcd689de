"""Control's socket without a kernel: the same lines of JSON, in the loop's time; a kill loses what was under way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, cast

from tests.delivery.virtual_time import BEHIND_S
from vehicle_agent.control.feed import Feeds
from vehicle_agent.control.intake import Intake
from vehicle_agent.control.server import Client, Server, _line
from vehicle_agent.control_client import ANSWER_TIMEOUT_S, Body, ControlClient, ControlGoneError, Push

WAY_MAX_S = 0.004
RETRY_S = 0.3

Hear = Callable[[dict[str, Any]], None]


class QuietIntake(Intake):
    """No PIN is typed here, so no thread checks any."""

    def attach(self, server: Server, feeds: Feeds) -> None:
        self._server, self._feeds = server, feeds


class LoopServer(Server):
    """`Server` for one loop instead of a thread of its own."""

    def __init__(self, intake: Intake, random_: random.Random, wake_scan: Callable[[], None]) -> None:
        self._intake, self._random, self._wake_scan = intake, random_, wake_scan
        self._loop = asyncio.get_running_loop()
        self._hear: dict[int, Hear] = {}
        self._lose: dict[int, Callable[[], None]] = {}
        self._clients = {}
        self._free_s: dict[int, float] = {}
        self._next_number = 1
        self.is_serving = False
        self.watchers = 0

    def start(self) -> None:
        self.is_serving = True

    def kill(self) -> None:
        """The process is gone, and with it every connection."""
        self.is_serving = False
        for number in list(self._clients):
            self._clients.pop(number)
            self._lose.pop(number)()

    def is_alive(self) -> bool:
        return True

    def stop(self) -> None:
        self.kill()

    def call(self, action: Callable[[], None]) -> None:
        def run() -> None:
            if self.is_serving:
                action()
                self._intake.turn()

        self._loop.call_soon(run)

    def send(self, client: Client, message: dict[str, Any]) -> None:
        if client.number in self._clients:
            self._carry(client.number, lambda: self._hear[client.number](json.loads(_line(message))))

    def _push(self, kind: str, body: dict[str, Any], to: Callable[[Client], bool]) -> None:
        for client in self.clients():
            if to(client):
                self.send(client, {"push": kind, "body": body})

    # The client's side.

    def connect(self, hear: Hear, lose: Callable[[], None]) -> Client:
        client = Client(self._next_number, cast("socket.socket", None))
        self._next_number += 1
        self._clients[client.number], self._hear[client.number], self._lose[client.number] = client, hear, lose
        return client

    def receive(self, client: Client, request: dict[str, Any]) -> None:
        line = json.dumps(request)

        def take() -> None:
            self._intake.handle(client, json.loads(line))
            self._wake_scan()

        self._carry(-client.number, take, number=client.number)

    def disconnect(self, client: Client) -> None:
        if self._clients.pop(client.number, None) is not None:
            self._lose.pop(client.number)
            self.count_watchers()
            self._intake.gone(client)

    def _carry(self, way: int, do: Callable[[], None], *, number: int | None = None) -> None:
        free_s = self._free_s.get(way, 0.0) + BEHIND_S
        at_s = max(free_s, self._loop.time() + self._random.uniform(0.0001, WAY_MAX_S))
        self._free_s[way] = at_s

        def arrive() -> None:
            if self.is_serving and (way if number is None else number) in self._clients:
                do()
                self._intake.turn()

        self._loop.call_at(at_s, arrive)


class LoopClient(ControlClient):
    """`ControlClient` over a `LoopServer`; `server` gives the one that serves now, or None."""

    def __init__(self, server: Callable[[], LoopServer | None]) -> None:
        self._server = server
        self._on: tuple[LoopServer, Client] | None = None
        self._waiting = {}
        self._next_id = 1
        self.is_dead = False

    async def request(self, op: str, **fields: Any) -> tuple[int, Body]:
        server = self._server()
        if server is None or self.is_dead:
            raise ControlGoneError("control is not there")
        if self._on is None or self._on[0] is not server:
            self._on = (server, server.connect(self._answered, self._lost))
        number, self._next_id = self._next_id, self._next_id + 1
        answer: asyncio.Future[tuple[int, Body]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        server.receive(self._on[1], {**fields, "id": number, "op": op})
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        except (TimeoutError, ConnectionError) as error:
            raise ControlGoneError("no answer") from error
        finally:
            self._waiting.pop(number, None)

    async def subscribe(self, op: str, silence_s_max: float | None = None, **fields: Any) -> AsyncIterator[Push]:
        while True:
            server = self._server()
            if server is not None and not self.is_dead:
                async with contextlib.aclosing(self._listen(server, {**fields, "id": 0, "op": op})) as pushes:
                    async for push in pushes:
                        yield push
            yield Push("gone", {})
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        self.drop()

    def drop(self) -> None:
        """The uplink is gone: the kernel closes its connection."""
        if self._on is not None:
            self._on[0].disconnect(self._on[1])
            self._on = None

    async def _listen(self, server: LoopServer, request: dict[str, Any]) -> AsyncGenerator[Push, None]:
        heard: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        client = server.connect(heard.put_nowait, lambda: heard.put_nowait(None))
        server.receive(client, request)
        try:
            while (message := await heard.get()) is not None:
                if "push" in message:
                    yield Push(message["push"], message["body"])
                else:
                    yield Push("opened", message["body"], message["status"])
        finally:
            server.disconnect(client)

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._waiting.get(message.get("id", -1))
        if answer is not None and not answer.done():
            answer.set_result((message["status"], message["body"]))

    def _lost(self) -> None:
        self._on = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("control has gone"))
