"""Proof that the replay of power cuts can see: each broken promise of the writer is found in some state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.power_cut.cases import CASES, play
from tests.faults.power_cut.replay import Effort

BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize(
    ("sabotage", "case"),
    [
        ("not_flushed", "first_start"),
        ("flushed_now_and_then", "restart_after_a_kill"),
        ("told_before_it_is_there", "first_start"),
        ("moved_without_a_note", "moved_aside"),
    ],
)
def test_H08_H19_a_broken_promise_is_seen(sabotage: str, case: str, memory: Path) -> None:
    found = play(
        BY_NAME[case],
        memory,
        1,
        Effort(every=8 if case == "restart_after_a_kill" else 1, is_first_enough=True),
        (sabotage,),
    )
    print(found.wrong[:3])
    assert found.wrong
