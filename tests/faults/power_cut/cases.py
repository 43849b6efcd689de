"""The traced workloads, and where each begins."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.faults.power_cut.replay import Before, Effort, Found, replay
from tests.faults.power_cut.trace import calls, record
from vehicle_agent.control.store import FILE_NAME

MODULE = "tests.faults.power_cut.writer"


@dataclass(frozen=True, slots=True)
class Case:
    """`after`: the workload that ran before, untraced; it may have been killed or its journal damaged since."""

    name: str
    workload: str
    after: str | None = None
    is_damaged: bool = False
    every: int = 1  # of a long one every n-th call will do in an ordinary run


CASES = (
    Case("first_start", "first_start", every=2),
    Case("long_run", "long_run", every=5),
    Case("restart_after_a_kill", "short_run", after="long_run", every=6),
    Case("restart_after_an_end", "short_run", after="first_start", every=2),
    Case("moved_aside", "short_run", after="short_run", is_damaged=True, every=3),
)


def play(
    case: Case, directory: Path, seed: int, effort: Effort | None = None, sabotages: tuple[str, ...] = ()
) -> Found:
    """Trace the workload in `directory`, then judge every state that it could have left."""
    state = directory / "state"
    state.mkdir()
    before = _before(case, state, directory)
    log = directory / "trace"
    record([MODULE, str(state), case.workload, *sabotages], log)
    done = list(calls(log, state))
    return replay(done, str(state), before, directory / "opened", seed, effort)


def _before(case: Case, state: Path, directory: Path) -> Before:
    promised: dict[int, str] = {}
    if case.after is not None:
        told = record([MODULE, str(state), case.after], directory / "trace_before")
        promised = {int(line.split()[1]): line.split()[2] for line in told.splitlines()}
    if case.is_damaged:
        _break_chain(state / FILE_NAME)
        with closing(sqlite3.connect(state / FILE_NAME)) as journal:
            promised = dict(journal.execute("SELECT seq, hash FROM events"))
            journal.execute("PRAGMA wal_autocheckpoint = 0")
            # As a killed control leaves it: the newest commit is in the log alone.
            with journal:
                journal.execute("INSERT INTO cursors (name, value) VALUES ('other', 1)")
            files = {path.name: path.read_bytes() for path in sorted(state.iterdir())}
        for path in state.iterdir():
            path.unlink()
        for name, content in files.items():
            if not name.endswith("-shm"):
                (state / name).write_bytes(content)
    files = {path.name: path.read_bytes() for path in sorted(state.iterdir()) if not path.name.endswith("-shm")}
    return Before(files, promised, case.is_damaged)


def _break_chain(path: Path) -> None:
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE events SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 2")
