"""Reading one configuration file into its model, with every problem found on the way (hazard H34).

TOML becomes JSON before it is validated: pydantic's strict mode then takes lists and paths as TOML writes them, and
still refuses `"8080"` for a number.
"""

from __future__ import annotations

import json
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vehicle_agent.config_errors import Problem, nearest_of, shown

FILE_BYTES_MAX = 1024 * 1024  # a fleet's unit list is some tens of kilobytes; anything larger is the wrong file
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text in quotes",
    Path: "a path in quotes",
}
FOREIGN = "date or time"
SECRET_KEYS = frozenset({"pin_hash"})  # a hash of four digits is as good as the digits: never shown, logged or copied

Model = TypeVar("Model", bound=BaseModel)


def parse_file(file: Path, model: type[Model], problems: list[Problem]) -> Model | None:
    """Read `file` as `model`. What is wrong is added to `problems`, and None returned."""
    text = _read(file, problems)
    if text is None:
        return None
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.append(Problem(file, "", f"not TOML: {error or 'nested too deeply'}"))
        return None
    try:
        return model.model_validate_json(json.dumps(data, default=_no_json))
    except ValidationError as error:
        lines = _key_lines(text)
        # A value that fits neither form of a setting is refused once for each form, and shown once.
        found = (_problem(file, lines, model, details) for details in error.errors())
        problems += {str(problem): problem for problem in found}.values()
        return None


def fields_of(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Every effective setting as (dotted key, value, written in the file); tables and lists of tables are walked."""
    for name in type(model).model_fields:
        yield from _flat(f"{prefix}{name}", getattr(model, name), name in model.model_fields_set)


def _flat(key: str, value: Any, is_written: bool) -> Iterator[tuple[str, Any, bool]]:
    if isinstance(value, BaseModel):
        yield from fields_of(value, f"{key}.")
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for number, entry in enumerate(value, 1):
            yield from fields_of(entry, f"{key}#{number}.")
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _flat(f"{key}.{name}", entry, is_written)
    else:
        yield key, value, is_written


def key_path(location: Sequence[int | str]) -> str:
    """`("wiring", "cells", 2, "loop")` -> `wiring.cells#3.loop`: entries of a list are counted from 1, as people do."""
    path = ""
    for step in location:
        path += f"#{step + 1}" if isinstance(step, int) else f".{step}" if path else step
    return path


def _no_json(value: object) -> dict[str, str]:
    """TOML's dates and times are no setting here: as a table they are refused by every field, and shown as written."""
    return {FOREIGN: str(value)}


def _read(file: Path, problems: list[Problem]) -> str | None:
    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        problems.append(
            Problem(
                file, "", "no such file", f"the directory that `--config` names has {file.name}; copy it from config/"
            )
        )
    except OSError as error:
        problems.append(
            Problem(file, "", f"cannot be read: {error.strerror or error}", "a regular file that this user may read")
        )
    else:
        if len(content) > FILE_BYTES_MAX:
            problems.append(Problem(file, "", "too large", f"at most {FILE_BYTES_MAX} bytes"))
            return None
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            problems.append(
                Problem(file, "", f"not UTF-8: byte 0x{content[error.start]:02x}", "save the file as UTF-8", line=line)
            )
    return None


def _problem(file: Path, lines: Mapping[str, int], model: type[BaseModel], details: ErrorDetails) -> Problem:
    location = _without_branches(model, list(details["loc"]))
    owner, field = _resolve(model, location)
    if location[-1:] == ["[key]"]:
        location.pop()
    key, name = key_path(location), str(location[-1]) if location else ""
    line = _nearest_line(lines, key)
    if details["type"] == "extra_forbidden":
        valid = sorted(owner.model_fields) if owner else []
        return Problem(
            file, key, "unknown key", "one of " + ", ".join(valid), nearest=nearest_of(name, valid), line=line
        )
    if details["type"] == "missing":
        return Problem(file, key, "missing", describe(field), line=line)
    given = "(kept secret)" if name in SECRET_KEYS else _shown(details["input"])
    nearest = _near_choice(field, details["input"])
    return Problem(file, key, "not a good value", describe(field) or details["msg"], given, nearest, line)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"the date or time {value[FOREIGN]}" if set(value) == {FOREIGN} else "a table"
    return "a list" if isinstance(value, list) else shown(value)


def _near_choice(field: FieldInfo | None, given: Any) -> str | None:
    choices = _choices(field.annotation) if field else ()
    return nearest_of(given, choices) if choices and isinstance(given, str) else None


def _choices(annotation: Any) -> tuple[str, ...]:
    return (
        tuple(str(choice) for choice in typing.get_args(annotation))
        if typing.get_origin(annotation) is typing.Literal
        else ()
    )


def _resolve(model: type[BaseModel], location: Sequence[int | str]) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The table that `location` ends in and the field that it names, as far as the model has them."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for index, step in enumerate(location):
        if isinstance(step, int):
            continue
        if owner is not None:
            field = owner.model_fields.get(step)
            inner = _table_in(field.annotation) if field else None
            if index < len(location) - 1:
                owner = inner
        elif field is not None and typing.get_origin(field.annotation) is dict and index == len(location) - 1:
            # A table whose keys the person chooses: what a key and a value may be is said by its annotation.
            of_key, of_value = typing.get_args(field.annotation)
            field = FieldInfo.from_annotation(of_key if step == "[key]" else of_value)
    return owner, field


def _without_branches(model: type[BaseModel], location: list[int | str]) -> list[int | str]:
    """pydantic appends which form of a union it tried, as in `body_door.str`; a person's file has no such key."""
    for end in range(1, len(location) + 1):
        _, field = _resolve(model, location[:end])
        if field is not None and typing.get_origin(field.annotation) in (typing.Union, types.UnionType):
            forms = [form for form in typing.get_args(field.annotation) if form is not types.NoneType]
            if len(forms) > 1:
                return location[:end]
    return location


def _table_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((table for inner in typing.get_args(annotation) if (table := _table_in(inner))), None)


def describe(field: FieldInfo | None) -> str:
    """What a field takes, in words: its kind, its limits, and the reason that its description gives."""
    if field is None:
        return ""
    text = _kind(field.annotation)
    low = next((str(mark.ge) for mark in field.metadata if isinstance(mark, annotated_types.Ge)), None)
    high = next((str(mark.le) for mark in field.metadata if isinstance(mark, annotated_types.Le)), None)
    if low is not None and high is not None:
        text += f" from {low} to {high}"
    return f"{text} ({field.description})" if field.description else text


def _kind(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(inner[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(choice) for choice in inner if choice is not types.NoneType)
    if origin is tuple:
        repeated = inner[-1] is Ellipsis
        return (
            f"a list of {_kind(inner[0])}" if repeated else "a list of " + ", ".join(_kind(choice) for choice in inner)
        )
    if origin is dict:
        return f"a table of {_kind(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a table with " + ", ".join(annotation.model_fields)
    return KINDS.get(annotation, str(annotation))


_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-\s]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*=""")


def _key_lines(text: str) -> dict[str, int]:
    """Line numbers of tables and keys by dotted path, for files written one key a line; used in messages only."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = re.sub(r"\s", "", header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = f"{table}#{counts[table]}"
            else:
                table = _with_entry(table, counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            name = next(part for part in key.groups() if part)
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _with_entry(table: str, counts: Mapping[str, int]) -> str:
    """`[unit.name]` below the second `[[unit]]` is `unit#2.name`."""
    for parent, count in counts.items():
        if table.startswith(f"{parent}."):
            return f"{parent}#{count}{table[len(parent) :]}"
    return table


def _nearest_line(lines: Mapping[str, int], key: str) -> int | None:
    """The line of `key`, or of the table that it is missing from."""
    while key and key not in lines:
        key = re.sub(r"[.#][^.#]*$|^[^.#]*$", "", key)
    return lines.get(key)
