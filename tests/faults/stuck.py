"""The permit's outputs stuck at the far side, one fault at a time, and what has to come of each (hazard H05).

Three kinds of consequences. What holds the relay closed unbidden, or looks so, is told by horn and alarm. What keeps it
from closing, or looks so, ends an open boarding. What neither shows nor harms is caught by the second of the two lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.victim import Victim, wait_s
from tests.integration.control_rig import until

FOUND_MS = 300.0  # the reach of the read-back
HELD_MS = 200.0  # the relay's, without pulses
LOOP_MS = 100.0  # a cut loop's permit_enable
WATCHED_S = 0.5  # for what must not happen
SLACK_S = 5.0
ALARM_GONE_S = 40.0  # a returned alarm waits five seconds, one that comes again and again twenty


@dataclass(frozen=True, slots=True)
class Fault:
    """A stuck part: its far side on the bench, and the word for it."""

    path: str
    key: str
    word: str
    kind: str  # closed: stays or seems closed; open: does not close, or seems not to; silent: neither

    def begin(self, victim: Victim) -> int:
        """From when on it is so, by the bench's clock."""
        body = victim.rig.bench("PUT", self.path, {self.key: self.word})
        return int(body["at_ns"] if "at_ns" in body else body["since_ns"])

    def end(self, victim: Victim) -> None:
        victim.rig.bench("PUT", self.path, {self.key: "auto"})


FAULTS = {
    "enable_on": Fault("outputs/permit_enable", "stuck", "on", "silent"),
    "enable_off": Fault("outputs/permit_enable", "stuck", "off", "open"),
    "pulse_on": Fault("outputs/permit_pulse", "stuck", "on", "open"),
    "pulse_off": Fault("outputs/permit_pulse", "stuck", "off", "open"),
    "relay_closed": Fault("permit_relay", "stuck", "closed", "closed"),
    "relay_open": Fault("permit_relay", "stuck", "open", "open"),
    "readback_closed": Fault("wires/permit_readback", "set", "short", "closed"),
    "readback_open": Fault("wires/permit_readback", "set", "cut", "open"),
}


def try_while_open(victim: Victim, fault: Fault) -> float:
    """Milliseconds until it was found; boarding is open before, and again afterwards, by a person's order."""
    victim.be_open()
    victim.mark()
    at_ns = fault.begin(victim)
    late_ms = _OPEN[fault.kind](victim, at_ns)
    fault.end(victim)
    until(lambda: not victim.commander.refusals(), "boarding is permitted after the repair", SLACK_S)
    assert not victim.snapshot()["boarding"]["open"], "the repair has opened boarding"
    assert not victim.is_relay_closed
    _silence(victim)
    victim.be_open()
    return late_ms


def try_while_shut(victim: Victim, fault: Fault, *, is_proven: bool) -> float:
    """The same in a phase where boarding is not open; where it could be opened, that is tried with the fault there."""
    wait_s(HELD_MS / 1e3)  # what the last pulse charged would close the relay until it has run out
    victim.mark()
    at_ns = fault.begin(victim)
    if fault.kind == "closed":
        late_ms = _heard(victim, at_ns)
        if is_proven:
            _refuses(victim)
    else:
        wait_s(WATCHED_S)
        assert not victim.edges("permit_relay", at_ns)
        assert not victim.alarms("permit_stuck")
        late_ms = _found_by_opening(victim, fault) if is_proven else 0.0
    fault.end(victim)
    until(lambda: victim.works("permit_output"), "the read-back is right after the repair", SLACK_S)
    assert not victim.is_relay_closed
    _silence(victim)
    return late_ms


def _while_open_closed(victim: Victim, at_ns: int) -> float:
    """It looks as it should until boarding ends; then the horn, and no new opening."""
    wait_s(WATCHED_S)
    assert victim.snapshot()["boarding"]["open"]
    ended_ns = _revoke_by_cut(victim)
    late_ms = _heard(victim, ended_ns)
    _refuses(victim)
    return late_ms


def _while_open_open(victim: Victim, at_ns: int) -> float:
    lamp_ns = victim.edge("permit_lamp_red", True, at_ns, SLACK_S)
    reason = victim.snapshot()["equipment"]["permit_output"]
    victim.relay_opened(at_ns, SLACK_S)
    assert not victim.snapshot()["boarding"]["open"], reason
    assert not victim.alarms("permit_stuck"), "open is the safe side: nobody is woken"
    return _in_time(victim, at_ns, lamp_ns, FOUND_MS)


def _while_open_silent(victim: Victim, at_ns: int) -> float:
    """An enable line that is stuck high: the pulses end with the permit, and the relay with them."""
    wait_s(WATCHED_S)
    assert victim.snapshot()["boarding"]["open"]
    cut_ns = _cut(victim)
    return _opens(victim, cut_ns)


_OPEN = {"closed": _while_open_closed, "open": _while_open_open, "silent": _while_open_silent}


def _found_by_opening(victim: Victim, fault: Fault) -> float:
    """A fault that shows only under a permit ends each opening at once; one that never shows lets the relay open."""
    late_ms = 0.0
    for _ in range(2):  # the second opening is no better than the first
        until(lambda: not victim.commander.refusals(), "boarding could be opened", SLACK_S)
        victim.mark()
        victim.commander.do("open_boarding")
        if fault.kind == "silent":
            until(lambda: victim.snapshot()["boarding"]["energised"], "the relay closes", SLACK_S)
            late_ms = max(late_ms, _opens(victim, _cut(victim)))
        else:
            began_ns = victim.edge("permit_lamp_red", False, victim.begin_ns, SLACK_S)
            lamp_ns = victim.edge("permit_lamp_red", True, began_ns, SLACK_S)
            late_ms = max(late_ms, _in_time(victim, began_ns, lamp_ns, FOUND_MS))
            victim.relay_opened(lamp_ns, SLACK_S)
    return late_ms


def _cut(victim: Victim) -> int:
    """The body door's loop is cut for a moment; when that was."""
    before_ns = victim.mark()
    victim.rig.set_wire("body_door", "cut")
    cut_ns = victim.edge("body_door", "cut", before_ns, SLACK_S)
    until(lambda: not victim.snapshot()["boarding"]["open"], "boarding is closed", SLACK_S)
    victim.rig.set_wire("body_door", "auto")
    return cut_ns


def _revoke_by_cut(victim: Victim) -> int:
    """When the permit ended."""
    return victim.edge("permit_enable", False, _cut(victim), SLACK_S)


def _opens(victim: Victim, cut_ns: int) -> float:
    until(lambda: not victim.is_relay_closed, "the relay opens without pulses", SLACK_S)
    opened_ns = victim.edge("permit_relay", False, cut_ns, SLACK_S)
    return _in_time(victim, cut_ns, opened_ns, LOOP_MS + HELD_MS)


def _heard(victim: Victim, at_ns: int) -> float:
    """Horn, alarm and fault for a relay that is closed unbidden."""
    horn_ns = victim.edge("buzzer", True, at_ns, SLACK_S)
    status = victim.snapshot()["equipment"]["permit_output"]
    assert (status["status"], status["reason"]) == ("fault", "stuck_closed")
    alarms = victim.alarms("permit_stuck")
    assert [(one["priority"], one["state"], one["item"]) for one in alarms] == [
        ("critical", "unacknowledged", "permit_output")
    ]
    return _in_time(victim, at_ns, horn_ns, FOUND_MS)


def _refuses(victim: Victim) -> None:
    until(lambda: "equipment_fault" not in victim.commander.refusals(), "the mended loop reads well", SLACK_S)
    status, body = victim.commander.act("open_boarding")
    assert (status, [one["code"] for one in body["refusals"]]) == (409, ["permit_readback"]), body
    assert victim.level("permit_lamp_red") is True


def _silence(victim: Victim) -> None:
    """The commander acknowledges, and the alarm is gone before the next fault comes."""
    for alarm in victim.alarms("permit_stuck"):
        victim.commander.do("acknowledge_alarm", alarm=alarm["id"])
    until(lambda: not victim.alarms("permit_stuck"), "the alarm has gone", ALARM_GONE_S)
    until(lambda: victim.level("buzzer") is False, "the horn is silent", SLACK_S)


def _in_time(victim: Victim, began_ns: int, ended_ns: int, at_most_ms: float) -> float:
    """What the scan waited for a core is the machine's, not ours: other tests run beside this one."""
    late_ms = (ended_ns - began_ns) / 1e6
    assert late_ms - victim.waited_ms() <= at_most_ms, f"{late_ms:.0f} ms, promised are {at_most_ms:.0f}"
    return late_ms
