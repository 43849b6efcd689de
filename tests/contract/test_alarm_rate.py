"""The desk's count of alarms: each once, for ten minutes, and a flood that begins above ten and ends below five."""

from __future__ import annotations

from vehicle_agent.dispatch.flood import WINDOW_S, AlarmRate


def rate_of(count: int, spacing_s: float = 1.0) -> AlarmRate:
    rate = AlarmRate()
    for number in range(count):
        rate.add(f"e{number}", "kz-mp-017", number * spacing_s)
    return rate


def test_ten_in_ten_minutes_are_no_flood_and_eleven_are() -> None:
    assert rate_of(10).look(20.0)["is_flood"] is False
    assert rate_of(11).look(20.0)["is_flood"] is True


def test_a_flood_ends_below_five_and_not_before() -> None:
    rate = rate_of(11, spacing_s=10.0)
    assert rate.look(100.0) == {"count": 11, "is_flood": True, "by_vehicle": {"kz-mp-017": 11}}
    assert rate.look(WINDOW_S + 55.0) == {"count": 5, "is_flood": True, "by_vehicle": {"kz-mp-017": 5}}
    assert rate.look(WINDOW_S + 60.0) == {"count": 4, "is_flood": False, "by_vehicle": {"kz-mp-017": 4}}
    for number in range(5):
        rate.add(f"later{number}", "kz-mp-018", WINDOW_S + 61.0)
    assert rate.look(WINDOW_S + 62.0)["is_flood"] is False  # nine again are no flood


def test_a_message_that_comes_twice_is_one_alarm() -> None:
    rate = AlarmRate([("e1", "kz-mp-017", 0.0)])
    rate.add("e1", "kz-mp-017", 5.0)
    assert rate.look(10.0)["count"] == 1


def test_vehicles_are_told_apart_the_loudest_first() -> None:
    rate = AlarmRate()
    for number, vehicle in enumerate(("kz-mp-017", "kz-mp-018", "kz-mp-018")):
        rate.add(f"e{number}", vehicle, 0.0)
    assert list(rate.look(1.0)["by_vehicle"].items()) == [("kz-mp-018", 2), ("kz-mp-017", 1)]
