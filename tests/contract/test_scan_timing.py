"""The scan's timetable (H01, H06): no drift, and never two samples of one moment."""

from __future__ import annotations

import pytest

from vehicle_agent.control.timing import SCAN_S, Timing


def test_a_scan_that_took_long_does_not_shift_the_next_ones() -> None:
    assert Timing().next_scan(planned_s=10.0, began_s=10.001, now_s=10.015) == pytest.approx(10.0 + SCAN_S)


def test_a_scan_that_is_a_little_late_is_made_up_for() -> None:
    assert Timing().next_scan(planned_s=10.0, began_s=10.03, now_s=10.031) == pytest.approx(10.0 + SCAN_S)


def test_H06_after_a_hang_the_wires_get_a_whole_period_between_two_samples() -> None:
    timing = Timing()
    assert timing.next_scan(planned_s=10.0, began_s=11.0, now_s=11.001) == pytest.approx(11.0 + SCAN_S)
    assert timing.figures()["scans_left_out"] == 1


def test_H01_after_a_scan_that_hung_itself_the_next_one_comes_at_once() -> None:
    assert Timing().next_scan(planned_s=10.0, began_s=10.0, now_s=11.0) == pytest.approx(11.0)
