"""`/openapi.json`: the HTTP interface with the schema of every command, made when somebody asks for it."""

from __future__ import annotations

from functools import cache
from typing import Any

from vehicle_agent.commands import COMMANDS, SessionBody

Json = dict[str, Any]

_REFUSALS: Json = {
    "type": "object",
    "required": ["accepted", "refusals"],
    "properties": {
        "accepted": {"const": False},
        "refusals": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code"],
                "properties": {
                    "code": {"type": "string"},
                    "rule": {"type": ["string", "null"]},
                    "item": {"type": ["string", "null"]},
                    "since": {"type": ["string", "null"]},
                    "text": {"type": "string"},
                },
            },
        },
    },
}
_ACCEPTED: Json = {
    "type": "object",
    "required": ["accepted", "rev", "seq"],
    "properties": {
        "accepted": {"const": True},
        "rev": {"type": "integer"},
        "seq": {"type": "integer", "description": "the journal's row, which is on disk"},
    },
}
_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "detail": {"type": "string"}},
}
_SESSION: Json = {"type": "object", "properties": {"expires_s": {"type": "integer"}}}
_UNITS: Json = {
    "type": "object",
    "required": ["origin", "units"],
    "properties": {
        "origin": {"type": "string"},
        "units": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "name": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
        },
    },
}
_ANY: Json = {"type": "object"}


@cache
def document() -> Json:
    """The OpenAPI 3.1 document."""
    schemas: Json = {}
    paths: Json = {
        "/api/v1/snapshot": {"get": _get("The vehicle as it is now", _ANY, gone=True)},
        "/api/v1/stream": {
            "get": {
                "summary": "Server-sent events: `snapshot` on change, `tick` at 2 Hz while control is alive",
                "responses": {"200": {"description": "stream", "content": {"text/event-stream": {}}}},
            }
        },
        "/api/v1/units": {"get": _get("Units that can be notified", _UNITS)},
        "/api/v1/display": {"get": _get("What the page needs of the configuration", _ANY)},
        "/api/v1/session": {
            "post": _post("Opens the commander's session", SessionBody.model_json_schema(), _session_answers())
        },
        "/healthz": {"get": _get("This process", _ANY)},
        "/metrics": {"get": {"summary": "Prometheus text", "responses": {"200": {"description": "text"}}}},
    }
    for name, model in COMMANDS.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
        reference = {"$ref": f"#/components/schemas/{model.__name__}"}
        paths[f"/api/v1/commands/{name}"] = {"post": _post(_summary(model), reference, _command_answers())}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cab display", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _summary(model: type) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]


def _content(schema: Json, description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _get(summary: str, schema: Json, gone: bool = False) -> Json:
    responses = {"200": _content(schema, "ok")}
    if gone:
        responses["503"] = _content(_ERROR, "control does not answer")
    return {"summary": summary, "responses": responses}


def _post(summary: str, schema: Json, responses: Json) -> Json:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"summary": summary, "requestBody": body, "responses": responses}


def _common_answers() -> Json:
    locked = _content(_ERROR, "too many wrong PINs")
    locked["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return {
        "400": _content(_ERROR, "foreign Host"),
        "401": _content(_ERROR, "wrong PIN, or no commander's session"),
        "403": _content(_ERROR, "foreign Origin"),
        "413": _content(_ERROR, "over 16 KB"),
        "408": _content(_ERROR, "the body came too slowly"),
        "422": _content(_ERROR, "not JSON, or not of this shape"),
        "429": locked,
        "503": _content(_ERROR, "control does not answer"),
    }


def _session_answers() -> Json:
    return {"200": _content(_SESSION, "cookie for 12 h"), **_common_answers()}


def _command_answers() -> Json:
    return {
        "200": _content(_ACCEPTED, "done, and on disk"),
        "409": _content(_REFUSALS, "refused, with every reason"),
        **_common_answers(),
    }
