"""Limits on everything that comes off the wire, and the one strict JSON reader (contract.md, MQTT; hazard H30).

Python's own reader takes NaN, duplicate keys and numbers of any size; two readers that differ there can be shown two
different notices under one signature. Here each of them is refused, always with the same exception.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

PAYLOAD_BYTES_MAX = 8192  # contract: anything larger is refused; the broker has the same limit
DEPTH_MAX = 8  # our deepest message nests four levels
INTEGER_MAX = 2**53 - 1  # beyond it readers with floating point numbers see another value
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class MessageError(ValueError):
    """The one exception of this package: what arrived (or was to leave) is no acceptable message.

    `code` is one of: oversize, encoding, json, schema, jws, kid, party, signature, topic, retained, mismatch, key.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def decode_json(raw: bytes, bytes_max: int = PAYLOAD_BYTES_MAX) -> Any:
    """The value in `raw`; MessageError for whatever two readers could understand differently."""
    if len(raw) > bytes_max:
        raise MessageError("oversize", f"{len(raw)} bytes, at most {bytes_max}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError("encoding", "not UTF-8") from error
    _check_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except MessageError:
        raise
    except (ValueError, RecursionError) as error:
        raise MessageError("json", "not JSON") from error
    if "\\u" in text:
        encode_json(value)  # an escaped half of a surrogate pair is no text: nobody can write it again
    return value


def encode_json(value: object) -> bytes:
    """The bytes of `value`: compact, in the order given, UTF-8. The same value gives the same bytes for ever."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError("json", "cannot be written as JSON") from error


def _check_depth(text: str) -> None:
    depth = 0
    for token in _NESTING.finditer(text):
        match token.group()[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
        if depth > DEPTH_MAX:
            raise MessageError("json", f"nested deeper than {DEPTH_MAX}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MessageError("json", "a key appears twice")
    return members


def _integer(text: str) -> int:
    # Length first: converting a number of thousands of digits costs quadratic time.
    if len(text) > 17 or abs(int(text)) > INTEGER_MAX:
        raise MessageError("json", "an integer beyond 2^53")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise MessageError("json", "a number beyond any measure")
    return value


def _constant(text: str) -> None:
    raise MessageError("json", f"{text} is no number")
