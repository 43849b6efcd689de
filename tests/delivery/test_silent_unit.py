"""A unit that does not answer (hazard H16): after 120 s the cab says to tell it by radio; nobody else is held up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.world import World
from tests.delivery.silence import CONFIRM_WITHIN_S, silent, stages
from tests.delivery.world import UNITS

TOLERANCE_S = 2.0  # hazards.md, H16


@pytest.mark.parametrize("unit", UNITS)
def test_H16_a_unit_without_its_desk_is_to_be_told_by_radio_after_120_s(
    unit: str, tmp_path: Path, prepared: tuple[Path, World], tell: Callable[[str, int], None]
) -> None:
    outcome, world = silent(unit, tmp_path, prepared, has_desk=False)
    assert not outcome.wrong, str(outcome)
    assert set(world.first_overdue_s) == {unit}, "the cab names the one unit, and no other"
    assert abs(world.first_overdue_s[unit] - CONFIRM_WITHIN_S) <= TOLERANCE_S, world.first_overdue_s
    assert world.seen == [
        ("after two minutes", "at_broker"),
        ("after the call", "told_by_radio"),
        ("with the desk back", "received"),
        ("after the officer", "acknowledged"),
    ]
    assert world.told["by"] == "the officer who came back"
    assert stages(world) == ["recorded", "at_broker", "told_by_radio", "received", "acknowledged"]
    tell("silent units named within two seconds of the limit", 1)


@pytest.mark.parametrize("unit", UNITS[1:])
def test_H16_a_desk_in_an_empty_room_has_told_nobody(
    unit: str, tmp_path: Path, prepared: tuple[Path, World], tell: Callable[[str, int], None]
) -> None:
    outcome, world = silent(unit, tmp_path, prepared, has_desk=True)
    assert not outcome.wrong, str(outcome)
    assert set(world.first_overdue_s) == {unit}
    assert abs(world.first_overdue_s[unit] - CONFIRM_WITHIN_S) <= TOLERANCE_S, world.first_overdue_s
    assert [stage for _, stage in world.seen] == ["received", "told_by_radio", "told_by_radio", "acknowledged"]
    assert stages(world) == ["recorded", "at_broker", "received", "told_by_radio", "acknowledged"]
    tell("silent units named within two seconds of the limit", 1)
