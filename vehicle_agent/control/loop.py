"""The scan: every 20 ms read all wires, decide, drive the outputs, and only then everything else (Rules 3, 15, 16).

Nothing here waits: not for the disk, not for a client, not for a device. If the scan stops, so does the pulse that it
toggles, and the permit relay outside drops without any software.
"""

from __future__ import annotations

import logging
from typing import Any

from hw.rig import Rig, RigReading
from vehicle_agent.control import replay
from vehicle_agent.control.chain import Head
from vehicle_agent.control.clock import Clock, Wall, parse_utc
from vehicle_agent.control.counter import Counter, is_fed, is_looking, is_watching
from vehicle_agent.control.devices import Devices
from vehicle_agent.control.feed import Feeds
from vehicle_agent.control.intake import Intake
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.seen import WiresSeen
from vehicle_agent.control.server import Server
from vehicle_agent.control.sessions import Sessions
from vehicle_agent.control.timing import SCAN_S, Timing
from vehicle_agent.control.view import View, refusals_body
from vehicle_agent.control.wiring import readings
from vehicle_agent.core.decide import scan
from vehicle_agent.core.events import BoardingClosed, ClockChanged, Envelope, Event, JournalRestarted, Started
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.inputs import Fix, Now, Press
from vehicle_agent.core.interlock import Refusal
from vehicle_agent.core.notices import wire_time
from vehicle_agent.core.outputs import outputs
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.state import Live, Trip
from vehicle_agent.notify import notify

# The permit relay of any build holds for at least 150 ms after an edge (hw/README.md). An edge that comes later could
# close one that has dropped: it is not made. The rest is for what may hold us up between the clock and the line.
PULSE_GAP_S = 0.13
SERVE_ANYWAY_S = 1.0  # without a journal the screens shall at least say so
TICK_S = 0.5
WATCHDOG_S = 1.0
POSITION_S = 0.95  # a receiver that speaks once a second is not always punctual
SCHEMA = 1  # of the journal's rows

log = logging.getLogger("control")


class Control:
    """All of control but its start; every method belongs to the scan thread, which is the main thread."""

    def __init__(
        self,
        *,
        rig: Rig,
        settings: Settings,
        clock: Clock,
        boot_id: str,
        software: str,
        supply_range: tuple[int, int],
        lockout_s: float,
        journal: Journal,
        devices: Devices,
        sessions: Sessions,
        intake: Intake,
        server: Server,
    ) -> None:
        self.settings, self.clock, self.boot_id = settings, clock, boot_id
        self.journal, self.server = journal, server
        self.feeds = Feeds(server, journal)
        self.view = View(settings)
        self.trip = self.durable = Trip()
        self.durable_head = Head()  # of the row that `durable` was last folded from
        self.live = Live()
        self.is_live = False  # the journal is replayed: before that nothing is decided, only read and refused
        self._rig, self._devices, self._sessions, self._intake = rig, devices, sessions, intake
        self._software, self._supply_range, self._lockout_s = software, supply_range, lockout_s
        self._counter = Counter(self, intake.requests)
        self._seen = WiresSeen()
        self._timing = Timing()
        self._unkept: Fix | None = None  # newest valid fix since the last scan, for the ring of positions
        self._levels: dict[str, bool] = {}
        self._is_pulsed = False
        self._pulsed_at_s: float | None = None  # the newest edge of this permit
        self._is_stopping = False
        self._is_serving = False
        self._started_order = 0  # of the event that tells of this start
        self._replay_problem: str | None = None
        self._started_at_s = clock.mono()
        self._wall = clock.now(self._started_at_s)
        self._now = self._make_now(self._started_at_s, self._wall)
        self._tick_at_s = self._watchdog_at_s = self._position_at_s = self._problem_at_s = self._started_at_s

    def stop(self) -> None:
        """End after the scan that runs. For a signal handler."""
        self._is_stopping = True

    def run(self) -> None:
        """Scan until `stop`; then, or on any error, leave every output safe. Raises RigError when a line fails."""
        try:
            self._scan(self.clock.mono())
            log.info("first complete scan %.2f s after the process began", self._timing.process_age_s())
            self.journal.start()
            self._devices.start()
            next_s = began_s = self.clock.mono()
            while not self._is_stopping:
                next_s = self._timing.next_scan(next_s, began_s, self.clock.mono())
                self._rest(next_s - SCAN_S / 2)
                self._rig.glance(self.clock.mono())
                self._rest(next_s)
                began_s = self.clock.mono()
                self._scan(began_s)
                self._timing.add(self.clock.mono() - began_s)
                self._timing.collect_garbage(self.clock.mono(), spare_s=next_s + SCAN_S - self.clock.mono())
        finally:
            self._make_safe()

    def record(self, event: Event) -> str | None:
        """Journal an event that control itself makes. The row's id, or None before the journal is replayed."""
        if not self.is_live:
            return None
        now = self._now
        envelope = Envelope(
            now.new_id(), now.utc, now.mono_s, now.source, now.uncertainty_s, self.boot_id, self.trip.id, event
        )
        self.trip = evolve(self.trip, envelope)
        self.journal.append(envelope)
        return envelope.id

    def drive(self, levels: dict[str, bool], at_s: float) -> bool:
        """Drive what a scan begun at `at_s` decided. True: its edge came too late, and the permit is released.

        The core compares when scans began; one that is held up between its beginning and its edge is only seen here.
        """
        self._rig.write(levels if levels["permit_enable"] else {**levels, "permit_pulse": False})
        before_s, after_s = self.clock.mono(), at_s if self._pulsed_at_s is None else self._pulsed_at_s
        is_wanted = levels["permit_enable"]
        is_made = is_wanted and self._rig.pulse(not self._is_pulsed, after_s + PULSE_GAP_S, self.clock.mono)
        if is_wanted and not is_made:
            levels = {**levels, "permit_enable": False}
            self._rig.write({**levels, "permit_pulse": False})
        self._levels = levels
        self._is_pulsed = is_made and not self._is_pulsed
        self._pulsed_at_s = before_s if is_made else None
        return is_wanted and not is_made

    def journal_problem(self) -> str | None:
        """Why nothing can be promised to be on disk; None while all is well."""
        return self._replay_problem or self.journal.problem()

    def snapshot(self) -> dict[str, Any]:
        """The contract's snapshot."""
        return self.view.body(self.trip, self.live, self._now)

    def refused(self, *found: Refusal) -> dict[str, Any]:
        """The body of a command's 409."""
        return refusals_body(found, self.live, self._now)

    def wires_seen(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Input wires that were seen in both states since the start, and those that were not."""
        return self._seen.exercised()

    def health(self) -> dict[str, Any]:
        """For the doctor and the metrics."""
        problem = self.journal_problem()
        return {
            "phase": self.trip.phase,
            "rev": self.view.rev,
            "journal": "healthy" if problem is None else f"unavailable: {problem}",
            "uptime_s": round(self.clock.mono() - self._started_at_s, 1),
            "equipment": {name: status.status for name, status in self.live.equipment.items()},
            **self._timing.figures(),
        }

    def _rest(self, until_s: float) -> None:
        """Sleep. A fix that comes meanwhile is passed on at once; the core sees it in the next scan as ever."""
        while (left_s := until_s - self.clock.mono()) > 0.0:
            if self._devices.wait(left_s):
                self._take_fixes()

    def _take_fixes(self) -> None:
        fixes = self._devices.fixes()
        for fix in fixes:
            self.clock.feed(fix)
            if fix.valid and self._is_serving and self.server.watchers:
                self.server.push("fix", self._fix_body(fix), is_fed)
        if fixes and fixes[-1].valid:
            self._unkept = fixes[-1]

    def _scan(self, at_s: float) -> None:
        reading = self._rig.read(at_s)
        self._take_fixes()
        change = self.clock.tick(at_s)
        self._wall = self.clock.now(at_s)
        self._now = self._make_now(at_s, self._wall)
        if change is not None:
            self.record(ClockChanged(change.source, change.uncertainty_s, change.step_s))
        self._decide(reading, at_s)
        # The outputs are driven: whatever comes now may take its time without anybody being endangered.
        for durable in self.journal.drain():
            self.durable = evolve(self.durable, durable.envelope)
            self.durable_head = Head(durable.row["seq"], durable.row["hash"])
            self._counter.pending.reached(durable)
        self._counter.pending.expire(at_s)
        self.view.follow(self.trip, self.live, self.journal.head.seq)
        self._seen.add(reading)
        self._keep()
        if self._is_serving:
            self._tell(at_s)
        self._look_after(at_s)

    def _decide(self, reading: RigReading, at_s: float) -> None:
        presses = [Press(press.button, press.hold_s) for press in reading.presses]
        inputs = self._counter.take(has_presses=bool(presses))
        step = scan(
            self.trip,
            self.live,
            readings(
                reading,
                at_s,
                self._supply_range,
                fix=self._devices.fix(),
                radio=self._devices.radio(),
                journal_ok=self.is_live and self.journal_problem() is None,
                is_enabled=self._levels.get("permit_enable", False),
            ),
            [*(presses if self.is_live else ()), *inputs],
            self._now,
            self.settings,
        )
        self.live = step.live
        if self.is_live:
            self.trip = step.trip
        is_late = self.drive(outputs(self.trip, self.durable, self.live, at_s), at_s)
        if self.is_live:
            self.journal.append(*step.envelopes)
            if is_late:
                self.record(BoardingClosed("scan_stopped"))
            self.view.follow(self.trip, self.live, self.journal.head.seq)  # an answer names the rev after its command
            self._counter.settle(step.answers[len(presses) :])

    def _keep(self) -> None:
        """One live fix a second for the ring of positions."""
        fix, self._unkept = self._unkept, None
        if fix is None or not self.is_live or fix.at_s - self._position_at_s < POSITION_S:
            return
        self._position_at_s = fix.at_s
        self.journal.add_position(
            {
                "at": wire_time(self.clock.now(fix.at_s).utc),
                "boot_id": self.boot_id,
                "trip": self.trip.id,
                "mono_s": round(fix.at_s, 3),
                "latitude_deg": fix.latitude_deg,
                "longitude_deg": fix.longitude_deg,
                "altitude_m": fix.altitude_m,
                "speed_mps": fix.speed_mps,
                "course_deg": fix.course_deg,
                "mode": fix.mode,
                "trusted": int(fix.trusted),
                "hdop": fix.hdop,
                "satellites": fix.satellites,
            }
        )

    def _tell(self, at_s: float) -> None:
        if not self.server.watchers:
            return
        news = self.view.news(self.trip, self.live, self._now)
        if news is not None:
            self.server.push("snapshot", news, is_looking)
        if at_s - self._tick_at_s >= TICK_S:
            self._tick_at_s = at_s
            tick = {
                "rev": self.view.rev,
                "at": wire_time(self._now.utc),
                "phase": self.trip.phase,
                "uptime_s": round(at_s - self._started_at_s, 1),
            }
            self.server.push("tick", tick, is_watching)

    def _fix_body(self, fix: Fix) -> dict[str, Any]:
        return {
            "at": wire_time(self.clock.now(fix.at_s).utc),
            "time": None if fix.time_utc is None else wire_time(fix.time_utc),
            "latitude_deg": fix.latitude_deg,
            "longitude_deg": fix.longitude_deg,
            "altitude_m": fix.altitude_m,
            "speed_mps": fix.speed_mps,
            "course_deg": fix.course_deg,
            "mode": fix.mode,
            "trusted": fix.trusted,
            "hdop": fix.hdop,
            "satellites": fix.satellites,
            "mono_s": round(fix.at_s, 3),
        }

    def _look_after(self, at_s: float) -> None:
        if self.journal.opening is not None and not self.is_live and self._replay_problem is None:
            self._go_live()
        if not self._is_serving:
            is_ready = self.is_live and self.durable.order >= self._started_order
            is_hopeless = self.journal_problem() is not None and at_s - self._started_at_s > SERVE_ANYWAY_S
            if is_ready or is_hopeless:
                self._serve()
        are_alive = self.journal.is_alive() and (not self._is_serving or self.server.is_alive())
        if are_alive and at_s - self._watchdog_at_s >= WATCHDOG_S:
            self._watchdog_at_s = at_s
            notify("WATCHDOG=1")

    def _go_live(self) -> None:
        """Fold the journal, and begin to decide with nothing known of the wires."""
        opening = self.journal.opening
        assert opening is not None  # noqa: S101 (the caller looked)
        try:
            self.trip = self.durable = replay.fold(opening.rows)
        except replay.ReplayError as error:
            self._replay_problem = str(error)
            log.error("%s", error)
            return
        self.durable_head = opening.head
        if opening.last_trusted_at is not None:
            self.clock.believe_no_earlier(parse_utc(opening.last_trusted_at))
        pins = replay.pin_state(opening.last_pin, self.boot_id, self._now.mono_s, self._wall, self._lockout_s)
        self._sessions.restore(wrong=pins.wrong, locked_for_s=pins.locked_for_s)
        self.live = Live()
        self.is_live = True
        moved = opening.moved
        if moved is not None:
            log.error("the journal was not whole and was moved to %s: %s", moved.moved_to, moved.reason)
            self.record(JournalRestarted(moved.moved_to, moved.last_hash, moved.reason, moved.sequence_floor))
        last = opening.last
        same_boot = last is not None and last["boot_id"] == self.boot_id
        reason = "first" if last is None else "restart" if same_boot else "boot"
        self.record(Started(self._software, SCHEMA, same_boot, reason))
        self._started_order = self.trip.order
        self.view.start_from(opening.head.seq + self.journal.appended)

    def _serve(self) -> None:
        self._intake.attach(self.server, self.feeds)
        self.server.start()
        self._is_serving = True
        self._timing.settle()
        notify("READY=1")
        log.info("ready, phase %s, journal %s", self.trip.phase, self.journal_problem() or "healthy")

    def _make_now(self, at_s: float, wall: Wall) -> Now:
        return Now(at_s, wall.utc, wall.source, wall.uncertainty_s, self.boot_id, self.clock.new_id)

    def _make_safe(self) -> None:
        """Permit off, inhibits released, lamps dark; then the journal's last words."""
        notify("STOPPING=1")
        try:
            self._rig.write({**dict.fromkeys(self._levels, False), "permit_pulse": False})
        finally:
            self._rig.close()
            if not self.journal.stop():
                log.error("the journal could not write everything before the end")
            self.server.stop()
            self._devices.stop()
