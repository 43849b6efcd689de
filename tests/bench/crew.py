"""The crew that opens boarding as quickly as the rules let people be, through the public interfaces."""

from __future__ import annotations

import time
from typing import Any

from simulators.scenario.commander import Commander
from simulators.scenario.commands import confirm_everything
from simulators.scenario.errors import NotMetError
from simulators.scenario.world import Endpoints, World
from simulators.stack.calls import call
from simulators.stack.running import Stack
from tests.bench.vehicle import until

LOCK_SEEN_S = 0.36  # a lock is proven by 300 ms in each of its two states
PRESS_S = 0.08
REPORT_RENEWED_S = 90.0  # of the 120 that it is valid
OPENED_AT_MOST = 5
TRIP = {
    "kind": "within_settlement",
    "takeover": False,
    "to_court": False,
    "women_on_board": False,
    "order": {"number": "17", "valid_until": "2099-12-31"},
    "request_number": "1",
    "destination": "astana-mp",
    "destination_place": None,
    "intermediate": [],
    "unloading_place": None,
    "cells": [{"cell": 1, "planned": 1, "supervision": False}],
}
Entry = dict[str, Any]


class Crew:
    """Commander, driver and the hands that hold a door; belongs to one running vehicle of two cells."""

    def __init__(self, stack: Stack) -> None:
        self._bench = stack.bench
        self._world = World(Endpoints.from_ready_line(stack.ready_line()), stack.places.root)
        self.commander: Commander = self._world.commander
        self._reported_s = float("-inf")
        self._last = 0  # of the timeline's entries

    def open_trip(self) -> None:
        until(self._all_working, 15.0, "all equipment working")
        self.commander.must("open_trip", dict(TRIP))

    def check(self) -> None:
        """Everything that Rule 15 asks for and that is not passed at this moment; then the driver's report."""
        until(self._all_working, 15.0, "all equipment working")
        for cell in self.cells:
            self.set(cell, "bolt_open")
        self.commander.must("start_tests", {})
        if any(row["kind"] == "attested" and row["status"] != "passed" for row in self._rows()):
            confirm_everything(self._world)
        pause(LOCK_SEEN_S)
        for cell in self.cells:
            self.set(cell, "locked")
        until(lambda: all(row["status"] == "passed" for row in self._rows()), 30.0, "all rows passed")
        self.report()

    def report(self) -> None:
        """The driver presses his button; the report lasts two minutes."""
        call("POST", self._bench, "/api/v1/press/driver_ready", {"hold_s": PRESS_S})
        until(lambda: self.commander.must_look()["driver"]["ready"], 5.0, "the driver's report")
        self._reported_s = time.monotonic()

    def open_boarding(self) -> None:
        """Boarding is open and the relay has closed.

        On a machine that is too busy a scan comes too late and closes it again, or an equipment's supervision fails for
        a moment and its row expires: then it is proven anew, and opened once more.
        """

        def is_settled() -> bool:
            return self.is_energised or not self.is_open

        for _ in range(OPENED_AT_MOST):
            try:
                if any(row["status"] != "passed" for row in self._rows()):
                    self.check()
                self._await_permission("driver_not_ready", "driver_report_outdated")
                if time.monotonic() - self._reported_s > REPORT_RENEWED_S:
                    self.report()
                self._await_permission()
                self.commander.must("open_boarding", {})
            except (NotMetError, TimeoutError):
                continue
            until(is_settled, 5.0, "energised")
            if self.is_energised:
                return
        raise TimeoutError(f"boarding was opened {OPENED_AT_MOST} times and did not stay so")

    def set(self, wire: str, word: str) -> None:
        answer = call("PUT", self._bench, f"/api/v1/wires/{wire}", {"set": word})
        if answer.status != 200:
            raise NotMetError(f"{wire} {word}: {answer.text}")

    def timeline(self, after: int) -> list[Entry]:
        return list(call("GET", self._bench, f"/api/v1/timeline?after={after}").body)

    def last_entry(self) -> int:
        self._last = max((entry["n"] for entry in self.timeline(self._last)), default=self._last)
        return self._last

    def edge(self, wire: str, level: str | bool, after: int, within_s: float = 5.0) -> Entry:
        """The first such edge after entry number `after`."""
        found: list[Entry] = []

        def has_come() -> bool:
            found[:] = [entry for entry in self.timeline(after) if entry["wire"] == wire and entry["level"] == level]
            return bool(found)

        until(has_come, within_s, f"{wire} {level}")
        return found[0]

    @property
    def has_permit(self) -> bool:
        """Whether the agent drives the permit at this moment."""
        return bool(call("GET", self._bench, "/api/v1/wires").body["wires"]["permit_enable"]["level"])

    @property
    def is_open(self) -> bool:
        return bool(self.commander.must_look()["boarding"]["open"])

    @property
    def is_energised(self) -> bool:
        return bool(self.commander.must_look()["boarding"]["energised"])

    @property
    def cells(self) -> tuple[str, ...]:
        return ("cell_1", "cell_2")

    def close(self) -> None:
        self._world.close()

    def _await_permission(self, *but: str) -> None:
        """Nothing refuses, but for these codes."""
        codes: set[str] = set()

        def is_permitted() -> bool:
            codes.clear()
            codes.update(one["code"] for one in self.commander.must_look()["boarding"]["refusals"])
            return codes <= set(but)

        try:
            until(is_permitted, 10.0, "permitted")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {', '.join(sorted(codes))}") from None

    def _rows(self) -> list[dict[str, Any]]:
        rows = self.commander.must_look()["checklist"]
        return [row for row in rows if row["stage"] == "before_boarding"]

    def _all_working(self) -> bool:
        snapshot = self.commander.look()
        return snapshot is not None and all(one["status"] == "working" for one in snapshot["equipment"].values())


def pause(span_s: float) -> None:
    """Let a wire stay as it is."""
    end_s = time.monotonic() + span_s
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(left_s)
