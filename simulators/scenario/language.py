"""Reads scenario files: one line, one act or one expectation.

Every mistake is found before anything starts, and says where it is, what was expected and what word is nearest.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simulators.scenario.acts
import simulators.scenario.commands
import simulators.scenario.conditions  # noqa: F401 - these three fill the table of verbs
from simulators.scenario.errors import ScenarioError, nearest
from simulators.scenario.pattern import MismatchError
from simulators.scenario.registry import VERBS, Verb
from simulators.scenario.words import clock_s
from simulators.stack.variants import VARIANTS

INCLUDE_DEPTH_MAX = 5


@dataclass(frozen=True, slots=True)
class Statement:
    """One line: what to do, and when at the earliest."""

    where: str  # file:line
    text: str
    at_s: float | None
    verb: Verb
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    path: Path
    title: str
    vehicle: str
    statements: tuple[Statement, ...]


def read_scenario(path: Path) -> Scenario:
    """Read a file and everything that it includes. Raises ScenarioError."""
    lines = _lines(path, f"{path}")
    title = next((line.lstrip("# ").rstrip(".") for _, line in lines if line.startswith("#")), path.stem)
    vehicle = "six_cells"
    body = []
    for where, line in lines:
        tokens = _tokens(where, line)
        if tokens[:1] != ["VEHICLE"]:
            body.append((where, line))
            continue
        if tokens[1:] and tokens[1] in VARIANTS and len(tokens) == 2:
            vehicle = tokens[1]
        else:
            near = nearest(" ".join(tokens[1:]), VARIANTS)
            raise ScenarioError(f"{where}: {line}\n  expected a vehicle after VEHICLE: {', '.join(VARIANTS)}{near}")
    return Scenario(path.resolve(), title, vehicle, tuple(_statements(path, body, 0)))


def read_line(where: str, line: str) -> Statement:
    """One line that is neither a comment nor INCLUDE. Raises ScenarioError."""
    tokens = _tokens(where, line)
    at_s = None
    if tokens[0] == "AT":
        try:
            at_s = clock_s(tokens[1] if len(tokens) > 1 else "")
        except ValueError as error:
            raise ScenarioError(f"{where}: {line}\n  expected after AT: {error}") from None
        tokens = tokens[2:]
    misfits: list[tuple[Verb, MismatchError]] = []
    for verb in VERBS:
        try:
            return Statement(where, line, at_s, verb, verb.pattern.read(tokens))
        except MismatchError as mismatch:
            misfits.append((verb, mismatch))
    raise ScenarioError(_complaint(where, line, tokens, misfits))


def _complaint(where: str, line: str, tokens: list[str], misfits: list[tuple[Verb, MismatchError]]) -> str:
    """What the patterns that got furthest into the line expected there."""
    at = max(mismatch.at for _, mismatch in misfits)
    furthest = [(verb, mismatch) for verb, mismatch in misfits if mismatch.at == at]
    expected = sorted({mismatch.expected for _, mismatch in furthest})
    seen = repr(tokens[at]) if at < len(tokens) else "the end of the line"
    near = nearest(tokens[at], expected) if at < len(tokens) and len(expected) > 1 else ""
    what = ("" if at else "a verb: ") + ", ".join(expected)
    shape = f"\n  its shape: {furthest[0][0].pattern.shown}" if len(furthest) == 1 else ""
    return f"{where}: {line}\n  expected {what}; saw {seen}{near}{shape}"


def _statements(path: Path, lines: list[tuple[str, str]], depth: int) -> list[Statement]:
    statements: list[Statement] = []
    for where, line in lines:
        if line.startswith("#"):
            continue
        tokens = _tokens(where, line)
        if tokens[0] != "INCLUDE":
            statements.append(read_line(where, line))
            continue
        if len(tokens) != 2 or depth >= INCLUDE_DEPTH_MAX:
            raise ScenarioError(
                f"{where}: {line}\n  expected one file name after INCLUDE, at most {INCLUDE_DEPTH_MAX} deep"
            )
        included = path.parent / tokens[1]
        statements += _statements(included, _lines(included, f"{where} > {tokens[1]}"), depth + 1)
    return statements


def _lines(path: Path, name: str) -> list[tuple[str, str]]:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{name}: cannot be read: {error}") from None
    numbered = enumerate(content.splitlines(), start=1)
    return [(f"{name}:{number}", line.strip()) for number, line in numbered if line.strip()]


def _tokens(where: str, line: str) -> list[str]:
    try:
        return shlex.split(line, comments=False)
    except ValueError as error:
        raise ScenarioError(f"{where}: {line}\n  a quotation mark is not closed ({error})") from None
