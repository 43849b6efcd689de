"""What the whole suite shares: long campaigns stay out of ordinary runs, hazards are traced to tests, counts are told.

A test of a campaign is marked `@pytest.mark.campaign("gate")` and runs with `tests/check --full gate` only. A test that
proves something about a hazard carries its number in its name (`test_H21_…`); the run ends with a table of them. With
`--record PART`, as `tests/check` calls it, that table names every test, and the results are kept for the page.
A test that counts what it tried says so with `tell("vectors", 1594323)`; the run ends with the sums, name by name.
Tests of files that use a helper which starts processes are `slow`: `tests/check --quick` leaves them out.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.rules.ledger import read_ledger
from tests.rules.results import ALL, Recorder, test_of

_HAZARD = re.compile(r"_H(\d{2})(?=_|\[|$)")
# Brokers, benches, controls and browsers: a second or more for each test.
_PROCESS_HELPERS = ("tests.brokers", "tests.contract.bench_process", "tests.integration.", "playwright.")
# Files that take long: begun first, so that no worker is left alone with one of them at the end.
_BEGUN_FIRST = (
    "tests/faults/test_wire_faults.py::test_H02_H05_H24_H25_every_wire_fault_closes",  # of the campaign: ten minutes
    "tests/core/test_exploration.py::test_H01_H07_H26_every_scan_of_a_large",
    "tests/scenarios/test_scenario_files",
    "tests/faults/",
    "tests/delivery/",
    "tests/oracle/",
    "tests/sabotage/",
    "tests/core/test_exploration",
)
_recorder = Recorder()
_began_s = time.monotonic()
_hazards: dict[str, set[str]] = {}
_COUNTED = "counted"  # the user property that carries a count; those reach the main process from its workers too


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """`tell(name, count)`: adds to what the run's last lines say was counted under this name, by all tests together."""

    def add(name: str, count: int) -> None:
        request.node.user_properties.append((_COUNTED, [name, count]))

    return add


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("campaigns")
    group.addoption("--campaign", metavar="PART", help="run only the tests of this long campaign")
    group.addoption("--record", metavar="PART", help="keep the results of this whole run for the page")
    group.addoption("--campaigns", action="store_true", help="print the campaigns that exist, one a line, and stop")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--campaigns"):
        # Only the names are wanted on standard output.
        config.option.collectonly = True
        config.option.verbose = -3


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the chosen campaign, or all tests that belong to none; the rest is counted as deselected."""
    if config.getoption("--campaigns"):
        config.stash[_CAMPAIGNS] = sorted({part for item in items for part in _campaigns(item)})
        items.clear()
        return
    for item in items:
        if _starts_processes(item):
            item.add_marker("slow")
    chosen = config.getoption("--campaign")
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        parts = set(_campaigns(item))
        (kept if (chosen in parts if chosen else not parts) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = sorted(kept, key=_turn)


def _turn(item: pytest.Item) -> int:
    turns = (turn for turn, begun in enumerate(_BEGUN_FIRST) if item.nodeid.startswith(begun))
    return next(turns, len(_BEGUN_FIRST))


def _starts_processes(item: pytest.Item) -> bool:
    module = getattr(item, "module", None)
    origins = {getattr(value, "__module__", None) or "" for value in vars(module).values()} if module else set()
    return any(origin.startswith(_PROCESS_HELPERS) for origin in origins)


_CAMPAIGNS = pytest.StashKey[list[str]]()


def _campaigns(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("campaign"):
        yield from mark.args


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("--campaigns") and exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = pytest.ExitCode.OK


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _recorder.add(report.nodeid, report.outcome)
        for number in set(_HAZARD.findall(report.nodeid)):
            _hazards.setdefault(f"H{number}", set()).add(test_of(report.nodeid))
    if report.when == "teardown":  # the last report of a test has all that it told
        counted: list[Any] = [value for key, value in report.user_properties if key == _COUNTED]
        for name, count in counted:
            _recorder.counts[name] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    if config.getoption("--campaigns"):
        for part in config.stash.get(_CAMPAIGNS, []):
            terminalreporter.line(part)
        return
    if _recorder.counts:
        terminalreporter.section("counts")
        for name, count in sorted(_recorder.counts.items()):
            terminalreporter.line(f"{name}: {count:,}")
    part = config.getoption("--record")
    if part is not None and exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
    ):  # not one that was stopped
        _recorder.write(part, time.monotonic() - _began_s)
        terminalreporter.line("Results kept for tests/rules/PROOF.md; `tests/check --page` writes it.")
    if _hazards:
        terminalreporter.section("hazards")
        for line in _trace(part):
            terminalreporter.line(line)


def _trace(part: str | None) -> Iterator[str]:
    """Hazard, tests, result; after a run of everything also the hazards that nothing of it names."""
    words = {hazard.id: hazard.hazard["en"] for hazard in read_ledger().hazards}
    for hazard in sorted(_hazards.keys() | (words.keys() if part == ALL else set())):
        tests = sorted(_hazards.get(hazard, ()))
        whole = _told(sum((_recorder.tests[test] for test in tests), Counter()))
        yield f"{hazard}  {whole or 'no test'}  {words.get(hazard, '')}"
        if part is not None:
            yield from (f"     {test}: {_told(_recorder.tests[test])}" for test in tests)


def _told(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
