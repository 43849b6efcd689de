"""The panel's presses: the driver's report (Rule 16) and the body escort's repeated count. Only buttons give these."""

from __future__ import annotations

from dataclasses import replace

from . import events as ev
from .commands import Answer, Scene
from .inputs import Press
from .interlock import before_boarding, refusals
from .levels import is_chattering
from .state import Live, Row

PRESS_S = (0.05, 3.0)  # contract.md: one press, one person
TAKE_BACK_S = (3.0, 8.0)
FALLBACK_WITHIN_S = 30.0
_WATCHED_IN = ("securing", "secured", "under_way", "arrived", "unloading")

# What the driver cannot help by pressing: everything but his own missing or outdated report.
_HIS_OWN = frozenset({"driver_not_ready", "driver_report_outdated"})


def is_stop(live: Live) -> bool:
    """Whether the driver says STOP. A contact that bounces may hide a pressed button from the filter, so it counts."""
    return live.level("driver_stop") is True or is_chattering(live.levels.get("driver_stop"))


def on_press(press: Press, scene: Scene) -> tuple[Answer, Live]:
    """The answer to a button, and what the lamps then show."""
    if press.button == "driver_ready":
        return _driver_ready(press, scene)
    if press.button == "driver_stop":
        return _driver_stop(scene), scene.live
    if press.button != "body_count":
        return Answer(), scene.live
    answer = _body_count(press, scene)
    return answer, replace(scene.live, counted_s=scene.now.mono_s) if answer.events else scene.live


def _is_short(press: Press) -> bool:
    return PRESS_S[0] <= press.hold_s < PRESS_S[1]


def _driver_ready(press: Press, scene: Scene) -> tuple[Answer, Live]:
    trip, live = scene.trip, scene.live
    if not _is_short(press) or trip.phase not in ("checking", "boarding", "securing"):
        return Answer(), live
    if is_chattering(live.levels.get("driver_ready")):
        return Answer(), live  # a loose contact presses like a finger, only more often
    if trip.fallback is not None and _is_fallback_due(scene):
        reason = "manual_fallback"
        return Answer(events=(ev.RowChanged(trip.fallback[0], reason, "sensor_faulty"),)), live
    if trip.is_open:
        return Answer(), live
    is_complete = all(trip.rows.get(row.item, Row()).is_good for row in before_boarding(trip, scene.settings))
    against = [r for r in refusals(trip, live, scene.now.mono_s, scene.settings) if r.code not in _HIS_OWN]
    if is_complete and not is_stop(live) and not any(r.code in ("vehicle_moving", "motion_unknown") for r in against):
        return Answer(events=(ev.DriverReported(),)), live
    return Answer(refusals=tuple(against)), replace(live, refused_press_s=scene.now.mono_s)


def _driver_stop(scene: Scene) -> Answer:
    """Mostly the level, looked at in every scan, has closed boarding; a press that only the panel saw counts too."""
    found: list[ev.Event] = []
    if scene.trip.report is not None:
        found.append(ev.DriverReportDropped("driver_stop"))
    if scene.trip.is_open:
        found.append(ev.BoardingClosed("driver_stop"))
    return Answer(events=tuple(found))


def _is_fallback_due(scene: Scene) -> bool:
    assert scene.trip.fallback is not None
    item, asked_s, boot_id = scene.trip.fallback
    is_fresh = boot_id == scene.now.boot_id and scene.now.mono_s - asked_s <= FALLBACK_WITHIN_S
    return is_fresh and not scene.trip.rows.get(item, Row()).is_good


def _body_count(press: Press, scene: Scene) -> Answer:
    trip = scene.trip
    if trip.phase == "boarding":
        if _is_short(press):
            return Answer(events=(ev.BodyCounted(1),))
        is_back = TAKE_BACK_S[0] <= press.hold_s <= TAKE_BACK_S[1] and trip.body > 0
        return Answer(events=(ev.BodyCounted(-1),)) if is_back else Answer()
    is_all_out = trip.phase == "unloading" and trip.aboard == 0
    if is_all_out and _is_short(press) and not trip.rows.get("vehicle_empty", Row()).is_good:
        return Answer(events=(ev.RowChanged("vehicle_empty", "passed", None, {"pressed": True}),))
    # After boarding his button says that he has looked at the people.
    is_watch = scene.settings.welfare_check_s is not None and trip.phase in _WATCHED_IN and trip.aboard > 0
    return Answer(events=(ev.WelfareChecked("body_escort"),)) if is_watch and _is_short(press) else Answer()
