"""The naive reading: where the trip is, who is aboard, what is proven, each answered by looking back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from tests.oracle import law, wires
from tests.oracle.history import Fact, History

ALMATY = timezone(timedelta(hours=5))  # contract: 24:00 (UTC+5)
ORIGIN = datetime(
    2026, 1, 1, tzinfo=UTC
)  # where the observer's stopwatch would stand if it were a clock; any moment does
PRESS_S, LONG_S, LONGEST_S = 0.05, 3.0, 8.0  # contract: 0.05-3 s counts, held 3-8 s takes back
TEST_S = 10.0  # the outside cut-off of our inhibits: no test of ours takes longer
PROOF_S = 0.3  # contract: each state of a lock for 300 ms
SLACK_S = 0.25  # what filters may add or take

Words = frozenset[str]
NOT_PASSED: Words = frozenset({"pending", "running", "failed", "expired"})

OPEN = ("door_open", "both_open")  # what shows the inside of a cell


class Reading:
    """Answers about one history. `valid_s`, `report_s`: the vehicle's `checklist_valid_s`, `driver_report_valid_s`."""

    def __init__(self, history: History, cells: tuple[int, ...], valid_s: float, report_s: float) -> None:
        self.history, self.cells = history, cells
        self.valid_s, self.report_s = valid_s, report_s
        self.rssi_min_dbm = -105
        self.is_commissioned = True

    # --- the trip ---

    def phase(self) -> str:
        at = self.history.last(*law.PHASE_AFTER)
        return "no_trip" if at < 0 else law.PHASE_AFTER[self.history.facts[at].what]

    def plan(self) -> dict[str, Any]:
        opened = self.history.last("open_trip")
        return dict(self.history.facts[opened].data) if opened >= 0 else {"cells": [], "women_on_board": False}

    def is_open(self) -> bool:
        """Boarding is open if opening it was the last thing done to it, and nothing since has closed it."""
        closers = ("suspend_boarding", "finish_boarding", "revoked", "stopped", "restart", "rolled", *law.PHASE_AFTER)
        at = self.history.last(*closers)
        return at >= 0 and self.history.facts[at].what == "open_boarding"

    def since_start_s(self) -> float:
        """Since anybody began to look: after a start, and after a while without a look, filters begin anew."""
        at = self.history.last("restart", "hang")
        return self.history.at_s - (self.history.facts[at].at_s if at >= 0 else 0.0)

    # --- Rules 16 and 18: counts ---

    def commander(self) -> int:
        """Counted aloud by the commander: everyone let in, less everyone taken back."""
        return self._times("board_person") - self._times("unboard_person")

    def body(self) -> int:
        """The body escort's repeat: his presses, less those he took back and those who left from a larger number."""
        body = boarded = 0
        for fact in self.history.of_trip():
            if fact.what == "board_person":
                boarded += 1
            elif fact.what == "unboard_person":
                boarded -= 1
                body -= body > boarded
            elif fact.what == "counted":
                body = max(0, body + fact.data["delta"])
        return body

    def unloaded(self) -> int:
        return self._times("unload_person")

    def seated(self, cell: int) -> int:
        gone = self._times("unboard_person", cell) + self._times("unload_person", cell)
        return self._times("board_person", cell) - gone

    def planned(self, cell: int) -> int:
        return sum(c["planned"] for c in self.plan()["cells"] if c["cell"] == cell)

    def is_anyone_aboard(self) -> bool:
        """By either count: nobody is forgotten because the other one says zero."""
        return self.phase() not in ("no_trip", "closed") and (
            self.commander() - self.unloaded() > 0 or (self.body() > 0 and not self.unloaded())
        )

    def _was_anyone_aboard(self, since_s: float) -> bool:
        """Now, or at any moment since then, by either count."""
        commander = body = 0
        was = False
        for fact in self.history.of_trip():
            was = was and fact.at_s >= since_s
            commander += {"board_person": 1, "unboard_person": -1}.get(fact.what, 0)
            if fact.what == "unboard_person":
                body -= body > commander
            elif fact.what == "counted":
                body = max(0, body + fact.data["delta"])
            was = was or commander > 0 or body > 0
        return was or self.is_anyone_aboard()

    def out(self, cell: int) -> int:
        """Rule 4: led out of this cell at the halt and not yet back."""
        return self._times("halt_out", cell) - self._times("halt_in", cell)

    def is_halted(self) -> bool:
        at = self.history.last("log_halt", "end_halt", "open_trip")
        return at >= 0 and self.history.facts[at].what == "log_halt"

    def _times(self, what: str, cell: int | None = None) -> int:
        return sum(f.what == what and cell in (None, f.data.get("cell")) for f in self.history.of_trip())

    # --- the checklist ---

    def checklist(self) -> tuple[law.Duty, ...]:
        return law.before_boarding(self.cells, women=self.plan()["women_on_board"])

    def status(self, item: str) -> Words:
        """The statuses a row may show now; one word where the law and the times leave no doubt."""
        if item == "order_valid":
            return self._order()
        if item.startswith("cell_lock_") or item in {duty.item for duty in law.TESTED}:
            return self._tested(item)
        return self._by_hand(item)

    def _order(self) -> Words:
        """Rule 12.1, App. 4: the date is read from the clock; without a clock by the commander."""
        if self.history.held("source")[0] == "none":
            hand = self.history.last("confirm", "open_trip", when=_about("order_valid"))
            if self.history.facts[hand].what != "confirm":
                return NOT_PASSED
            # Whether a clock that came in between and said "out of date" voids the confirmation is left open.
            contradicted = self.history.last("out_of_date") > hand
            return frozenset({"passed", *NOT_PASSED}) if contradicted else frozenset({"passed"})
        return frozenset({"passed"}) if self.is_order_in_date() else frozenset({"failed", "expired"})

    def is_order_in_date(self) -> bool:
        offset: timedelta = self.history.held("utc_offset")[0]
        utc = ORIGIN + timedelta(seconds=self.history.at_s) + offset
        return utc.astimezone(ALMATY).date() <= date.fromisoformat(self.plan()["order"]["valid_until"])

    def _by_hand(self, item: str) -> Words:
        parts = self.parts(item)
        since = self.history.last("withdraw", "open_trip", when=_about(item))
        rolled = self.history.last("rolled") if item == "at_door" else -1
        said = [
            f for f in self.history.facts[max(since, rolled) + 1 :] if f.what == "confirm" and f.data["item"] == item
        ]
        if parts:
            return frozenset({"passed"}) if {f.data["part"] for f in said} >= parts else frozenset({"pending"})
        if said:
            return frozenset({"passed"})
        was = [f for f in self.history.facts[since + 1 :] if f.what == "confirm" and f.data["item"] == item]
        return frozenset({"expired"}) if was else frozenset({"pending"})

    def parts(self, item: str) -> frozenset[str]:
        plan = self.plan()
        if item == "documents":
            return law.documents(plan["kind"], takeover=plan["takeover"], to_court=plan["to_court"])
        return frozenset(law.RULE_14) if item == "acceptance" else frozenset()

    def _tested(self, item: str) -> Words:
        """Proven since the start of the tests that followed the last loss; `lost` facts say what took a pass away."""
        facts, opened = self.history.facts, self.history.last("open_trip")
        tests = [i for i in range(opened + 1, len(facts)) if facts[i].what == "start_tests"]
        if not tests:
            return frozenset({"pending"})
        lost = self.loss(item)
        again = [i for i in tests if i > lost]
        if not again:
            return NOT_PASSED - {"pending"} if lost > opened and not self._cut_short(item) else NOT_PASSED
        begun = facts[again[0]]
        proven = self._proof(item, [facts[i].at_s for i in again])
        if "passed" not in proven or len(proven) > 1:
            return proven
        return self._aged(item, proven, begun)

    def loss(self, item: str, *, before: int | None = None) -> int:
        """What last took a pass away: the equipment, movement with nobody aboard, a restart that does not keep it."""
        lost = self.history.last("lost", when=_about(item), before=before)
        return max(lost, self.history.last("rolled", "open_trip", before=before), self._restart(item, before))

    def _restart(self, item: str, before: int | None = None) -> int:
        return self.history.last("restart", when=lambda fact: item not in fact.data["keeps"], before=before)

    def _cut_short(self, item: str) -> bool:
        """A restart that found a test under way and no pass: what it leaves of that, the contract does not say; and
        what takes passes away finds none there, until the next test."""
        restart = self._restart(item)
        if restart < 0 or self.history.last("start_tests") > restart:
            return False
        return self.history.last("seen_passed", when=_about(item)) < self.loss(item, before=restart)

    def _proof(self, item: str, tests_s: list[float]) -> Words:
        """`tests_s`: each start of the tests since the last loss. The first begins the proof, others may do so anew."""
        seen = self.history.last("seen_passed", when=_about(item))
        if seen >= 0 and self.history.facts[seen].at_s > tests_s[0]:
            return frozenset({"passed"})
        if item.startswith("cell_lock_"):
            wire = "cell_" + item.removeprefix("cell_lock_")
            for start, until in zip(tests_s, [*tests_s[1:], self.history.at_s], strict=True):
                at = self.proven_at(wire, start, PROOF_S + SLACK_S)
                if at is not None and at <= until:
                    return frozenset({"passed"})
            could = self.proven_at(wire, tests_s[0], PROOF_S - SLACK_S) is not None
            return frozenset({"passed", "running", "failed"}) if could else frozenset({"running", "failed"})
        good = wires.equipment(self.history, item, self.since_start_s(), self.rssi_min_dbm)
        aboard = self._was_anyone_aboard(tests_s[0])
        untouched = wires.is_healthy(self.history, item, tests_s[0])
        restarted = self.history.last("restart", "hang", when=lambda f: f.at_s > tests_s[0]) >= 0
        if untouched and not aboard and not restarted:
            if self.history.at_s - tests_s[-1] >= TEST_S:
                return frozenset({"passed"})
            could = self._seen_both(item, tests_s[0])
            return frozenset({"passed", "running"}) if could else frozenset({"running"})
        if not self._seen_both(item, tests_s[0]) and not aboard:
            return frozenset({"running", "failed"})
        if self.history.at_s - tests_s[-1] < TEST_S or good != {"working"}:
            return frozenset({"passed", *NOT_PASSED}) - {"pending"}
        if aboard and item in ("lighting", "ventilation"):
            # "With people aboard it skips the inhibits": whether that may pass the row the contract does not say.
            return frozenset({"passed", *NOT_PASSED}) - {"pending"}
        return frozenset({"passed"})

    def proven_at(self, wire: str, after_s: float, each_s: float) -> float | None:
        """When a lock had been seen unlocked and then locked, each for so long."""
        was_open = False
        open_s = 0.0
        for start, end, level in self.history.spans(wire, after_s):
            held_s = end - start
            if level in ("bolt_open", "door_open", "both_open"):
                open_s += held_s
                was_open = was_open or open_s >= each_s
            else:
                open_s = 0.0
            if level == "locked" and was_open and held_s >= each_s:
                return start + PROOF_S
        return None

    def _seen_both(self, item: str, after_s: float) -> bool:
        """Proof, not state: the sensor has said both since the tests began."""
        history = self.history
        if item == "radio":
            return any(said and said[0] and said[1] for _, _, said in history.spans("radio", after_s))
        sense = {
            "lighting": "light_sense",
            "ventilation": "airflow",
            "beacon": "beacon_sense",
            "intercom": "intercom_return",
        }[item]
        return {level for _, _, level in history.spans(sense, after_s)} >= {True, False}

    def _aged(self, item: str, proven: Words, begun: Fact) -> Words:
        """`checklist_valid_s`; with people aboard occupied cells, light and air do not age, and age never revokes."""
        seen = self.history.last("seen_passed", when=_about(item))
        latest = self.history.facts[seen].at_s if seen >= 0 else self.history.at_s
        earliest = begun.at_s
        if item.startswith("cell_lock_"):
            earliest = (
                self.proven_at("cell_" + item.removeprefix("cell_lock_"), begun.at_s, PROOF_S - SLACK_S) or earliest
            )
        if self.history.at_s - earliest < self.valid_s - SLACK_S:
            return proven
        if self._ages(item) and self.history.at_s - latest > self.valid_s + SLACK_S:
            return frozenset({"expired"})
        return frozenset({"passed", "expired"})

    def _ages(self, item: str) -> bool:
        if self.is_open() or self.phase() not in ("checking", "boarding"):
            return False
        if not self.is_anyone_aboard():
            return True
        return item not in self.kept_with_people()

    def kept_with_people(self) -> frozenset[str]:
        """Contract: proofs that a restart in the same boot keeps while people are aboard."""
        if not self.is_anyone_aboard():
            return frozenset()
        return frozenset({"lighting", "ventilation", *(f"cell_lock_{c}" for c in self.cells if self.seated(c) > 0)})

    # --- Rule 16: the driver's report ---

    def report(self) -> tuple[str, float, float]:
        """`none`, `outdated` or `valid` (by events alone), and its age in seconds: at most, at least.

        Whether pressing again while boarding is open makes the report a newer one the contract does not say.
        """
        enders = ("reported", "restart", "rolled", "stopped", "open_trip", "secure", "departed", "cancel_trip")
        at = self.history.last(*enders)
        if at < 0 or self.history.facts[at].what != "reported":
            return "none", 0.0, 0.0
        later = self.history.facts[at + 1 :]
        if any(fact.what == "row_lost" for fact in later):
            return "outdated", 0.0, 0.0
        again = [fact.at_s for fact in later if fact.what == "reported_open"]
        oldest_s = self.history.at_s - self.history.facts[at].at_s
        return "valid", oldest_s, self.history.at_s - again[-1] if again else oldest_s

    # --- Rule 17 and closing ---

    def securing(self, item: str) -> Words:
        """May a row of `before_departure` be passed? {"passed"}, {"open"}, or both."""
        if item in {duty.item for duty in law.SECURING_BY_HAND}:
            since = max(self.history.last("finish_boarding"), self.history.last("withdraw", when=_about(item)))
            said = [f for f in self.history.facts[since + 1 :] if f.what == "confirm" and f.data["item"] == item]
            return frozenset({"passed"}) if said else frozenset({"open"})
        if item == "counts_agree":
            return frozenset({"passed"}) if self.commander() == self.body() else frozenset({"open"})
        loops = ["body_door"] if item == "body_door_closed" else [f"cell_{cell}" for cell in self.cells]
        held = [self.history.held(wire) for wire in loops]
        if any(level != "locked" and seconds >= wires.REVOKE_S for level, seconds in held):
            return frozenset({"open"})
        if all(level == "locked" and seconds >= wires.TRUST_S for level, seconds in held):
            return frozenset({"passed"}) if self.since_start_s() >= wires.TRUST_S else frozenset({"passed", "open"})
        return frozenset({"passed", "open"})

    def looked_into(self, cell: int) -> Words:
        """Rule 18: the door of a used cell stood open during unloading; a drawn bolt alone shows nobody the inside."""
        begun = self.history.facts[self.history.last("open_unloading")].at_s
        longest = max(
            (end - start for start, end, level in self.history.spans(f"cell_{cell}", begun) if level in OPEN),
            default=0.0,
        )
        if longest >= wires.TRUST_S:
            # What a restart leaves of a look that did not complete the row, the contract does not say.
            after = self.history.last("restart") > self.history.last("open_unloading")
            return frozenset({"passed", "open"}) if after else frozenset({"passed"})
        # One that stood open before counts in the very scan in which unloading begins, or in the next.
        is_open_now = self.history.held(f"cell_{cell}")[0] in OPEN
        return frozenset({"passed", "open"}) if longest > 0.0 or is_open_now else frozenset({"open"})

    def used_cells(self) -> list[int]:
        return [cell for cell in self.cells if self._times("board_person", cell) > self._times("unboard_person", cell)]

    def seen_empty(self) -> Words:
        """One press of the count button at the rear after everyone was counted out."""
        begun = self.history.last("open_unloading")
        since = max(begun, self.history.last("unload_person"))
        looked = any(f.what == "looked" for f in self.history.facts[since + 1 :])
        if not looked or self.unloaded() < self.commander():
            return frozenset({"open"})
        restarted = self.history.last("restart") > self.history.last("looked")
        return frozenset({"passed", "open"}) if restarted else frozenset({"passed"})


def _about(item: str) -> Any:
    """Facts about one item, and those that are about the whole trip."""
    return lambda fact: fact.data.get("item") in (None, item)
