"""The pulse of the permit relay: an edge that comes later than any relay holds is never made (H06, H07)."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from hw.outputs import OutputLines
from hw.pins import parse_output
from tests.core.world import SETTINGS
from vehicle_agent.control.clock import Clock
from vehicle_agent.control.devices import Devices
from vehicle_agent.control.intake import Intake
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.loop import Control
from vehicle_agent.control.pin import hash_pin, parse_pin_hash
from vehicle_agent.control.server import Server
from vehicle_agent.control.sessions import Sessions

HOLD_MIN_S = 0.15  # hw/README.md, of any build, hot and cold
ON, OFF = {"permit_enable": True}, {"permit_enable": False}


class Moments:
    """A clock that is moved by hand, or moves on by itself after it was looked at, as for one who is held up there."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.held_up_s: deque[float] = deque()

    def __call__(self) -> float:
        seen_s = self.now_s
        self.now_s += self.held_up_s.popleft() if self.held_up_s else 0.0
        return seen_s


@pytest.fixture
def mono() -> Moments:
    return Moments()


@pytest.fixture
def lines() -> OutputLines:
    pins = {"permit_enable": "GPIO23", "permit_pulse": "GPIO24"}
    return OutputLines(MockFactory(), {name: parse_output(text) for name, text in pins.items()})


@pytest.fixture
def control(tmp_path: Path, mono: Moments, lines: OutputLines) -> Control:
    clock = Clock(mono=mono)
    journal = Journal(tmp_path, clock.mono)
    sessions = Sessions(parse_pin_hash(hash_pin("2468")), session_s=60, wrong_max=5, lockout_s=1, mono=clock.mono)
    intake = Intake(sessions, journal)
    server = Server(tmp_path / "sock", intake.handle, prepare=intake.prepare, turn=intake.turn, gone=intake.gone)
    return Control(
        rig=lines,  # type: ignore[arg-type]
        settings=SETTINGS,
        clock=clock,
        boot_id="boot",
        software="test",
        supply_range=(0, 4095),
        lockout_s=1.0,
        journal=journal,
        devices=Devices(None, None),
        sessions=sessions,
        intake=intake,
        server=server,
    )


@pytest.mark.parametrize(
    ("gap_s", "is_late"), [(0.02, False), (0.1, False), (0.14, True), (HOLD_MIN_S, True), (0.221, True), (5.0, True)]
)
def test_H06_H07_a_late_edge_is_not_made_and_the_permit_is_released(
    control: Control, lines: OutputLines, mono: Moments, gap_s: float, is_late: bool
) -> None:
    assert not control.drive(ON, mono.now_s), "the first edge of a permit follows none"
    assert lines.read_back() == {"permit_enable": True, "permit_pulse": True}
    mono.now_s += gap_s
    assert control.drive(ON, mono.now_s) is is_late
    assert lines.read_back() == {"permit_enable": not is_late, "permit_pulse": False}
    mono.now_s += 5.0
    assert control.drive(OFF, mono.now_s) is False
    assert not control.drive(ON, mono.now_s), "a new permit begins anew"


def test_H06_H07_the_first_edge_of_a_permit_is_not_made_on_what_was_read_long_ago(
    control: Control, lines: OutputLines, mono: Moments
) -> None:
    began_s = mono.now_s
    mono.now_s += HOLD_MIN_S
    assert control.drive(ON, began_s)
    assert lines.read_back() == {"permit_enable": False, "permit_pulse": False}


@pytest.mark.parametrize(("looks", "seen"), [(1, [False]), (2, [False, True, False])])
def test_H06_H07_one_who_is_held_up_at_the_line_makes_no_edge_or_ends_the_permit_with_it(
    control: Control, lines: OutputLines, mono: Moments, looks: int, seen: list[bool]
) -> None:
    """Held up before the last look at the clock there is no edge; after it there is one, and the permit ends."""
    for _ in range(2):
        control.drive(ON, mono.now_s)
        mono.now_s += 0.02
    mono.held_up_s.extend([0.0] * (looks - 1) + [HOLD_MIN_S])
    pulse = lines._devices["permit_pulse"].pin
    pulse.clear_states()
    assert control.drive(ON, mono.now_s)
    assert [state.state for state in pulse.states] == seen
    assert lines.read_back() == {"permit_enable": False, "permit_pulse": False}
