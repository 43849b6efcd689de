"""The scheduling that control has in a vehicle: that of its systemd unit, for runs that systemd has not started."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "vehicle-agent-control.service"


def schedule_as_unit(task: int = 0) -> str:
    """Give a thread (0: this one, and whatever it starts) the unit's scheduling; what it has now, in words."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    policy, priority = unit["Service"]["CPUSchedulingPolicy"], int(unit["Service"]["CPUSchedulingPriority"])
    if policy != "rr":
        raise ValueError(f"{UNIT.name}: only the policy rr is known here")
    try:
        os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(priority))
    except PermissionError:
        return "ordinary, for want of rights"
    return f"{policy} {priority}, as in its unit"
