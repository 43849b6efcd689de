"""Control and uplink killed at random moments of real trips (H08): nothing that was accepted is lost, nothing torn.

The whole demo runs on a real mosquitto; its supervisor starts again what is killed, as systemd does. A crew goes on
with the trip meanwhile, and duty officers acknowledge what reaches them.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from simulators.stack.calls import call
from tests.faults.crew_of_the_killed import ROWS_OF, Crew
from tests.scenarios.running import Demo, until
from vehicle_agent.journal_cli import verify

KILLS = 24
KILLS_LONG, PARTS = 125, 4
CONTROL_GAP_S = (0.5, 14.0)  # a check of Rule 15 takes some ten seconds and begins anew after a restart of control
UPLINK_GAP_S = (0.2, 2.5)
DEADLINE_S = 900.0
REST_WITHIN_S = 90.0
LOOK_S = 0.15
SEED = "KILLS_SEED"  # environment variable: the same moments again, as far as a running machine repeats itself

Tell = Callable[[str, int], None]


class Killer(threading.Thread):
    """Kills one of the two, waits, kills again, until it has killed often enough."""

    def __init__(self, bench: str, kills: int, seed: int) -> None:
        super().__init__(name="killer", daemon=True)
        self._bench, self._random = bench, random.Random(seed)
        self._left = kills
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        gaps = {"control": CONTROL_GAP_S, "uplink": UPLINK_GAP_S}
        due_s = {name: time.monotonic() + self._random.uniform(*gap) for name, gap in gaps.items()}
        while self._left:
            name = min(due_s, key=lambda one: due_s[one])
            time.sleep(max(0.0, due_s[name] - time.monotonic()))
            due_s[name] = time.monotonic() + self._random.uniform(*gaps[name])
            if self._kill(name):
                self._left -= 1
                self.killed[name] += 1

    def _kill(self, name: str) -> bool:
        answer = call("GET", self._bench, "/api/v1/processes")
        if answer.status != 200:
            return False
        with suppress(ProcessLookupError):
            os.kill(answer.body["pids"][name], signal.SIGKILL)
            return True
        return False


@contextmanager
def read(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def notices_owed(journal: Path) -> dict[str, tuple[str, int, str]]:
    """Every notice of the journal by id: recipient, number, and the last stage of it."""
    found: dict[str, tuple[str, int, str]] = {}
    sql = (
        "SELECT type, id, json_extract(data, '$.recipient'), json_extract(data, '$.recipient_sequence'),"
        " json_extract(data, '$.notice'), json_extract(data, '$.stage') FROM events"
        " WHERE type IN ('notice_recorded', 'notice_stage') ORDER BY seq"
    )
    with read(journal) as connection:
        for kind, id_, recipient, number, notice, stage in connection.execute(sql):
            if kind == "notice_recorded":
                found[id_] = (recipient, number, "recorded")
            else:
                found[notice] = (*found[notice][:2], stage)
    return found


def register(desk: Path) -> list[tuple[str, str, int]]:
    with read(desk) as connection:
        return list(connection.execute("SELECT id, unit, sequence FROM notices"))


def play(kills: int, seed: int, tell: Tell) -> None:
    print(f"replay with {SEED}={seed}")
    demo = Demo("--ports", "auto", "--vehicle", "two_cells", "--broker", "mosquitto")
    try:
        ready = demo.wait_ready().ready
        root = Path(ready["state_dir"])
        crew, killer = Crew(ready), Killer(ready["bench"], kills, seed)
        phases: Counter[str] = Counter()
        killer.start()
        deadline_s = time.monotonic() + DEADLINE_S
        while killer.is_alive() or not crew.trips:  # at least one trip comes to its end
            assert time.monotonic() < deadline_s, f"no end: {killer.killed}, {phases}, {crew.accepted[-5:]}"
            phases[crew.step()] += 1
            time.sleep(LOOK_S)
        journal, desk = root / "journal" / "journal.db", root / "desk" / "desk.db"

        def is_at_rest() -> bool:
            crew.acknowledge()
            return all(stage == "acknowledged" for *_, stage in notices_owed(journal).values())

        rested = until(is_at_rest, REST_WITHIN_S)
        owed = notices_owed(journal)
        assert rested, {id_: one for id_, one in owed.items() if one[2] != "acknowledged"}
        assert demo.end() == 0
        found = verify(journal)
        assert found.problem is None, found.problem
        with read(journal) as connection:
            rows = dict(connection.execute("SELECT seq, type FROM events").fetchall())
        wrong = [
            (seq, name, rows.get(seq))
            for seq, name in crew.accepted
            if rows.get(seq) != ROWS_OF.get(name, rows.get(seq))
        ]
        lost = [(seq, name) for seq, name in crew.accepted if seq not in rows]
        assert not lost, f"accepted and not in the journal: {lost}"
        assert not wrong, f"accepted, and another row has the number: {wrong}"
        there = register(desk)
        assert sorted(there) == sorted((id_, recipient, number) for id_, (recipient, number, _) in owed.items())
    finally:
        demo.sweep()
    for name, count in (
        *((f"trip kills of {one}", count) for one, count in killer.killed.items()),
        ("trip kills: rows accepted", len(crew.accepted)),
        ("trip kills: accepted rows lost", len(lost)),
        ("trip kills: notices", len(owed)),
        ("trip kills: trips ended", crew.trips),
    ):
        tell(name, count)
    assert len(phases - Counter([""])) >= 5, phases


def seed_of(number: int) -> int:
    return int(os.environ.get(SEED) or random.SystemRandom().randrange(2**31) + number)


def test_H08_nothing_accepted_is_lost_when_control_and_uplink_are_killed_during_trips(tell: Tell) -> None:
    play(KILLS, 8, tell)


@pytest.mark.campaign("kills")
@pytest.mark.parametrize("part", range(PARTS))
def test_H08_five_hundred_kills_during_trips(part: int, tell: Tell) -> None:
    play(KILLS_LONG, seed_of(part), tell)
