"""The bench's HTTP interface: ground truth of the wires, and a hand on every switch; for this machine only."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Body, FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from fastapi.staticfiles import StaticFiles
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.bench.electrics import STUCK, WELDED, Electrics, UnknownWireError

PAGE = Path(__file__).parent / "page"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HOLD_MAX_S = 60.0
DRAINED_WITHIN_NS = 500_000_000  # on a machine that is overloaded; then what is known is told
JsonObject = Annotated[dict[str, Any], Body()]


class Far(Protocol):
    """A device at the far side of a cable: GNSS receiver, radio station, link to the broker."""

    def set(self, body: dict[str, Any] | str) -> dict[str, Any]: ...

    def state(self) -> dict[str, Any]: ...


class LoopbackOnly:
    """Refuses requests that a foreign page or a rebound name made the browser send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            origin = headers.get("origin")
            refusal = None
            if not _is_loopback(headers.get("host", "")):
                refusal = JSONResponse({"detail": "this bench answers to 127.0.0.1 and localhost only"}, 400)
            elif origin is not None and not _is_loopback(origin.partition("://")[2]):
                refusal = JSONResponse({"detail": f"pages of {origin} may not use this bench"}, 403)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_loopback(authority: str) -> bool:
    host, separator, port = authority, "", ""
    if not authority.endswith("]") and ":" in authority:
        host, separator, port = authority.rpartition(":")
    return host in LOOPBACK and port.isdecimal() == bool(separator)


def make_app(electrics: Electrics, devices: dict[str, Far]) -> FastAPI:
    """`devices` holds gnss and radio, and broker where there is one."""
    app = FastAPI(title="Vehicle bench", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(LoopbackOnly)
    stopping = app.state.stopping = asyncio.Event()  # set by whoever ends the bench: no finger outlasts it
    fingers: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
    pids: dict[str, int] = {}

    @app.get("/api/v1/wires")
    async def get_wires() -> dict[str, Any]:
        return electrics.state()

    @app.put("/api/v1/wires/{name}")
    async def put_wire(name: str, body: JsonObject) -> dict[str, Any]:
        _set_wire(electrics, name, body)
        wire: dict[str, Any] = electrics.state()["wires"][name]
        return wire

    @app.post("/api/v1/press/{button}")
    async def press(button: str, body: Annotated[dict[str, Any] | None, Body()] = None) -> dict[str, Any]:
        hold_s = (body or {}).get("hold_s", 0.5)
        if isinstance(hold_s, bool) or not isinstance(hold_s, int | float) or not 0 < hold_s <= HOLD_MAX_S:
            raise _refuse(f"hold_s is a number of seconds, more than 0 and at most {HOLD_MAX_S:g}, not {hold_s!r}")
        if set(body or {}) - {"hold_s"}:
            raise _refuse('the body is {"hold_s": seconds}')
        buttons = electrics.buttons()
        async with fingers[button] if button in buttons else asyncio.Lock():
            try:
                electrics.hold(button, True)
            except UnknownWireError:
                raise HTTPException(404, f"no button {button!r}; there are {', '.join(buttons)}") from None
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), hold_s)
                    raise HTTPException(503, "the bench is stopping")
            finally:
                electrics.hold(button, False)
        return {"button": button, "hold_s": hold_s}

    @app.get("/api/v1/timeline")
    async def timeline(after: int = 0) -> list[dict[str, Any]]:
        asked_ns = time.monotonic_ns()
        while electrics.drained_ns < asked_ns and time.monotonic_ns() < asked_ns + DRAINED_WITHIN_NS:
            await asyncio.sleep(0.002)  # the wires are looked at every 10 ms; what was done before asking is then told
        return electrics.entries_after(after)

    @app.get("/api/v1/processes")
    async def get_processes() -> dict[str, Any]:
        return {"pids": pids}

    @app.put("/api/v1/processes")
    async def put_processes(body: JsonObject) -> dict[str, Any]:
        given = _only(body, "pids", dict, ("control", "uplink", "display"))
        if not all(isinstance(pid, int) and not isinstance(pid, bool) and pid > 0 for pid in given.values()):
            raise _refuse('the body is {"pids": {name: process id}}')
        pids.clear()
        pids.update(given)
        return {"pids": pids}

    @app.get("/api/v1/bench")
    async def bench() -> dict[str, Any]:
        """Everything that the page shows, in one call."""
        far = {name: device.state() for name, device in devices.items()}
        return {**electrics.state(), "devices": far, "pids": pids}

    _add_stuck(app, electrics)
    _add_devices(app, devices)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


def _add_stuck(app: FastAPI, electrics: Electrics) -> None:
    """What breaks behind the agent's pins."""

    @app.put("/api/v1/outputs/{name}")
    async def put_output(name: str, body: JsonObject) -> dict[str, Any]:
        try:
            at_ns = electrics.stick_output(name, _only(body, "stuck", str, tuple(STUCK)))
        except UnknownWireError:
            raise HTTPException(404, f"no output {name!r}; there are {_names(electrics, 'output')}") from None
        except ValueError as error:
            raise _refuse(str(error)) from error
        return {**electrics.state()["wires"][name], "at_ns": at_ns}

    @app.put("/api/v1/permit_relay")
    async def put_relay(body: JsonObject) -> dict[str, Any]:
        try:
            at_ns = electrics.stick_relay(_only(body, "stuck", str, tuple(WELDED)))
        except ValueError as error:
            raise _refuse(str(error)) from error
        return {**electrics.state()["permit_relay"], "at_ns": at_ns}


def _add_devices(app: FastAPI, devices: dict[str, Far]) -> None:
    def find(name: str) -> Far:
        if name not in devices:
            hint = "; start the bench with --broker HOST:PORT" if name == "broker" else ""
            raise HTTPException(404, f"this bench has no {name}{hint}")
        return devices[name]

    def add(name: str) -> None:
        @app.get(f"/api/v1/{name}", name=f"get_{name}")
        async def get_device() -> dict[str, Any]:
            return find(name).state()

        @app.put(f"/api/v1/{name}", name=f"put_{name}")
        async def put_device(body: JsonObject) -> dict[str, Any]:
            try:
                return await run_in_threadpool(find(name).set, body)
            except ValueError as error:
                raise _refuse(str(error)) from error

    for name in ("gnss", "radio", "broker"):
        add(name)


def _only(body: dict[str, Any], key: str, kind: type, allowed: tuple[str, ...]) -> Any:
    """The value under the body's single key, of this kind."""
    if set(body) != {key} or not isinstance(body[key], kind):
        raise _refuse(f'the body is {{"{key}": …}} with {", ".join(allowed)}')
    return body[key]


def _set_wire(electrics: Electrics, name: str, body: dict[str, Any]) -> None:
    """The fault first, so that one call can jam a contact and move what it should follow."""
    rest = {key: value for key, value in body.items() if key != "fault"}
    try:
        word = _only(rest, "set", str, electrics.allowed(name)) if rest or "fault" not in body else None
        if "fault" in body:
            electrics.set_fault(name, body["fault"])
        if word is not None:
            electrics.set(name, word)
    except UnknownWireError:
        raise HTTPException(404, f"no input wire {name!r}; there are {_names(electrics, 'input')}") from None
    except ValueError as error:
        raise _refuse(str(error)) from error


def _refuse(message: str) -> HTTPException:
    return HTTPException(422, message)


def _names(electrics: Electrics, direction: str) -> str:
    return ", ".join(name for name, wire in electrics.state()["wires"].items() if wire["direction"] == direction)
