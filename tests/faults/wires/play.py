"""Plays one case of the table on a running vehicle: the fault, what must be seen, the repair."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from simulators.bench.faults import KINDS
from tests.faults.wires.cases import Case, Step
from tests.faults.wires.walk import CELLS, PRESS_S, RELEASED_S, Walk

READING_S = 0.4  # an answer that is read from outside comes this much later on a machine that is busy
SAME_S = 0.5
OWN = frozenset({"chattering", "button_stuck"})  # advisories beside what the table speaks of; asked for by name only
UNRELATED = frozenset({"notice_unconfirmed", "gnss_lost"})
PARKED_S = 1.5  # until the first fix there has come
JUMP_S = 15.0  # a jump back costs five seconds of trust; the rest is for a machine that is busy
CHATTER_EDGES_MIN = 10  # in a second, evenly; a bench that has a core makes twenty
CHATTER_EVENLY_S = (0.03, 0.08)  # what a half period of 50 ms may become; edges in a bunch are no chatter of 10 Hz
ROUTE = {"mode": "route", "waypoints": [[43.238949, 76.889709], [43.30, 76.889709]], "speed_mps": 15.0}


class StalledError(AssertionError):
    """It failed while control left scans out, or the bench stood still: nothing is known of the case."""


class Play:
    """One case; `lateness_s` is how long `permit_enable` took to fall, where it did."""

    def __init__(self, walk: Walk, case: Case) -> None:
        self._walk, self._case = walk, case
        self._touched = {case.wire}
        self._last = self._row = 0
        self._old: set[tuple[str, str | None]] = set()
        self._before: set[tuple[str, str | None]] = set()
        self._done_ns = 0
        self.lateness_s: float | None = None

    def run(self) -> None:
        """Raises AssertionError that names the case and the step; StalledError when the machine was late."""
        left_out = self._walk.scans_left_out()
        try:
            self._walk.arrange(self._case.phase)
            self._play()
        except AssertionError as error:
            if isinstance(error, StalledError):
                raise
            # No case touches the radio: when it falls silent, the bench that plays it had no core to run on.
            if self._walk.scans_left_out() > left_out or "'radio'" in str(error):
                raise StalledError(str(error)) from None
            raise

    def _play(self) -> None:
        if any(step.seen[0] == "alarm" for step in self._case.steps):
            self._walk.await_quiet()  # an alarm that is still there could not be raised
        self._old = self._shown_alarms()
        fault, _, stands = self._case.fault.partition(" while ")
        if stands:
            self._set(self._case.wire, stands)
            self._walk.hold(0.3)
        try:
            for number, step in enumerate(self._case.steps):
                self._mark()
                if number == 0:
                    self._break(fault)
                else:
                    self._do(step.action)
                try:
                    self._see(step)
                except StalledError:
                    raise
                except AssertionError as error:
                    raise AssertionError(f"{self._case.name}, {step.action or 'at once'}: {error}") from None
        finally:
            self._repair()
        self._settle()  # only after a case that held: what is late here must not hide what failed there

    def _mark(self) -> None:
        self._before = self._walk.refusals()
        self._row = self._walk.last_row()
        self._last = max((entry["n"] for entry in self._timeline(self._last)), default=self._last)
        self._done_ns = self._walk.now_ns()

    def _timeline(self, after: int) -> list[dict[str, Any]]:
        return list(self._walk.bench("GET", f"timeline?after={after}"))

    def _set(self, wire: str, word: str) -> None:
        self._touched.add(wire)
        self._walk.set_wire(wire, word)

    def _break(self, fault: str) -> None:
        kind, _, detail = fault.partition(" ")
        if kind not in KINDS:
            self._set(self._case.wire, kind)
            return
        body: dict[str, Any] = {"kind": kind}
        if kind == "leak" and detail:
            body["ohms"] = float(detail)
        elif detail:
            body[{"bridge": "to", "chatter": "against"}[kind]] = detail
        self._walk.bench("PUT", f"wires/{self._case.wire}", {"fault": body})

    def _do(self, action: str) -> None:
        verb, *words = action.split()
        match verb:
            case "set":
                self._set(words[0], words[1])
            case "press":
                self._walk.press(words[0], PRESS_S)
            case "board":
                self._walk.must("board_person", cell=int(words[0]))
                self._walk.press("body_count")
            case "suspend":
                self._walk.must("suspend_boarding")
            case "drive":
                self._walk.bench("PUT", "gnss", ROUTE)
            case "recheck":
                self._recheck()
            case "repair":
                self._walk.bench("PUT", f"wires/{self._case.wire}", {"fault": None})
            case "wait":
                pass
            case _:
                raise ValueError(f"no such action: {action}")

    def _recheck(self) -> None:
        """A roll of the wheels expires every proof; then all tests at once."""
        walk = self._walk
        self._set("handbrake", "open")
        self._walk.until(lambda: ("vehicle_moving", None) in walk.refusals(), "rolling")
        self._set("handbrake", "auto")
        self._walk.until(lambda: ("vehicle_moving", None) not in walk.refusals(), "standing again")
        walk.must("start_tests")
        walk.unlock_and_lock(*CELLS)

    def _see(self, step: Step) -> None:
        word, *rest = step.seen
        item = rest[-1] if rest else None
        match word:
            case "same":
                self._see_nothing()
            case "alarm":
                wanted = (rest[0], rest[1] if len(rest) > 1 else None)
                self._await(lambda: wanted in self._alarms(), step)
            case "status":
                self._await(lambda: self._walk.look()["equipment"][rest[0]]["status"] == rest[1], step)
            case "secure" | "finish":
                if word == "finish":
                    self._walk.hold(RELEASED_S)  # a button has to be seen released before it counts
                command = {"secure": "secure", "finish": "finish_boarding"}[word]
                wanted = (rest[0], rest[1] if len(rest) > 1 else None)
                self._await(lambda: wanted in self._refused(command), step)
            case "departs":
                self._await(lambda: ("departed", False) in self._departures(), step)
                if self._case.phase == "aboard":
                    self._see_enable_fall(step)
            case _:
                if self._case.phase in ("boarding", "aboard"):
                    self._see_enable_fall(step)
                self._await(lambda: (word, item) in self._walk.refusals() | self._reasons(), step)
                others = {named for _, named in self._reasons()} - {item, None}
                assert not others or self._case.kind == "bridge", f"closed for {others} as well"

    def _await(self, condition: Callable[[], bool], step: Step) -> None:
        try:
            self._walk.until(condition, " ".join(step.seen), step.within_s + READING_S)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; alarms {self._alarms()}, refusals {self._walk.refusals()}, closed for {self._reasons()}"
            ) from None

    def _see_nothing(self) -> None:
        self._walk.hold(SAME_S)
        phase = self._case.phase
        alarms = {alarm for alarm in self._alarms() if alarm[0] not in OWN}
        assert not alarms, f"alarms {alarms}"
        if phase in ("boarding", "aboard"):
            assert not self._reasons(), f"closed for {self._reasons()}"
            assert self._walk.look()["boarding"]["open"], "boarding is closed"
        if phase != "under_way":
            news = self._walk.refusals() - self._before
            assert not news, f"refusals {news}"
            assert self._walk.look()["phase"] == {"aboard": "boarding"}.get(phase, phase)
        else:
            bad = [name for name, one in self._walk.look()["equipment"].items() if one["status"] != "working"]
            assert not bad, f"not working: {bad}"
        if phase == "securing":
            assert {code for code, _ in self._refused("secure")} == {"securing_incomplete"}

    def _see_enable_fall(self, step: Step) -> None:
        """Within the step's time from the first edge on any wire that was touched, by the bench's clock."""
        fallen: list[int] = []

        def has_fallen() -> bool:
            entries = self._timeline(self._last)
            fallen[:] = [one["t_ns"] for one in entries if one["wire"] == "permit_enable" and one["level"] is False]
            return bool(fallen)

        try:
            self._walk.until(has_fallen, "permit_enable falls", step.within_s + 1.0)
        except AssertionError as error:
            if self._case.kind != "chatter":
                raise
            edges = sorted(self._edges())
            spans_s = [(later - sooner) / 1e9 for sooner, later in pairwise(edges)]
            told = f"{error}; between the bench's edges {[round(1000 * span_s) for span_s in spans_s]} ms"
            even = sum(CHATTER_EVENLY_S[0] <= span_s <= CHATTER_EVENLY_S[1] for span_s in spans_s)
            raise (StalledError if even < CHATTER_EDGES_MIN else AssertionError)(told) from None
        edges = self._edges()
        began_ns = min(edges, default=self._done_ns)
        late_s = (fallen[0] - began_ns) / 1e9
        assert late_s <= step.within_s, f"permit_enable fell after {late_s * 1000:.0f} ms"
        if step.within_s <= 0.1:
            self.lateness_s = late_s

    def _edges(self) -> list[int]:
        """When a wire that was touched changed, by the bench's clock."""
        return [one["t_ns"] for one in self._timeline(self._last) if one["wire"] in self._touched]

    def _alarms(self) -> set[tuple[str, str | None]]:
        rows = self._walk.rows_after(self._row)
        raised = {(data["code"], data["item"]) for _, kind, data in rows if kind == "alarm_raised"}
        # One that was raised in the step before is seen by whoever looks.
        shown = self._shown_alarms() - self._old
        return {alarm for alarm in raised | shown if alarm[0] not in UNRELATED}

    def _shown_alarms(self) -> set[tuple[str, str | None]]:
        return {(one["code"], one["item"]) for one in self._walk.look()["alarms"] if one["state"] != "returned"}

    def _reasons(self) -> set[tuple[str, str | None]]:
        """What the journal says boarding was closed for."""
        rows = self._walk.rows_after(self._row)
        closings = [data for _, kind, data in rows if kind == "boarding_closed" and data["reason"] != "suspended"]
        return {(one["code"], one["item"]) for data in closings for one in data["refusals"]}

    def _departures(self) -> set[tuple[str, bool]]:
        return {(kind, data["secured"]) for _, kind, data in self._walk.rows_after(self._row) if kind == "departed"}

    def _refused(self, command: str) -> set[tuple[str, str | None]]:
        status, body = self._walk.act(command)
        assert status != 200, f"{command} was accepted"
        return {(one["code"], one["item"]) for one in body["refusals"]}

    def _repair(self) -> None:
        for wire in self._touched:
            self._walk.bench("PUT", f"wires/{wire}", {"fault": None, "set": "auto"})
        if any(step.action == "drive" for step in self._case.steps):
            self._walk.bench("PUT", "gnss", {"mode": "parked"})

    def _settle(self) -> None:
        """Back where it began at once is a jump when it drove for long: five seconds without trust."""
        if any(step.action == "drive" for step in self._case.steps):
            self._walk.hold(PARKED_S)
            self._walk.until(lambda: self._walk.look()["equipment"]["gnss"]["status"] == "working", "gnss", JUMP_S)
