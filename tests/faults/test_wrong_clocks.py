"""Trips under clocks that jump by decades: told at once, flagged, corrected once, and no duration moves (H11, H12).

The real clock of control and the real core; the true time is known here alone. A trip is secured when the clock begins
to go wrong, departs at a drawn moment, and gets a receiver sooner or later, or never.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.core.world import SCAN_S, START, World
from vehicle_agent.control.chain import Head
from vehicle_agent.control.clock import Clock
from vehicle_agent.control.journal import seal
from vehicle_agent.core import events as ev
from vehicle_agent.core.inputs import Fix, Now
from vehicle_agent.core.notices import GOOD_SOURCES
from vehicle_agent.messages import notices
from vehicle_agent.messages.events import CloudEvent, parse_time, unix_ms, uuid7

Tell = Callable[[str, int], None]
SEED = "CLOCK_SEED"  # environment variable: plays this one trip again
YEAR_S = 365.25 * 86_400.0
ROLL_S = 1024 * 7 * 86_400.0  # a receiver's week number has ten bits
CONFIRM_WITHIN_S = 120.0


class Wrong(World):
    """A vehicle whose system clock is `off_s` from the truth, and whose receiver may be silent, honest or old."""

    def begin(self, rng: random.Random) -> None:
        self.rng, self.off_s, self.steps = rng, 0.0, 0
        self.receiver = "silent"
        self.began_s = self.mono_s
        self.synchronised: float | None = None
        self.next_fix_s = 0.0
        self.clock = Clock(mono=lambda: self.mono_s, wall=self._system_s, synchronisation=lambda: self.synchronised)

    @property
    def true_utc(self) -> datetime:
        return START + timedelta(seconds=self.mono_s - 100.0)

    def _system_s(self) -> float:
        return self.true_utc.timestamp() + self.off_s

    def now(self) -> Now:
        if not hasattr(self, "clock"):
            return super().now()
        wall = self.clock.now(self.mono_s)
        number = next(self.numbers)
        return Now(
            self.mono_s, wall.utc, wall.source, wall.uncertainty_s, self.boot_id,
            lambda: uuid7(unix_ms(self.true_utc), (number * 1000 + next(self.numbers)).to_bytes(10, "big")),
        )  # fmt: skip

    def step(self) -> None:
        """The system's clock is set by somebody, or wakes up elsewhere."""
        self.steps += 1
        self.off_s = self.rng.choice(
            [
                self.rng.uniform(-20, 20) * YEAR_S,
                -self.true_utc.timestamp(),  # 1970
                -ROLL_S,
                ROLL_S,
                self.rng.uniform(-2, 2),
                0.0,
            ]
        )
        self.synchronised = self.rng.choice([None, None, 0.05]) if abs(self.off_s) < 0.05 else None

    def go(self, seconds: float) -> None:
        for _ in range(round(seconds / SCAN_S)):
            if self.receiver != "silent" and self.mono_s >= self.next_fix_s:
                self.next_fix_s = self.mono_s + 1.0
                shift_s = -ROLL_S if self.receiver == "1024 weeks old" else 0.0
                utc = self.true_utc + timedelta(seconds=shift_s)
                self.clock.feed(Fix(at_s=self.mono_s, mode=3, valid=True, trusted=True, time_utc=utc))
            self.clock.tick(self.mono_s)
            self.scan()


def play(seed: int) -> Counter[str]:
    """One trip; what happened in it."""
    rng = random.Random(seed)
    w = Wrong()
    w.to_secured()
    w.begin(rng)
    for _ in range(rng.randrange(4)):
        w.step()
        w.go(rng.choice([0.02, 0.1, 1.0]))
    w.receiver = rng.choice(["silent", "silent", "1024 weeks old", "honest"])
    w.go(rng.choice([0.1, 5.0]))
    left_s, source, told = w.mono_s, w.clock.now(w.mono_s).source, len(w.happened(ev.NoticeRecorded))
    w.contacts["handbrake"], w.speed_mps = False, 10.0
    w.go(0.5)
    departures = w.happened(ev.NoticeRecorded)[told:]
    first = [one for one in departures if one.kind == "departure"]
    assert len(first) == 3, "not told at once"
    departed_s = next(one.at_s for one in w.envelopes if isinstance(one.event, ev.Departed))
    assert departed_s - left_s < 0.5
    truth = START + timedelta(seconds=departed_s - 100.0)
    is_off = abs((parse_time(first[0].departed_at) - truth).total_seconds()) > 5.0
    assert not (is_off and first[0].time_source in GOOD_SOURCES), "a wrong time in the name of a good clock"
    assert {one.time_source for one in first} == {first[0].time_source}
    if source == first[0].time_source and source not in GOOD_SOURCES:
        assert first[0].time_uncertainty_s is None
    before = [repr(one) for one in w.envelopes]
    while w.mono_s < departed_s + CONFIRM_WITHIN_S - 0.2:
        if rng.random() < 0.2:
            w.step()
        if rng.random() < 0.02:
            w.receiver = rng.choice(["silent", "honest", "1024 weeks old"])
        w.go(min(1.0, departed_s + CONFIRM_WITHIN_S - 0.1 - w.mono_s))
    assert not _overdue(w), "sooner than two minutes"
    w.go(0.3)
    assert _overdue(w) == {one.recipient for one in first}, "the two minutes are not two minutes"
    w.receiver = "honest"
    w.go(6.0)
    corrections = [one for one in w.happened(ev.NoticeRecorded) if one.kind == "correction"]
    if first[0].time_source in GOOD_SOURCES:
        assert not corrections
    else:
        assert [one.corrects for one in corrections] == [one.notice for one in first], "each is corrected once"
        for one in corrections:
            assert (
                abs((parse_time(one.departed_at) - truth).total_seconds()) <= 2.5
            )  # two scans, and two clocks that differ
            assert one.time_source in GOOD_SOURCES
    assert [repr(one) for one in w.envelopes[: len(before)]] == before, "a row was edited"
    moments = [one.at_s for one in w.envelopes]
    assert moments == sorted(moments), "the record goes backwards"
    _can_be_sent(w)
    return Counter(
        {
            "trips": 1, "steps": w.steps, "departures under a clock that was off by more than 5 s": int(is_off),
            "corrections": len(corrections),
        }
    )  # fmt: skip


def _overdue(w: World) -> set[str]:
    return {one["recipient"] for one in w.snapshot()["notices"] if one["overdue"] and one["kind"] == "departure"}


def _can_be_sent(w: World) -> None:
    """Every notice becomes a message that fits the schema, whatever the year was."""
    head = Head()
    for envelope in w.envelopes:
        row: dict[str, Any] = seal(envelope, head)
        head = Head(row["seq"], row["hash"])
        if isinstance(envelope.event, ev.NoticeRecorded):
            data = {**ev.to_data(envelope.event), "intermediate": list(envelope.event.intermediate)}
            fallbacks = list(data["checks"]["fallbacks"])
            payload = notices.build_payload(
                {**row, "data": {**data, "checks": {**data["checks"], "fallbacks": fallbacks}}}, 1.0
            )
            assert CloudEvent.from_bytes(payload).data["departed_at"] == envelope.event.departed_at


@pytest.mark.parametrize("count", [10, pytest.param(400, marks=pytest.mark.campaign("loss"))])
def test_H11_H12_departures_under_clocks_that_jump_by_decades(count: int, tell: Tell) -> None:
    asked = os.environ.get(SEED)
    first = int(asked) if asked else secrets.randbelow(2**31)
    print(f"{SEED}={first} and following")
    counts: Counter[str] = Counter()
    for seed in range(first, first + (1 if asked else count)):
        try:
            counts += play(seed)
        except AssertionError as error:
            raise AssertionError(f"play it again with {SEED}={seed}: {error}") from error
    for name, number in counts.items():
        tell(f"wrong clocks: {name}", number)
    assert asked or counts["departures under a clock that was off by more than 5 s"] > count // 10
