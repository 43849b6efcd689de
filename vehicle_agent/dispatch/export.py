"""The register of departures as a table for a spreadsheet (Rule 19's record).

A cell that begins like a formula would be run by the spreadsheet of whoever opens the file; it gets an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from vehicle_agent.dispatch import clock

BOM = "\ufeff"  # without it the usual spreadsheet takes Kazakh letters for another encoding
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

# The byte order mark sticks to the first name in simple readers: no name that the contract has stands there.
COLUMNS = (
    *("received_local", "received_at", "unit", "vehicle", "kind", "departed_at", "departed_local", "arrived_at"),
    *("arrived_local", "late_by_s", "time_source", "time_uncertainty_s", "origin", "intermediate", "destination"),
    *(
        "secured",
        "test",
        "stage",
        "by",
        "post",
        "acknowledged_at",
        "acknowledged_local",
        "recipient_sequence",
        "corrects",
    ),
    *("id", "sha256", "journal_seq", "journal_hash"),
)


def register_csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The file, line by line: RFC 4180, semicolon-free, with a byte order mark. `*_local` is UTC+5."""
    yield BOM + _line(COLUMNS)
    for row in rows:
        full = row | {
            f"{name}_local": clock.local_text(row[f"{name}_at"])
            for name in ("received", "departed", "arrived", "acknowledged")
        }
        full |= {f"journal_{name}": (row["journal"] or {}).get(name) for name in ("seq", "hash")}
        yield _line(_cell(full[name]) for name in COLUMNS)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return _text(" ".join(str(part) for part in value))
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    # Spaces before the sign do not stop a spreadsheet from seeing a formula.
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
