"""What became of each test in the last whole runs: recorded by the run, kept beside the page.

A test function is one entry, however many cases it has; a scenario is one by its file's name. `tests/check` records
what it runs in full under `build/`, which is not tracked; `tests/check --page` takes that over into `results.json`.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.rules.trace import all_tests
from tests.tidy.source_tree import PRODUCTION, ROOT, files

KEPT = Path(__file__).with_name("results.json")
FRESH = ROOT / "build" / "proof"
ALL = "all"  # the part that is not a campaign

_SCENARIO = re.compile(r"tests/scenarios/test_scenario_files\.py::\w+\[(?P<stem>\w+?)(?:_H\d\d)*_scn\]")

Outcomes = Mapping[str, int]


def test_of(nodeid: str) -> str:
    """The entry that a case belongs to: its function, or its scenario."""
    if scenario := _SCENARIO.fullmatch(nodeid):
        return f"simulators/scenarios/{scenario['stem']}.scn"
    return nodeid.partition("[")[0]


@dataclass(frozen=True, slots=True)
class Run:
    """One whole run: `software` is the digest of everything that goes into a vehicle, as it was then."""

    command: str
    date: str
    python: str
    software: str
    seconds: int
    counts: Mapping[str, int]
    tests: Mapping[str, Outcomes]

    @property
    def outcomes(self) -> Counter[str]:
        return sum((Counter(outcomes) for outcomes in self.tests.values()), Counter())


@dataclass(slots=True)
class Recorder:
    """Collects a run's outcomes and counts."""

    tests: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, nodeid: str, outcome: str) -> None:
        self.tests[test_of(nodeid)][outcome] += 1

    def write(self, part: str, seconds: float) -> None:
        command = "tests/check" if part == ALL else f"tests/check --full {part}"
        run = Run(
            command,
            datetime.now(UTC).date().isoformat(),
            platform.python_version(),
            software(),
            round(seconds),
            self.counts,
            self.tests,
        )
        FRESH.mkdir(parents=True, exist_ok=True)
        _write(FRESH / f"{part}.json", {part: run})


def software() -> str:
    """Twelve hexadecimal digits over every file of the vehicle's own packages, names and contents."""
    whole = hashlib.sha256()
    for path in files():
        place = path.relative_to(ROOT)
        if place.parts[0] in PRODUCTION:
            whole.update(f"{place}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()[:12]


def read_kept() -> dict[str, Run]:
    """The runs that the page shows, by part; the whole suite first."""
    return _read(KEPT) if KEPT.exists() else {}


def keep_fresh() -> list[str]:
    """Take over what the last runs here recorded and drop tests that are gone; the parts that were recorded."""
    runs = read_kept()
    fresh = sorted(FRESH.glob("*.json"))
    for path in fresh:
        runs |= _read(path)
    known = all_tests()
    for part, run in runs.items():
        runs[part] = replace(run, tests={test: run.tests[test] for test in run.tests if test in known})
    _write(KEPT, dict(sorted(runs.items(), key=lambda item: (item[0] != ALL, item[0]))))
    return [path.stem for path in fresh]


def _read(path: Path) -> dict[str, Run]:
    return {part: Run(**run) for part, run in json.loads(path.read_text(encoding="utf-8")).items()}


def _write(path: Path, runs: Mapping[str, Run]) -> None:
    """JSON with a line for each test, so that a change of one is a change of one line."""
    parts = []
    for part, run in runs.items():
        values: dict[str, Any] = {f.name: getattr(run, f.name) for f in fields(Run) if f.name != "tests"}
        lines = [f'  "{name}": {json.dumps(value, sort_keys=True)}' for name, value in values.items()]
        tests = ",\n".join(f"   {json.dumps(test)}: {json.dumps(run.tests[test])}" for test in sorted(run.tests))
        parts.append(f' "{part}": {{\n' + ",\n".join([*lines, f'  "tests": {{\n{tests}\n  }}']) + "\n }")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
