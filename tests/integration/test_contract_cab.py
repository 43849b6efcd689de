"""The cab display of a running vehicle, asked from outside, sentence by sentence of the contract."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from simulators.stack.calls import call
from tests.scenarios.running import Demo, until

PLAN: dict[str, Any] = {
    "kind": "within_settlement",
    "takeover": False,
    "to_court": True,
    "women_on_board": False,
    "order": {"number": "1", "valid_until": "9999-12-31"},
    "request_number": "1",
    "destination": "astana-mp",
    "destination_place": None,
    "intermediate": [],
    "unloading_place": {"latitude_deg": 0.0, "longitude_deg": 0.0, "radius_m": 100},
    "cells": [{"cell": 1, "planned": 1, "supervision": False}],
}


class Cab:
    """The commander at the screen, and the bench's hand on the wires."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.cookie = ""

    def http(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, Any]:
        where = urlsplit(self.ready["display"])
        connection = http.client.HTTPConnection(where.netloc, timeout=10.0)
        try:
            connection.request(method, path, body, {"Cookie": self.cookie, **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
        finally:
            connection.close()

    def post(self, path: str, body: object) -> tuple[int, Any, Any]:
        return self.http("POST", path, json.dumps(body).encode(), **{"Content-Type": "application/json"})

    def login(self) -> None:
        status, _, headers = self.post("/api/v1/session", {"pin": "2468"})
        assert status == 200
        self.cookie = headers["Set-Cookie"].partition(";")[0]

    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http("GET", "/api/v1/snapshot")[1]
        return found

    def do(self, name: str, **arguments: Any) -> tuple[int, Any]:
        for _ in range(5):  # as clients do: what changed between looking and acting is looked at again
            status, body, _ = self.post(f"/api/v1/commands/{name}", {"rev": self.snapshot()["rev"], **arguments})
            if status != 409 or body["refusals"][0]["code"] != "stale_view":
                break
        return status, body

    def must(self, name: str, **arguments: Any) -> dict[str, Any]:
        status, body = self.do(name, **arguments)
        assert status == 200, (name, arguments, body)
        accepted: dict[str, Any] = body
        return accepted

    def row(self, item: str) -> dict[str, Any]:
        return next(row for row in self.snapshot()["checklist"] if row["item"] == item)

    def confirm_all(self, stage: str) -> None:
        for row in self.snapshot()["checklist"]:
            if row["kind"] == "attested" and row["stage"] == stage:
                for part in row.get("parts", [None]):
                    self.must("confirm", item=row["item"], **({} if part is None else {"part": part["part"]}))

    def wire(self, name: str, word: str) -> None:
        assert call("PUT", self.ready["bench"], f"/api/v1/wires/{name}", {"set": word}).status == 200

    def press(self, button: str, is_seen: Callable[[], object], hold_s: float = 0.3) -> None:
        assert call("POST", self.ready["bench"], f"/api/v1/press/{button}", {"hold_s": hold_s}).status == 200
        assert until(is_seen, 1.0)

    def is_open(self, cell: int) -> bool:
        return bool(self.snapshot()["equipment"][f"cell_lock_{cell}"]["detail"]["loop"] == "both_open")

    def is_good(self) -> bool:
        rows = [row for row in self.snapshot()["checklist"] if row["stage"] == "before_boarding"]
        return all(row["status"] in ("passed", "manual_fallback") for row in rows)

    def kill_control(self) -> None:
        pid = call("GET", self.ready["bench"], "/api/v1/processes").body["pids"]["control"]
        os.kill(pid, signal.SIGKILL)

        def is_back() -> bool:
            now = call("GET", self.ready["bench"], "/api/v1/processes").body["pids"]["control"]
            return bool(now != pid and self.http("GET", "/api/v1/snapshot")[0] == 200)

        assert until(is_back, 5.0)


@pytest.fixture(scope="module")
def cab() -> Iterator[Cab]:
    demo = Demo("--ports", "auto", "--broker", "mosquitto", "--vehicle", "two_cells")
    try:
        found = Cab(demo.wait_ready().ready)
        found.login()
        yield found
    finally:
        demo.sweep()


@pytest.mark.parametrize("size", [17 * 1024, 8 * 1024 * 1024])
def test_H29_a_body_over_16_KB_is_413_however_large_it_is(cab: Cab, size: int) -> None:
    body = b'{"rev": 1, "x": "' + b"a" * size + b'"}'
    status, _, _ = cab.http("POST", "/api/v1/commands/start_tests", body, **{"Content-Type": "application/json"})
    assert status == 413
    chunks = iter([body[:10_000], body[10_000:]])  # without a length it is known by its end only
    where = urlsplit(cab.ready["display"])
    connection = http.client.HTTPConnection(where.netloc, timeout=10.0)
    connection.request("POST", "/api/v1/commands/start_tests", chunks, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("item", ["documents", "acceptance"])
def test_a_missing_part_is_malformed_before_the_view_is_stale(cab: Cab, item: str) -> None:
    assert cab.post("/api/v1/commands/confirm", {"rev": 0, "item": item})[0] == 422
    status, body, _ = cab.post("/api/v1/commands/confirm", {"rev": -1, "item": "seats_fixed"})
    assert (status, [reason["code"] for reason in body["refusals"]]) == (409, ["stale_view"])
    assert set(body["refusals"][0]) >= {"code", "rule", "item", "since", "text"}


def test_a_trip_from_the_last_day_of_the_calendar_to_the_call_by_radio(cab: Cab) -> None:
    """One trip: fallback by PIN and button, the shortest press, a restart with people aboard, reasons, notices."""
    cab.wire("light_sense", "cut")
    cab.must("open_trip", **PLAN)
    cab.must("start_tests")
    _prove_locks(cab)
    cab.confirm_all("before_boarding")
    assert until(lambda: cab.row("lighting")["status"] == "failed", 10.0)
    assert cab.do("confirm", item="lighting")[1]["refusals"][0]["code"] == "unknown_item"
    cab.must("confirm", item="lighting", pin="2468")
    cab.press("driver_ready", lambda: cab.row("lighting")["status"] == "manual_fallback")
    assert not cab.snapshot()["driver"]["ready"], "that press answered for the lighting"
    assert until(cab.is_good, 10.0)
    cab.press("driver_ready", lambda: cab.snapshot()["driver"]["ready"])
    cab.must("open_boarding")

    cab.must("board_person", cell=1)
    cab.press("body_count", lambda: cab.snapshot()["counts"] == {"commander": 1, "body": 1, "unloaded": 0}, 0.05)
    rev = cab.snapshot()["rev"]
    cab.kill_control()
    assert cab.post("/api/v1/commands/start_tests", {"rev": rev})[0] == 401
    cab.login()
    after = cab.snapshot()
    assert (after["phase"], after["boarding"]["open"], after["driver"]["ready"]) == ("boarding", False, False)
    assert after["rev"] > rev
    assert [cab.row(item)["status"] for item in ("cell_lock_1", "ventilation", "radio", "cell_lock_2")] == [
        "passed",
        "passed",
        "expired",
        "expired",
    ]
    cab.must("finish_boarding")
    cab.confirm_all("before_departure")
    assert until(lambda: cab.do("secure")[0] == 200, 3.0)
    cab.must("depart")
    _speak_by_radio(cab)
    assert until(lambda: (cab.snapshot()["position"] or {}).get("trusted"), 5.0)
    assert cab.must("arrive")["warnings"] == ["outside_unloading_place"]


def _prove_locks(cab: Cab) -> None:
    for cell in (1, 2):
        cab.wire(f"cell_{cell}", "both_open")
    assert until(lambda: cab.is_open(1) and cab.is_open(2), 1.0)
    open_since_s = time.monotonic()
    assert until(lambda: cab.is_open(1) and cab.is_open(2) and time.monotonic() - open_since_s >= 0.4, 2.0)
    for cell in (1, 2):
        cab.wire(f"cell_{cell}", "locked")


def _speak_by_radio(cab: Cab) -> None:
    boarding = cab.snapshot()["boarding"]
    codes = {reason["code"] for reason in boarding["refusals"]}
    assert "driver_not_ready" in codes
    assert "wrong_phase" not in codes, "an answer to commands only"
    assert until(lambda: all(notice["stage"] == "received" for notice in cab.snapshot()["notices"]), 10.0)
    notice = cab.snapshot()["notices"][0]["id"]
    cab.must("told_by_radio", notice=notice, post="duty officer")
    cab.kill_control()
    cab.login()
    assert until(lambda: cab.snapshot()["uplink"]["connected"], 10.0)
    told = cab.snapshot()
    assert told["notices"][0]["stage"] == "told_by_radio"
    assert told["uplink"]["pending_notices"] == 0, "the unit has it: nothing is sent again"
