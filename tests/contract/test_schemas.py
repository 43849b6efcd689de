"""The shipped JSON Schemas and the AsyncAPI document: valid, exemplified, consistent, enforced as written."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from vehicle_agent.messages import schema, topics
from vehicle_agent.messages.events import CloudEvent
from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX, MessageError, encode_json
from vehicle_agent.messages.notices import NOTICE_KINDS

FILES = sorted(path.name for path in schema.DIRECTORY.glob("*.v1.json"))
ASYNCAPI: dict[str, Any] = json.loads((schema.DIRECTORY / "asyncapi.json").read_text(encoding="utf-8"))
ANNOTATIONS = {"$schema", "$defs", "title", "description", "examples"}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, DRAFT202012.create_resource(schema.load(name))) for name in FILES
)


def validator(kind: str) -> Draft202012Validator:
    """The independent judge: the jsonschema library, with formats."""
    return Draft202012Validator(
        {"$ref": f"{kind}.v1.json"}, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def example(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(schema.load(f"{kind}.v1.json")["examples"][0])
    return found


def is_taken(kind: str, value: object) -> bool:
    try:
        schema.check(kind, value, closed=True)
    except MessageError:
        return False
    return True


def test_there_is_one_file_for_each_type_of_the_contract() -> None:
    named = "departure|arrival|correction|receipt|position|track|state|session|phase|alarm|notice_stage|fallback"
    assert set(schema.KINDS) == set(named.split("|"))
    wanted = [*(f"{kind}.v1.json" for kind in schema.KINDS), "common.v1.json"]
    assert sorted(wanted) == FILES


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_a_json_schema_of_keywords_that_we_enforce(name: str) -> None:
    Draft202012Validator.check_schema(schema.load(name))
    unknown = {key for part in parts(schema.load(name)) for key in part} - schema.KEYWORDS - ANNOTATIONS
    assert unknown == set()


@pytest.mark.parametrize("name", FILES)
def test_every_object_is_closed_and_every_text_has_its_shape(name: str) -> None:
    for part in parts(schema.load(name)):
        if part.get("type") == "object":
            assert "additionalProperties" in part, part
            assert part["additionalProperties"] is not True
        if part.get("type") == "string":
            assert "pattern" in part, f"free text: {part}"


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_example_is_valid_and_comes_back_byte_for_byte(kind: str) -> None:
    raw = encode_json(example(kind))
    assert list(validator(kind).iter_errors(example(kind))) == []
    assert CloudEvent.from_bytes(raw).to_bytes() == raw
    assert len(raw) <= PAYLOAD_BYTES_MAX


@pytest.mark.parametrize("kind", schema.KINDS)
def test_our_checker_judges_as_the_library_does(kind: str) -> None:
    judge, verdicts = validator(kind), set()
    for changed in mutations(example(kind)):
        wanted = judge.is_valid(changed)
        assert is_taken(kind, changed) == wanted, changed
        verdicts.add(wanted)
    assert verdicts == {True, False}


def test_our_checker_is_stricter_where_python_is_lax() -> None:
    for value in (True, 7.0):
        changed = example("departure")
        changed["data"]["recipient_sequence"] = value
        assert not is_taken("departure", changed)
    for time in ("2026-02-30T00:00:00Z", "2026-11-22T13:00:05Z\n"):
        assert not is_taken("departure", example("departure") | {"time": time})


def test_unknown_kinds_are_refused() -> None:
    for kind in ("", "common", "../departure", "offer"):
        assert not is_taken(kind, {})


def test_state_has_no_room_for_what_must_not_leave() -> None:
    names = {name for part in parts(schema.load("state.v1.json")) for name in part.get("properties", {})}
    assert names.isdisjoint({"order", "cells", "seated", "planned", "supervision", "counts", "persons_planned", "text"})


def test_asyncapi_channels_are_the_topics_of_the_code() -> None:
    addresses = {
        name: channel["address"].format(vehicle="kz-mp-017", unit="astana-mp")
        for name, channel in ASYNCAPI["channels"].items()
    }
    wanted = {name: topics.vehicle_topic("kz-mp-017", name) for name in topics.VEHICLE_CHANNELS}
    wanted["notices"] = topics.notice_topic("astana-mp", "kz-mp-017")
    wanted["receipts"] = topics.receipt_topic("kz-mp-017", "astana-mp")
    assert addresses == wanted
    for channel in ASYNCAPI["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])


def test_asyncapi_refers_to_every_schema_and_to_nothing_else() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    messages = ASYNCAPI["components"]["messages"]
    assert set(messages) == set(schema.KINDS)
    for kind, message in messages.items():
        assert message["name"] == f"kz.mp.stv.{kind}.v1"
        is_signed = kind in NOTICE_KINDS or kind == "receipt"
        assert message["payload"]["$ref"] == ("#/components/schemas/signed" if is_signed else f"./{kind}.v1.json")
        assert message.get("x-event", message["payload"])["$ref"] == f"./{kind}.v1.json"
    for reference in references(ASYNCAPI):
        if reference.startswith("#/"):
            target: Any = ASYNCAPI
            for step in reference[2:].split("/"):
                target = target[step]
        else:
            assert (schema.DIRECTORY / reference).is_file()


def test_asyncapi_says_who_sends_what_and_what_is_retained() -> None:
    carried = {kind for channel in ASYNCAPI["channels"].values() for kind in channel["messages"]}
    assert carried == set(schema.KINDS)
    operations = {one["channel"]["$ref"].rsplit("/", 1)[1]: one for one in ASYNCAPI["operations"].values()}
    assert set(operations) == set(ASYNCAPI["channels"])
    retained = {name for name, one in operations.items() if one["bindings"]["mqtt"]["retain"]}
    assert retained == {"session", "state"}
    assert {name for name, one in operations.items() if one["action"] == "receive"} == {"receipts"}


def parts(found: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema file."""
    yield found
    for name in ("properties", "$defs"):
        for inner in found.get(name, {}).values():
            yield from parts(inner)
    for name in ("items", "propertyNames", "additionalProperties"):
        if isinstance(found.get(name), dict):
            yield from parts(found[name])
    for name in ("anyOf", "prefixItems"):
        for inner in found.get(name, []):
            yield from parts(inner)


def references(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for name, inner in found.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from references(inner)


REPLACEMENTS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e12 + 0.5,
    "",
    "x",
    "A B",
    "2026-11-22T13:00:05Z",
    [],
    ["x"],
    {},
    {"x": 1},
)


def mutations(value: Any) -> Iterator[Any]:
    """The value with each part replaced by each of some others, each member left out, and one added everywhere."""
    yield value
    yield from REPLACEMENTS
    if isinstance(value, dict):
        yield {**value, "surplus": 1}
        for name, member in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            yield from ({**value, name: changed} for changed in mutations(member))
    elif isinstance(value, list):
        yield value * 100
        for index, member in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in mutations(member))
