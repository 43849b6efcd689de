"""Every branch of the core, measured inside the run of everything: `-p tests.core_coverage`.

Only the core's own quick tests count, whatever else reaches it. The tracer makes them several times slower, so random
walks, explorations and vectors, which reach nothing more, run without it. A branch that is missed fails the run.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import coverage
import pytest

PLACE = Path(__file__).resolve().parents[1] / "build" / "coverage"
_UNMEASURED = ("test_walks.py", "test_exploration.py", "test_vectors.py")
_measuring = coverage.Coverage(data_file=str(PLACE / "core"), data_suffix=True)
_said = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)  # before anything imports the core: definitions are lines too
def pytest_load_initial_conftests() -> None:
    if not _is_worker():
        shutil.rmtree(PLACE, ignore_errors=True)
    _measuring.start()


def pytest_collection_finish() -> None:
    _measuring.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    if not _is_measured(item):
        return (yield)
    _measuring.start()
    try:
        return (yield)
    finally:
        _measuring.stop()


def _is_measured(item: pytest.Item) -> bool:
    is_of_core = item.path.parent.name == "core" and item.path.name not in _UNMEASURED
    return is_of_core and item.get_closest_marker("slow") is None


@pytest.hookimpl(trylast=True)  # the workers have ended by then
def pytest_sessionfinish(session: pytest.Session) -> None:
    _measuring.stop()
    _measuring.save()
    if _is_worker():
        return
    whole = coverage.Coverage(data_file=str(PLACE / "core"))
    whole.combine([str(PLACE)])
    lines = io.StringIO()
    percent = whole.report(file=lines)
    session.config.stash[_said] = lines.getvalue()
    if percent < whole.config.fail_under:
        session.config.stash[_said] += "Tests of tests/core that are not slow must reach every branch of the core.\n"
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _said in config.stash:
        terminalreporter.section("coverage of the core")
        terminalreporter.write(config.stash[_said])


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ
