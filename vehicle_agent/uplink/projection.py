"""What leaves the vehicle besides notices: named fields picked one by one, so nothing new can slip out (privacy rule).

The commander's cell plan, the order, the counts and every text that a person typed stay in the vehicle; `reason` and
`item` pass only as words of the program.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vehicle_agent.messages.events import CloudEvent, parse_time, unix_ms, uuid7, vehicle_source
from vehicle_agent.messages.limits import MessageError
from vehicle_agent.uplink.track import Kept

ALARMS_MAX = 10  # contract: the ten gravest
REFUSALS_MAX = 32
SCHEMA_VERSION = 1
_CODE = re.compile(r"[a-z0-9_]{1,48}")
_GRAVITY = {"critical": 0, "warning": 1, "advisory": 2}
_URGENCY = {"unacknowledged": 0, "acknowledged": 1, "returned": 2}
PHASE_AFTER = {
    "trip_opened": "checking",
    "boarding_opened": "boarding",
    "boarding_finished": "securing",
    "trip_secured": "secured",
    "departed": "under_way",
    "arrived": "arrived",
    "unloading_opened": "unloading",
    "trip_closed": "closed",
    "trip_cancelled": "closed",
}
_ALARM_CHANGE = {f"alarm_{change}": change for change in ("raised", "returned", "acknowledged", "shelved", "unshelved")}


def concerns_dispatch(row: Mapping[str, Any]) -> bool:
    """Whether a journal row is published on the `events` topic."""
    return _kind_of(row) is not None


def row_event(vehicle: str, row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> CloudEvent:
    """The event for a row of which `concerns_dispatch` holds; its id (but of a new notice) and sequence are the row's.

    `known` maps an alarm's or a notice's id to what its first row said: later rows name the id only.
    """
    kind, data = str(_kind_of(row)), row["data"]
    match kind:
        case "phase":
            content = {
                "phase": PHASE_AFTER[row["type"]],
                "secured": data.get("secured"),
                "inside": data.get("inside"),
            }
        case "alarm":
            about = data if row["type"] == "alarm_raised" else known.get(data["alarm"], {})
            content = {
                "alarm": data["alarm"],
                "change": _ALARM_CHANGE[row["type"]],
                "code": code_or_none(about.get("code")),
                "priority": about.get("priority"),
                "item": code_or_none(about.get("item")),
            }
        case "notice_stage":
            content = _notice_stage(row, known)
        case _:
            content = {"item": data["item"], "reason": code_or_none(data.get("reason"))}
    # The row of a new notice is told twice: to its recipient under the row's own id, and here. One id names one event.
    is_told_twice = row["type"] == "notice_recorded"
    identifier = event_id(row["at"], vehicle, "notice_stage", row["id"]) if is_told_twice else row["id"]
    return CloudEvent(
        identifier, kind, vehicle_source(vehicle), content, row["at"], subject=row["trip"], sequence=row["seq"]
    )


def state_event(vehicle: str, snapshot: Mapping[str, Any], figures: Mapping[str, Any], at: str) -> CloudEvent:
    """The retained state: an allow-list of the snapshot, and the uplink's own figures. Fits the size limit whatever the
    number of cells."""
    boarding = snapshot["boarding"]
    refusals = [
        {"code": one["code"], "rule": one.get("rule"), "item": code_or_none(one.get("item"))}
        for one in boarding["refusals"]
    ]
    alarms = sorted(snapshot["alarms"], key=_alarm_order)
    shown = REFUSALS_MAX
    while True:
        data = {
            "rev": snapshot["rev"],
            "phase": snapshot["phase"],
            "boarding": {
                "permitted": boarding["permitted"],
                "open": boarding["open"],
                "energised": boarding["energised"],
                "refusals": refusals[:shown],
                "refusals_total": len(refusals),
            },
            "equipment": {name: _equipment(one) for name, one in snapshot["equipment"].items()},
            "alarms": [_alarm(one) for one in alarms[:ALARMS_MAX]],
            "alarms_total": len(alarms),
            "clock": {"source": snapshot["clock"]["source"], "uncertainty_s": snapshot["clock"]["uncertainty_s"]},
            "uplink": dict(figures),
        }
        event = CloudEvent(
            event_id(at, vehicle, "state", snapshot["rev"]), "state", vehicle_source(vehicle), data, at,
            subject=trip_of(snapshot),
        )  # fmt: skip
        try:
            event.to_bytes()
        except MessageError as error:
            if error.code != "oversize" or shown == 0:
                raise
            shown //= 2
        else:
            return event


def position_event(vehicle: str, fix: Mapping[str, Any], trip: str | None) -> CloudEvent:
    """A live fix. Its id is a function of the fix, so one that is sent twice is known."""
    data = {
        "time": fix["time"],
        "latitude_deg": fix["latitude_deg"],
        "longitude_deg": fix["longitude_deg"],
        "altitude_m": fix["altitude_m"],
        "speed_mps": fix["speed_mps"],
        "course_deg": fix["course_deg"],
        "mode": fix["mode"],
        "satellites": fix["satellites"],
        "hdop": fix["hdop"],
        "trusted": fix["trusted"],
        "historical": False,
    }
    at = fix["at"]
    return CloudEvent(
        event_id(at, vehicle, "position", fix["mono_s"]), "position", vehicle_source(vehicle), data, at, subject=trip
    )


def track_point(fix: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a batch tells of one fix, in the schema's order."""
    names = ("at", "latitude_deg", "longitude_deg", "speed_mps", "course_deg", "mode", "trusted")
    return tuple(fix[name] for name in names)


def track_event(vehicle: str, fixes: Sequence[Kept]) -> CloudEvent:
    """Older fixes of one trip, oldest first; its time is that of the newest."""
    first, last = fixes[0], fixes[-1]
    at, trip = last.point[0], last.trip
    detail = (first.mono_s, last.mono_s, len(fixes))
    data = {"historical": True, "fixes": [list(one.point) for one in fixes]}
    return CloudEvent(event_id(at, vehicle, "track", detail), "track", vehicle_source(vehicle), data, at, subject=trip)


def session_event(
    vehicle: str,
    *,
    is_online: bool,
    reason: str | None,
    software: str,
    boot_id: str | None,
    head: Mapping[str, Any] | None,
    at: str | None,
    made_at: str | None,
) -> CloudEvent:
    """Birth, death, or (without a time) the last will. `boot_id` and the journal's `head` are None while control has
    not been seen."""
    data = {
        "online": is_online,
        "reason": reason,
        "software": software,
        "schema_version": SCHEMA_VERSION,
        "boot_id": boot_id,
        "journal": {"seq": head["seq"], "hash": head["hash"]} if head else None,
    }
    # The will's moment is unknown when it is written; an id needs a time all the same.
    return CloudEvent(
        event_id(at or made_at or "1970-01-01T00:00:00Z", vehicle, "session", repr(data)),
        "session",
        vehicle_source(vehicle),
        data,
        at,
    )


def event_id(at: str, vehicle: str, what: str, detail: object) -> str:
    """UUIDv7 for what is no journal row: the same event has the same id."""
    digest = hashlib.sha256(f"{vehicle} {what} {at} {detail}".encode()).digest()
    return uuid7(unix_ms(parse_time(at)), digest)


def trip_of(snapshot: Mapping[str, Any] | None) -> str | None:
    """The open trip's id."""
    trip = snapshot["trip"] if snapshot else None
    return trip["id"] if trip else None


def code_or_none(value: object) -> str | None:
    """A word of the program; anything that a person or a device may have worded stays here."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _kind_of(row: Mapping[str, Any]) -> str | None:
    name = row["type"]
    if name in PHASE_AFTER:
        return "phase"
    if name in _ALARM_CHANGE:
        return "alarm"
    if name in ("notice_recorded", "notice_stage"):
        return "notice_stage"
    if name == "row_changed" and row["data"]["status"] == "manual_fallback":
        return "fallback"
    return None


def _notice_stage(row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    data = row["data"]
    is_new = row["type"] == "notice_recorded"
    about = data if is_new else known.get(data["notice"], {})
    stage = "recorded" if is_new else data["stage"]
    # Officers' names come out of signed receipts and are part of the record; what the commander typed for a call by
    # radio is not sent.
    is_signed = stage in ("received", "acknowledged")
    return {
        "notice": data["notice"],
        "kind": about.get("kind"),
        "recipient": about.get("recipient"),
        "stage": stage,
        "by": data.get("by") if is_signed else None,
        "post": data.get("post") if is_signed else None,
        "at": data.get("at"),
        "sha256": data.get("sha256"),
    }


def _equipment(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": one["status"], "reason": code_or_none(one.get("reason")), "since": one.get("since")}


def _alarm(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],
        "code": one["code"],
        "priority": one["priority"],
        "state": one["state"],
        "since": one.get("since"),
        "item": code_or_none(one.get("item")),
    }


def _alarm_order(one: Mapping[str, Any]) -> tuple[int, int]:
    return _GRAVITY.get(one["priority"], 3), _URGENCY.get(one["state"], 3)
