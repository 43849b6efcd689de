"""The door loops over every corner of parts, temperature, wire and converter, and the leaks that lie (H01, H02)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from hw.loops import Loop, classify
from tests.contract.loop_margins import OPEN_STATES, STATES, band, corners, imitating, spread, tables
from tests.core.world import World
from tests.tidy.source_tree import ROOT

# From a hard bridge to dust: twenty to a decade.
LEAKS_OHM = [100.0 * 10 ** (step / 20) for step in range(81)]
GAP_MIN = 250  # counts; between two states no corner comes nearer than this but where the page says so


@pytest.mark.parametrize("ageing", [0.0, 0.01])
def test_H02_no_corner_of_any_state_leaves_its_band(ageing: float) -> None:
    for state in STATES:
        low, high = spread(state, ageing=ageing)
        assert classify(low) is classify(high) is state


def test_H02_a_locked_loop_is_far_from_every_open_one() -> None:
    highest_locked = spread(Loop.LOCKED)[1]
    lowest_open = min(spread(state)[0] for state in OPEN_STATES)
    assert lowest_open - highest_locked > 1300
    assert band(Loop.BOLT_OPEN)[0] - band(Loop.LOCKED)[1] > 1200


def test_the_smallest_gap_between_two_open_states() -> None:
    """They may come near each other: each of them is open."""
    ordered = [spread(state) for state in OPEN_STATES]
    gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(ordered)]
    assert min(gaps) > GAP_MIN


def test_the_wiring_page_shows_these_sums() -> None:
    page = (ROOT / "hw" / "README.md").read_text(encoding="utf-8")
    missing = [line for line in tables() if line not in page]
    assert not missing, "hw/README.md needs the output of `python -m tests.contract.loop_margins`"


@pytest.mark.parametrize("state", OPEN_STATES)
def test_H02_a_leak_makes_an_open_loop_look_locked_only_where_the_page_says(
    state: Loop, tell: Callable[[str, int], None]
) -> None:
    low_ohm, high_ohm = imitating(state)
    seen = []
    for corner, leak_ohm, at_lock in itertools.product(corners(), LEAKS_OHM, (True, False)):
        reached = {classify(counts) for counts in corner.counts(corner.ohms(state, leak_ohm, at_lock=at_lock))}
        if Loop.LOCKED in reached:
            assert low_ohm <= leak_ohm <= high_ohm
            seen.append(leak_ohm)
    assert 0.3e3 < low_ohm < min(seen) < max(seen) < high_ohm < 0.8e3
    tell("loops with a leak, at corners", len(LEAKS_OHM) * 2 * 128)


@pytest.mark.parametrize("state", OPEN_STATES)
def test_H02_what_makes_an_open_loop_look_locked_takes_the_locked_one_out_of_its_band(state: Loop) -> None:
    """At the same corner with the same leak: so no lock can show both of its states."""
    for corner, leak_ohm, at_lock in itertools.product(corners(), LEAKS_OHM, (True, False)):
        opened = {classify(counts) for counts in corner.counts(corner.ohms(state, leak_ohm, at_lock=at_lock))}
        locked = {classify(counts) for counts in corner.counts(corner.ohms(Loop.LOCKED, leak_ohm, at_lock=at_lock))}
        if Loop.LOCKED in opened:
            assert locked == {Loop.IMPLAUSIBLE}, (corner, leak_ohm)


PLAN_OF_TWO = {
    "kind": "within_settlement",
    "takeover": False,
    "to_court": True,
    "women_on_board": False,
    "order": {"number": "17", "valid_until": "2099-12-31"},
    "request_number": "1",
    "destination": "astana-mp",
    "destination_place": None,
    "intermediate": [],
    "unloading_place": None,
    "cells": [],
}


def proves(opened: Loop, locked: Loop) -> bool:
    """Whether the real core passes a lock whose two states read like this."""
    world = World()
    world.run(1.0)
    world.must("open_trip", **PLAN_OF_TWO)
    world.must("start_tests")
    for reading in (opened, locked):
        world.loops["cell_1"] = str(reading)
        world.run(0.8)
    return world.status("cell_lock_1") == "passed"


@pytest.mark.slow
def test_H01_H02_no_lock_with_a_leak_that_lies_is_ever_proven(tell: Callable[[str, int], None]) -> None:
    """From ohms to the row of the checklist: what a leaking lock reads goes through the core's own proof.

    Every different pair of readings that any corner, leak and place of the leak can give is proven once.
    """
    pairs: dict[tuple[Loop, Loop], float] = {}
    for corner, state, leak_ohm in itertools.product(corners(), OPEN_STATES, (*LEAKS_OHM, math.inf)):
        for at_lock in (True, False):
            leak = None if leak_ohm == math.inf else leak_ohm
            opened = (classify(c) for c in corner.counts(corner.ohms(state, leak, at_lock=at_lock)))
            locked = [classify(c) for c in corner.counts(corner.ohms(Loop.LOCKED, leak, at_lock=at_lock))]
            pairs |= dict.fromkeys(itertools.product(opened, locked), leak_ohm)
    assert {opened for opened, _ in pairs} > {Loop.LOCKED, Loop.IMPLAUSIBLE, *OPEN_STATES}
    passed = {pair for pair in pairs if proves(*pair)}
    assert passed == {(state, Loop.LOCKED) for state in OPEN_STATES}, "only what is open and then locked"
    tell("pairs of readings proven by the core", len(pairs))
