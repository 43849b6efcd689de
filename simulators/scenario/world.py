"""What a scenario can reach: the three pages, the processes, the broker, the logs; and its patience."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulators.scenario.commander import Commander
from simulators.scenario.errors import NotMetError
from simulators.scenario.outsider import Outsider
from simulators.scenario.registry import Seen
from simulators.stack.calls import Answer, call

POLL_S = 0.05
PANEL_S = 0.1  # a person sees the lamp answer before the next act; the panel is read every 20 ms
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the running demo is: its JSON line."""

    display: str
    bench: str
    desk: str
    broker: str
    state_dir: Path

    @classmethod
    def from_ready_line(cls, line: str) -> Endpoints:
        found = json.loads(line)
        return cls(found["display"], found["bench"], found["desk"], found["broker"], Path(found["state_dir"]))

    def page(self, name: str) -> str:
        return {"display": self.display, "bench": self.bench, "desk": self.desk}[name]


@dataclass(slots=True)
class World:
    """One run of one scenario."""

    endpoints: Endpoints
    directory: Path  # of the scenario's file: recorded files are named relative to it
    commander: Commander = field(init=False)
    outsider: Outsider = field(init=False)
    action_ns: int = field(default_factory=time.monotonic_ns)
    began_at_n: int = 0  # the bench's timeline at the start
    old_notices: set[str] = field(default_factory=set)  # those of trips before the scenario
    killed: dict[str, int] = field(default_factory=dict)  # process -> pid that it had when it was killed
    _log_sizes: dict[str, int] = field(default_factory=dict)
    _timers: list[threading.Timer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commander = Commander(self.endpoints.display)
        self.outsider = Outsider(self.endpoints.broker, self.endpoints.state_dir / "keys")
        self._log_sizes = {path.name: path.stat().st_size for path in self._logs()}
        snapshot = self.commander.look()
        self.old_notices = {notice["id"] for notice in snapshot["notices"]} if snapshot else set()
        self.began_at_n = max((entry["n"] for entry in self.timeline(0)), default=0)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self.outsider.close()

    def mark_action(self) -> None:
        """Remember now as the beginning of the act that the following expectations are about."""
        self.action_ns = time.monotonic_ns()

    # --- patience -------------------------------------------------------------------------------------------------

    def until(self, look: Callable[[], Seen], patience_s: float, since_action_s: float | None) -> None:
        """Return when the condition holds; where the bench measured since when, `since_action_s` judges that time."""
        deadline_s = time.monotonic() + patience_s
        while True:
            seen = look()
            late_s = 0 if seen.since_ns is None or since_action_s is None else (seen.since_ns - self.action_ns) / 1e9
            if seen.is_met:
                if since_action_s is not None and late_s > since_action_s:
                    raise NotMetError(f"{seen.what}, but only {late_s * 1000:.0f} ms after the act before")
                return
            if time.monotonic() >= deadline_s:
                raise NotMetError(f"after {patience_s:g} s: {seen.what}")
            time.sleep(POLL_S)

    def while_for(self, look: Callable[[], Seen], hold_s: float) -> None:
        """Return when the condition has held for so long."""
        end_s = time.monotonic() + hold_s
        while time.monotonic() < end_s:
            seen = look()
            if not seen.is_met:
                raise NotMetError(f"it held for {hold_s - (end_s - time.monotonic()):.1f} s, then: {seen.what}")
            time.sleep(POLL_S)

    def later(self, after_s: float, act: Callable[[], object]) -> None:
        """Do something while the scenario goes on."""
        timer = threading.Timer(after_s, act)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    # --- the far side of the wires --------------------------------------------------------------------------------

    def put_bench(self, path: str, body: dict[str, Any]) -> None:
        self._bench("PUT", path, body)

    def press(self, button: str, hold_s: float) -> None:
        self._bench("POST", f"press/{button}", {"hold_s": hold_s}, timeout_s=hold_s + 5.0)
        time.sleep(PANEL_S)

    def wires(self) -> dict[str, Any]:
        return dict(self._bench("GET", "wires").body)

    def cells(self) -> list[str]:
        """The names of the cells' loops, in order."""
        names = [name for name in self.wires()["wires"] if re.fullmatch(r"cell_\d+", name)]
        return sorted(names, key=lambda name: int(name.removeprefix("cell_")))

    def care_wires(self) -> list[str]:
        """Call lines and thermistors of the cells, where the vehicle has them."""
        return [name for name in self.wires()["wires"] if name.startswith(("cell_call_", "cell_temperature_"))]

    def timeline(self, after: int) -> list[dict[str, Any]]:
        return list(self._bench("GET", f"timeline?after={after}").body)

    def pid(self, process: str) -> int:
        """The bench knows the vehicle's processes; broker and desk lie outside the vehicle and have pid files."""
        if process in ("broker", "desk"):
            return int((self.endpoints.state_dir / "pids" / process).read_text() or 0)
        return int(self._bench("GET", "processes").body["pids"][process])

    def signal(self, process: str, number: signal.Signals) -> None:
        pid = self.pid(process)
        self.killed[process] = pid
        self.mark_action()
        os.kill(pid, number)

    def _bench(self, method: str, path: str, body: object = None, timeout_s: float = 5.0) -> Answer:
        answer = call(method, self.endpoints.bench, f"/api/v1/{path}", body, timeout_s=timeout_s)
        if answer.status != 200:
            raise NotMetError(f"the bench answered {answer.status} to {method} {path}: {answer.text}")
        return answer

    # --- desks and logs -------------------------------------------------------------------------------------------

    def desk_notices(self) -> list[dict[str, Any]]:
        answer = call("GET", self.endpoints.desk, "/api/v1/notices")
        return list(answer.body) if answer.status == 200 else []

    def new_log_lines(self) -> dict[str, str]:
        """What each process has written since the scenario began."""
        return {path.name: _tail(path, self._log_sizes.get(path.name, 0)) for path in self._logs()}

    def _logs(self) -> list[Path]:
        return sorted((self.endpoints.state_dir / "logs").glob("*.log"))


def _tail(path: Path, offset: int) -> str:
    with path.open("rb") as log:
        log.seek(offset)
        return log.read().decode(errors="replace")
