"""The shipped JSON Schemas as the allow-list for every byte that leaves or enters (contract.md, MQTT; privacy rule).

A message is checked against `vehicle_agent/schemas/<kind>.v1.json` by this small interpreter of the keywords those
files use (a test refuses any other keyword). It is stricter than JSON Schema in one point: `true` is no number and 1.0
is no integer.
"""

from __future__ import annotations

import functools
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from vehicle_agent.messages.limits import MessageError

DIRECTORY = Path(__file__).resolve().parent.parent / "schemas"
KINDS = (
    "departure", "arrival", "correction", "receipt", "position", "track", "state", "session", "phase", "alarm",
    "notice_stage", "fallback",
)  # fmt: skip
KEYWORDS = frozenset({
    "$ref", "type", "const", "enum", "pattern", "format", "minLength", "maxLength", "minimum", "maximum",
    "properties", "required", "additionalProperties", "propertyNames", "maxProperties", "items", "minItems",
    "maxItems", "prefixItems", "anyOf",
})  # fmt: skip


def check(kind: str, value: object, *, closed: bool) -> None:
    """MessageError (`schema`) naming the place, unless `value` is a whole event of `kind`.

    `closed` is for what we send: a member that the schema does not name is refused. What arrives may carry more, since
    the contract lets fields be added; nobody reads them here.
    """
    if kind not in KINDS:
        raise MessageError("schema", f"unknown kind {kind!r}")
    _Checker(closed).check(f"{kind}.v1.json", load(f"{kind}.v1.json"), value, "event")


@functools.cache
def load(name: str) -> Any:
    """One shipped schema file as JSON; read once."""
    return json.loads((DIRECTORY / name).read_text(encoding="utf-8"))


class _Checker:
    def __init__(self, closed: bool) -> None:
        self.closed = closed

    def check(self, file: str, schema: dict[str, Any], value: Any, where: str) -> None:
        if "$ref" in schema:
            target_file, target = _resolve(file, schema["$ref"])
            self.check(target_file, target, value, where)
        if "anyOf" in schema:
            self.any_of(file, schema["anyOf"], value, where)
        if "const" in schema and not _same(value, schema["const"]):
            raise MessageError("schema", f"{where} is not {schema['const']!r}")
        if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
            raise MessageError("schema", f"{where} is none of {schema['enum']}")
        if "type" in schema and not _has_type(value, schema["type"]):
            raise MessageError("schema", f"{where} is not of type {schema['type']}")
        match value:
            case str():
                _check_text(schema, value, where)
            case bool() | None:
                pass
            case int() | float():
                _check_number(schema, value, where)
            case list():
                self.list_of(file, schema, value, where)
            case dict():
                self.object_of(file, schema, value, where)
            case _:
                raise MessageError("schema", f"{where} is no JSON")

    def any_of(self, file: str, choices: list[dict[str, Any]], value: Any, where: str) -> None:
        reason = ""
        for choice in choices:
            try:
                return self.check(file, choice, value, where)
            except MessageError as error:
                reason = error.detail
        raise MessageError("schema", reason)

    def list_of(self, file: str, schema: dict[str, Any], value: list[Any], where: str) -> None:
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            raise MessageError("schema", f"{where} has too few or too many entries")
        leading = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            rule = leading[index] if index < len(leading) else schema.get("items", {})
            self.check(file, rule, item, f"{where}[{index}]")

    def object_of(self, file: str, schema: dict[str, Any], value: dict[str, Any], where: str) -> None:
        properties = schema.get("properties", {})
        missing = [name for name in schema.get("required", ()) if name not in value]
        if missing:
            raise MessageError("schema", f"{where} lacks {', '.join(missing)}")
        if len(value) > schema.get("maxProperties", len(value)):
            raise MessageError("schema", f"{where} has too many members")
        others = schema.get("additionalProperties", True)
        for name, member in value.items():
            if "propertyNames" in schema:
                self.check(file, schema["propertyNames"], name, f"a name in {where}")
            if name in properties:
                self.check(file, properties[name], member, f"{where}.{name}")
            elif others is False and self.closed:
                raise MessageError("schema", f"{where} has a member that is not allowed")
            elif isinstance(others, dict):
                self.check(file, others, member, f"{where}.{name}")


def _check_text(schema: dict[str, Any], value: str, where: str) -> None:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        raise MessageError("schema", f"{where} is too short or too long")
    # Python's `$` also matches before a closing line feed, the schemas' does not.
    pattern = schema.get("pattern")
    if pattern is not None and not re.search(pattern.replace("$", r"\Z"), value):
        raise MessageError("schema", f"{where} is not written as agreed")
    if schema.get("format") == "date-time":
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise MessageError("schema", f"{where} is no date and time") from error


def _check_number(schema: dict[str, Any], value: float, where: str) -> None:
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise MessageError("schema", f"{where} is out of range")


def _resolve(file: str, reference: str) -> tuple[str, dict[str, Any]]:
    name, _, pointer = reference.partition("#")
    file = name or file
    target = load(file)
    for step in pointer.strip("/").split("/"):
        target = target[step]
    return file, target


def _same(value: object, wanted: object) -> bool:
    return type(value) is type(wanted) and value == wanted


def _has_type(value: object, names: str | list[str]) -> bool:
    return any(_is(value, name) for name in ([names] if isinstance(names, str) else names))


def _is(value: object, name: str) -> bool:
    match name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)
