"""Proof that the worlds can see: each sabotage of the product breaks a promise in one of a few seeds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.world import World
from tests.delivery.outage import play_killed
from tests.delivery.world import play
from vehicle_agent.control.counter import Counter
from vehicle_agent.dispatch import register
from vehicle_agent.dispatch.desk import Desk
from vehicle_agent.dispatch.store import Store
from vehicle_agent.uplink.fixes import Fixes
from vehicle_agent.uplink.outbox import Outbox
from vehicle_agent.uplink.recovery import Recovery
from vehicle_agent.uplink.service import Uplink

SEEDS = (
    1,
    2,
    5,
    6,
    24,
    185,
    *range(7, 24),
)  # the first few are enough as things are; without a sabotage all keep their promises


def a_puback_is_taken_for_a_receipt(patch: pytest.MonkeyPatch) -> None:
    answered = Outbox.answered

    def settle(self: Outbox, notice: str) -> None:
        answered(self, notice)
        self.settle(notice, "acknowledged", 0.0)

    patch.setattr(Outbox, "answered", settle)


def a_desk_answers_before_it_has_stored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "add_notice", lambda *_: None)


def a_desk_does_not_know_what_it_has(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "known_payload", lambda *_: None)


def a_desk_answers_a_known_notice_with_silence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "owe_receipts", lambda *_: None)
    patch.setattr(Store, "owe_receipts_of", lambda *_: None)


def a_desk_hides_gaps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(register, "_gaps", lambda _: [])


def a_desk_enters_an_officer_that_never_was(patch: pytest.MonkeyPatch) -> None:
    acknowledge = Store.acknowledge
    patch.setattr(Store, "acknowledge", lambda self, notice, by, post, at: acknowledge(self, notice, "he", post, at))


def lateness_is_made_anew_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    load = Outbox.load

    def forgetful(self: Outbox, entries: Any, now_s: float) -> None:
        load(self, [{**entry, "late_by_s": None} for entry in entries], now_s)

    def at_once(self: Uplink, owed: Any, now_s: float) -> None:
        self._outbox.set_lateness(owed.notice, round(now_s - owed.row["mono_s"], 3))

    patch.setattr(Outbox, "load", forgetful)
    patch.setattr(Uplink, "_ask_lateness", at_once)


def lateness_is_told_before_it_is_on_the_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Counter, "_when_durable", lambda _self, _request, _ids, tell: tell({}))


def a_restart_forgets_what_is_owed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Outbox, "load", lambda *_: None)


def an_acknowledgement_that_the_broker_forgot_is_not_asked_for(patch: pytest.MonkeyPatch) -> None:
    def first_due_s(_self: Outbox, now_s: float, *, is_received: bool) -> float:
        return float("inf") if is_received else now_s

    patch.setattr(Outbox, "_first_due_s", first_due_s)


def receipts_of_other_units_count(patch: pytest.MonkeyPatch) -> None:
    take = Desk._enter

    def generous(self: Desk, delivery: Any, notice: Any, now: str, changes: Any) -> Any:
        found = take(self, delivery, notice, now, changes)
        self._store.acknowledge(notice.id, "nobody", None, now)
        return found

    patch.setattr(Desk, "_enter", generous)


def old_positions_go_before_notices(patch: pytest.MonkeyPatch) -> None:
    def send_track(self: Uplink, link: Any, now_s: float) -> None:
        self._fixes.send_track(now_s, self._fix_sender(link, now_s))

    def pump(self: Uplink, now_s: float) -> None:
        if self._dialler.link is not None:
            send_track(self, self._dialler.link, now_s)
        whole(self, now_s)

    whole = Uplink._pump
    patch.setattr(Uplink, "_pump", pump)


SABOTAGES: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    a_puback_is_taken_for_a_receipt,
    a_desk_answers_before_it_has_stored,
    a_desk_does_not_know_what_it_has,
    a_desk_answers_a_known_notice_with_silence,
    a_desk_hides_gaps,
    a_desk_enters_an_officer_that_never_was,
    lateness_is_made_anew_after_a_restart,
    lateness_is_told_before_it_is_on_the_disk,
    a_restart_forgets_what_is_owed,
    an_acknowledgement_that_the_broker_forgot_is_not_asked_for,
    receipts_of_other_units_count,
    old_positions_go_before_notices,
)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.__name__)
def test_H08_H09_H10_a_sabotage_is_seen(
    sabotage: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    prepared: tuple[Path, World],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sabotage(monkeypatch)
    for seed in SEEDS:
        outcome = play(seed, tmp_path / str(seed), *prepared)
        shutil.rmtree(tmp_path / str(seed))
        if outcome.wrong:
            print(outcome)
            return
    pytest.fail(f"{len(SEEDS)} worlds did not notice")


def a_started_uplink_leaves_the_ring_unread(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Recovery, "_ask", lambda self, after: self._fixes.recovered())


def the_mark_runs_ahead_of_what_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Fixes, "oldest", property(lambda self: None))


def fixes_of_the_boot_before_are_not_told(patch: pytest.MonkeyPatch) -> None:
    recover = Fixes.recover

    def narrow(self: Fixes, fix: Any) -> None:
        if fix["boot_id"] == self.boot_id:
            recover(self, fix)

    patch.setattr(Fixes, "recover", narrow)


@pytest.mark.parametrize(
    "sabotage",
    [a_started_uplink_leaves_the_ring_unread, the_mark_runs_ahead_of_what_waits, fixes_of_the_boot_before_are_not_told],
    ids=lambda sabotage: sabotage.__name__,
)
def test_H17_a_sabotage_of_the_older_positions_is_seen(
    sabotage: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    prepared: tuple[Path, World],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sabotage(monkeypatch)
    for seed in range(3):
        _, world = play_killed(seed, tmp_path / str(seed), prepared)
        if world.lost():
            return
    pytest.fail("three worlds did not notice")
