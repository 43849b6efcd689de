"""The hash chain: a stranger with the exported rows alone can tell whether any was changed, lost or moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.journal_kit import envelope
from vehicle_agent.control.chain import COLUMNS, GENESIS, ChainError, Head, digest_of_export, plain, to_row, walk
from vehicle_agent.control.journal import seal
from vehicle_agent.core.events import HaltLogged, PersonBoarded, RowChanged

Stored = tuple[Any, ...]


def chain(count: int) -> list[Stored]:
    head, rows = Head(), []
    for number in range(count):
        row = seal(envelope(HaltLogged(f"row {number}")), head)
        head = Head(row["seq"], row["hash"])
        rows.append(tuple(row[name] for name in COLUMNS))
    return rows


def test_row_has_the_protocols_fields_and_the_first_hangs_on_zeros() -> None:
    row = to_row(chain(1)[0])
    assert tuple(row) == COLUMNS
    assert row["prev"] == GENESIS == "0" * 64
    assert row["at"] == "2026-11-22T13:00:05.123Z"
    assert (row["type"], row["data"], row["mono_s"]) == ("halt_logged", {"reason": "row 0"}, 12.346)


@given(
    reason=st.text(),
    evidence=st.dictionaries(st.text(), st.floats() | st.none() | st.booleans() | st.integers() | st.text()),
    at_s=st.floats(0, 1e7),
    uncertainty_s=st.none() | st.floats(0, 1e6) | st.integers(0, 5),
    at=st.datetimes(min_value=datetime(1970, 1, 1)),  # noqa: DTZ001 (hypothesis wants it naive)
)
def test_hash_of_what_is_stored_is_what_a_stranger_computes_from_the_export(
    reason: str, evidence: dict[str, Any], at_s: float, uncertainty_s: float | None, at: datetime
) -> None:
    reason = reason.encode(errors="replace").decode()
    evidence = json.loads(json.dumps(plain(evidence)).encode(errors="replace"))
    event = RowChanged(item="lighting", status="failed", reason=reason, evidence=evidence)
    sealed = seal(envelope(event, at_s=at_s, uncertainty_s=uncertainty_s, at_utc=at.replace(tzinfo=UTC)), Head())
    stored = tuple(sealed[name] for name in COLUMNS)
    exported = json.loads(json.dumps(to_row(stored)))
    assert digest_of_export(exported) == sealed["hash"]


def test_numbers_that_json_cannot_say_become_null() -> None:
    event = RowChanged("lighting", "failed", None, {"a": float("nan"), "b": [float("inf"), 1.5], "c": (1,), "d": {2}})
    assert to_row(tuple(seal(envelope(event), Head())[name] for name in COLUMNS))["data"]["evidence"] == {
        "a": None,
        "b": [None, 1.5],
        "c": [1],
        "d": [2],
    }


def _set(rows: list[Stored], index: int, column: str, value: object) -> None:
    changed = list(rows[index])
    changed[COLUMNS.index(column)] = value
    rows[index] = tuple(changed)


def _swap(rows: list[Stored]) -> None:
    rows[2], rows[3] = rows[3], rows[2]


def _forge(rows: list[Stored]) -> None:
    """A row replaced by another that is sealed correctly: its own hash is right, the chain after it is not."""
    sealed = seal(envelope(PersonBoarded(1)), Head(3, rows[2][11]))
    rows[3] = tuple(sealed[name] for name in COLUMNS)


@pytest.mark.parametrize(
    ("tamper", "broken_at", "proven"),
    [
        (lambda rows: _set(rows, 2, "data", '{"reason":"row 9"}'), 3, 2),
        (lambda rows: _set(rows, 2, "data", '{"reason": "row 2"}'), 3, 2),
        (lambda rows: _set(rows, 2, "at", "2026-11-22T13:00:05.124Z"), 3, 2),
        (lambda rows: _set(rows, 2, "time_source", "ntp"), 3, 2),
        (lambda rows: _set(rows, 2, "time_uncertainty_s", None), 3, 2),
        (lambda rows: _set(rows, 2, "boot_id", "boot-2"), 3, 2),
        (lambda rows: _set(rows, 2, "mono_s", 12.347), 3, 2),
        (lambda rows: _set(rows, 2, "trip", "x"), 3, 2),
        (lambda rows: _set(rows, 2, "type", "halt_ended"), 3, 2),
        (lambda rows: _set(rows, 2, "id", "other"), 3, 2),
        (lambda rows: _set(rows, 2, "hash", "0" * 64), 3, 2),
        (lambda rows: _set(rows, 2, "prev", "0" * 64), 3, 2),
        (lambda rows: rows.pop(0), 2, 0),
        (lambda rows: rows.pop(3), 5, 3),
        (_swap, 4, 2),
        (_forge, 5, 4),
    ],
)
def test_H19_every_change_is_found_and_said_where(
    tamper: Callable[[list[Stored]], object], broken_at: int, proven: int
) -> None:
    rows = chain(6)
    assert len(list(walk(rows))) == 6
    tamper(rows)
    with pytest.raises(ChainError, match=f"row {broken_at}\\b") as broken:
        list(walk(rows))
    assert broken.value.head.seq == proven
