"""The cab display's HTTP interface, exactly as the contract has it, over the relay and the hub.

Bodies are not declared as FastAPI parameters: control decides in the contract's order (401 before 422 before 409).
The command models appear in `/openapi.json` only.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette.sse import EventSourceResponse
from starlette.exceptions import HTTPException

from vehicle_agent.control_client import Body, ControlClient
from vehicle_agent.display.assets import Assets
from vehicle_agent.display.hub import Hub
from vehicle_agent.display.relay import Relay, parse_json
from vehicle_agent.web.guard import Guard

COOKIE = "commander"
SESSION_S = 43200  # the contract's 12 h, should control not say
STREAM_SEND_TIMEOUT_S = 10.0  # a page that takes nothing for so long is closed; it connects again by itself
JSON = "application/json"
NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Setup:
    """What the page needs to know of the configuration; nothing of it is secret."""

    hosts: frozenset[str]  # "127.0.0.1:8080"
    origin: str
    units: tuple[tuple[str, Mapping[str, str]], ...]  # code, language -> name
    cells: tuple[int, ...]
    language: str
    px_per_mm: float
    lock_while_moving: bool
    manual_fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Display:
    """The application and the parts that live as long as it."""

    app: Guard
    hub: Hub
    client: ControlClient


def build(client: ControlClient, setup: Setup) -> Display:
    """Wire the routes; the caller runs `hub.run()` beside the server."""
    hub = Hub(client)
    app = FastAPI(title="Cab display", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    guard = Guard(app, setup.hosts)
    relay = Relay(client)
    _add_snapshot(app, relay, hub)
    _add_commands(app, relay)
    _add_health(app, relay, hub, guard)
    _add_page(app, setup)

    @app.exception_handler(HTTPException)
    async def plain_error(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    return Display(guard, hub, client)


def _add_snapshot(app: FastAPI, relay: Relay, hub: Hub) -> None:
    @app.get("/api/v1/snapshot")
    async def snapshot() -> Response:
        status, text = await relay.snapshot()
        return Response(text, status, media_type=JSON, headers=NO_STORE)

    @app.get("/api/v1/stream")
    async def stream() -> Response:
        if hub.is_full:
            return JSONResponse({"error": "too_many_streams"}, 503)
        return EventSourceResponse(_events(hub), sep="\n", send_timeout=STREAM_SEND_TIMEOUT_S)


async def _events(hub: Hub) -> AsyncIterator[dict[str, str]]:
    async for event in hub.stream():
        yield event


def _add_commands(app: FastAPI, relay: Relay) -> None:
    @app.post("/api/v1/session")
    async def session(request: Request) -> Response:
        status, body = await relay.session(await _json(request))
        if status != 200:
            return _answer(status, body)
        expires_s = int(body.get("expires_s", SESSION_S))
        response = _answer(200, {"expires_s": expires_s})
        response.set_cookie(COOKIE, str(body["session"]), max_age=expires_s, httponly=True, samesite="strict", path="/")
        return response

    @app.post("/api/v1/commands/{name}")
    async def command(name: str, request: Request) -> Response:
        status, body = await relay.command(name, request.cookies.get(COOKIE), await _json(request))
        return _answer(status, body)


async def _json(request: Request) -> Any:
    return parse_json(request.headers.get("content-type"), await request.body())


def _answer(status: int, body: Body) -> JSONResponse:
    headers = dict(NO_STORE)
    if status == 429:
        headers["Retry-After"] = str(math.ceil(float(body.get("retry_after_s") or 1)))
    return JSONResponse(body, status, headers=headers)


def _add_health(app: FastAPI, relay: Relay, hub: Hub, guard: Guard) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return _answer(200, {"status": "ok", "control": "connected" if hub.is_connected else "gone"})

    @app.get("/metrics")
    async def metrics() -> Response:
        health = await relay.health() or {}
        lines = [
            f"stv_display_control_connected {int(hub.is_connected)}",
            f"stv_display_streams {hub.stream_count}",
            f"stv_display_ticks_total {hub.ticks_total}",
        ]
        lines += [f'stv_display_responses_total{{status="{s}"}} {n}' for s, n in sorted(guard.responses.items())]
        for name in ("rev", "scan_ms_p99", "uptime_s"):
            value = health.get(name)
            if isinstance(value, int | float):
                lines.append(f"stv_control_{name} {value}")
        if "journal" in health:
            lines.append(f"stv_control_journal_healthy {int(health['journal'] == 'healthy')}")
        return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4", headers=NO_STORE)

    @app.get("/openapi.json")
    async def openapi() -> Response:
        from vehicle_agent.display.openapi import document  # noqa: PLC0415  the models cost memory; few ever ask

        return JSONResponse(document())


def _add_page(app: FastAPI, setup: Setup) -> None:
    assets = Assets(setup.px_per_mm)

    @app.get("/")
    async def page(request: Request) -> Response:
        return assets.response("index.html", request.headers)

    @app.get("/static/{name:path}")
    async def static(name: str, request: Request) -> Response:
        return assets.response(name, request.headers)

    @app.get("/api/v1/units")
    async def units() -> Response:
        return JSONResponse(
            {"origin": setup.origin, "units": [{"code": code, "name": dict(name)} for code, name in setup.units]}
        )

    @app.get("/api/v1/display")
    async def display() -> Response:
        return JSONResponse(
            {
                "language": setup.language,
                "cells": list(setup.cells),
                "lock_while_moving": setup.lock_while_moving,
                "manual_fallback": list(setup.manual_fallback),
            }
        )
