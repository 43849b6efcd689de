"""The table of wire faults as data: `table.md` read into cases, and a part of them that has one of everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

TABLE = Path(__file__).with_name("table.md")
PHASES = ("checking", "boarding", "aboard", "securing", "under_way")
WITHIN_S = 0.1  # what the gate promises is 60 ms; the rest is this machine's


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do (or nothing) and what must be seen within `within_s`."""

    action: str
    seen: tuple[str, ...]
    within_s: float


@dataclass(frozen=True, slots=True)
class Case:
    wire: str
    fault: str
    phase: str
    steps: tuple[Step, ...]
    why: str

    @property
    def kind(self) -> str:
        """The sort of fault, without its figures; a hand on the contact is `open`."""
        word = self.fault.split()[0]
        return "open" if word.endswith("open") else word

    @property
    def name(self) -> str:
        return f"{self.wire} {self.fault} in {self.phase}"


def read() -> tuple[Case, ...]:
    """Every case of the page in its order. Raises ValueError for a row that cannot be read."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| wires |"))
    cases: list[Case] = []
    why = ""
    for line in lines[start + 2 :]:
        row = [replace(case, why=why if case.why == "as above" else case.why) for case in _row(line)]
        why = row[-1].why if row else why
        cases += row
    return tuple(cases)


def _row(line: str) -> Iterator[Case]:
    wires, faults, *cells, why = (cell.strip() for cell in line.strip().strip("|").split("|"))
    if len(cells) != len(PHASES):
        raise ValueError(f"{len(cells)} phases instead of {len(PHASES)}: {line}")
    if cells[2] == '"':
        cells[2] = cells[1]
    for wire in wires.split():
        for fault in faults.split(", "):
            for phase, cell in zip(PHASES, cells, strict=True):
                if cell != "-":
                    text = re.sub(r"(?<=_)N\b", wire.rpartition("_")[2], cell)
                    yield Case(wire, fault, phase, tuple(_step(part) for part in text.split("; ")), why)
                elif not why:
                    raise ValueError(f"not played without a reason: {line}")


def _step(text: str) -> Step:
    action, colon, seen = text.partition(": ")
    if not colon:
        action, seen = "", text
    seen, _, within_s = seen.partition(" @")
    return Step(action, tuple(seen.split()), float(within_s) if within_s else WITHIN_S)


def part(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Few cases that have each wire, each sort of fault, each phase and each sort of outcome at least once.

    Greedy: always the case that adds most, with quick ones first among equals.
    """
    missing = {trait for case in cases for trait in _traits(case)}
    chosen: list[Case] = []
    while missing:
        best = max(cases, key=lambda case: (len(missing & _traits(case)), -_length_s(case)))
        missing -= _traits(best)
        chosen.append(best)
    return tuple(sorted(chosen, key=lambda case: PHASES.index(case.phase)))


def _traits(case: Case) -> frozenset[tuple[str, str]]:
    found = {("wire", case.wire), ("phase", case.phase), *(("outcome", step.seen[0]) for step in case.steps)}
    if case.phase in ("boarding", "aboard"):  # where a fault matters most
        found.add(("fault while open", case.kind))
    return frozenset(found)


def _length_s(case: Case) -> float:
    # What a departure leaves behind takes a whole trip more.
    return sum(step.within_s for step in case.steps) + 10.0 * any(step.seen[0] == "departs" for step in case.steps)
