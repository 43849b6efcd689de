"""The panel: one event for each legal press, none for any other shape (H24)."""

from __future__ import annotations

import pytest

from hw.panel import Panel, Press

STEP_MS = 10


def play(samples: list[bool | None], step_ms: int = STEP_MS) -> tuple[list[Press], Panel]:
    panel = Panel(("driver_ready",))
    presses: list[Press] = []
    for index, is_pressed in enumerate(samples):
        presses += panel.update({"driver_ready": is_pressed}, index * step_ms / 1000)
    return presses, panel


def ms(level: bool | None, length_ms: int) -> list[bool | None]:
    return [level] * (length_ms // STEP_MS)


def test_H24_every_press_shape_up_to_twelve_seconds_makes_exactly_one_event_if_it_is_legal() -> None:
    for hold_ms in range(0, 12_001, STEP_MS):
        presses, panel = play([*ms(False, 100), *ms(True, hold_ms), *ms(False, 100)])
        if 50 <= hold_ms <= 8000:
            assert [press.button for press in presses] == ["driver_ready"], hold_ms
            assert presses[0].hold_s == pytest.approx(hold_ms / 1000)
            assert presses[0].is_long == (hold_ms > 3000)
        else:
            assert presses == [], hold_ms
        assert panel.stuck == frozenset(), "it let go"


@pytest.mark.parametrize(("hold_ms", "count"), [(49.6, 1), (41.0, 0), (30.4, 0)])
def test_H24_samples_that_come_a_little_early_or_late_do_not_cost_a_legal_press(hold_ms: float, count: int) -> None:
    panel = Panel(("body_count",))
    moments = {0.0: False, 0.05: False, 0.1: True, 0.1 + hold_ms / 1000: False, 0.2: False}
    presses = [press for at_s, level in moments.items() for press in panel.update({"body_count": level}, at_s)]
    assert [press.hold_s for press in presses] == [pytest.approx(0.05)] * count


def test_H24_a_button_held_since_the_start_says_nothing() -> None:
    for hold_ms in (20, 500, 5000, 11_000):
        presses, _ = play([*ms(True, hold_ms), *ms(False, 200)])
        assert presses == []


def test_H24_a_button_held_beyond_ten_seconds_is_stuck_until_it_lets_go() -> None:
    for before in (ms(False, 100), []):
        assert play([*before, *ms(True, 10_000)])[1].stuck == frozenset()
        assert play([*before, *ms(True, 10_020)])[1].stuck == {"driver_ready"}
        assert play([*before, *ms(True, 10_020), *ms(False, 40)])[1].stuck == frozenset()


@pytest.mark.parametrize("gap_ms", [10, 20])
def test_H24_a_contact_that_opens_for_a_moment_makes_no_second_press(gap_ms: int) -> None:
    presses, _ = play([*ms(False, 100), *ms(True, 400), *ms(False, gap_ms), *ms(True, 400), *ms(False, 100)])
    assert [press.hold_s for press in presses] == [pytest.approx(0.8 + gap_ms / 1000)]


def test_H24_bounce_at_both_ends_is_one_press() -> None:
    bounce: list[bool | None] = [True, False, True, False]
    presses, _ = play([*ms(False, 100), *bounce, *ms(True, 300), *bounce, *ms(False, 100)])
    assert len(presses) == 1


def test_two_presses_are_two_events() -> None:
    presses, _ = play([*ms(False, 100), *ms(True, 100), *ms(False, 100), *ms(True, 200), *ms(False, 100)])
    assert [press.hold_s for press in presses] == [pytest.approx(0.1), pytest.approx(0.2)]


def test_H24_an_unreadable_spell_voids_the_press_and_needs_a_release_again() -> None:
    presses, _ = play([*ms(False, 100), *ms(True, 200), *ms(None, 20), *ms(True, 200), *ms(False, 100)])
    assert presses == []


def test_H24_a_scan_that_stood_still_voids_the_press() -> None:
    panel = Panel(("driver_ready",))
    times = [(0.0, False), (0.04, False), (0.06, True), (0.08, True), (1.0, True), (1.02, False), (1.06, False)]
    presses = [press for at_s, level in times for press in panel.update({"driver_ready": level}, at_s)]
    assert presses == []


def test_a_button_that_is_not_wired_is_never_pressed() -> None:
    panel = Panel(("driver_ready",))
    assert panel.update({}, 0.0) == ()
    assert panel.stuck == frozenset()
