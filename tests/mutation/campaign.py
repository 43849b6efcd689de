"""Runs the mutants of some modules in a process of its own and compares the survivors with the list of known ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.making import ROOT

SURVIVORS = Path(__file__).with_name("survivors.toml")
# The random walks and the explorations reach nothing that these do not, and take far longer for each mutant.
LEFT_OUT = {"test_walks.py", "test_exploration.py", "test_vectors.py"}
# The claims made about a module alone: quick, and nearly every mutant ends on them. What survives them
# and is not on the list is tried with all tests of the core.
NARROW = {
    "alarm_table": ("test_alarm_moments.py", "test_alarms.py", "test_lamps.py"),
    "alarms": ("test_alarm_moments.py", "test_alarms.py", "test_notices.py", "test_changes.py", "test_care.py"),
    "automatic": ("test_changes.py", "test_moments.py"),
    "care": ("test_care.py", "test_moments.py"),
    "commands": ("test_answers.py", "test_orders.py"),
    "decide": ("test_changes.py", "test_gate.py", "test_notices.py"),
    "equipment": ("test_findings.py",),
    "events": ("test_notices.py", "test_journal_rows.py"),
    "evolve": (
        "test_journal_rows.py",
        "test_trip.py",
        "test_changes.py",
        "test_proofs.py",
        "test_notices.py",
        "test_alarms.py",
    ),
    "fallback": ("test_gate_rows.py",),
    "inputs": ("test_gate.py",),
    "interlock": ("test_gate_rows.py",),
    "levels": ("test_wires.py", "test_chatter.py"),
    "motion": ("test_wires.py",),
    "notices": ("test_notices.py", "test_changes.py", "test_contract_words.py"),
    "outputs": ("test_lamps.py", "test_alarms.py"),
    "panel": ("test_gate_rows.py", "test_record.py", "test_care.py", "test_proofs.py", "test_moments.py"),
    "rules": ("test_words_of_the_display.py", "test_trip.py", "test_gate_rows.py", "test_orders.py"),
    "selftest": ("test_self_tests.py",),
    "settings": ("test_words_of_the_display.py", "test_gate.py"),
    "snapshot": ("test_words_of_the_display.py", "test_trip.py", "test_gate.py"),
    "state": ("test_journal_rows.py", "test_lamps.py", "test_gate_rows.py", "test_trip.py"),
}
SECONDS_FOR_KNOWN = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Keys of mutants, as in the list."""

    killed: frozenset[str]
    survived: frozenset[str]


def known_survivors() -> dict[str, str]:
    """Mutant -> why nothing kills it. AssertionError for one that is listed twice or without a reason."""
    found: dict[str, str] = {}
    for reason in tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))["reason"]:
        assert len(reason["why"]) > 20, reason
        for mutant in reason["mutants"]:
            assert mutant not in found, f"listed twice: {mutant}"
            found[mutant] = reason["why"]
    return found


def run(modules: list[str], place: Path, tests: list[str], keys: list[str] | None = None) -> Outcome:
    """Every mutant of these modules (or those with these keys) against these tests. AssertionError without verdicts."""
    verdicts, plan = place / "verdicts", place / "plan"
    jobs = min(2, os.cpu_count() or 1)
    what = {"modules": modules, "verdicts": str(verdicts), "jobs": jobs, "keys": keys}
    what |= {"known": sorted(known_survivors()), "known_s": SECONDS_FOR_KNOWN}
    plan.write_text(json.dumps(what), encoding="utf-8")
    options = ["-p", "no:cacheprovider", "-q", "--no-header", "--assert=plain", "-m", "not slow"]
    command = [sys.executable, "-m", "pytest", *options, "-p", "tests.mutation.hunting", "--hunt", str(plan), *tests]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    lines = verdicts.read_text(encoding="utf-8").splitlines() if verdicts.exists() else []
    assert done.returncode == 0 and lines, done.stdout + done.stderr
    found = [json.loads(line) for line in lines]
    killed = frozenset(one["key"] for one in found if one["killed"])
    return Outcome(killed, frozenset(one["key"] for one in found) - killed)


def all_tests() -> list[str]:
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests" / "core").glob("test_*.py"))
        if path.name not in LEFT_OUT
    ]


def narrow_tests(module: str) -> list[str]:
    return [f"tests/core/{name}" for name in NARROW[module]]


def hunt(module: str, place: Path, keys: list[str] | None = None) -> Outcome:
    """The mutants of one module, first against the claims about it, the rest against all tests of the core."""
    first = run([module], place, narrow_tests(module), keys)
    unknown = first.survived - known_survivors().keys()
    if not unknown:
        return first
    second = run([module], place, all_tests(), sorted(unknown))
    return Outcome(first.killed | second.killed, first.survived - second.killed)
