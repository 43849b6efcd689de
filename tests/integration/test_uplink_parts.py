"""The uplink's pure parts: lanes, cursor, position rate, projections; time is an argument."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.uplink_control import BOOT, TRIP, VEHICLE, fix_body, new_id, notice_data, now
from tests.integration.uplink_rig import make_signer
from vehicle_agent.messages import notices
from vehicle_agent.messages.events import CloudEvent
from vehicle_agent.uplink import eventlog, projection
from vehicle_agent.uplink.eventlog import EventLog
from vehicle_agent.uplink.outbox import Outbox
from vehicle_agent.uplink.positions import PositionRate
from vehicle_agent.uplink.stateboard import StateBoard
from vehicle_agent.uplink.walltime import WallTime

Json = dict[str, Any]
SIGNER = make_signer(VEHICLE)
FIRST_S = 5.0  # between the first two sendings


def row(seq: int, type_: str = "arrived", **data: object) -> Json:
    return {
        "seq": seq,
        "id": new_id(),
        "at": now(),
        "boot_id": BOOT,
        "mono_s": 100.0,
        "trip": TRIP,
        "type": type_,
        "data": data,
        "hash": "0" * 64,
    }


def notice_row(recipient: str, number: int, seq: int = 1) -> Json:
    found = row(seq, "notice_recorded")
    found["data"] = notice_data(found["id"], recipient, number)
    return found


def outbox(*rows: Json) -> Outbox:
    found = Outbox(SIGNER, FIRST_S, 60.0)
    for one in rows:
        found.add(one, 0.0)
        found.set_lateness(one["id"], 1.0)
    return found


def test_resends_double_from_5_s_to_60_s() -> None:
    box = outbox(notice_row("astana-mp", 1))
    now_s, gaps = 0.0, []
    for _ in range(7):
        (owed,) = box.due(now_s)
        box.published(owed, now_s)
        box.answered(owed.notice)
        gaps.append(box.next_due_s() - now_s)
        assert box.due(box.next_due_s() - 0.01) == []
        now_s = box.next_due_s()
    assert gaps == [5, 10, 20, 40, 60, 60, 60]


def test_a_lane_has_one_notice_in_flight_and_lanes_do_not_wait_for_each_other() -> None:
    box = outbox(notice_row("astana-mp", 2), notice_row("astana-mp", 1), notice_row("taraz-mp", 9))
    due = {owed.recipient: owed for owed in box.due(0.0)}
    assert {unit: owed.recipient_sequence for unit, owed in due.items()} == {"astana-mp": 1, "taraz-mp": 9}
    box.published(due["astana-mp"], 0.0)
    assert [owed.recipient for owed in box.due(0.0)] == ["taraz-mp"]
    box.answered(due["astana-mp"].notice)
    assert sorted(owed.recipient_sequence for owed in box.due(0.0)) == [2, 9]


def test_H16_a_unit_that_never_answers_holds_up_nobody_else() -> None:
    box = outbox(notice_row("astana-mp", 1), notice_row("taraz-mp", 1))
    silent, other = box.due(0.0)
    box.published(silent, 0.0)
    assert box.due(0.0) == [other]
    box.settle(other.notice, "received", 0.0)
    assert [owed.notice for owed in box.pending] == [silent.notice]


def test_a_new_connection_sends_at_once_what_no_unit_has_confirmed() -> None:
    box = outbox(notice_row("astana-mp", 1), notice_row("taraz-mp", 1))
    for owed in box.due(0.0):
        box.published(owed, 0.0)
    received = box.pending[0]
    box.settle(received.notice, "received", 0.0)
    box.connected(1.0)
    assert [owed.recipient for owed in box.due(1.0)] == ["taraz-mp"]
    assert [owed for owed in box.due(1.0 + FIRST_S) if owed.is_received] == [received], "the officer's word may be lost"
    now_s, gaps = 1.0 + FIRST_S, []
    for _ in range(6):
        box.published(received, now_s)
        box.answered(received.notice)
        box.settle(received.notice, "received", now_s)  # the desk repeats what it has
        gaps.append(received.due_s - now_s)
        now_s = received.due_s
        assert received in box.due(now_s), "the broker may have forgotten the question too"
    assert gaps == [60, 120, 240, 480, 900, 900]
    assert box.get(received.notice) is received, "its digest is needed for the officer's receipt"
    box.settle(received.notice, "acknowledged", 1e6)
    assert box.get(received.notice) is None


def test_a_new_feed_keeps_what_is_in_flight_and_drops_what_is_settled() -> None:
    rows = [notice_row("astana-mp", 1), notice_row("taraz-mp", 1)]
    box = outbox(*rows)
    flying = next(owed for owed in box.due(0.0) if owed.recipient == "astana-mp")
    box.published(flying, 0.0)
    message = flying.message
    box.load([{"row": rows[0], "stage": "at_broker", "late_by_s": 1.0}], 3.0)
    assert box.due(100.0) == []
    assert box.get(rows[1]["id"]) is None
    kept = box.get(rows[0]["id"])
    assert kept is not None
    assert kept.message == message


def test_H17_older_positions_wait_for_every_notice_that_may_be_owed() -> None:
    rows = [notice_row("astana-mp", 1), notice_row("taraz-mp", 1)]
    box = Outbox(SIGNER, FIRST_S, 60.0)
    assert not box.is_clear, "control has told nothing yet"
    box.load([{"row": one, "stage": "recorded", "late_by_s": 1.0} for one in rows], 0.0)
    for owed in box.due(0.0):
        assert not box.is_clear
        box.published(owed, 0.0)
        assert not box.is_clear, "the broker has not answered for it"
        owed.is_at_broker = True
    assert box.is_clear
    box.connected(1.0)
    assert not box.is_clear, "this broker may have forgotten them"
    for owed in box.due(1.0):
        box.published(owed, 1.0)
    assert box.is_clear
    box.lose_sight()
    assert not box.is_clear, "control may have recorded what we do not know of"
    box.load([{"row": one, "stage": "at_broker", "late_by_s": 1.0} for one in rows], 2.0)
    assert box.is_clear, "on this connection they were said"
    held = notice_row("astana-mp", 2)
    box.add(held, 2.0, is_held=True)
    assert not box.is_clear
    box.forget(held["id"])
    broken = notice_row("astana-mp", 3)
    del broken["data"]["departed_at"]
    box.add(broken, 2.0)
    box.set_lateness(broken["id"], 1.0)
    assert box.is_clear, "what can never be sent holds nothing up for ever"


def test_an_old_row_is_owed_only_if_no_old_row_settles_it() -> None:
    rows = [notice_row("astana-mp", 1), notice_row("taraz-mp", 1)]
    box = Outbox(SIGNER, 5.0, 60.0)
    for one in rows:
        box.add(one, 0.0, is_held=True)
    assert (box.due(0.0), box.pending, box.next_due_s()) == ([], (), math.inf)
    box.settle(rows[0]["id"], "received", 3.0)
    box.release()
    assert [owed.notice for owed in box.due(0.0)] == [rows[1]["id"]]


def test_the_first_stored_lateness_wins() -> None:
    box = outbox(notice_row("astana-mp", 1))
    (owed,) = box.due(0.0)
    before = owed.message
    box.set_lateness(owed.notice, 99.0)
    assert owed.message == before


@given(st.lists(st.sampled_from(["wanted", "other", "send", "ok", "no", "lost", "feed"]), max_size=80))
def test_the_cursor_never_passes_an_unanswered_row_and_nothing_is_left(steps: list[str]) -> None:
    log, flying = EventLog(), []
    stored, at_broker, wanted, head = 0, set[int](), set[int](), 0
    rows: list[tuple[Json, bool]] = []
    for step in steps:
        match step:
            case "wanted" | "other":
                head += 1
                rows.append((row(head), step == "wanted"))
                log.add(rows[-1][0], is_wanted=rows[-1][1])
                if step == "wanted":
                    wanted.add(head)
            case "send":
                for entry in log.due(math.inf):
                    entry.is_in_flight = True
                    flying.append(entry)
            case "ok" | "no" if flying:
                entry = flying.pop(0)
                if step == "ok":
                    at_broker.add(entry.seq)
                log.answered(entry, 0.0, is_ok=step == "ok")
            case "lost":
                flying.clear()
                log.connection_lost()
            case "feed":
                stored = log.cursor
                log.restart(stored, head)
                for one, is_wanted in rows[stored:]:
                    log.add(one, is_wanted=is_wanted)
        assert {seq for seq in wanted if seq <= log.cursor} <= at_broker
        assert len(flying) <= eventlog.WINDOW
    while not log.is_empty:
        for entry in log.due(math.inf) + flying:
            entry.is_in_flight = True
            at_broker.add(entry.seq)
            log.answered(entry, 0.0, is_ok=True)
        flying = []
    assert wanted <= at_broker
    assert log.cursor == head


def test_a_queue_that_is_too_long_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventlog, "QUEUE_MAX", 10)
    log = EventLog()
    rows = [row(seq) for seq in range(1, 31)]
    seen: list[int] = []
    while log.cursor < 30:
        log.restart(log.cursor, 30)
        for one in rows[log.cursor :]:
            log.add(one, is_wanted=True)
        while not log.is_empty:
            for entry in log.due(0.0):
                seen.append(entry.seq)
                log.answered(entry, 0.0, is_ok=True)
    assert seen == list(range(1, 31))


def test_another_journal_starts_the_rows_anew() -> None:
    log = EventLog()
    log.restart(0, 5)
    for seq in range(1, 6):
        log.add(row(seq), is_wanted=True)
    log.restart(0, 2)
    log.add(row(1), is_wanted=True)
    assert [entry.seq for entry in log.due(0.0)] == [1]


@pytest.mark.parametrize(
    ("changes", "after_s", "is_due"),
    [
        ({}, 299.0, False),
        ({}, 300.0, True),
        ({"speed_mps": 3.0}, 9.0, False),
        ({"speed_mps": 3.0}, 10.0, True),
        ({"speed_mps": 6.0}, 1.0, True),
        ({"speed_mps": 6.0}, 0.9, False),
        ({"speed_mps": None}, 10.0, False),
    ],
)
def test_a_parked_vehicle_is_quiet_until_it_moves(changes: Json, after_s: float, is_due: bool) -> None:
    rate = PositionRate(moving_s=10.0, parked_s=300.0, turn_deg=30.0, speed_change_mps=5.0)
    assert rate.is_due(fix_body(), 0.0)
    rate.sent(fix_body(), 0.0)
    assert rate.is_due(fix_body(**changes), after_s) is is_due


@pytest.mark.parametrize(
    ("course_deg", "is_due"), [(20.0, False), (31.0, True), (340.0, False), (325.0, True), (None, False)]
)
def test_a_bend_is_worth_a_position(course_deg: float | None, is_due: bool) -> None:
    rate = PositionRate(moving_s=10.0, parked_s=300.0, turn_deg=30.0, speed_change_mps=5.0)
    rate.sent(fix_body(speed_mps=8.0, course_deg=0.0), 0.0)
    assert rate.is_due(fix_body(speed_mps=8.0, course_deg=course_deg), 2.0) is is_due


def test_with_the_limit_off_every_fix_goes() -> None:
    rate = PositionRate(moving_s=0.0, parked_s=0.0, turn_deg=30.0, speed_change_mps=5.0)
    for tenth in range(10):
        assert rate.is_due(fix_body(speed_mps=8.0), tenth / 10)
        rate.sent(fix_body(speed_mps=8.0), tenth / 10)


def test_equal_fixes_have_equal_ids_and_others_have_not() -> None:
    fix = fix_body()
    first, again = (projection.position_event(VEHICLE, fix, TRIP).to_bytes() for _ in range(2))
    other = projection.position_event(VEHICLE, fix | {"mono_s": fix["mono_s"] + 1}, TRIP)
    assert first == again
    assert CloudEvent.from_bytes(first).id != other.id


def test_what_a_person_typed_for_the_radio_stays_in_the_vehicle() -> None:
    told = row(
        3, "notice_stage", notice=new_id(), stage="told_by_radio", by="CANARY", post="CANARY", at=now(), sha256=None
    )
    event = projection.row_event(VEHICLE, told, {})
    assert b"CANARY" not in event.to_bytes()
    assert event.data["stage"] == "told_by_radio"


def test_age_is_monotonic_within_a_boot_and_by_the_clock_over_boots() -> None:
    wall = WallTime()
    found = row(1)
    assert wall.age_s(found, BOOT, 103.5) == 3.5
    assert wall.age_s(found, "another-boot", 5.0) == 0.0
    wall.learn("2026-11-22T13:00:00Z", 10.0)
    assert wall.text(70.0) == "2026-11-22T13:01:00.000Z"
    assert wall.age_s(found | {"at": "2026-11-22T12:00:00Z"}, "another-boot", 70.0) == 3660.0
    assert wall.age_s(found | {"at": "2027-11-22T12:00:00Z"}, "another-boot", 70.0) == 0.0


def test_an_unchanged_state_is_repeated_only_while_control_answers() -> None:
    board = StateBoard(VEHICLE)
    snapshot: Json = {
        "rev": 1, "at": now(), "phase": "no_trip", "trip": None, "equipment": {}, "alarms": [],
        "boarding": {"permitted": False, "open": False, "energised": False, "refusals": []},
        "clock": {"source": "none", "uncertainty_s": None},
    }  # fmt: skip

    def is_sent(now_s: float, *, alive: bool = True, **changes: object) -> bool:
        figures = {"pending_notices": 0, "pending_positions": int(now_s), "oldest_pending_s": None}
        return board.due(snapshot | changes, figures, now(), now_s, is_control_alive=alive) is not None

    assert is_sent(0.0)
    assert not is_sent(0.5, phase="checking")
    assert is_sent(1.0, phase="checking")
    assert not is_sent(20.0, phase="checking", rev=7)
    assert is_sent(31.0, phase="checking")
    assert not is_sent(100.0, alive=False, phase="checking")
    board.connected()
    assert is_sent(100.0, alive=False, phase="checking")


def test_a_notice_whose_row_makes_no_sense_is_never_due() -> None:
    bad = notice_row("astana-mp", 1)
    bad["data"]["secured"] = "perhaps"
    box = outbox(bad)
    assert box.due(math.inf) == []
    assert len(box.pending) == 1, "it is still owed: the cab asks for a call by radio"
    with pytest.raises(ValueError, match="secured"):
        notices.build_payload(bad, 0.0)
