"""One vehicle that is there to be harmed: a bench, a control and a crew, and what the bench saw of the relay.

All times are the bench's CLOCK_MONOTONIC in nanoseconds, which is also this process's `time.monotonic_ns`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.vehicle import waited_for_core_s
from tests.integration.commander import Commander
from tests.integration.control_rig import ControlRig, Json, until
from vehicle_agent.journal_cli import verify

RESTART_S = 1.0  # RestartSec= of control's unit
BACK_WITHIN_S = 30.0  # a loaded machine's start; what is promised is measured on the wires
PRESS_S = 0.1
PULL_IN_NS = 3_000_000  # hw/README.md: no relay of ours closes on less; the bench's is ideal and does at once
CUT_OFF_S = 10.0  # hw/README.md: charged while the line is high, discharged as fast while it is low


class Victim:
    """Belongs to one thread."""

    def __init__(self, root: Path, scheduling: str = "unit") -> None:
        """`scheduling` of control: `unit`, as in a vehicle, or `ordinary`, as anybody may start it."""
        self.rig = ControlRig(root)
        self.rig.program = ("-m", "tests.faults.hanging_control", scheduling)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # where systemd would listen
        self.manager.bind(str(root / "notify"))
        self.manager.setblocking(False)
        self.rig.environment["NOTIFY_SOCKET"] = str(root / "notify")
        self._seen: list[Json] = []
        self._last = 0
        self._is_prepared = False
        self.begin_ns = 0
        self._begin_waited_s = 0.0

    def start(self) -> None:
        self.rig.start_bench()
        self.commander = self._take_command()

    def _take_command(self) -> Commander:
        wire = self.rig.start(BACK_WITHIN_S)
        wire.connection.settimeout(BACK_WITHIN_S)
        return Commander(self.rig, wire)

    def close(self) -> None:
        self.rig.close()
        self.manager.close()

    # What the crew does.

    def open_boarding(self, random_: random.Random) -> None:
        """Boarding is open and the relay closed, whatever happened before; sometimes with somebody aboard."""
        if not self._is_prepared:
            self.commander.prepare()
            self._is_prepared = True
        if self.snapshot()["phase"] in ("no_trip", "closed"):
            self.commander.open_trip()
        self.be_open()
        if random_.random() < 0.5:
            if self.snapshot()["counts"]["commander"] == 0:
                self.board()
            else:
                self.commander.do("unboard_person", cell=1)

    def board(self) -> None:
        self.commander.do("board_person", cell=1)
        self.rig.press("body_count", PRESS_S)
        until(lambda: self.snapshot()["counts"]["body"] == 1, "the body escort's count")

    def be_open(self) -> None:
        """Boarding is open and the relay closed; nobody more or less aboard."""
        if not self.snapshot()["boarding"]["open"]:
            self.commander.prove()
            self.commander.do("open_boarding")
        until(lambda: self.snapshot()["boarding"]["energised"], "the relay closes")

    def open_tests(self) -> None:
        """Nobody aboard, nothing proven, and fan and light are interrupted at this moment."""
        if not self._is_prepared:
            self.commander.wire.ask("commission", by="test")
            self._is_prepared = True
        if self.snapshot()["counts"]["commander"]:
            self.commander.do("unboard_person", cell=1)
        if self.snapshot()["phase"] not in ("no_trip", "closed"):
            self.commander.do("cancel_trip", reason="again from the beginning")
        self.commander.open_trip()
        until(lambda: self._cut_off_charge_s("fan_inhibit") == 0.0, "the cut-off outside is armed", 2 * CUT_OFF_S)
        until(lambda: self.works("ventilation") and self.works("lighting"), "fan and light work", 15.0)
        self.commander.do("start_tests")
        until(lambda: self.level("fan_inhibit"), "the fan is interrupted", 20.0)

    def snapshot(self) -> Json:
        return self.commander.look()

    def works(self, name: str) -> bool:
        return bool(self.snapshot()["equipment"][name]["status"] == "working")

    def _cut_off_charge_s(self, line: str) -> float:
        """How long the inhibit's cut-off has been charged; what was charged up lets go until it is empty again."""
        charge_s, level, since_ns = 0.0, False, 0
        for at_ns, now in [*self.edges(line, 0), (time.monotonic_ns(), False)]:
            passed_s = (at_ns - since_ns) / 1e9
            charge_s = min(CUT_OFF_S, max(0.0, charge_s + (passed_s if level else -passed_s)))
            level, since_ns = now, at_ns
        return charge_s

    # What is done to it.

    def signal(self, number: signal.Signals) -> int:
        """Send it to control; the moment before it was sent."""
        sent_ns = time.monotonic_ns()
        os.kill(self.rig.pid, number)
        return sent_ns

    def restart(self) -> None:
        """As systemd does: a new control one second after the old one ended."""
        ended_s = time.monotonic()
        self.rig.end(signal.SIGKILL)
        wait_s(RESTART_S - (time.monotonic() - ended_s))
        self.commander = self._take_command()

    def mend(self) -> None:
        """After a fault that was not as promised: the next one finds a vehicle that works."""
        for wire in ("body_door", "alarm_button", "cell_1", "cell_2"):
            self.rig.set_wire(wire, "auto")
        self.restart()

    def mark(self) -> int:
        """Now; `waited_ms` counts from here."""
        self.begin_ns, self._begin_waited_s = time.monotonic_ns(), waited_for_core_s(self.rig.pid)
        return self.begin_ns

    def waited_ms(self) -> float:
        """For how long since the mark the scan was ready and had no core: the share of whatever else runs here."""
        return (waited_for_core_s(self.rig.pid) - self._begin_waited_s) * 1e3

    def alarms(self, code: str) -> list[Json]:
        return [alarm for alarm in self.snapshot()["alarms"] if alarm["code"] == code]

    # What the bench saw.

    def timeline(self) -> list[Json]:
        """Everything since this vehicle was made."""
        fresh = self.rig.bench("GET", f"timeline?after={self._last}")
        if fresh:
            self._last = int(fresh[-1]["n"])
            self._seen += fresh
        return self._seen

    def edges(self, wire: str, since_ns: int) -> list[tuple[int, Any]]:
        return [(entry["t_ns"], entry["level"]) for entry in self.timeline() if self._is(entry, wire, since_ns)]

    def edge(self, wire: str, level: str | bool, since_ns: int, within_s: float) -> int:
        """When the wire first took this level."""

        def found() -> list[int]:
            return [at_ns for at_ns, seen in self.edges(wire, since_ns) if seen == level]

        return int(until(found, f"{wire} {level}", within_s)[0])

    def relay_opened(self, since_ns: int, within_s: float) -> float:
        """Milliseconds from then until the relay was open for good: it must not have closed again by now."""
        until(lambda: not self.is_relay_closed, "the relay opens", within_s)
        opened_ns = self.opened_ns(since_ns)
        return 0.0 if opened_ns is None else (opened_ns - since_ns) / 1e6

    def opened_ns(self, since_ns: int) -> int | None:
        """When the relay that was closed then opened, for good. None: it has stayed as it was."""
        edges = self.edges("permit_relay", since_ns)
        held = [edges[0], *pulled_in(edges[1:])] if edges else []
        assert len(edges) - len(held) <= 2, f"one late edge may be taken back, not several: {edges}"
        shown = [(round((at_ns - since_ns) / 1e6, 3), level) for at_ns, level in edges]
        assert [level for _, level in held] in ([], [False]), f"the relay closed by itself; ms after the fault: {shown}"
        return edges[0][0] if edges else None

    @property
    def is_relay_closed(self) -> bool:
        return bool(self.rig.bench("GET", "wires")["permit_relay"]["closed"])

    def level(self, wire: str) -> Any:
        return self.rig.bench("GET", "wires")["wires"][wire]["level"]

    def stays_closed_to_all(self, since_ns: int, counts: Json) -> None:
        """Nobody may board until a person opens boarding: so it is now, whoever was aboard is still counted."""
        shown = self.snapshot()
        assert not shown["boarding"]["open"], shown["boarding"]
        assert shown["counts"] == counts
        refused = self.commander.act("board_person", cell=2)[1]["refusals"][0]["code"]
        assert refused in ("reopen_needed", "wrong_phase"), refused
        self.opened_ns(since_ns)
        assert not self.is_relay_closed

    def is_whole(self) -> None:
        """Fan and light run, and the journal's chain holds."""
        until(lambda: self.level("airflow") == self.level("light_sense") == "closed", "fan and light run", 10.0)
        found = verify(self.rig.state_dir / "journal.db")
        assert found.problem is None, found.problem

    def why_closed(self) -> Json | None:
        """What the journal says of the newest end of an open boarding."""
        with contextlib.closing(sqlite3.connect(self.rig.state_dir / "journal.db")) as journal:
            sql = "SELECT data FROM events WHERE type = 'boarding_closed' ORDER BY seq DESC LIMIT 1"
            found = journal.execute(sql).fetchone()
        return None if found is None else json.loads(found[0])

    def watchdog_words(self) -> int:
        """How often control told systemd that it lives, since the last call."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                count += self.manager.recv(200) == b"WATCHDOG=1"
        return count

    @staticmethod
    def _is(entry: Json, wire: str, since_ns: int) -> bool:
        return bool(entry["wire"] == wire and entry["t_ns"] >= since_ns)


def pulled_in(edges: Sequence[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """The edges of a relay that was open before them, without the closings that end before any relay follows."""
    kept: list[tuple[int, bool]] = []
    for at_ns, level in edges:
        if kept and kept[-1][1] and not level and at_ns - kept[-1][0] < PULL_IN_NS:
            kept.pop()
        else:
            kept.append((at_ns, level))
    return kept


def wait_s(span_s: float) -> None:
    """Let time pass, for the fault to last."""
    end_s = time.monotonic() + span_s
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(left_s)
