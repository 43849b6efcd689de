"""Every alarm as data: how grave it is, how long its cause must last or be gone, and how soon somebody has to act.

The words (cause, consequence, what to do) stand under the same codes in `texts`. Times are this project's own: the
Order names none. An alarm that asks nobody to do anything is none, and is not in this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PRIORITIES = ("critical", "warning", "advisory")


@dataclass(frozen=True, slots=True)
class Definition:
    """One alarm; times in seconds.

    `on_s`, `off_s`: how long the cause must be there before it is raised, or gone before it returns.
    `act_within_s`: after this long without an act of somebody the consequence may come true.
    `is_call`: a person calls for help, so it sounds until somebody has answered, also when the button is let go.
    `hidden_by`: an alarm of this code explains it, so it is not raised beside it; never for a critical one.
    """

    priority: str
    on_s: float
    off_s: float
    act_within_s: float
    is_call: bool = False
    hidden_by: str | None = None

    @property
    def is_shelvable(self) -> bool:
        """What endangers people is never put aside, a call for help neither."""
        return self.priority != "critical"


DEFINITIONS: Mapping[str, Definition] = {
    # hazards.md H36: at the cab and the desk within 10 s
    "airflow_lost": Definition("critical", 3.0, 5.0, 60.0),
    "cell_temperature": Definition("critical", 10.0, 30.0, 120.0),
    "cell_call": Definition("critical", 0.0, 0.0, 60.0, is_call=True),
    "alarm_button": Definition("critical", 0.0, 1.0, 30.0, is_call=True),
    "moved_unpermitted": Definition("critical", 0.0, 5.0, 10.0),
    "cell_door_open_under_way": Definition("critical", 0.3, 5.0, 30.0),
    "cell_unlocked": Definition("critical", 0.5, 5.0, 30.0),
    "cell_lock_fault": Definition("critical", 0.5, 5.0, 60.0),
    "body_door_open": Definition("critical", 0.3, 5.0, 30.0),
    "permit_stuck": Definition("critical", 0.0, 5.0, 60.0),
    "lighting_lost": Definition("warning", 3.0, 5.0, 300.0, hidden_by="power_lost"),
    "intercom_lost": Definition("warning", 3.0, 5.0, 300.0, hidden_by="power_lost"),
    "radio_lost": Definition("warning", 5.0, 5.0, 600.0, hidden_by="power_lost"),
    "power_lost": Definition("warning", 1.0, 5.0, 300.0),
    "care_lost": Definition("warning", 3.0, 5.0, 300.0, hidden_by="power_lost"),
    "welfare_due": Definition("warning", 0.0, 0.0, 300.0),
    "unscheduled_halt": Definition("warning", 0.0, 5.0, 300.0),  # its own duration is in the settings
    "notice_unconfirmed": Definition("warning", 0.0, 0.0, 300.0),
    "gnss_lost": Definition("advisory", 10.0, 5.0, 900.0, hidden_by="power_lost"),
    "chattering": Definition("advisory", 0.0, 5.0, 3600.0),
    "button_stuck": Definition("advisory", 0.0, 5.0, 3600.0),
}

SHELVED_MAX_S = 1800.0  # hmi.md A2: at most 30 minutes, then it comes back by itself


def rank(priority: str) -> int:
    """0 for the gravest."""
    return PRIORITIES.index(priority)
