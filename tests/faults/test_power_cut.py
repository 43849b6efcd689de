"""A power cut after every write of the journal (H08, H19): whatever was promised is there, the chain whole.

The real writer runs under strace; after each of its calls the disk is rebuilt with what was not flushed kept, dropped,
kept in part or torn (`power_cut/disk.py` says what it assumes), and the real code opens it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.power_cut.cases import CASES, Case, play
from tests.faults.power_cut.replay import Effort

SEED = "POWER_CUT_SEED"  # environment variable: the same subsets and torn sectors again
REPEATS = 2  # of each case in the campaign, each with its own seed

Tell = Callable[[str, int], None]


def judge(case: Case, directory: Path, seed: int, effort: Effort, tell: Tell) -> None:
    found = play(case, directory, seed, effort)
    tell("power cuts: states", found.states)
    tell("power cuts: distinct states", found.distinct)
    tell("power cuts: rows promised", found.rows_promised)
    tell("power cuts: promises broken", len(found.wrong))
    print(case.name, dict(found.kinds), f"{SEED}={seed}")
    assert not found.wrong, f"{len(found.wrong)} of {found.distinct}:\n" + "\n".join(found.wrong[:20])
    assert found.rows_promised > 5
    assert found.kinds["torn"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_H08_H19_what_was_promised_survives_a_power_cut(case: Case, memory: Path, tell: Tell) -> None:
    judge(case, memory, 8, Effort(every=case.every), tell)


@pytest.mark.campaign("loss")
@pytest.mark.parametrize("repeat", range(REPEATS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_H08_H19_many_power_cuts(case: Case, repeat: int, memory: Path, tell: Tell) -> None:
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**31) + repeat)
    judge(case, memory, seed, Effort(), tell)
