"""The ledger as data: each clause of the Order with its proof or its reason, each hazard with its promise.

A clause is `done` (with the tests that prove it), `exempt` (with a reason) or `open` (with words that say what is
missing). Its Kazakh words are quoted; the Russian and English ones are our translations, in the words of the glossary.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("ledger")
HAZARDS = Path(__file__).with_name("hazards.toml")
LANGUAGES = ("kk", "ru", "en")
# In the order of the Rules; the paragraphs by which the Minister brought them in come last.
FILES = (
    "chapter-1",
    "chapter-2",
    "chapter-3",
    "chapter-4",
    "chapter-5",
    "appendix-1",
    "appendices-2-4",
    "order-itself",
)
STATUSES = ("done", "exempt", "open")
SEVERITIES = ("A", "B", "C")  # someone endangered or escaped; a duty under the Rules not met; degraded

_CLAUSE_KEYS = frozenset(
    {*("id", "kk", "ru", "en", "status", "reason", "words", "code", "tests"), *(f"comment_{x}" for x in LANGUAGES)}
)
_HAZARD_KEYS = frozenset({"id", "severity", "hazard_ru", "hazard_en", "promise_ru", "promise_en"})
_HAZARD_MAY = frozenset({"missing_ru", "missing_en"})
_ID = re.compile(r"(?P<key>[ORA]\d+(?:\.\d+)*)\.(?P<name>[a-z][a-z0-9_]*)")


class LedgerError(Exception):
    """The ledger's files are not as they should be; the text says which entry and why."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that the Order says. `words` are keys of the screens' texts, `tests` are node ids or scenarios."""

    id: str
    texts: Mapping[str, str]
    status: str
    reason: str | None
    comment: Mapping[str, str]
    words: tuple[str, ...]
    code: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def kk(self) -> str:
        return self.texts["kk"]

    @property
    def key(self) -> str:
        """The paragraph: `R12.2` of `R12.2.cells`."""
        match = _ID.fullmatch(self.id)
        assert match is not None  # read_ledger has looked
        return match["key"]


@dataclass(frozen=True, slots=True)
class Hazard:
    """One thing that can go wrong; its tests are found by their names. `missing` says what is not yet proven."""

    id: str
    severity: str
    hazard: Mapping[str, str]
    promise: Mapping[str, str]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ledger:
    clauses: tuple[Clause, ...]
    reasons: Mapping[str, Mapping[str, str]]
    hazards: tuple[Hazard, ...]


@cache
def read_ledger() -> Ledger:
    """Everything, in the page's order. Raises LedgerError."""
    reasons = _toml(FOLDER / "reasons.toml")
    clauses = tuple(_clause(entry, reasons) for name in FILES for entry in _toml(FOLDER / f"{name}.toml")["clause"])
    hazards = tuple(_hazard(entry) for entry in _toml(HAZARDS)["hazard"])
    for kind in (clauses, hazards):
        names = [entry.id for entry in kind]
        if len(set(names)) != len(names):
            raise LedgerError(f"given twice: {sorted({name for name in names if names.count(name) > 1})}")
    return Ledger(clauses, reasons, hazards)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _clause(entry: dict[str, Any], reasons: Mapping[str, Any]) -> Clause:
    name = entry.get("id", "a clause without id")
    unknown = entry.keys() - _CLAUSE_KEYS
    missing = {"id", *LANGUAGES, "status"} - entry.keys()
    if unknown or missing or not _ID.fullmatch(name):
        raise LedgerError(f"{name}: unknown {sorted(unknown)}, missing {sorted(missing)}")
    clause = Clause(
        id=name,
        texts={language: entry[language] for language in LANGUAGES},
        status=entry["status"],
        reason=entry.get("reason"),
        comment=_languages(entry, "comment"),
        words=tuple(entry.get("words", ())),
        code=tuple(entry.get("code", ())),
        tests=tuple(entry.get("tests", ())),
    )
    is_right = {
        "done": bool(clause.tests and clause.code and clause.words) and clause.reason is None,
        "exempt": clause.reason in reasons and not clause.tests,
        "open": clause.reason is None and not clause.tests and {"ru", "en"} <= clause.comment.keys(),
    }
    if not is_right.get(clause.status, False):
        raise LedgerError(
            f"{name}: {clause.status} needs tests, code and words (done), a reason (exempt) or words (open)"
        )
    return clause


def _hazard(entry: dict[str, Any]) -> Hazard:
    name = entry.get("id", "a hazard without id")
    if not _HAZARD_KEYS <= entry.keys() <= _HAZARD_KEYS | _HAZARD_MAY or entry["severity"] not in SEVERITIES:
        raise LedgerError(f"{name}: has {sorted(entry)}, severity {entry.get('severity')}")
    return Hazard(
        name,
        entry["severity"],
        _languages(entry, "hazard"),
        _languages(entry, "promise"),
        _languages(entry, "missing"),
    )


def _languages(entry: dict[str, Any], field: str) -> dict[str, str]:
    return {language: entry[f"{field}_{language}"] for language in LANGUAGES if f"{field}_{language}" in entry}
