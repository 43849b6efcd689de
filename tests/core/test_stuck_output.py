"""The read-back against the command: a relay that is closed unbidden sounds the horn in time in any phase (H05)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.core.world import SCAN_S, World

FOUND_S = 0.3
PHASES: dict[str, Callable[[World], None]] = {
    "no_trip": lambda w: w.run(3.0),
    "checking": World.to_ready,
    "boarding": World.to_boarding,
    "securing": World.to_securing,
    "secured": World.to_secured,
    "under_way": World.to_under_way,
    "unloading": World.to_unloading,
}


@pytest.mark.parametrize("turn", range(6))  # a cause is looked at each fifth scan: every place in that turn
@pytest.mark.parametrize("phase", PHASES)
def test_H05_a_relay_that_stays_closed_is_told_within_300_ms(phase: str, turn: int) -> None:
    w = World()
    PHASES[phase](w)
    w.run(turn * SCAN_S)
    w.forced["permit_readback"] = True
    if w.trip.is_open:
        w.run(0.5)
        assert not w.trip.alarms, "while the relay shall be closed nothing is wrong with a closed contact"
        w.must("suspend_boarding")
    assert not w.out["permit_enable"]
    began_s = w.mono_s
    while not w.trip.alarms:
        assert w.mono_s - began_s <= FOUND_S
        w.scan()
    assert w.out["buzzer"]
    assert w.snapshot()["equipment"]["permit_output"]["reason"] == "stuck_closed"
    assert [(a.code, a.priority, a.is_acknowledged) for a in w.trip.alarms if a.is_active] == [
        ("permit_stuck", "critical", False)
    ]


def test_H05_a_relay_that_does_not_close_ends_each_opening() -> None:
    w = World()
    w.to_ready()
    w.forced["permit_readback"] = False
    for _ in range(3):
        w.must("open_boarding")
        began_s = w.mono_s
        while w.trip.is_open:
            assert w.mono_s - began_s <= FOUND_S
            w.scan()
        assert ("permit_readback", "permit_output") in w.codes()
        assert not w.out["permit_enable"]
        w.run(0.5)
