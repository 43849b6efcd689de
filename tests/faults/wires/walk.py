"""A trip that can be brought into any phase again and again, by the public ways only: commands, buttons, doors."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulators.stack.variants import VARIANTS
from tests.faults.wires.cases import PHASES
from tests.integration.control_rig import ControlRig, Json, trip, until

CELLS = ("cell_1", "cell_2")
ATTESTED = ("body_condition", "seats_fixed", "objects_removed", "intercom_speech")
ACCEPTANCE = ("papers", "fit", "pregnant_certificate", "food_clothing", "infection")
SECURING = ("isolation", "escort_placed", "keys_with_commander", "commander_in_cab")
SEEN_S = 0.4  # a lock is proven by 300 ms in each of its states
PRESS_S = 0.25  # shorter taps in a row would look like chatter
TAKE_BACK_S = 3.3
RELEASED_S = 0.3  # pressed again at once a button would never have been let go
CALM_S = 45.0  # ten seconds after chatter, twenty more until an unsteady alarm returns, and what the proofs take
START_S = 60.0  # several vehicles start at once
SETTLED_NS = 300_000_000  # a relay that just closed has 200 ms to be read back
TRIP = {
    **{name: value for name, value in trip(0).items() if name != "rev"},
    "cells": [{"cell": 1, "planned": 1, "supervision": False}, {"cell": 2, "planned": 1, "supervision": False}],
}


class Walk:
    """One vehicle and its commander. What touches the vehicle is at the beginning; the rest is the trip."""

    def __init__(self, rig: ControlRig) -> None:
        self.rig = rig
        self._wire = rig.start(START_S)
        self._token = rig.session(self._wire)
        self.until(lambda: self._wire.ask("commission", by="test")[0] == 200, "commissioned")
        self._journal = sqlite3.connect(f"file:{rig.state_dir / 'journal.db'}?mode=ro", uri=True)

    def close(self) -> None:
        self._journal.close()

    def bench(self, method: str, path: str, body: object = None) -> Any:
        return self.rig.bench(method, path, body)

    def until(self, condition: Callable[[], Any], what: str, within_s: float = 5.0) -> None:
        """Wait for it. AssertionError says what did not come."""
        until(condition, what, within_s)

    def hold(self, span_s: float) -> None:
        """Let the wires stay as they are."""
        end_s = time.monotonic() + span_s
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(left_s)

    def now_ns(self) -> int:
        """The bench's own clock."""
        return time.monotonic_ns()

    def look(self) -> Json:
        return self._wire.ask("snapshot")[1]

    def scans_left_out(self) -> int:
        """Scans that control could not make in their time since it began: the machine was busy elsewhere."""
        return int(self._wire.ask("health")[1]["scans_left_out"])

    def act(self, name: str, **arguments: Any) -> tuple[int, Json]:
        """One command; repeated when the view moved in between."""
        for _ in range(50):
            body = {"rev": self.look()["rev"], **arguments}
            answer = self._wire.ask("command", name=name, session=self._token, body=body)
            if answer[0] != 409 or answer[1]["refusals"][0]["code"] != "stale_view":
                return answer
        raise AssertionError(f"{name}: the view never stands still")

    def must(self, name: str, **arguments: Any) -> None:
        status, body = self.act(name, **arguments)
        assert status == 200, (name, arguments, body)

    def rows_after(self, seq: int) -> list[tuple[int, str, Json]]:
        """The journal's rows with greater numbers: number, type, data."""
        found = self._journal.execute("SELECT seq, type, data FROM events WHERE seq > ? ORDER BY seq", (seq,))
        return [(number, kind, json.loads(data)) for number, kind, data in found]

    def last_row(self) -> int:
        return int(self._journal.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)

    def press(self, button: str, hold_s: float = PRESS_S) -> None:
        self.bench("POST", f"press/{button}", {"hold_s": hold_s})

    def set_wire(self, wire: str, word: str) -> None:
        self.bench("PUT", f"wires/{wire}", {"set": word})

    def refusals(self) -> set[tuple[str, str | None]]:
        return {(one["code"], one["item"]) for one in self.look()["boarding"]["refusals"]}

    def wires(self) -> Json:
        found: Json = self.bench("GET", "wires")["wires"]
        return found

    # Into a phase, from wherever the trip stands.

    def arrange(self, phase: str) -> None:
        """Everything repaired, proven and working, in this phase. Fails when something stays wedged."""
        seen = self.look()
        here = seen["phase"]
        is_aboard = seen["counts"]["commander"] > 0
        now = "aboard" if here == "boarding" and is_aboard else here
        # A trip that drove off unsecured is alarmed as long as it moves; the next case begins one of its own.
        left = [data for _, kind, data in self.rows_after(0) if kind == "departed"]
        is_spoilt = here == "under_way" and not left[-1]["secured"]
        if now not in PHASES or PHASES.index(now) > PHASES.index(phase) or is_spoilt:
            self._begin(seen)
        {
            "checking": self._prove,
            "boarding": self._open,
            "aboard": self._aboard,
            "securing": self._securing,
            "under_way": self._under_way,
        }[phase]()

    def end(self) -> None:
        """Close the trip that runs, whatever phase it is in."""
        seen = self.look()
        if seen["phase"] in ("under_way", "arrived", "unloading"):
            self._unload(seen)
        elif seen["phase"] not in ("no_trip", "closed"):
            for cell in seen["trip"]["cells"]:
                for _ in range(cell["seated"]):
                    self.must("unboard_person", cell=cell["cell"])
            self._take_back()
            self.must("cancel_trip", reason="the next case")

    def _begin(self, seen: Json) -> None:
        if seen["phase"] not in ("no_trip", "closed"):
            self.end()
        self.set_wire("handbrake", "auto")
        self._await_working()
        self.must("open_trip", **TRIP)
        for item in ATTESTED:
            self.must("confirm", item=item)
        self.must("confirm", item="documents", part="list")
        for item in ACCEPTANCE:
            self.must("confirm", item="acceptance", part=item)

    def _await_working(self) -> None:
        self._until(lambda: all(one["status"] == "working" for one in self.look()["equipment"].values()), "working")
        self._until(lambda: ("vehicle_moving", None) not in self.refusals(), "standing")

    def _prove(self) -> None:
        """Every row of the check, then the driver's report; again until nothing speaks against boarding."""
        self._await_working()
        deadline_ns = self.now_ns() + CALM_S * 1e9
        while self.refusals():
            assert self.now_ns() < deadline_ns, f"still refused: {self.refusals()}"
            rows = {row["item"]: row["status"] for row in self.look()["checklist"] if row["stage"] == "before_boarding"}
            open_rows = [item for item, status in rows.items() if status != "passed"]
            if open_rows:
                self._check(open_rows)
            elif any(code.startswith("driver_") for code, _ in self.refusals()):
                self.press("driver_ready")
                with contextlib.suppress(AssertionError):  # asked again: READY is deaf for a while after chatter
                    self.until(lambda: self.look()["driver"]["ready"], "reported", 1.0)

    def _check(self, items: list[str]) -> None:
        if "at_door" in items:
            self.must("confirm", item="at_door")
        if items != ["at_door"]:
            self.must("start_tests")
        self.unlock_and_lock(*(f"cell_{item.removeprefix('cell_lock_')}" for item in items if "cell_lock" in item))
        self._until(lambda: not self._running(), "every test has ended")

    def _running(self) -> list[str]:
        return [row["item"] for row in self.look()["checklist"] if row["status"] == "running"]

    def unlock_and_lock(self, *cells: str) -> None:
        """What proves a lock, where its wire is whole; each state is held by the bench's clock."""
        for word in ("both_open", "locked") if cells else ():
            for cell in cells:
                self.set_wire(cell, word)
            self.hold(SEEN_S)

    def _open(self) -> None:
        seen = self.look()
        if seen["phase"] == "boarding":
            self.hold(RELEASED_S)  # a wire that touched the button lets go of it: that counts
            self._take_back()  # whoever is counted would make the next movement a departure
        if not seen["boarding"]["open"]:
            self._prove()
            self.must("open_boarding")
        self._until(lambda: self.look()["boarding"]["energised"], "the relay closes")
        self._until(lambda: self.now_ns() - self.wires()["permit_enable"]["since_ns"] > SETTLED_NS, "settled")
        self._until(lambda: not self.refusals(), "nothing revokes")

    def _aboard(self) -> None:
        self._open()
        if self.look()["counts"]["commander"] == 0:
            self._take_back()
            while self.act("board_person", cell=1)[0] != 200:
                self._open()  # a stall of this machine closes boarding as well
        elif self.look()["counts"]["commander"] == 2:
            self.must("unboard_person", cell=2)
        counts = self.look()["counts"]
        if counts["body"] < counts["commander"]:
            self.press("body_count")
            self.hold(RELEASED_S)
        self._take_back()
        self._until(lambda: self.look()["counts"]["body"] == self.look()["counts"]["commander"] == 1, "one is aboard")
        self._open()

    def _take_back(self) -> None:
        """What a loose wire counted: the button held for three seconds takes one back."""
        for _ in range(30):
            counts = self.look()["counts"]
            if counts["body"] <= counts["commander"]:
                return
            self.press("body_count", TAKE_BACK_S)
            self.hold(RELEASED_S)
        raise AssertionError(f"the body's count is not taken back: {self.look()['counts']}")

    def _securing(self) -> None:
        if self.look()["phase"] != "securing":
            self._aboard()
            self.must("finish_boarding")
        self._await_working()
        self.await_quiet()

        def are_passed() -> bool:
            sensed = [row for row in self.look()["checklist"] if row["stage"] == "before_departure"]
            return all(row["status"] == "passed" for row in sensed if row["kind"] == "sensed")

        self._until(are_passed, "locked, shut and counted")

    def _under_way(self) -> None:
        if self.look()["phase"] != "under_way":
            self._securing()
            for item in SECURING:
                self.must("confirm", item=item)
            self.must("secure")
            self.must("depart")
        self.set_wire("handbrake", "open")
        self._until(lambda: all(one["status"] == "working" for one in self.look()["equipment"].values()), "working")
        self.await_quiet()

    def await_quiet(self) -> None:
        """Every alarm has returned, and is acknowledged so that it can be raised anew."""

        def is_quiet() -> bool:
            seen = self.look()
            alarms = [one for one in seen["alarms"] if one["code"] not in ("notice_unconfirmed", "gnss_lost")]
            # An equipment that has failed again and again is called unsteady for a minute; no case asks for that.
            alarms = [one for one in alarms if one["code"] != "chattering" or one["item"] not in seen["equipment"]]
            for alarm in alarms:
                if alarm["state"] == "returned":
                    self.must("acknowledge_alarm", alarm=alarm["id"])
            return not alarms

        self._until(is_quiet, "no alarm is left")

    def _unload(self, seen: Json) -> None:
        self.set_wire("handbrake", "auto")
        self._until(lambda: self.act("arrive")[0] == 200 or self.look()["phase"] != "under_way", "arrived")
        if self.look()["phase"] == "arrived":
            self.must("open_unloading")
        for cell in seen["trip"]["cells"]:
            for _ in range(cell["seated"]):
                self.must("unload_person", cell=cell["cell"])
        for cell in CELLS:
            self.set_wire(cell, "both_open")

        def is_closed() -> bool:
            self.press("body_count")
            return self.act("close_trip")[0] == 200

        self._until(is_closed, "the trip closes")
        for cell in CELLS:
            self.set_wire(cell, "locked")

    def _until(self, condition: Callable[[], Any], what: str) -> None:
        try:
            self.until(condition, what, CALM_S)
        except AssertionError as error:
            seen = self.look()
            bad = {name: one["reason"] for name, one in seen["equipment"].items() if one["status"] != "working"}
            raise AssertionError(f"{error}; {seen['phase']}, {bad}, {self.refusals()}, {seen['counts']}") from None


@contextlib.contextmanager
def walking(root: Path) -> Iterator[Walk]:
    """A running bench and control, and the trip on them; nothing stands long enough to be an unscheduled halt."""
    variant = replace(VARIANTS["two_cells"], unscheduled_halt_s=3600.0, confirm_within_s=600.0)
    rig = ControlRig(root, variant)
    try:
        rig.start_bench()
        walk = Walk(rig)
        with contextlib.closing(walk):
            yield walk
    finally:
        rig.close()
