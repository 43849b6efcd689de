"""What the uplink tells after an outage or a restart: older fixes, its own death, no forged confirmation."""

from __future__ import annotations

import json
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import free_port, mosquitto
from tests.integration.uplink_control import BOOT, TRIP, fix_body, until
from tests.integration.uplink_rig import (
    Message,
    World,
    check_messages,
    first_notice,
    running_world,
    spying,
    stage_is,
    uplink_rig,
)
from tests.resources import rss_mib
from vehicle_agent.messages import jws
from vehicle_agent.uplink.fixes import Fixes
from vehicle_agent.uplink.positions import PositionRate
from vehicle_agent.uplink.track import BATCH_MAX, WINDOW_MAX, Batch, Kept, Track

Json = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_world(tmp_path) as running:
        yield running


def test_H17_fixes_of_an_outage_follow_as_track_once_and_in_order(tmp_path: Path) -> None:
    port = free_port()
    with uplink_rig(tmp_path, port, moving_s=0, parked_s=0) as rig:
        row = rig.control.record_notice("astana-mp")  # with a notice waiting it dials often
        rig.start()
        until(lambda: "refused" in rig.log.lower(), what="a dialling in vain")
        fixes = [fix_body(speed_mps=10.0, mono_s=time.monotonic() + number / 1000) for number in range(70)]
        for fix in fixes:
            rig.control.push("fix", fix)
        until(lambda: any(one["pending_positions"] == 70 for one in rig.control.requests("uplink_state")))
        with mosquitto(tmp_path, port=port), spying(port) as spy:
            until(lambda: len(spy.channel("track")) == 2, 15.0, what="two batches")
            batches = [one.json for one in spy.channel("track")]
            assert [len(one["data"]["fixes"]) for one in batches] == [60, 10]
            assert all(one["data"]["historical"] is True and one["subject"] == TRIP for one in batches)
            told = [entry for one in batches for entry in one["data"]["fixes"]]
            assert [entry[0] for entry in told] == [fix["at"] for fix in fixes]
            assert told[0][1:] == [43.25, 76.92, 10.0, None, 3, True]
            order = [one.topic.rsplit("/", 1)[1] for one in spy.messages]
            assert spy.messages.index(spy.notices("astana-mp")[0]) < order.index("track"), "the notice goes first"
            rig.control.push("fix", fix_body())
            live = until(lambda: spy.channel("position"))
            assert live[0].json["data"]["historical"] is False
            assert len(spy.channel("track")) == 2
            assert rig.control.stages[row["id"]] == "at_broker"
            check_messages(spy)


def test_live_fixes_that_a_half_open_link_swallowed_come_as_track() -> None:
    sent: list[tuple[str, Json]] = []

    batches: list[Batch] = []

    def send(channel: str, payload: bytes, subject: Kept | Batch) -> bool:
        sent.append((channel, json.loads(payload)["data"]))
        if isinstance(subject, Batch):
            batches.append(subject)
        return True

    fixes = Fixes("kz-mp-017", PositionRate(moving_s=0, parked_s=0, turn_deg=30, speed_change_mps=5))
    fixes.recovered()
    one, other = fix_body(mono_s=1.0), fix_body(mono_s=2.0)
    fixes.take(one, TRIP, 1.0, send)
    fixes.take(other, TRIP, 2.0, None)
    assert (fixes.waiting, fixes.oldest and fixes.oldest.mono_s) == (2, 1.0)
    fixes.connection_lost()
    fixes.connected()
    fixes.send_track(3.0, send)
    assert [channel for channel, _ in sent] == ["position", "track"]
    assert [entry[0] for entry in sent[1][1]["fixes"]] == [one["at"], other["at"]]
    fixes.track_answered(batches[0], 3.0, is_ok=False)
    fixes.send_track(3.1, send)
    assert len(sent) == 2, "a broker that refuses is not asked at once"
    fixes.send_track(10.0, send)
    fixes.track_answered(batches[1], 10.0, is_ok=True)
    assert sent[2] == sent[1]
    assert fixes.waiting == 0


def test_a_track_batch_is_of_one_trip_and_a_full_ring_is_thinned() -> None:
    track = Track(kept_max=200)
    for number in range(10):
        track.keep(Kept("a" if number < 4 else None, BOOT, float(number), ()))
    first = go(track, 0.0)
    assert len(first.fixes) == 4
    assert track.batch() == [], "one batch at a time, until the line has shown what it takes"
    track.answered(first, 0.1, is_ok=False)
    second = go(track, 0.2)
    assert len(second.fixes) == 4, "a refused batch stays"
    track.answered(second, 2.0, is_ok=True)
    assert (len(track), oldest_s(track)) == (6, 4.0)
    for number in range(10, 1000):
        track.keep(Kept(None, BOOT, float(number), ()))
    assert len(track) <= 200
    assert oldest_s(track) == 4.0, "the way's beginning is still told"
    assert len(track.batch()) == BATCH_MAX
    times = [one.mono_s for one in track.batch()]
    assert times == sorted(times)


def oldest_s(track: Track) -> float:
    oldest = track.oldest
    assert oldest is not None
    return oldest.mono_s


def go(track: Track, now_s: float) -> Batch:
    batch = Batch(track.batch(), now_s)
    track.sent(batch)
    return batch


def test_more_batches_fly_while_answers_are_quick_and_fewer_when_they_are_slow() -> None:
    track = Track()
    for number in range(20_000):
        track.keep(Kept(None, BOOT, float(number), ()))
    now_s, most, told = 0.0, 0, 0
    flying: list[Batch] = []
    while most < WINDOW_MAX:
        while track.batch():
            flying.append(go(track, now_s))
        most = max(most, len(flying))
        now_s += 0.2
        for batch in reversed(flying):  # in whatever order the broker answers
            track.answered(batch, now_s, is_ok=True)
            told += len(batch.fixes)
        flying.clear()
    assert now_s < 1.5, "five answers' time"
    assert len(track) == 20_000 - told
    assert oldest_s(track) == told
    for _ in range(6):
        while track.batch():
            flying.append(go(track, now_s))
        now_s += 5.0
        for batch in flying:
            track.answered(batch, now_s, is_ok=True)
        flying.clear()
    last = go(track, now_s)
    assert track.batch() == [], "on a slow line a notice waits for one batch at most"
    track.connection_lost(())
    track.answered(last, now_s, is_ok=True)
    assert go(track, now_s).fixes == last.fixes, "an answer of a connection that is gone counts for nothing"


def test_the_will_names_boot_and_journal_and_a_later_birth_the_newest_row(world: World) -> None:
    first = world.spy.channel("session")[0].json["data"]
    newest = world.rig.control.append("trip_opened", {"kind": "medical"})
    until(lambda: world.rig.control.cursor == newest["seq"])
    world.broker.kill()
    world.broker.start()
    again = until(lambda: [one for one in world.spy.channel("session")[1:] if one.json["data"]["online"]], 20.0)
    assert again[-1].json["data"]["journal"] == {"seq": newest["seq"], "hash": newest["hash"]}
    world.rig.stop(signal.SIGKILL)
    will = until(lambda: [one for one in world.spy.channel("session") if not one.json["data"]["online"]])[0].json
    assert will["data"]["boot_id"] == first["boot_id"]
    assert will["data"]["journal"]["seq"] == newest["seq"]
    assert not will["id"].startswith("00000000-"), "made when the will was left, not in 1970"


def test_one_id_never_names_two_events(world: World) -> None:
    message = first_notice_of_a_new_row(world)
    until(lambda: len(world.spy.channel("events")) >= 2, what="recorded and at_broker")
    seen: dict[str, set[bytes]] = defaultdict(set)
    for one in world.spy.messages:
        body = one.payload
        if "/notices/" in one.topic:
            body = jws.decode_base64url(json.loads(body)["payload"])
        seen[json.loads(body)["id"]].add(body)
    assert {len(bodies) for bodies in seen.values()} == {1}
    stages = [one.json for one in world.spy.channel("events")]
    assert {one["data"]["notice"] for one in stages} == {world.rig.opened(message).event.id}


def test_H15_a_restarted_uplink_still_compares_the_digest_of_what_waits_for_an_officer(world: World) -> None:
    message = first_notice_of_a_new_row(world)
    notice = world.rig.opened(message)
    world.spy.publish(*world.rig.receipt(message))
    stage_is(world, notice.event.id, "received")
    world.rig.stop(signal.SIGKILL)
    seen = len(world.spy.notices("astana-mp"))
    world.rig.start()
    until(lambda: sum(one.json["data"]["online"] for one in world.spy.channel("session")) == 2, what="a second birth")
    topic, genuine = world.rig.receipt(message, "acknowledged", by="Cpt. A")
    event = json.loads(jws.decode_base64url(json.loads(genuine)["payload"]))
    event["data"]["sha256"] = "0" * 64
    world.spy.publish(topic, jws.sign(json.dumps(event).encode(), world.rig.units["astana-mp"]))
    until(lambda: world.rig.control.requests("uplink_state")[-1].get("refused_messages"), what="a counted refusal")
    assert world.rig.control.stages[notice.event.id] == "received"
    world.spy.publish(topic, genuine)
    stage_is(world, notice.event.id, "acknowledged")
    assert len(world.spy.notices("astana-mp")) == seen, "what a unit has received is not sent again"


def first_notice_of_a_new_row(world: World) -> Message:
    world.rig.control.record_notice("astana-mp")
    return first_notice(world)


@pytest.mark.campaign("outage")
def test_H17_the_fixes_of_72_hours_fit_in_15_mib(tmp_path: Path, tell: Callable[[str, int], None]) -> None:
    """A real uplink without a broker; the limit is what the page of the track says, and a half."""
    with uplink_rig(tmp_path, free_port(), moving_s=0, parked_s=0) as rig:
        child = rig.start()
        until(lambda: rig.control.is_feeding)

        def push(first: int, count: int) -> float:
            for number in range(first, first + count):
                rig.control.push("fix", fix_body(mono_s=1000.0 + number, speed_mps=8.0, course_deg=float(number % 360)))
            until(lambda: waiting() >= first + count, 60.0)
            return rss_mib(child.pid)

        def waiting() -> int:
            reports = rig.control.requests("uplink_state")
            return int(reports[-1]["pending_positions"]) if reports else 0

        before = push(0, 1000)
        grown = push(1000, 24_900) - before
    print(f"memory grew by {grown:.1f} MiB")
    assert grown < 15.0
    tell("positions of 72 hours kept by a running uplink", 25_900)
