"""A stand-in for control: its protocol on a real Unix socket, its rows, its stages; and what rows look like."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from vehicle_agent.control.feed import OWED_A_LINE
from vehicle_agent.control.ring import COLUMNS, POSITIONS_A_READ
from vehicle_agent.messages.events import format_time, uuid7

VEHICLE = "kz-mp-017"
TRIP = "019ab4d0-0000-7000-8000-000000000001"
BOOT = "5b6a1e8e-3a5c-4d0e-9f38-0f6f3c9c1a11"
WITHIN_S = 8.0
Json = dict[str, Any]
Found = TypeVar("Found")


def until(look: Callable[[], Found], within_s: float = WITHIN_S, what: str = "") -> Found:
    """The first true value of `look`; an assertion that names the last one otherwise."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or look} (last: {found!r})"
        time.sleep(0.01)


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def now() -> str:
    return format_time(datetime.now(UTC))


def notice_data(notice: str, recipient: str, number: int, kind: str = "departure") -> Json:
    """A row's data as control writes it for `notice_recorded`."""
    return {
        "notice": notice,
        "kind": kind,
        "recipient": recipient,
        "recipient_sequence": number,
        "departed_at": now(),
        "arrived_at": now() if kind == "arrival" else None,
        "time_source": "gnss",
        "time_uncertainty_s": 0.2,
        "secured": True,
        "origin": "almaty-mp",
        "destination": "astana-mp",
        "destination_place": "CANARY court",
        "intermediate": ["karaganda-mp"],
        "vehicle": VEHICLE,
        "checks": {"all_passed": True, "fallbacks": []},
        "position": {"latitude_deg": 43.25, "longitude_deg": 76.92},
        "test": True,
        "corrects": None,
    }


def fix_body(**changes: object) -> Json:
    fix: Json = {
        "at": now(),
        "time": now(),
        "latitude_deg": 43.25,
        "longitude_deg": 76.92,
        "altitude_m": 848.0,
        "speed_mps": 0.0,
        "course_deg": None,
        "mode": 3,
        "trusted": True,
        "hdop": 0.9,
        "satellites": 11,
        "mono_s": time.monotonic(),
    }
    return fix | changes


class Control:
    """Speaks the control socket's protocol and keeps the rows; `stop` then `start` is a restart that loses nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Json] = []
        self.lateness: dict[str, float] = {}
        self.stages: dict[str, str] = {}
        self.cursor = 0
        self.positions: list[Json] = []  # the ring, as the columns' names and values
        self.has_ring = True
        self.told = 0  # the newest position that the broker has
        self.asked: list[Json] = []
        self.is_hung = False
        self.time_off = timedelta(0)  # what this control's clock is ahead of the system's
        self.is_starting = False
        self.snapshot: Json = {
            "rev": 1,
            "vehicle": VEHICLE,
            "at": now(),
            "clock": {"source": "gnss", "uncertainty_s": 0.2},
            "phase": "under_way",
            "trip": {
                "id": TRIP,
                "kind": "outside_settlement",
                "order": {"number": "CANARY-order", "valid_until": "2026-12-01"},
                "request_number": "CANARY-request",
                "cells": [{"cell": 1, "planned": 1, "seated": 1, "supervision": True}],
            },
            "boarding": {
                "permitted": False,
                "open": False,
                "energised": False,
                "refusals": [{"code": "wrong_phase", "rule": "16", "item": None, "since": now(), "text": "CANARY"}],
            },
            "driver": {"ready": False, "since": None},
            "checklist": [],
            "equipment": {
                "radio": {"status": "working", "reason": None, "since": now(), "detail": {"rssi_dbm": -84}},
                "cell_lock_1": {"status": "fault", "reason": "cut", "since": now()},
            },
            "counts": {"commander": 1, "body": 1, "unloaded": 0},
            "notices": [],
            "alarms": [],
            "position": None,
            "uplink": {"connected": False, "pending_notices": 0, "pending_positions": 0, "oldest_pending_s": None},
        }
        self._lock = threading.RLock()
        self._fed: list[socket.socket] = []
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(8)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            if self._listener is not None:
                with suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open, self._fed = [], []

    def append(self, type_: str, data: Json, row_id: str | None = None) -> Json:
        """A durable row, pushed to whoever is fed."""
        with self._lock:
            row: Json = {
                "seq": len(self.rows) + 1,
                "id": row_id or new_id(),
                "at": now(),
                "time_source": "gnss",
                "time_uncertainty_s": 0.2,
                "boot_id": BOOT,
                "mono_s": time.monotonic(),
                "trip": TRIP,
                "type": type_,
                "data": data,
                "prev": self.rows[-1]["hash"] if self.rows else "0" * 64,
            }
            text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            row["hash"] = hashlib.sha256((row["prev"] + text).encode()).hexdigest()
            self.rows.append(row)
            self.push("row", row)
            return row

    def record_notice(self, recipient: str, kind: str = "departure") -> Json:
        with self._lock:
            notice = new_id()
            number = 1 + sum(
                row["type"] == "notice_recorded" and row["data"]["recipient"] == recipient for row in self.rows
            )
            self.stages[notice] = "recorded"
            return self.append("notice_recorded", notice_data(notice, recipient, number, kind), notice)

    def push(self, kind: str, body: Json) -> None:
        with self._lock:
            if kind == "fix":
                self.keep(body)
            for one in list(self._fed):
                self._write(one, {"push": kind, "body": body})

    def keep(self, fix: Json, boot_id: str = BOOT) -> None:
        """A fix in the ring, whether or not anybody is fed."""
        if not isinstance(fix.get("mono_s"), float):
            return  # control's ring has typed columns
        trusted = int(fix.get("trusted") is True)
        known = {"n": len(self.positions) + 1, "boot_id": boot_id, "trip": TRIP, "trusted": trusted}
        self.positions.append({**fix, **known})

    def push_snapshot(self, **changes: object) -> None:
        self.snapshot |= changes
        self.snapshot["rev"] += 1
        self.snapshot["at"] = now()
        self.push("snapshot", self.snapshot)

    def requests(self, op: str) -> list[Json]:
        return [one for one in list(self.asked) if one["op"] == op]

    @property
    def is_feeding(self) -> bool:
        return bool(self._fed)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            self._open.append(one)
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        with suppress(OSError, ValueError), one.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                with self._lock:
                    self.asked.append(request)
                    if self.is_hung:
                        continue
                    status, body = self._answer(request)
                    parts = _parts(body) if request["op"] == "feed" and status == 200 else [body]
                    self._write(one, {"id": request["id"], "status": status, "body": parts[0]})
                    for part in parts[1:]:
                        self._write(one, {"push": "owed", "body": part})
                    if request["op"] == "feed" and status == 200:
                        for row in self.rows[self.cursor :]:
                            self._write(one, {"push": "row", "body": row})
                        self._fed.append(one)

    def _answer(self, request: Json) -> tuple[int, Json]:
        match request["op"]:
            case "snapshot":
                return 200, self.snapshot | {"at": format_time(datetime.now(UTC) + self.time_off)}
            case "feed" if self.is_starting:
                return 503, {"error": "starting"}
            case "feed":
                last = self.rows[-1] if self.rows else {"seq": 0, "hash": "0" * 64}
                owed = [
                    {"row": row, "stage": self.stages[row["id"]], "late_by_s": self.lateness.get(row["id"])}
                    for row in self.rows
                    if row["type"] == "notice_recorded" and self.stages[row["id"]] != "acknowledged"
                ]
                head = {"seq": last["seq"], "hash": last["hash"]}
                return 200, {"vehicle": VEHICLE, "boot_id": BOOT, "head": head, "cursor": self.cursor, "notices": owed}
            case "notice_sending":
                stored = self.lateness.setdefault(request["notice"], request["late_by_s"])
                return 200, {"late_by_s": stored}
            case "at_broker":
                return self._stage(request["notice"], "at_broker", request)
            case "receipt":
                return self._stage(request["notice"], request["stage"], request)
            case "cursor":
                self.cursor = max(self.cursor, request["seq"])
            case "positions" if not self.has_ring:
                return 503, {"error": "journal_unavailable"}
            case "positions":
                after = self.told if request["after"] is None else request["after"]
                found = self.positions[after : after + POSITIONS_A_READ]
                return 200, {"positions": [[fix.get(name) for name in COLUMNS] for fix in found]}
            case "uplink_state" if request["told"]:
                told = request["told"]
                same = [fix for fix in self.positions[self.told :] if fix["boot_id"] == told["boot_id"]]
                self.told = max(
                    (fix["n"] for fix in same if (fix["mono_s"] or 0.0) <= told["mono_s"]), default=self.told
                )
        return 200, {}

    def _stage(self, notice: str, stage: str, request: Mapping[str, Any]) -> tuple[int, Json]:
        if notice not in self.stages:
            return 404, {"error": "unknown notice"}
        order = ["recorded", "at_broker", "told_by_radio", "received", "acknowledged"]
        if order.index(stage) > order.index(self.stages[notice]):
            self.stages[notice] = stage
            fields = {name: request.get(name) for name in ("by", "post", "at", "sha256")}
            self.append("notice_stage", {"notice": notice, "stage": stage, **fields})
        return 200, {}

    def _write(self, one: socket.socket, message: Json) -> None:
        try:
            one.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            with suppress(ValueError):
                self._fed.remove(one)


def _parts(feed: Json) -> list[Json]:
    """The answer to `feed`, and what of its list does not fit into one line."""
    owed = feed["notices"]
    pages = [owed[at : at + OWED_A_LINE] for at in range(0, len(owed), OWED_A_LINE)] or [[]]
    parts = [{"notices": page, "more": len(owed) - (at + 1) * OWED_A_LINE} for at, page in enumerate(pages)]
    parts[-1]["more"] = 0
    return [{**feed, **parts[0]}, *parts[1:]]
