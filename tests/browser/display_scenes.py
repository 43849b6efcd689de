"""Snapshots of each phase, as control would send them: six cells, the reference trip to Astana by way of Karaganda."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

AT = "2026-11-22T08:00:05.123Z"
SENSED = (("radio", "15"), ("beacon", "3"), ("intercom", "15"), ("ventilation", "15"), ("lighting", "15"))
ATTESTED = (
    ("body_condition", "15"),
    ("seats_fixed", "15"),
    ("objects_removed", "15"),
    ("intercom_speech", "15"),
    ("documents", "App. 1"),
    ("acceptance", "14"),
    ("at_door", "16"),
    ("servicewoman_in_escort", "4"),
)
SECURING_SENSED = (("cell_locks_locked", "17"), ("body_door_closed", "16"), ("counts_agree", "16"))
SECURING_ATTESTED = (
    ("isolation", "17"),
    ("escort_placed", "17"),
    ("keys_with_commander", "17"),
    ("commander_in_cab", "17"),
)
DOCUMENTS = ("list_3", "files", "order", "travel_documents", "route_sheet", "travel_journal", "food_certificate")
TAKEOVER = ("accompanying_list_3", "convict_files")
ACCEPTANCE = ("papers", "fit", "pregnant_certificate", "food_clothing", "infection")
EQUIPMENT = ("radio", "beacon", "intercom", "ventilation", "lighting")
PHASES = (
    "no_trip",
    "checking",
    "boarding",
    "securing",
    "secured",
    "under_way",
    "arrived",
    "unloading",
    "closed",
)


def row(item: str, rule: str, stage: str, kind: str, *, status: str, parts: tuple[str, ...] = ()) -> Json:
    made: Json = {
        "item": item,
        "rule": rule,
        "stage": stage,
        "kind": kind,
        "status": status,
        "since": AT,
        "reason": None,
        "evidence": {},
    }
    if parts:
        made["parts"] = [{"part": part, "confirmed": status == "passed"} for part in parts]
    return made


def checklist(before_boarding: str, before_departure: str, before_close: str) -> list[Json]:
    parts = {"documents": DOCUMENTS + TAKEOVER, "acceptance": ACCEPTANCE}
    rows = [row(item, rule, "before_boarding", "sensed", status=before_boarding) for item, rule in SENSED]
    rows += [row(f"cell_lock_{n}", "15", "before_boarding", "sensed", status=before_boarding) for n in range(1, 7)]
    rows.append(row("order_valid", "12.1", "before_boarding", "computed", status="passed"))
    rows += [
        row(item, rule, "before_boarding", "attested", status=before_boarding, parts=parts.get(item, ()))
        for item, rule in ATTESTED
    ]
    rows += [row(item, rule, "before_departure", "sensed", status=before_departure) for item, rule in SECURING_SENSED]
    rows += [
        row(item, rule, "before_departure", "attested", status=before_departure) for item, rule in SECURING_ATTESTED
    ]
    rows += [
        row(item, "18", "before_close", "sensed", status=before_close) for item in ("cells_seen_open", "vehicle_empty")
    ]
    return rows


def equipment() -> Json:
    loops = {**{f"cell_lock_{n}": {"loop": "locked"} for n in range(1, 7)}, "body_door": {"loop": "locked"}}
    names = (*EQUIPMENT, *loops, "gnss", "permit_output", "power")
    return {name: {"status": "working", "reason": None, "since": AT, "detail": loops.get(name, {})} for name in names}


def trip(seated: tuple[int, ...] = (0, 0, 0, 0, 0, 0)) -> Json:
    planned = (1, 2, 1, 0, 2, 1)
    return {
        "id": "t1",
        "kind": "outside_settlement",
        "takeover": True,
        "to_court": False,
        "women_on_board": True,
        "order": {"number": "125/З", "valid_until": "2026-12-01"},
        "request_number": "77",
        "destination": "astana-mp",
        "destination_place": None,
        "intermediate": ["taraz-mp", "karaganda-mp"],
        "unloading_place": None,
        "persons_planned": sum(planned),
        "cells": [
            {"cell": n, "planned": planned[n - 1], "seated": seated[n - 1], "supervision": n in (1, 5)}
            for n in range(1, 7)
        ],
        "halt": None,
        "departed_at": None,
    }


def notice(unit: str, stage: str, overdue: bool = False, by: str | None = None, kind: str = "departure") -> Json:
    return {
        "id": f"n-{kind}-{unit}",
        "kind": kind,
        "recipient": unit,
        "stage": stage,
        "at": AT,
        "by": by,
        "post": None,
        "overdue": overdue,
    }


def alarm(code: str, item: str | None, priority: str, state: str = "unacknowledged") -> Json:
    return {
        "id": f"a-{code}",
        "code": code,
        "priority": priority,
        "state": state,
        "since": AT,
        "item": item,
        "acknowledged_by": "commander" if state == "acknowledged" else None,
        "shelved_until": None,
    }


def refusal(code: str, item: str | None = None, rule: str | None = "15") -> Json:
    return {"code": code, "rule": rule, "item": item, "since": AT, "text": code}


def scene(phase: str, **changes: Any) -> Json:
    """A plain snapshot of `phase`; `changes` replace its top-level fields."""
    full = (1, 2, 1, 0, 2, 1)
    seated = {"boarding": (1, 1, 0, 0, 0, 0), "securing": full, "secured": full, "under_way": full, "arrived": full}
    aboard = {"boarding": 2, "securing": 7, "secured": 7, "under_way": 7, "arrived": 7, "unloading": 7}.get(phase, 0)
    is_idle = phase in ("no_trip", "closed")
    made: Json = {
        "rev": 100,
        "vehicle": "kz-mp-017",
        "at": AT,
        "clock": {"source": "gnss", "uncertainty_s": 0.2},
        "phase": phase,
        "trip": None if is_idle else trip(seated.get(phase, (0, 1, 1, 0, 0, 1))),
        "boarding": {
            "permitted": phase == "boarding",
            "open": phase == "boarding",
            "energised": phase == "boarding",
            "refusals": [] if phase == "boarding" else [refusal("wrong_phase", None, None)],
        },
        "driver": {"ready": phase == "boarding", "since": AT if phase == "boarding" else None},
        "checklist": []
        if is_idle
        else checklist(
            "pending" if phase == "checking" else "passed",
            "passed" if phase in ("secured", "under_way", "arrived", "unloading") else "pending",
            "pending",
        ),
        "equipment": equipment(),
        "counts": {"commander": aboard, "body": aboard, "unloaded": 4 if phase == "unloading" else 0},
        "notices": [],
        "alarms": [],
        "position": {
            "latitude_deg": 43.25,
            "longitude_deg": 76.92,
            "speed_mps": 0.0,
            "course_deg": None,
            "mode": 3,
            "age_s": 0.4,
            "trusted": True,
        },
        "motion": "moving" if phase == "under_way" else "standing",
        "uplink": {"connected": True, "pending_notices": 0, "pending_positions": 0, "oldest_pending_s": None},
    }
    if phase == "checking":
        rows = [entry for entry in made["checklist"] if entry["stage"] == "before_boarding"]
        made["boarding"]["refusals"] = [
            *(refusal("item_not_proven", e["item"], e["rule"]) for e in rows if e["status"] == "pending"),
            refusal("driver_not_ready", None, "16"),
        ]
    return copy.deepcopy(made) | copy.deepcopy(changes)


def mixed_checking() -> Json:
    """A check half done: every status once, a wire cut, the driver not ready, the vehicle not commissioned."""
    made = scene("checking")
    statuses = {
        "radio": "passed",
        "beacon": "running",
        "intercom": "failed",
        "ventilation": "expired",
        "lighting": "manual_fallback",
        "cell_lock_1": "passed",
        "cell_lock_2": "running",
        "body_condition": "passed",
    }
    for entry in made["checklist"]:
        entry["status"] = statuses.get(entry["item"], entry["status"])
        entry["reason"] = "tone_unbidden" if entry["item"] == "intercom" else None
        if entry["item"] == "documents":
            entry["parts"][0]["confirmed"] = True
    made["equipment"]["body_door"] |= {"status": "fault", "reason": "cut", "detail": {"loop": "cut"}}
    made["boarding"]["refusals"] += [
        refusal("equipment_fault", "body_door", "16"),
        refusal("not_commissioned", None, None),
    ]
    return made


def refused_boarding() -> Json:
    """Boarding revoked: the vehicle's motion is not known and a loop is cut."""
    made = scene("boarding")
    made["boarding"] = {
        "permitted": False,
        "open": False,
        "energised": False,
        "refusals": [refusal("equipment_fault", "cell_lock_2"), refusal("motion_unknown", None, "16")],
    }
    made["driver"] = {"ready": False, "since": None}
    made["counts"]["body"] = 1
    return made


def halted() -> Json:
    """A halt with one person out of cell 2."""
    made = scene("under_way", motion="standing")
    made["trip"]["halt"] = {"reason": "туалет", "since": AT, "out": [{"cell": 2, "count": 1}]}
    return made


def alarmed(phase: str = "under_way", motion: str = "moving") -> Json:
    """The longest alarm texts, several at once."""
    return scene(
        phase,
        motion=motion,
        alarms=[
            alarm("airflow_lost", "ventilation", "critical"),
            alarm("intercom_lost", "intercom", "warning"),
            alarm("notice_unconfirmed", "karaganda-mp", "warning", "acknowledged"),
            alarm("chattering", "intercom_return", "advisory"),
        ],
        equipment=equipment()
        | {
            "ventilation": {"status": "fault", "reason": "contradiction", "since": AT, "detail": {}},
            "radio": {"status": "unknown", "reason": "registration_unknown", "since": AT, "detail": {}},
        },
        notices=[
            notice("karaganda-mp", "at_broker", overdue=True),
            notice("astana-mp", "acknowledged", by="капитан Ахметов"),
            notice("taraz-mp", "recorded"),
            notice("almaty-mp", "told_by_radio"),
        ],
    )


def all_scenes() -> dict[str, Json]:
    """Every picture that a person can be shown without pressing anything."""
    made = {phase: scene(phase) for phase in PHASES}
    place = scene("under_way", motion="standing")
    place["trip"] |= {"destination": None, "destination_place": "Қарағанды облыстық мамандандырылған соты"}
    closing = scene("unloading")
    closing["counts"]["unloaded"] = 7
    securing = scene("securing")
    securing["counts"]["body"] = 6
    stuck = scene("checking")
    stuck["boarding"]["energised"] = True
    return made | {
        "checking_mixed": mixed_checking(),
        "boarding_refused": refused_boarding(),
        "boarding_alarm": alarmed("boarding", "standing"),
        "checking_alarm": alarmed("checking", "standing"),
        "securing_differ": securing,
        "under_way_standing": scene("under_way", motion="standing"),
        "under_way_alarm": alarmed(),
        "under_way_alarm_standing": alarmed("under_way", "standing"),
        "under_way_telephone": place,
        "halt": halted(),
        "closing": closing,
        "permit_stuck": stuck,
    }
