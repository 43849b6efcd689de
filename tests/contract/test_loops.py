"""Loops and pairs: only "locked" reads as locked, and a disagreement ends only with a switch test (H02, H03)."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.loops import AntivalentPair, Loop, classify, counts_of, loop_ohms

DISCREPANCY_S = 0.5  # as the hazards have it, not as the code under test does

STATES = {
    Loop.LOCKED: (False, False),
    Loop.BOLT_OPEN: (True, False),
    Loop.DOOR_OPEN: (False, True),
    Loop.BOTH_OPEN: (True, True),
}


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        (0, Loop.SHORT),
        (299, Loop.SHORT),
        (300, Loop.IMPLAUSIBLE),
        (649, Loop.IMPLAUSIBLE),
        (650, Loop.LOCKED),
        (860, Loop.LOCKED),
        (861, Loop.IMPLAUSIBLE),
        (2149, Loop.IMPLAUSIBLE),
        (2150, Loop.BOLT_OPEN),
        (2450, Loop.BOLT_OPEN),
        (2451, Loop.IMPLAUSIBLE),
        (2549, Loop.IMPLAUSIBLE),
        (2550, Loop.DOOR_OPEN),
        (2840, Loop.DOOR_OPEN),
        (2841, Loop.IMPLAUSIBLE),
        (2929, Loop.IMPLAUSIBLE),
        (2930, Loop.BOTH_OPEN),
        (3300, Loop.BOTH_OPEN),
        (3301, Loop.IMPLAUSIBLE),
        (3850, Loop.IMPLAUSIBLE),
        (3851, Loop.CUT),
        (4095, Loop.CUT),
        (-1, Loop.IMPLAUSIBLE),
        (4096, Loop.IMPLAUSIBLE),
    ],
)
def test_each_band_ends_where_the_wiring_page_says(counts: int, verdict: Loop) -> None:
    assert classify(counts) is verdict


@pytest.mark.parametrize("state", STATES)
def test_every_state_stays_in_its_band_with_one_percent_parts_and_fifty_ohms_of_wire(state: Loop) -> None:
    bolt_open, door_open = STATES[state]
    nominal = loop_ohms(bolt_open=bolt_open, door_open=door_open)
    for parts, pull_up, wire_ohm, noise in product((0.99, 1.01), (2178.0, 2222.0), (0.0, 50.0), (-20, 20)):
        assert classify(counts_of(nominal * parts + wire_ohm, pull_up) + noise) is state


def test_H02_a_cut_and_a_short_are_never_a_door_state() -> None:
    assert classify(counts_of(math.inf)) is Loop.CUT
    for wire_ohm in range(51):
        assert classify(counts_of(wire_ohm)) is Loop.SHORT


def test_H02_no_leak_from_one_kilohm_up_makes_an_open_state_read_locked() -> None:
    for state in (Loop.BOLT_OPEN, Loop.DOOR_OPEN, Loop.BOTH_OPEN):
        bolt_open, door_open = STATES[state]
        for leak_ohm in range(1000, 100_000, 50):
            ohms = loop_ohms(bolt_open=bolt_open, door_open=door_open, leak_ohm=leak_ohm)
            assert classify(counts_of(ohms)) is not Loop.LOCKED


def test_the_documented_limit_a_bridge_of_half_a_kilohm_imitates_locked() -> None:
    ohms = loop_ohms(bolt_open=True, door_open=True, leak_ohm=510.0)
    assert classify(counts_of(ohms)) is Loop.LOCKED


def test_a_pair_says_locked_only_with_both_contacts() -> None:
    assert AntivalentPair().update(True, False, 0.0) is Loop.LOCKED
    assert AntivalentPair().update(False, True, 0.0) is Loop.BOTH_OPEN
    assert AntivalentPair().update(True, True, 0.0) is None
    assert AntivalentPair().update(None, False, 0.0) is None


def test_H02_a_pair_that_disagrees_is_implausible_after_half_a_second() -> None:
    pair = AntivalentPair()
    pair.update(True, False, 0.0)
    assert pair.update(True, True, 1.0) is Loop.LOCKED
    assert pair.update(True, True, 1.0 + DISCREPANCY_S) is Loop.LOCKED
    assert pair.update(True, True, 1.01 + DISCREPANCY_S) is Loop.IMPLAUSIBLE
    assert pair.update(True, False, 2.0) is Loop.IMPLAUSIBLE
    assert pair.update(False, True, 2.1) is Loop.BOTH_OPEN
    assert pair.update(True, False, 2.2) is Loop.LOCKED


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 80)), min_size=1, max_size=20))
def test_H03_a_latched_disagreement_ends_only_through_the_open_state(steps: list[tuple[bool, bool, int]]) -> None:
    """The oracle counts in whole steps of 10 ms and knows nothing of the pair's own state."""
    pair, tick, disagreeing, latched = AntivalentPair(), 0, 0, False
    for normally_open, normally_closed, repeats in steps:
        for _ in range(repeats):
            seen = pair.update(normally_open, normally_closed, tick / 100)
            disagreeing = disagreeing + 1 if normally_open == normally_closed else 0
            latched = latched or disagreeing - 1 > round(DISCREPANCY_S * 100)
            if normally_closed and not normally_open:
                latched = False
            assert (seen is Loop.IMPLAUSIBLE) == latched
            if seen is Loop.LOCKED:
                assert normally_open or disagreeing
            tick += 1
