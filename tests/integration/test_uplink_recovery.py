"""Older fixes survive the uplink: what it had not told when it was killed comes from control's ring (hazard H17)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker, mosquitto
from tests.integration import control_rig, uplink_control
from tests.integration.uplink_control import fix_body
from tests.integration.uplink_rig import Rig, Spy, check_messages, spying, uplink_rig
from vehicle_agent.control import ring
from vehicle_agent.control.ring import POSITIONS_A_READ
from vehicle_agent.uplink import recovery
from vehicle_agent.uplink.service import TOLD_EVERY

Json = dict[str, Any]
until = partial(uplink_control.until, within_s=20.0)  # an uplink is killed and started again
EARLIER = "11111111-3a5c-4d0e-9f38-0f6f3c9c1a11"


def fix(number: int, **changes: object) -> Json:
    """One of a drive's fixes, known again by its latitude."""
    known = {"mono_s": 1000.0 + number, "latitude_deg": round(43.0 + number / 1e5, 5), "speed_mps": 15.0}
    return fix_body(**{**known, **changes})


def told(spy: Spy) -> list[int]:
    """The numbers of all fixes that came as track, in the order of their coming."""
    fixes = (entry for one in spy.channel("track") for entry in one.json["data"]["fixes"])
    return [round((entry[1] - 43.0) * 1e5) for entry in fixes]


def pending(rig: Rig) -> int:
    states = rig.control.requests("uplink_state")
    return int(states[-1]["pending_positions"]) if states else 0


def test_both_ends_of_the_socket_name_the_same_columns() -> None:
    assert recovery.NAMES == ring.COLUMNS


def test_H17_what_a_killed_uplink_had_not_told_comes_from_controls_ring(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port, moving_s=0, parked_s=0) as rig:
        broker.stop()
        for number in range(100):  # the vehicle was switched off in the middle of the outage
            rig.control.keep(fix(number), EARLIER)
        rig.start()
        until(lambda: pending(rig) == 100, what="what was kept before the start waits")
        for number in range(100, 100 + POSITIONS_A_READ):
            rig.control.push("fix", fix(number, mono_s=number - 90.0))  # the clock begins at 0 in each boot
        count = 100 + POSITIONS_A_READ
        until(lambda: pending(rig) == count, what="and what came after it")
        rig.stop(signal.SIGKILL)
        rig.start()
        until(lambda: rig.control.is_feeding)
        until(lambda: len(rig.control.requests("positions")) >= 5, what="the ring is read page by page")
        broker.start()
        with spying(broker.port) as spy:
            until(lambda: len(told(spy)) >= count, what="all of them")
            assert told(spy) == list(range(count))
            check_messages(spy)
            until(lambda: rig.control.told == count, what="control knows that they are told")
            rig.stop()
            rig.start()
            row = rig.control.record_notice("astana-mp")
            until(lambda: rig.control.stages[row["id"]] == "at_broker")
            until(lambda: len(rig.control.requests("positions")) >= 6)
            rig.control.push("fix", fix(5000))
            until(lambda: spy.channel("position"), what="a live one")
            assert told(spy) == list(range(count)), "what is told is not told again"


def test_H17_a_position_that_fits_no_message_does_not_stand_before_the_others(tmp_path: Path) -> None:
    """Nothing proves the bits of stored positions."""
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port, moving_s=0, parked_s=0) as rig:
        wrong: list[Json] = [{"latitude_deg": 143.0}, {"at": "yesterday"}, {"mode": 9}, {"speed_mps": -1.0}]
        wrong += [{"at": None}, {"mono_s": None}, {"speed_mps": "fast"}, {"latitude_deg": None}]
        for number in range(130):
            rig.control.keep(fix(number))
        for number, change in enumerate(wrong, 1):
            rig.control.positions[number * 10].update(change)
        with spying(broker.port) as spy:
            rig.start()
            good = [number for number in range(130) if number not in range(10, 90, 10)]
            until(lambda: len(told(spy)) >= len(good), what="the others")
            assert told(spy) == good
            assert "fit no message" in rig.log


def test_H17_a_ring_that_cannot_be_read_keeps_no_live_fix_back(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port, moving_s=0, parked_s=0) as rig:
        rig.control.has_ring = False
        with spying(broker.port) as spy:
            rig.start()
            until(lambda: rig.control.is_feeding)
            until(lambda: len(rig.control.requests("positions")) >= 2, what="it asks again")
            rig.control.push("fix", fix(7))
            until(lambda: spy.channel("position"), what="a live fix")
            broker.stop()
            until(lambda: rig.control.requests("uplink_state")[-1]["connected"] is False)
            for number in range(8, 12):
                rig.control.push("fix", fix(number))
            until(lambda: pending(rig) == 4)
            broker.start()
        with spying(broker.port) as spy:
            rig.control.push_snapshot()
            until(lambda: rig.control.requests("uplink_state")[-1]["connected"])
            assert told(spy) == [], "what is older comes first"
            rig.control.has_ring = True
            until(lambda: len(told(spy)) == 4, what="then what came meanwhile")
            assert told(spy) == [8, 9, 10, 11]


def test_H17_the_ring_of_a_real_control_is_paged_and_its_mark_survives_sigkill(tmp_path: Path) -> None:
    with control_rig.control_rig(tmp_path) as rig:
        rig.start()
        with rig.connect() as wire:
            control_rig.until(
                lambda: len(wire.ask("positions", after=0)[1]["positions"]) >= 3, "three seconds of fixes", 20.0
            )
            first = [dict(zip(ring.COLUMNS, row, strict=True)) for row in wire.ask("positions")[1]["positions"]]
            assert [one["n"] for one in first] == list(range(1, len(first) + 1))
            assert all(one["trip"] is None and one["boot_id"] and one["mode"] == 3 for one in first)
            assert all(0.9 < later["mono_s"] - one["mono_s"] < 1.6 for one, later in pairwise(first))
            state = {"connected": True, "pending_notices": 0, "pending_positions": 0, "oldest_pending_s": None}
            mark = {"boot_id": first[1]["boot_id"], "mono_s": first[1]["mono_s"]}
            assert wire.ask("uplink_state", **state, told=mark)[0] == 200
            assert wire.ask("positions")[1]["positions"][0][0] == 3, "a question is answered with what is known now"
        rig.end(signal.SIGKILL)
        rig.start()
        with rig.connect() as wire:
            assert wire.ask("positions")[1]["positions"][0][0] == 3


def drive(rig: Rig, fixes: int) -> None:
    for number in range(fixes):
        rig.control.keep(fix(number))


@pytest.mark.campaign("outage")
def test_H17_100_000_fixes_through_sigkills_of_the_uplink_and_of_the_broker(
    tmp_path: Path, tell: Callable[[str, int], None]
) -> None:
    """Each is told; in order but for what a killed uplink had told since it last said so."""
    count, kills = 100_000, 6
    with mosquitto(tmp_path) as broker, uplink_rig(tmp_path, broker.port, moving_s=0, parked_s=0) as rig:
        drive(rig, count)
        found: list[int] = []
        for kill in range(kills):
            found += catch_up(rig, broker, until_told=(kill + 1) * count // (kills + 1), is_broker=kill % 3 == 2)
        found += catch_up(rig, broker, until_told=count, is_broker=False)
    first = dict.fromkeys(found)
    assert sorted(first) == list(range(count)), "some are lost"
    assert list(first) == sorted(first), "some are out of order"
    twice = len(found) - len(first)
    assert twice <= kills * 3 * TOLD_EVERY, twice
    tell("older positions told through SIGKILLs", count)
    tell("older positions told twice", twice)


def catch_up(rig: Rig, broker: Broker, until_told: int, *, is_broker: bool) -> list[int]:
    """Start the uplink, let it tell until number `until_told`, then kill it, or the broker and then it."""
    with spying(broker.port) as spy:
        rig.start()
        until(
            lambda: bool(spy.channel("track")) and last(spy) >= until_told - 1,
            within_s=120.0,
            what=f"{until_told} told",
        )
        if is_broker:
            broker.kill()
        rig.stop(signal.SIGKILL)
        found = told(spy)
    if is_broker:
        broker.start()
    return found


def last(spy: Spy) -> int:
    latitude_deg: float = spy.channel("track")[-1].json["data"]["fixes"][-1][1]
    return round((latitude_deg - 43.0) * 1e5)
