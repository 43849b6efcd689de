"""What is done to a running vehicle, one function for each kind of fault: each harms it once and looks at what follows.

Each returns the figure that is shown: milliseconds until the relay was open, or until fan and light ran again.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from tests.faults.slow_disk import full_disk, hanging_disk
from tests.faults.victim import Victim, wait_s
from tests.integration.control_rig import until

SILENCE_MS = 300.0  # contract.md and hazards.md: agent killed, hung or unpowered -> relay open
HOG_MS = 500.0  # hazards.md H06, with every core taken
RUNNING_MS = 10_000.0  # hazards.md H37
SPIN_UP_MS = 700.0  # the bench's fan is seen 600 ms after it got its power back, looked at every 10 ms
LOOP_MS = 100.0  # the reach of a cut loop
GIVEN_UP_MS = 2_000.0  # a disk that has not answered for so long counts as none
ALARM_MS = 250.0  # the alarm button's two samples, and causes are looked at ten times a second
SLACK_S = 5.0  # to wait for what is measured afterwards on the bench's own clock
HANG_S = 5.0
HOGS_PER_CORE = 4
CLIENTS = 40  # more than control takes
UNREAD_REQUESTS = 200
WATCHDOG_PERIODS_S = 2.2  # two of control's words to systemd


def kill(victim: Victim, random_: random.Random) -> float:
    """SIGKILL while boarding is open: its outputs stay as they were, and the pulses end."""
    counts = _open(victim, random_)
    sent_ns = victim.signal(signal.SIGKILL)
    late_ms = _in_time(victim.relay_opened(sent_ns, SLACK_S), SILENCE_MS)
    victim.restart()
    victim.stays_closed_to_all(sent_ns, counts)
    return late_ms


def stop(victim: Victim, random_: random.Random) -> float:
    """SIGSTOP for a moment or for seconds while boarding is open, then SIGCONT."""
    counts = _open(victim, random_)
    sent_ns = victim.signal(signal.SIGSTOP)
    late_ms = _in_time(victim.relay_opened(sent_ns, SLACK_S), SILENCE_MS)
    wait_s(random_.choice((0.0, 0.3, 2.5)) * random_.random())
    victim.signal(signal.SIGCONT)
    until(lambda: not victim.snapshot()["boarding"]["open"], "control has seen that it hung", SLACK_S)
    wait_s(random_.random() * 0.3)
    victim.stays_closed_to_all(sent_ns, counts)
    return late_ms


def blink(victim: Victim, random_: random.Random) -> float:
    """SIGSTOP for about as long as the relay holds, at any point of a scan: what has dropped does not close again."""
    counts = _open(victim, random_)
    sent_ns = victim.signal(signal.SIGSTOP)
    wait_s(random_.uniform(0.1, 0.3))
    victim.signal(signal.SIGCONT)
    wait_s(SILENCE_MS / 1e3)
    opened_ns = victim.opened_ns(sent_ns)
    if opened_ns is None:
        assert victim.snapshot()["boarding"]["open"]
        return 0.0
    victim.stays_closed_to_all(sent_ns, counts)
    return (opened_ns - sent_ns) / 1e6


def deadlock(victim: Victim, random_: random.Random) -> float:
    """The scan's thread, or the whole interpreter, waits for ever; systemd is no longer told that control lives."""
    counts = _open(victim, random_)
    sent_ns = victim.signal(random_.choice((signal.SIGUSR1, signal.SIGUSR2)))
    late_ms = _in_time(victim.relay_opened(sent_ns, SLACK_S), SILENCE_MS)
    victim.watchdog_words()
    wait_s(WATCHDOG_PERIODS_S)
    assert victim.watchdog_words() == 0, "the watchdog is fed although nothing is scanned"
    victim.restart()
    victim.stays_closed_to_all(sent_ns, counts)
    return late_ms


def kill_in_test(victim: Victim, random_: random.Random) -> float:
    """SIGKILL while fan and light are interrupted; one in ten times nobody starts control again."""
    began_ns = _interrupt(victim, random_)
    victim.signal(signal.SIGKILL)
    if random_.random() < 0.1:
        late_ms = _run_again(victim, began_ns)
        victim.restart()
    else:
        victim.restart()
        late_ms = _run_again(victim, began_ns)
    rows = {row["item"]: row["status"] for row in victim.snapshot()["checklist"]}
    assert "passed" not in (rows["ventilation"], rows["lighting"]), "half a test is no proof"
    return late_ms


def stop_in_test(victim: Victim, random_: random.Random) -> float:
    """SIGSTOP while fan and light are interrupted; one in ten times for longer than the cut-off outside waits."""
    began_ns = _interrupt(victim, random_)
    victim.signal(signal.SIGSTOP)
    if random_.random() < 0.1:
        late_ms = _run_again(victim, began_ns)
        victim.signal(signal.SIGCONT)
    else:
        wait_s(random_.uniform(0.1, 3.0))
        victim.signal(signal.SIGCONT)
        late_ms = _run_again(victim, began_ns)
    until(lambda: not victim.level("fan_inhibit") and not victim.level("light_inhibit"), "both are released", 10.0)
    return late_ms


def hog(victim: Victim, random_: random.Random) -> float:
    """Four busy processes for each core, and a loop is cut meanwhile."""
    counts = _open(victim, random_)
    began_ns = time.monotonic_ns()
    hogs = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(HOGS_PER_CORE * (os.cpu_count() or 1))
    ]
    try:
        wait_s(random_.uniform(0.2, 1.0))
        victim.rig.set_wire("body_door", "cut")
        cut_ns = victim.edge("body_door", "cut", began_ns, SLACK_S)
        # A scan that came too late has opened the relay before the cut did.
        late_ms = _in_time(victim.relay_opened(cut_ns, SLACK_S), HOG_MS)
        until(lambda: not victim.snapshot()["boarding"]["open"], "boarding is closed", SLACK_S)
    finally:
        for process in hogs:
            process.kill()
        for process in hogs:
            process.wait()
    victim.rig.set_wire("body_door", "auto")
    victim.stays_closed_to_all(cut_ns, counts)
    return late_ms


def hang(victim: Victim, random_: random.Random) -> float:
    """The journal's disk hangs for five seconds: it may keep an open boarding for two, and never opens one."""
    counts = _open(victim, random_)
    is_opening = random_.random() < 0.5
    if is_opening:
        victim.commander.do("suspend_boarding")
        until(lambda: not victim.is_relay_closed, "the relay opens", SLACK_S)
        until(lambda: not victim.commander.refusals(), "boarding could be opened", SLACK_S)
    with hanging_disk(victim.rig.pid, victim.rig.root / "strace.log", HANG_S, only_first=True) as disk:
        began_ns = time.monotonic_ns()
        victim.rig.set_wire("alarm_button", "closed")  # an alarm is a row; it refuses nothing
        until(lambda: disk.is_waiting, "the disk hangs", SLACK_S)
        victim.rig.set_wire("alarm_button", "auto")
        if is_opening:
            status, body = victim.commander.act("open_boarding")
            assert status == 503 or body["refusals"][0]["code"] == "journal_unavailable", (status, body)
        late_ms = _in_time(victim.relay_opened(began_ns, SLACK_S), GIVEN_UP_MS + ALARM_MS + SILENCE_MS)
        until(lambda: "journal_unavailable" in victim.commander.refusals(), "refused", SLACK_S)
        until(lambda: disk.hits == 1, "the disk is back", HANG_S + SLACK_S)
    until(lambda: "journal_unavailable" not in victim.commander.refusals(), "the journal is healthy", SLACK_S)
    victim.stays_closed_to_all(began_ns, counts)
    return late_ms


def full(victim: Victim, random_: random.Random) -> float:
    """Nothing more can be written, not even into the space that was kept back."""
    counts = _open(victim, random_)
    wait_s(random_.random() * 0.2)
    with full_disk(victim.rig.pid, victim.rig.root / "strace.log") as disk:
        began_ns = time.monotonic_ns()
        victim.rig.set_wire("alarm_button", "closed")
        late_ms = _in_time(victim.relay_opened(began_ns, SLACK_S), ALARM_MS + SILENCE_MS)
        victim.rig.set_wire("alarm_button", "auto")
        until(lambda: "journal_unavailable" in victim.commander.refusals(), "refused", SLACK_S)
        assert disk.hits >= 1
    until(lambda: "journal_unavailable" not in victim.commander.refusals(), "the disk has room again", 10.0)
    victim.stays_closed_to_all(began_ns, counts)
    return late_ms


def unread(victim: Victim, random_: random.Random) -> float:
    """Clients of the socket that ask, watch and never read: control stays as quick, and lets go of them."""
    counts = _open(victim, random_)
    began_ns = time.monotonic_ns()
    with _deaf_clients(victim):
        wait_s(random_.uniform(0.2, 1.0))
        assert victim.is_relay_closed, "clients that do not read have closed boarding"
        victim.mark()
        victim.rig.set_wire("body_door", "cut")
        cut_ns = victim.edge("body_door", "cut", began_ns, SLACK_S)
        late_ms = victim.relay_opened(cut_ns, SLACK_S)
        _in_time(late_ms - victim.waited_ms(), LOOP_MS)  # other tests run beside this one
        until(lambda: not victim.snapshot()["boarding"]["open"], "boarding is closed", SLACK_S)
    victim.rig.set_wire("body_door", "auto")
    victim.stays_closed_to_all(cut_ns, counts)
    with victim.rig.connect() as other:
        assert other.ask("health")[0] == 200
    return late_ms


KINDS: Mapping[str, Callable[[Victim, random.Random], float]] = {
    one.__name__: one for one in (kill, stop, blink, deadlock, kill_in_test, stop_in_test, hog, hang, full, unread)
}


def _open(victim: Victim, random_: random.Random) -> dict[str, int]:
    """Boarding is open, for a random moment; the counts that must not be lost."""
    victim.open_boarding(random_)
    counts: dict[str, int] = victim.snapshot()["counts"]
    wait_s(random_.random() * 0.3)
    return counts


def _interrupt(victim: Victim, random_: random.Random) -> int:
    """A random moment in which fan or light is interrupted; when that began."""
    before_ns = time.monotonic_ns()
    victim.open_tests()
    began_ns = victim.edge("fan_inhibit", True, before_ns, SLACK_S)
    wait_s(random_.random() * 0.3)
    return began_ns


def _run_again(victim: Victim, began_ns: int) -> float:
    """Milliseconds from the interruption until both were seen running for the last time."""

    def are_running() -> bool:
        return bool(victim.level("airflow") == victim.level("light_sense") == "closed" and _was_off(victim, began_ns))

    until(are_running, "fan and light run again", RUNNING_MS / 1e3 + SLACK_S)
    back_ns = max(
        at_ns
        for wire in ("airflow", "light_sense")
        for at_ns, level in victim.edges(wire, began_ns)
        if level == "closed"
    )
    return _in_time((back_ns - began_ns) / 1e6, RUNNING_MS + SPIN_UP_MS)


def _was_off(victim: Victim, began_ns: int) -> bool:
    """Whether the fan has stopped and run up again since: it runs on for a moment without power."""
    return [level for _, level in victim.edges("airflow", began_ns)][-2:] == ["open", "closed"]


def _in_time(late_ms: float, at_most_ms: float) -> float:
    assert late_ms <= at_most_ms, f"{late_ms:.1f} ms, promised are {at_most_ms:.0f}"
    return late_ms


@contextlib.contextmanager
def _deaf_clients(victim: Victim) -> Iterator[None]:
    request = b'{"id":1,"op":"watch"}\n' + b'{"id":2,"op":"snapshot"}\n' * UNREAD_REQUESTS
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.settimeout(0.2)
            with contextlib.suppress(OSError):  # those that are too many are shut out
                client.connect(str(victim.rig.socket))
                client.sendall(request)
        yield
