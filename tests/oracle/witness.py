"""The observer beside the vehicle: writes down what was done and seen from outside, and asks the naive reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.core.world import SCAN_S, SETTINGS, START, World
from tests.oracle import boarding, law, orders, wires
from tests.oracle.compare import compare
from tests.oracle.history import History
from tests.oracle.reading import LONG_S, LONGEST_S, ORIGIN, PRESS_S, Reading
from tests.oracle.tally import DisagreementError, Tally
from vehicle_agent.core.inputs import AtBroker, Input, Readings, Receipt
from vehicle_agent.core.settings import Settings

# Shorter than a vehicle's own limits, so that a walk can outlive them; they are settings: no code knows these numbers.
VALID_S, REPORT_S, CONFIRM_S = 60.0, 25.0, 20.0
SENSES = ("airflow", "light_sense", "beacon_sense", "intercom_return", "permit_readback")
FAST_MPS = 2.0  # contract: moving
WATCHED = replace(SETTINGS, checklist_valid_s=VALID_S, driver_report_valid_s=REPORT_S, confirm_within_s=CONFIRM_S)


class Witness(World):
    """A world with an observer. Every act goes through here; the core's own state is never looked at."""

    def __init__(self, tally: Tally, settings: Settings = WATCHED, *, source: str = "gnss", commissioned: bool = True):
        super().__init__(settings, source=source)
        if not commissioned:
            self.trip = self.durable = replace(self.trip, commissioned="another wiring")
        self.is_commissioned = commissioned
        self.history = History()
        self.reading = Reading(self.history, settings.cells, settings.checklist_valid_s, settings.driver_report_valid_s)
        self.reading.is_commissioned = commissioned
        self.tally = tally
        self.offset = START - ORIGIN
        self.rows_kept = 0
        self.disk_turned_s = -1.0
        self.marks: list[tuple[int, int]] = [(0, 0)]  # rows written and facts known, at each comparison
        self.key_seen: tuple[Any, Any] | None = None
        self.is_open_by: tuple[int, int, bool] = (0, 0, False)

    # --- what is seen ---

    def readings(self) -> Readings:
        seen = super().readings()
        fix, radio = seen.fix, seen.radio
        is_fix = fix is not None and fix.valid and fix.trusted
        enabled, back = seen.is_enabled, seen.contacts["permit_readback"]
        self.history.look(
            {
                **seen.loops,
                **seen.contacts,
                **{f"out:{name}": level for name, level in self.out.items()},
                **{f"forced:{wire}": self.forced.get(wire, "auto") for wire in SENSES},
                "radio": None if radio is None else (radio.answered, radio.registered, radio.rssi_dbm),
                "radio_lives": self.radio_lives,
                "has_fix": fix is not None,
                "fast_fix": bool(is_fix and fix is not None and (fix.speed_mps or 0.0) >= FAST_MPS),
                "source": self.source,
                "utc_offset": self.offset,
                "readback_wrong": back is not enabled,
                "journal_ok": seen.journal_ok,
                "disk_works": self.disk_works,
            }
        )
        return seen

    def scan(self, *inputs: Input) -> Any:
        self.history.at_s += SCAN_S
        answers = super().scan(*inputs)
        self._movement()
        self._watch_permit()
        self._mark()
        return answers

    def _mark(self) -> None:
        if self.disk_works:
            self.history.kept, self.rows_kept = len(self.history.facts), len(self.envelopes)

    def _movement(self) -> None:
        """What a vehicle that rolls does to a trip, by contract: in checking and with nobody aboard, or a departure."""
        since_s = self.reading.since_start_s()
        if self.history.last("restart") > self.history.last("hang"):
            since_s -= SCAN_S  # nobody looked before the first scan, and one look may be a glitch
        if not wires.is_moving(self.history, since_s):
            return
        phase = self.reading.phase()
        aboard = self.reading.is_anyone_aboard()
        if phase in ("securing", "secured") or (phase == "boarding" and aboard):
            self.history.note("departed", how="movement", source=self.source)
        elif phase in ("checking", "boarding") and self.history.facts[-1].what != "rolled":
            self.history.note("rolled")

    def _watch_permit(self) -> None:
        """H01, H41: while the permit output is on, boarding is open and nothing has been bad for longer than 60 ms."""
        if not self.out.get("permit_enable"):
            return
        if not self._is_open():
            raise DisagreementError(f"permit output on though boarding is not open\n{self.history.story()}")
        for wire in self.loops:
            level, held_s = self.history.held(wire)
            if wires.LOOP_WORD.get(level) != "working" and held_s > wires.REVOKE_S:
                raise DisagreementError(
                    f"permit output on with {wire} {level} for {held_s:.2f} s\n{self.history.story()}"
                )
        applied, held_s = self.history.held("handbrake")
        if applied is not True and held_s > wires.REVOKE_S:
            raise DisagreementError(
                f"permit output on with handbrake {applied} for {held_s:.2f} s\n{self.history.story()}"
            )

    def _is_open(self) -> bool:
        facts = self.history.facts
        key = len(facts), id(facts[-1]) if facts else 0
        if self.is_open_by[:2] != key:
            self.is_open_by = (*key, self.reading.is_open())
        return self.is_open_by[2]

    def observe(self) -> None:
        compare(self)
        self.marks.append((len(self.envelopes), len(self.history.facts)))

    # --- what is done ---

    def do(self, name: str, **args: Any) -> Any:
        rows = self.notice_rows() if name == "told_by_radio" else []
        known = {"known": {row.notice for row in rows}} if name == "told_by_radio" else {}
        right = orders.verdict(self.reading, name, args | known)
        answer = super().do(name, **args)
        is_accepted = not answer.refusals and answer.malformed is None
        codes = {refusal.code for refusal in answer.refusals}
        self.tally.commands[f"{name}{'' if is_accepted else ' refused'}"] += 1
        self.tally.codes.update(codes)
        allowed = {True, False} if right.is_lawful is None else {right.is_lawful}
        said = f"command {name} {args} -> {sorted(codes)} {answer.malformed or ''} [{right.because}]"
        self.tally.same(said, allowed, is_accepted, self.history.story)
        if right.is_lawful is False:
            named = bool(codes & right.codes) or (right.may_be_malformed and answer.malformed is not None)
            self.tally.same(
                f"reason {name} {args} -> {sorted(codes)}, right: {sorted(right.codes)}",
                {True},
                named,
                self.history.story,
            )
        if is_accepted:
            self._done(name, args)
        self._mark()
        self.observe()
        return answer

    def _done(self, name: str, args: dict[str, Any]) -> None:
        if name == "depart":
            if self.history.facts[-1].what != "departed":  # movement in this very scan has written it down already
                self.history.note("departed", how="command", source=self.source)
            return
        self.tally.trips += name == "open_trip"
        self.history.note(name, **args, **({"source": self.source} if name == "arrive" else {}))

    def press(self, button: str, hold_s: float = 0.5, *, is_seen: bool = True) -> Any:
        """`is_seen`: a press of STOP lasts long enough for the scan to see its level; the panel looks more often."""
        if button == "driver_stop" and hold_s >= PRESS_S and is_seen:
            self.contacts["driver_stop"] = True
            self.run(hold_s)
            self.contacts["driver_stop"] = False
        was = [self.reading.status(duty.item) for duty in self._checklist()] if button == "driver_ready" else []
        phase = self.reading.phase()
        answer = super().press(button, hold_s)
        short = PRESS_S <= hold_s <= LONG_S
        if button == "driver_ready" and short and phase in ("checking", "boarding", "securing"):
            standing = wires.motion(self.history, self.reading.since_start_s())
            if self.reading.is_open():
                self.history.note("reported_open")
            elif all(words == {"passed"} for words in was) and standing == {"standing"}:
                self.history.note("reported")
            elif all("passed" in words for words in was):
                self.tally.either["report"] += 1
                self._adopt_report(self.snapshot())
        elif button == "body_count" and phase == "boarding" and PRESS_S <= hold_s <= LONGEST_S:
            self.history.note("counted", delta=1 if short else -1)
            self._movement()  # counted in while the vehicle rolls
        elif button == "body_count" and phase == "unloading" and short:
            self.history.note("looked" if self.reading.unloaded() == self.reading.commander() else "pressed")
        elif button == "driver_stop":
            self.history.note("stopped")  # however short or long it was: whoever says STOP may mean it
        self._mark()
        self.observe()
        return answer

    def _adopt_report(self, shown: dict[str, Any]) -> None:
        """Pressed while a row may have been lost: a report, one that was outdated in the same scan, or none."""
        codes = {refusal["code"] for refusal in shown["boarding"]["refusals"]}
        if shown["driver"]["ready"]:
            self.history.note("reported")
        elif self.reading.report()[0] == "none" and "driver_not_ready" not in codes:
            self.history.note("reported")
            self.history.note("row_lost")

    def _checklist(self) -> tuple[law.Duty, ...]:
        return () if self.reading.phase() == "no_trip" else self.reading.checklist()

    def say(self, said: AtBroker | Receipt) -> None:
        """The uplink passes on what the broker or a unit said."""
        self.scan(said)
        if isinstance(said, Receipt):
            self.history.note("receipt", notice=said.notice, stage=said.stage, unit=said.unit)
        else:
            self.history.note("at_broker", notice=said.notice)
        self._mark()
        self.observe()

    def wait(self, seconds: float) -> None:
        self.run(seconds)
        self.observe()

    def set_source(self, source: str, uncertainty_s: float | None) -> None:
        self.source, self.uncertainty_s = source, uncertainty_s

    def step_clock(self, step: timedelta) -> None:
        """Wall time only: the monotonic clock never steps."""
        self.utc += step
        self.offset += step

    def hang(self, seconds: float) -> None:
        """Nobody looked for a while, though time went on; boarding does not survive that."""
        self.mono_s += seconds
        self.utc += timedelta(seconds=seconds)
        self.history.at_s += seconds
        if self.reading.is_open():
            self.history.note("revoked", why="scan stopped")
        self.history.note("hang")
        self.scan()
        self.observe()

    def turn_disk(self, *, works: bool) -> None:
        """A slow disk: rows wait; the newest state is ahead of the durable one."""
        if self.disk_works != works:
            self.disk_works, self.disk_turned_s = works, self.history.at_s

    def restart(self, *, same_boot: bool = True) -> None:
        self.envelopes = self.envelopes[: self.rows_kept]
        self.history.forget_unsaved()
        self.disk_works = self.journal_ok = True
        keeps = self.reading.kept_with_people() if same_boot else frozenset()
        self._restart_world(same_boot=same_boot)
        self.history.note("restart", same_boot=same_boot, keeps=keeps)
        self.tally.restarts += 1
        self.key_seen = None
        if self.snapshot()["boarding"]["open"]:  # before the first scan, which finds everything unknown and closes it
            raise DisagreementError(f"boarding is open after a restart\n{self.history.story()}")
        self.scan()
        self.observe()

    def _restart_world(self, *, same_boot: bool) -> None:
        before_s = self.mono_s
        super().restart(same_boot=same_boot)
        if self.radio is not None:  # its last answer is as old by the new clock as it was by the old one
            self.radio = replace(self.radio, at_s=self.radio.at_s + self.mono_s - before_s)
        if not self.is_commissioned:
            self.trip = self.durable = replace(self.trip, commissioned="another wiring")
        self._mark()

    def notice_rows(self) -> list[Any]:
        """The notices as they were written for the uplink; it is given nothing else."""
        return [envelope.event for envelope in self.envelopes if envelope.event.type == "notice_recorded"]

    def permit_slots(self) -> list[boarding.Slot]:
        return boarding.against(self.reading)
