"""No wire that chatters is believed (H25): the gate's answer to each contact that bounces at the scan's own rhythm.

A contact that alternates from one sample to the next never shows two equal samples in a row. A filter that waits for
those would go on saying what the wire said before.
"""

from __future__ import annotations

import pytest

from hw.panel import Panel
from tests.core.world import SCAN_S, World
from vehicle_agent.core import events as ev

RECOGNISED_S = 0.4  # more than six reversals, one in each scan of 20 ms, and the two samples of the filter
CALM_S = 10.0

# wire -> the refusal that names it
GATE = {
    "handbrake": ("motion_unknown", None),  # at slower rates it is seen released before it is seen to chatter
    "driver_stop": ("driver_not_ready", None),
    "airflow": ("equipment_fault", "ventilation"),
    "fan_switch": ("equipment_fault", "ventilation"),
    "light_sense": ("equipment_fault", "lighting"),
    "light_switch": ("equipment_fault", "lighting"),
    "beacon_sense": ("equipment_fault", "beacon"),
    "beacon_switch": ("equipment_fault", "beacon"),
    "intercom_return": ("equipment_fault", "intercom"),
    "permit_readback": ("permit_readback", "permit_output"),
}


def chatter(world: World, wire: str, seconds: float, period: int = 1) -> None:
    """Alternate the wire every `period` scans."""
    for number in range(round(seconds / 0.02)):
        world.forced[wire] = number // period % 2 == 0
        world.scan()


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize("wire", GATE)
def test_H25_a_contact_that_chatters_closes_an_open_boarding_and_is_named(wire: str, period: int) -> None:
    world = World()
    world.to_boarding()
    assert world.trip.is_open
    chatter(world, wire, RECOGNISED_S * period, period)
    assert not world.trip.is_open, wire
    assert not world.out["permit_enable"]
    chatter(world, wire, 1.0, period)
    assert GATE[wire] in world.codes()


@pytest.mark.parametrize("half_period_s", [0.06, 0.08, 0.1])
def test_H24_H25_a_driver_button_that_chatters_reports_nothing(half_period_s: float) -> None:
    """Bounces of this length are presses to the panel, so a few pass before the contact is recognised."""
    world, panel = World(), Panel(("driver_ready",))
    world.to_ready()
    world.forced["driver_stop"] = True
    world.run(0.1)
    world.forced["driver_stop"] = False
    world.run(0.1)
    assert world.codes() == {("driver_not_ready", None)}
    began_s, reports = world.mono_s, len(world.happened(ev.DriverReported))
    for _ in range(round(5.0 / SCAN_S)):
        is_pressed = (world.mono_s - began_s) % (2 * half_period_s) < half_period_s
        world.forced["driver_ready"] = is_pressed
        for press in panel.update({"driver_ready": is_pressed}, world.mono_s):
            world.press(press.button, press.hold_s)
        world.scan()
        if world.mono_s - began_s > 10 * half_period_s:
            assert world.codes() == {("driver_not_ready", None)}, world.mono_s - began_s
    assert len(world.happened(ev.DriverReported)) > reports, "the first bounces do pass: else this proves nothing"


@pytest.mark.parametrize("wire", ["handbrake", "beacon_switch", "intercom_return", "permit_readback"])
def test_H25_after_ten_calm_seconds_a_repaired_contact_is_believed_again(wire: str) -> None:
    world = World()
    world.to_boarding()
    chatter(world, wire, 1.0)
    del world.forced[wire]
    world.run(CALM_S + 2.5)
    assert not {code for code, item in world.codes()} & {"motion_unknown", "vehicle_moving", "equipment_fault"}
    assert ("permit_readback", "permit_output") not in world.codes()


def test_H25_an_intercom_line_that_chatters_never_passes_for_the_tone() -> None:
    world = World()
    world.run(3.0)
    for _ in range(500):
        world.forced["intercom_return"] = world.mono_s % 0.04 < 0.02
        world.scan()
    assert world.live.equipment["intercom"].status == "fault"


def test_the_pilot_tone_and_the_relays_own_movements_are_no_chatter() -> None:
    world = World()
    world.to_boarding()
    for _ in range(5):
        world.run(2.0)
        world.must("suspend_boarding")
        world.run(0.1)
        world.must("open_boarding")
    assert world.live.equipment["permit_output"].status == "working"
    assert world.live.equipment["intercom"].status == "working"


def test_H02_an_intercom_line_that_hums_is_lost_for_good_and_raises_its_alarm() -> None:
    """A shorted line answers every tone: between two silences that it never has, it must not pass for working."""
    world = World()
    world.to_under_way()
    world.forced["intercom_return"] = True
    world.run(1.0)
    for _ in range(400):
        world.scan()
        assert world.live.equipment["intercom"].status == "fault"
    assert ("intercom_lost", "intercom") in {(alarm.code, alarm.item) for alarm in world.trip.alarms}
    del world.forced["intercom_return"]
    world.run(6.0)
    assert world.live.equipment["intercom"].status == "working"
