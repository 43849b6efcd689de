"""A crew that goes on whatever is killed under its hands: looks at the display, does the next thing, looks again.

Every answer that said "accepted" is remembered with its row's number: that row must be in the journal for ever.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from simulators.scenario.commander import Commander
from simulators.scenario.errors import NotMetError
from simulators.stack.calls import call
from tests.scenarios.running import until

Json = dict[str, Any]
ROWS_OF = {
    "open_trip": "trip_opened",
    "open_boarding": "boarding_opened",
    "board_person": "person_boarded",
    "finish_boarding": "boarding_finished",
    "secure": "trip_secured",
    "depart": "departed",
    "arrive": "arrived",
    "open_unloading": "unloading_opened",
    "unload_person": "person_unloaded",
    "close_trip": "trip_closed",
}
TRIP: Json = {
    "kind": "within_settlement",
    "takeover": False,
    "to_court": True,
    "women_on_board": False,
    "order": {"number": "17/2", "valid_until": "2099-12-31"},
    "request_number": "44",
    "destination": "astana-mp",
    "destination_place": None,
    "intermediate": ["karaganda-mp"],
    "unloading_place": None,
    "cells": [{"cell": 1, "planned": 1, "supervision": False}, {"cell": 2, "planned": 1, "supervision": True}],
}
UNLOCKED_S = 0.6  # a lock's proof needs 300 ms
TAKE_BACK_S = 3.5  # COUNT held for so long takes one back
LOOK_AGAIN_S = 2.0
SHOW_AGAIN_S = 5.0  # a contact that moves more often chatters


class Crew:
    """Commander, driver, body escort and the duty officer, in one thread."""

    def __init__(self, ready: Json) -> None:
        self._bench, self._desk = ready["bench"], ready["desk"]
        self._commander = Commander(ready["display"])
        self.accepted: list[tuple[int, str]] = []
        self.trips = 0
        self._shown_s = float("-inf")

    def step(self) -> str:
        """Do whatever the display says is next; the phase that it showed, empty while it shows nothing."""
        self.acknowledge()
        seen = self._commander.look()
        if seen is None:
            return ""
        phase = str(seen["phase"])
        with contextlib.suppress(NotMetError):  # control or display is just being started again
            self._next(phase, seen)
        return phase

    def _next(self, phase: str, seen: Json) -> None:
        match phase:
            case "no_trip" | "closed":
                self._give("open_trip", **TRIP)
            case "checking":
                self._check(seen)
            case "boarding":
                self._board(seen)
            case "securing":
                self._confirm(seen, "before_departure")
                self._give("secure")
            case "secured":
                self._give("depart")
            case "under_way":
                self._give("arrive")
            case "arrived":
                self._give("open_unloading")
            case "unloading":
                self._unload(seen)

    def _check(self, seen: Json) -> None:
        missing = [row for row in seen["checklist"] if row["stage"] == "before_boarding" and not _is_good(row)]
        self._confirm(seen, "before_boarding")
        if any(row["kind"] == "sensed" and row["status"] != "running" for row in missing):
            self._give("start_tests")
        locks = [row["item"] for row in missing if row["item"].startswith("cell_lock_") and row["status"] == "running"]
        if locks and time.monotonic() - self._shown_s > SHOW_AGAIN_S:
            self._shown_s = time.monotonic()
            self._show_locks([lock.replace("_lock", "") for lock in locks])
        if not missing:
            self._press("driver_ready")
            self._give("open_boarding")

    def _board(self, seen: Json) -> None:
        counts = seen["counts"]
        if counts["body"] < counts["commander"]:
            self._press("body_count")
            until(lambda: (self._commander.look() or seen)["counts"] != counts, LOOK_AGAIN_S)
        elif counts["body"] > counts["commander"]:
            self._press("body_count", hold_s=TAKE_BACK_S)  # the look came before the press did
        elif counts["commander"] < 1:
            if seen["boarding"]["open"]:
                self._give("board_person", cell=1)
            else:
                self._check(seen)
        else:
            self._give("finish_boarding")

    def _unload(self, seen: Json) -> None:
        self._bench_put("wires/cell_1", {"set": "both_open"})
        self._leave("cell_1")
        if seen["counts"]["unloaded"] < seen["counts"]["commander"]:
            self._give("unload_person", cell=1)
        self._press("body_count")
        self._confirm(seen, "before_close")
        if self._give("close_trip"):
            self.trips += 1
        self._bench_put("wires/cell_1", {"set": "auto"})

    def _confirm(self, seen: Json, stage: str) -> None:
        for row in seen["checklist"]:
            if row["stage"] != stage or row["kind"] != "attested" or _is_good(row):
                continue
            for part in row.get("parts") or [None]:
                if part is None:
                    self._give("confirm", item=row["item"])
                elif not part["confirmed"]:
                    self._give("confirm", item=row["item"], part=part["part"])

    def _show_locks(self, cells: list[str]) -> None:
        for cell in cells:
            self._bench_put(f"wires/{cell}", {"set": "both_open"})
        for cell in cells:
            self._leave(cell)
            self._bench_put(f"wires/{cell}", {"set": "auto"})

    def _leave(self, wire: str) -> None:
        """Until the wire has kept its level long enough, by the bench's clock."""

        def has_stood() -> bool:
            since_ns = call("GET", self._bench, "/api/v1/wires").body["wires"][wire]["since_ns"]
            return bool(time.monotonic_ns() - since_ns >= UNLOCKED_S * 1e9)

        until(has_stood, 10 * UNLOCKED_S)

    def _give(self, name: str, **arguments: Any) -> bool:
        """One command; refused is no fault here, the next look tells what is missing."""
        self._commander.attempt(name, arguments)
        answer = self._commander.answers[-1]
        if answer.status != 200:
            return False
        self.accepted.append((int(answer.body["seq"]), name))
        return True

    def _press(self, button: str, hold_s: float = 0.2) -> None:
        call("POST", self._bench, f"/api/v1/press/{button}", {"hold_s": hold_s})

    def _bench_put(self, path: str, body: Json) -> None:
        call("PUT", self._bench, f"/api/v1/{path}", body)

    def acknowledge(self) -> None:
        """The duty officers sign for whatever lies on their desks."""
        found = call("GET", self._desk, "/api/v1/notices")
        for row in found.body if found.status == 200 else []:
            if row["stage"] == "received":
                call(
                    "POST",
                    self._desk,
                    f"/api/v1/notices/{row['id']}/acknowledge",
                    {"by": "officer", "post": "duty room"},
                )


def _is_good(row: Json) -> bool:
    return row["status"] in ("passed", "manual_fallback")
