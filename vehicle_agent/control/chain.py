"""The hash chain of the journal: how a row is written as text, and how a stranger checks that none was changed.

A row's hash is SHA-256 over the hash before it and the row's canonical JSON (sorted keys, no spaces, UTF-8) without
`hash`; the first row's `prev` is 64 zeros. Anybody can check an exported journal with these two sentences alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64

Row = dict[str, Any]  # the journal row of the socket protocol: seq, id, at, …, data, prev, hash

COLUMNS = (
    "seq",
    "id",
    "at",
    "time_source",
    "time_uncertainty_s",
    "boot_id",
    "mono_s",
    "trip",
    "type",
    "data",
    "prev",
    "hash",
)

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


def canonical(value: object) -> str:
    """Canonical JSON. Raises ValueError for a number that JSON cannot say, TypeError for what is no JSON value."""
    return _encode(value)


def plain(value: Any) -> Any:
    """The value with everything JSON can say; a number that it cannot becomes null (unknown), other things text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return sorted(plain(item) for item in value) if isinstance(value, set | frozenset) else str(value)


def digest(row: Row, data_text: str) -> str:
    """The hash of a row whose `data` is already canonical text. Numbers are as SQLite's REAL columns give them back."""
    uncertainty = row["time_uncertainty_s"]
    text = (
        f'{{"at":{_encode(row["at"])},"boot_id":{_encode(row["boot_id"])},"data":{data_text},"id":{_encode(row["id"])},'
        f'"mono_s":{row["mono_s"]!r},"prev":"{row["prev"]}","seq":{row["seq"]},'
        f'"time_source":{_encode(row["time_source"])},'
        f'"time_uncertainty_s":{"null" if uncertainty is None else repr(uncertainty)},'
        f'"trip":{_encode(row["trip"])},"type":{_encode(row["type"])}}}'
    )
    return hashlib.sha256((row["prev"] + text).encode()).hexdigest()


def digest_of_export(row: Row) -> str:
    """The hash of a row as exported or pushed, computed as a stranger would: from parsed JSON alone."""
    text = canonical({name: value for name, value in row.items() if name != "hash"})
    return hashlib.sha256((str(row["prev"]) + text).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row: every later hash depends on it."""

    seq: int = 0
    hash: str = GENESIS


class ChainError(ValueError):
    """The chain is broken; `head` is the last row that is still proven, the text says where and how."""

    def __init__(self, message: str, head: Head) -> None:
        super().__init__(message)
        self.head = head


def walk(rows: Iterable[tuple[Any, ...]], head: Head | None = None) -> Iterator[tuple[Any, ...]]:
    """Pass on the rows (tuples in the order of COLUMNS, `data` as text) while each is proven. Raises ChainError."""
    head = head or Head()
    for values in rows:
        row = dict(zip(COLUMNS, values, strict=True))
        where = f"row {row['seq']}"
        if row["seq"] != head.seq + 1:
            raise ChainError(f"{where} follows row {head.seq}: rows are missing or out of order", head)
        if row["prev"] != head.hash:
            raise ChainError(f"{where} names another row before it than row {head.seq} (prev differs)", head)
        if any(isinstance(value, bytes) for value in values):  # a bit that tells SQLite of what kind a value is
            raise ChainError(f"{where} holds bytes where text or a number was written", head)
        if digest(row, row["data"]) != row["hash"]:
            raise ChainError(f"{where} ({row['type']} at {row['at']}) was changed after it was written", head)
        head = Head(row["seq"], row["hash"])
        yield values


def to_row(values: tuple[Any, ...]) -> Row:
    """The public row of one stored tuple."""
    row = dict(zip(COLUMNS, values, strict=True))
    row["data"] = json.loads(row["data"])
    return row
