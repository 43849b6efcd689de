"""The escort commander at control's socket, with the hands of crew and driver: from nothing to an open boarding."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.control_rig import ControlRig, Json, Wire, trip, until

REPORT = {"driver_not_ready", "driver_report_outdated"}


class Commander:
    """The escort commander at the screen: looks, then acts on what he saw."""

    def __init__(self, rig: ControlRig, wire: Wire) -> None:
        self.rig, self.wire = rig, wire
        self.token = rig.session(wire)

    def look(self) -> Json:
        return self.wire.ask("snapshot")[1]

    def act(self, name: str, **arguments: Any) -> tuple[int, Json]:
        """One command; looked at again and repeated when something moved in between."""
        for _ in range(20):
            answer = self.wire.ask(
                "command", name=name, session=self.token, body={"rev": self.look()["rev"], **arguments}
            )
            if answer[0] != 409 or answer[1]["refusals"][0]["code"] != "stale_view":
                return answer
        raise AssertionError(f"{name}: the view never stands still")

    def do(self, name: str, **arguments: Any) -> int:
        """One command that must be accepted; its journal row."""
        status, body = self.act(name, **arguments)
        assert status == 200, (name, body)
        return int(body["seq"])

    def refusals(self) -> set[str]:
        return {refusal["code"] for refusal in self.look()["boarding"]["refusals"]}

    def prepare(self) -> None:
        """A trip, everything of Rule 15 proven, and the driver's report."""
        self.wire.ask("commission", by="test")
        self.open_trip()
        self.prove()

    def open_trip(self) -> None:
        self.do("open_trip", **{key: value for key, value in trip(0).items() if key != "rev"})

    def prove(self) -> None:
        """Whatever of Rule 15 is not proven at this moment; then the driver's report."""
        until(self._are_all_working, "all equipment works", 15.0)
        missing = [row for row in self.look()["checklist"] if row["stage"] == "before_boarding" and not is_good(row)]
        if any(row["kind"] == "sensed" for row in missing):
            self.do("start_tests")
        cells = [row["item"].replace("_lock", "") for row in missing if row["item"].startswith("cell_lock_")]
        for cell in cells:
            self.rig.set_wire(cell, "both_open")
        if cells:
            until(lambda: has_stood_for(self.rig, cells[-1], 0.4), "unlocked for longer than the 300 ms of a proof")
        for cell in cells:
            self.rig.set_wire(cell, "auto")
        for row in missing:
            if row["kind"] != "attested":
                continue
            for part in row.get("parts") or [None]:
                if part is None:
                    self.do("confirm", item=row["item"])
                elif not part["confirmed"]:
                    self.do("confirm", item=row["item"], part=part["part"])
        until(lambda: self.refusals() <= REPORT, f"all rows pass: {self.look()['boarding']}", 25.0)
        if self.refusals():
            self.rig.press("driver_ready")
        until(lambda: not self.refusals(), "boarding is permitted")

    def _are_all_working(self) -> bool:
        # What has no row of its own (the body door, the read-back) refuses by itself.
        return all(one["status"] == "working" for one in self.look()["equipment"].values())


def is_good(row: Json) -> bool:
    return row["status"] in ("passed", "manual_fallback")


def has_stood_for(rig: ControlRig, wire: str, seconds: float) -> bool:
    """Whether the wire has kept its level this long, by the bench's clock."""
    since_ns = int(rig.bench("GET", "wires")["wires"][wire]["since_ns"])
    return time.monotonic_ns() - since_ns >= seconds * 1e9


def relay(rig: ControlRig) -> bool:
    return bool(rig.bench("GET", "wires")["permit_relay"]["closed"])
