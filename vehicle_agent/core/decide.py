"""One scan: readings and inputs in, events and the new state out. The only place where events are made.

Every event is folded at once, so that each decision sees what the one before it did; a revocation stands in the state
before the outputs of the same scan are computed, whatever the journal is doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import alarms, notices
from . import events as ev
from .automatic import sensed_rows
from .commands import Answer, Scene, decide_command, depart
from .equipment import fold_equipment
from .evolve import evolve
from .inputs import AtBroker, Command, Input, Now, Press, Readings, Receipt
from .interlock import Refusal, has_valid_report, refusal, refusals
from .levels import fold_levels, is_chattering
from .motion import fold_fast, judge
from .panel import is_stop, on_press
from .selftest import advance, begin, fold_tone
from .settings import Settings
from .state import Live, Trip

# The permit relay outside has dropped when no pulse came for this long; only a person lets it close again.
STALL_S = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """What one scan led to; `answers` has one entry for each input, in order."""

    trip: Trip
    live: Live
    envelopes: tuple[ev.Envelope, ...]
    answers: tuple[Answer, ...]


class _Fold:
    """The trip while one scan decides, and the envelopes it has made."""

    __slots__ = ("envelopes", "live", "now", "settings", "trip")

    def __init__(self, trip: Trip, live: Live, now: Now, settings: Settings) -> None:
        self.trip, self.live, self.now, self.settings = trip, live, now, settings
        self.envelopes: list[ev.Envelope] = []

    def scene(self) -> Scene:
        return Scene(self.trip, self.live, self.now, self.settings)

    def add(self, *happened: ev.Event) -> tuple[str, ...]:
        """Give each event its identity and fold it; a departure or arrival brings its notices with it."""
        made = []
        now = self.now
        for event in happened:
            if isinstance(event, ev.TripOpened):
                trip_id: str | None = now.new_id()
            else:
                trip_id = self.trip.id
            number = event.notice if isinstance(event, ev.NoticeRecorded) else now.new_id()
            if isinstance(event, ev.NoticeStage | ev.NoticeFirstSent):
                notice = notices.find(self.trip, event.notice)
                trip_id = notice.trip if notice is not None else trip_id
            envelope = ev.Envelope(
                number, now.utc, now.mono_s, now.source, now.uncertainty_s, now.boot_id, trip_id, event
            )
            self.trip = evolve(self.trip, envelope)
            self.envelopes.append(envelope)
            made.append(number)
            if isinstance(event, ev.Departed | ev.Arrived):
                kind = "departure" if isinstance(event, ev.Departed) else "arrival"
                told = notices.owed(self.trip, kind, now, self.settings, at_utc=now.utc, where=event.position)
                made.extend(self.add(*told))
        return tuple(made)


def scan(trip: Trip, live: Live, readings: Readings, inputs: Sequence[Input], now: Now, settings: Settings) -> Step:
    """Fold one scan. Pure: the same arguments give the same step, but for the identifiers that `now` makes."""
    before = live
    fold = _Fold(trip, _observe(live, readings, now, settings), now, settings)
    answers = []
    if trip.is_open and before.is_read and readings.at_s - before.at_s > STALL_S:
        fold.add(ev.BoardingClosed("scan_stopped"))
    _revoke(fold)  # before anybody may act on an open boarding
    for item in inputs:
        answer = _answer(item, fold)
        answers.append(replace(answer, event_ids=fold.add(*answer.events)) if answer.events else answer)
    _automatic(fold, before, readings)
    live = _conclude(fold)
    return Step(fold.trip, live, tuple(fold.envelopes), tuple(answers))


def _observe(live: Live, readings: Readings, now: Now, settings: Settings) -> Live:
    at_s = readings.at_s
    levels = fold_levels(live.levels, readings)
    live = replace(
        live,
        at_s=at_s,
        levels=levels,
        fix=readings.fix,
        radio=readings.radio,
        journal_ok=readings.journal_ok,
        temperatures_c=readings.temperatures_c,
    )
    if readings.is_enabled != live.enable[0]:
        live = replace(live, enable=(readings.is_enabled, at_s))
    live = replace(live, tone=fold_tone(live, readings.contacts.get("intercom_return"), at_s))
    test = live.tests.get("beacon")
    is_expected = live.level("beacon_switch") is True or (test is not None and test.stage == "on")
    if is_expected != live.beacon_expected[0]:
        live = replace(live, beacon_expected=(is_expected, at_s))
    if readings.contacts.get("beacon_sense"):
        live = replace(live, beacon_lit_s=at_s)
    live = replace(live, equipment=fold_equipment(live, readings, now.utc, settings))
    fast = fold_fast(live.fast_since_s, readings.fix, at_s, settings)
    # A chattering contact need never show the filter two samples against "applied": it says nothing.
    handbrake = None if is_chattering(levels.get("handbrake")) else live.level("handbrake")
    motion, reason = judge(handbrake, fast, at_s)
    still = at_s if motion != "standing" else live.still_since_s
    return replace(live, fast_since_s=fast, motion=motion, motion_reason=reason, still_since_s=still)


def _answer(item: Input, fold: _Fold) -> Answer:
    match item:
        case Command():
            return decide_command(item, fold.scene())
        case Press():
            answer, fold.live = on_press(item, fold.scene())
            return answer
        case AtBroker():
            return _stage(item.notice, "at_broker", fold)
        case Receipt():
            return _receipt(item, fold)
        case _:
            notice = notices.find(fold.trip, item.notice)
            if notice is None:
                return Answer(refusals=(refusal("unknown_item", item.notice),))
            is_known = notice.late_by_s is not None  # the first value is signed already and stays
            return Answer() if is_known else Answer(events=(ev.NoticeFirstSent(item.notice, item.late_by_s),))


def _stage(number: str, stage: str, fold: _Fold) -> Answer:
    notice = notices.find(fold.trip, number)
    if notice is None:
        return Answer(refusals=(refusal("unknown_item", number),))
    is_news = notices.RANK[stage] > notices.RANK[notice.reached]
    at = notices.wire_time(fold.now.utc)
    return Answer(events=(ev.NoticeStage(number, stage, at=at),)) if is_news else Answer()


def _receipt(item: Receipt, fold: _Fold) -> Answer:
    notice = notices.find(fold.trip, item.notice)
    if notice is None or item.unit != notice.record.recipient:
        return Answer(refusals=(refusal("unknown_item", item.notice),))
    stage = notices.receipt_stage(notice, item)
    return Answer(events=(stage,)) if stage is not None else Answer()


def _automatic(fold: _Fold, before: Live, readings: Readings) -> None:
    """What happens without anybody's order, gravest first."""
    _move(fold)
    _advance_tests(fold)
    fold.add(*sensed_rows(fold.scene()))
    _revoke(fold)
    changes = _equipment_changes(fold.live, before) if fold.live.equipment is not before.equipment else []
    fold.add(*changes)
    at_utc, left = notices.better_departure(fold.trip, fold.now), fold.trip.departure
    if at_utc is not None and left is not None:
        told = notices.owed(fold.trip, "correction", fold.now, fold.settings, at_utc=at_utc, where=left.position)
        fold.add(*told)
    # A relay that is closed unbidden has used up its 300 ms when it is found: the horn does not wait for the next turn.
    if changes or fold.now.mono_s - fold.live.alarms_at_s >= alarms.EVERY_S:
        watch = alarms.advance(fold.trip, fold.live, fold.now, readings.stuck, fold.settings)
        fold.add(*watch.events)
        fold.live = replace(
            fold.live,
            conditions=watch.conditions,
            clear=watch.clear,
            came=watch.came,
            alarms_at_s=fold.now.mono_s,
        )


def _move(fold: _Fold) -> None:
    """Movement: a departure with people aboard or after boarding, otherwise a vehicle that rolls up to the door.

    An open boarding has been closed before this: movement is one of the gate's reasons.
    """
    trip = fold.trip
    if fold.live.motion != "moving":
        return
    if trip.phase in ("securing", "secured") or (trip.phase == "boarding" and trip.aboard > 0):
        fold.add(*depart(fold.scene(), "movement"))


def _advance_tests(fold: _Fold) -> None:
    if fold.trip.tests != fold.live.tests_order:
        tests = begin(fold.trip, fold.live, fold.now.mono_s, fold.settings)
        fold.live = replace(fold.live, tests=tests, tests_order=fold.trip.tests)
    if not fold.live.tests:
        return
    tests, verdicts = advance(fold.trip, fold.live, fold.now.mono_s)
    if tests is not fold.live.tests:
        fold.live = replace(fold.live, tests=tests)
    fold.add(*(ev.RowChanged(v.item, v.status, v.reason, dict(v.evidence)) for v in verdicts))


def _revoke(fold: _Fold) -> None:
    """Close an open boarding on any reason; the driver's STOP takes his report back at any time."""
    is_stopped = is_stop(fold.live)
    if fold.trip.report is not None and is_stopped:
        fold.add(ev.DriverReportDropped("driver_stop"))
    if not fold.trip.is_open:
        if fold.trip.report is not None and is_chattering(fold.live.levels.get("driver_ready")):
            fold.add(ev.DriverReportDropped("chattering"))  # its first bounces passed for a press
        return
    found = refusals(fold.trip, fold.live, fold.now.mono_s, fold.settings)
    if is_stopped:
        fold.add(ev.BoardingClosed("driver_stop", _plain(found)))
    elif found:
        fold.add(ev.BoardingClosed("revoked", _plain(found)))


def _plain(found: Sequence[Refusal]) -> tuple[dict[str, object], ...]:
    return tuple({"code": r.code, "item": r.item} for r in found)


def _equipment_changes(live: Live, before: Live) -> list[ev.Event]:
    found: list[ev.Event] = []
    for name, status in live.equipment.items():
        old = before.equipment.get(name)
        if status.was_known and (old is None or (old.status, old.reason) != (status.status, status.reason)):
            found.append(ev.EquipmentChanged(name, status.status, status.reason))
    return found


def _conclude(fold: _Fold) -> Live:
    """The refusals of this scan, kept beside the readings they were made from."""
    at_s, live = fold.now.mono_s, fold.live
    found = refusals(fold.trip, live, at_s, fold.settings)
    is_ready = has_valid_report(fold.trip, at_s, fold.settings)
    if found == live.refusals:
        return live if is_ready == live.is_driver_ready else replace(live, is_driver_ready=is_ready)
    since = {(r.code, r.item): live.refusal_since.get((r.code, r.item), fold.now.utc) for r in found}
    return replace(live, refusals=found, refusal_since=since, is_driver_ready=is_ready)
