"""The core against the naive reading, walk by walk: whatever people, wires, clocks, disks and restarts do."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.oracle import walk
from tests.oracle.rewind import restart_everywhere
from tests.oracle.tally import Tally

Tell = Callable[[str, int], None]
SEED = "ORACLE_SEED"  # environment variable: replays a campaign
EITHER_MAX = 0.04  # share of the comparisons that may have more than one right answer; measured 1.2 to 2 %
WALKS, STEPS = 40, 25  # about 15 s of one core
WALKS_LONG, STEPS_LONG = 500, 30  # about 3 minutes
HISTORIES, HISTORIES_LONG = 8, 500
DEEP = ("boarding", "securing", "secured", "under_way", "arrived", "unloading", "closed")


def drawn_seed() -> int:
    chosen = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**32))
    print(f"replay with {SEED}={chosen}")
    return chosen


def report(tally: Tally, tell: Tell) -> None:
    print("\n".join(tally.lines()))
    for name in ("histories", "trips", "facts", "comparisons", "restarts"):
        tell(f"oracle {name}", getattr(tally, name))
    tell("oracle either", sum(tally.either.values()))
    for phase in DEEP:
        tell(f"oracle comparisons in {phase}", tally.phases[phase])
    assert tally.either_share <= EITHER_MAX
    assert all(tally.phases[phase] for phase in DEEP), tally.phases


def walk_it(walks: int, steps: int, tell: Tell, drawn: int | None) -> None:
    """`drawn` None: the same walks every time."""
    walk.TALLY.clear()
    machine = walk.Walk if drawn is None else seed(drawn)(type("SeededWalk", (walk.Walk,), {}))
    limits = settings(
        max_examples=walks,
        stateful_step_count=steps,
        derandomize=drawn is None,
        deadline=None,  # a long drive is a long step
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=limits)
    report(walk.TALLY, tell)


@pytest.mark.slow
def test_H01_H26_walks_agree_with_the_naive_reading(tell: Tell) -> None:
    """Accepted or refused, why, permit, phase, counts, rows, notices: after every act as the naive reading has it."""
    walk_it(WALKS, STEPS, tell, None)


@pytest.mark.campaign("gate")
def test_H01_H26_many_walks_agree_with_the_naive_reading(tell: Tell) -> None:
    walk_it(WALKS_LONG, STEPS_LONG, tell, drawn_seed())


def restarts(first: int, histories: int, tell: Tell) -> None:
    tally, rows = Tally(), 0
    for number in range(first, first + histories):
        try:
            w = walk.recorded(number, tally)
            rows += len(w.envelopes)
            restart_everywhere(w, tally)
        except AssertionError as error:
            raise AssertionError(f"history {number} ({SEED}={number} plays it first)\n{error}") from error
    tell("oracle rows restarted at", rows)
    report(tally, tell)


@pytest.mark.slow
def test_H07_no_permit_after_a_restart_at_any_row(tell: Tell) -> None:
    """After each row, same boot or another: no permit, nothing open, no report, the trip where the law has it."""
    restarts(1, HISTORIES, tell)


@pytest.mark.campaign("gate")
def test_H07_no_permit_after_a_restart_at_any_row_of_500_trips(tell: Tell) -> None:
    restarts(drawn_seed(), HISTORIES_LONG, tell)
