"""The desk's HTTP interface, exactly as the contract has it; loopback only, behind the guard (H29).

Reading opens the register for itself; the two things that a person can do go through the desk's thread and answer only
when they are on disk.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from sse_starlette.sse import EventSourceResponse
from starlette.exceptions import HTTPException

from vehicle_agent.commands import WHOLE
from vehicle_agent.dispatch.assets import Assets
from vehicle_agent.dispatch.board import Board
from vehicle_agent.dispatch.desk import Desk, UnknownNoticeError
from vehicle_agent.dispatch.export import register_csv
from vehicle_agent.dispatch.hub import EVENTS_SHOWN, Hub, TooManyStreamsError
from vehicle_agent.dispatch.register import Register
from vehicle_agent.messages import jws, schema

Row = dict[str, Any]

ON_DISK_WITHIN_S = 10.0  # a healthy disk needs milliseconds; after this the officer must know that it is not done
STREAM_SEND_TIMEOUT_S = 10.0  # a page that takes nothing for so long is closed; it connects again by itself
NO_STORE = {"Cache-Control": "no-store"}
OFFICER: Row = schema.load("common.v1.json")["$defs"]["officer"]


def _officer(text: str) -> str:
    """A name or post as the receipt's schema allows it: nothing that controls or turns the writing."""
    text = text.strip()
    if not re.search(OFFICER["pattern"].replace("$", r"\Z"), text) or len(text) > OFFICER["maxLength"]:
        raise ValueError("a name or post: 1 to 120 characters, no control characters")
    return text


_TEXT: Row = {"maxLength": OFFICER["maxLength"], "pattern": OFFICER["pattern"]}
Officer = Annotated[str, AfterValidator(_officer), WithJsonSchema({"type": "string", "minLength": 1, **_TEXT})]
Post = Annotated[
    str,
    AfterValidator(lambda text: _officer(text) if text.strip() else ""),
    WithJsonSchema({"type": "string", **_TEXT, "pattern": f"^$|{OFFICER['pattern']}"}),
]

_ERROR: Row = {
    "type": "object",
    "required": ["error", "detail"],
    "properties": {"error": {"type": "string"}, "detail": {"type": "string"}},
}


def _says(words: str) -> Row:
    return {"description": words, "content": {"application/json": {"schema": _ERROR}}}


# For `/openapi.json`: what the guard in front of every route may answer, and what a route that writes may.
_GUARDED: dict[int | str, Row] = {
    400: _says("foreign Host"), 403: _says("foreign page"), 413: _says("over 16 KB"), 503: _says("no register"),
}  # fmt: skip
_SIGNED: dict[int | str, Row] = {
    404: _says("not in this register"), 408: _says("the body came too slowly"),
    422: _says("not JSON, or not of this shape"),
}  # fmt: skip


class Signature(BaseModel):
    """Who presses: the person's name, and the post held where it is told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    by: Officer
    post: Post | None = None


class SeenSignature(Signature):
    """Who has seen a warning, and how many occurrences it showed then."""

    key: str = Field(min_length=1, max_length=300)
    count: Annotated[int, Field(ge=1), WHOLE]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work on."""

    desk: Desk
    register: Register
    board: Board
    hub: Hub
    units: tuple[str, ...]
    language: str
    health: Callable[[], Row]


def build(parts: Parts) -> FastAPI:
    """The application without its guard; the caller runs `hub.run()` beside the server."""
    app = FastAPI(title="Dispatch desk", version="1", docs_url=None, redoc_url=None, responses=_GUARDED)
    _add_reading(app, parts)
    _add_signing(app, parts)
    _add_health(app, parts)
    _add_page(app, parts)

    @app.exception_handler(sqlite3.Error)
    async def no_register(_request: Request, _error: sqlite3.Error) -> JSONResponse:
        return JSONResponse({"error": "register", "detail": "the register cannot be used; nothing was done"}, 503)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        return JSONResponse({"error": "malformed", "detail": wrong}, 422)

    @app.exception_handler(HTTPException)
    async def plain_error(_request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # the framework's word for a body that is no text at all
            return JSONResponse({"error": "malformed", "detail": "the body is no JSON"}, 422)
        detail = str(error.detail)
        return JSONResponse({"error": detail, "detail": detail}, error.status_code, headers=error.headers)

    return app


def _add_reading(app: FastAPI, parts: Parts) -> None:
    @app.get("/api/v1/notices", responses={422: _SIGNED[422]})
    def notices(limit: Annotated[int | None, Query(ge=1, le=100_000)] = None) -> Response:
        """The register, newest first; with `limit`, every unacknowledged notice is still among them."""
        return JSONResponse(parts.register.notices(limit), headers=NO_STORE)

    @app.get("/api/v1/vehicles")
    def vehicles() -> Response:
        """What each vehicle last said of itself, with its age."""
        return JSONResponse(parts.board.rows(), headers=NO_STORE)

    @app.get("/api/v1/warnings")
    def warnings() -> Response:
        """Refused messages, conflicting notices and gaps."""
        return JSONResponse(parts.register.warnings(), headers=NO_STORE)

    @app.get("/api/v1/events")
    def events() -> Response:
        """The newest events of the vehicles: phases, alarms, fallbacks, stages of notices at other units."""
        return JSONResponse(parts.register.events(EVENTS_SHOWN), headers=NO_STORE)

    @app.get("/api/v1/register.csv", response_class=_Csv)
    def register_file() -> Response:
        """The whole register for a spreadsheet."""
        headers = {**NO_STORE, "Content-Disposition": 'attachment; filename="register.csv"'}
        return _Csv(_encoded(parts.register), headers=headers)

    @app.get("/api/v1/stream", response_class=EventSourceResponse)
    async def stream() -> Response:
        """Server-sent events: `notices`, `vehicles`, `warnings`, `events` on change, `tick` at 2 Hz."""
        if parts.hub.is_full:
            return JSONResponse({"error": "too_many_streams"}, 503)
        return EventSourceResponse(_events(parts.hub), sep="\n", send_timeout=STREAM_SEND_TIMEOUT_S, headers=NO_STORE)


class _Csv(StreamingResponse):
    media_type = "text/csv; charset=utf-8"


def _encoded(register: Register) -> Iterator[bytes]:
    for line in register_csv(register.all_notices()):
        yield line.encode()


async def _events(hub: Hub) -> AsyncIterator[dict[str, str]]:
    try:
        async for event in hub.stream():
            yield event
    except TooManyStreamsError:
        return


def _add_signing(app: FastAPI, parts: Parts) -> None:
    @app.post("/api/v1/notices/{notice}/acknowledge", responses=_SIGNED)
    async def acknowledge(notice: str, signature: Signature) -> Response:
        """A named person confirms a notice. The first one stays; later ones get the stored receipt."""
        refused = await _on_disk(parts.desk.acknowledge(notice, signature.by, signature.post or None))
        return refused or JSONResponse(await asyncio.to_thread(_acknowledged, parts.register, notice), headers=NO_STORE)

    @app.post("/api/v1/warnings/seen", responses=_SIGNED)
    async def seen(signature: SeenSignature) -> Response:
        """A named person has seen a warning; one more occurrence raises it again."""
        done = parts.desk.mark_seen(signature.key, signature.count, signature.by, signature.post or None)
        return await _on_disk(done) or JSONResponse({"seen": True}, headers=NO_STORE)


async def _on_disk(done: Future[None]) -> Response | None:
    """Wait until it is on disk; the answer that says why not, or None."""
    try:
        await asyncio.wait_for(asyncio.wrap_future(done), ON_DISK_WITHIN_S)
    except UnknownNoticeError:
        return JSONResponse({"error": "unknown", "detail": "not in this register"}, 404)
    except TimeoutError:
        return JSONResponse(
            {"error": "register", "detail": "the disk does not answer; look again before repeating"}, 503
        )
    return None


def _acknowledged(register: Register, notice: str) -> Row:
    row = register.notice(notice) or {}
    message = json.loads(register.receipt(notice, "acknowledged") or b"{}")
    event = json.loads(jws.decode_base64url(message["payload"]))
    return {**row, "receipt": event["data"]}


class _Metrics(Response):
    media_type = "text/plain; version=0.0.4"


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        """200 while the desk takes and keeps notices; 503 with the reason otherwise."""
        health = parts.health()
        return JSONResponse(health, 200 if health["status"] == "ok" else 503, headers=NO_STORE)

    @app.get("/metrics", response_class=_Metrics)
    def metrics() -> Response:
        """Prometheus text."""
        health = parts.health()
        lines = [f"stv_desk_{name} {value}" for name, value in parts.register.counts().items()]
        lines += [
            f"stv_desk_broker_connected {int(health['broker']['connected'])}",
            f"stv_desk_uptime_seconds {health['uptime_s']:.0f}",
            f"stv_desk_streams {parts.hub.stream_count}",
        ]
        totals: Counter[str] = Counter()
        for row in parts.register.warnings():
            totals[row["reason"]] += row["count"]
        lines += [f'stv_desk_warnings{{reason="{reason}"}} {total}' for reason, total in sorted(totals.items())]
        return _Metrics("\n".join(lines) + "\n", headers=NO_STORE)


def _add_page(app: FastAPI, parts: Parts) -> None:
    assets = Assets()

    @app.get("/", include_in_schema=False)
    def page(request: Request) -> Response:
        return assets.response("index.html", request.headers)

    @app.get("/static/{name:path}", include_in_schema=False)
    def static(name: str, request: Request) -> Response:
        return assets.response(name, request.headers)

    @app.get("/api/v1/desk")
    def desk() -> Response:
        """What the page needs of the configuration."""
        return JSONResponse({"units": list(parts.units), "language": parts.language}, headers=NO_STORE)
