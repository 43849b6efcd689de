"""Writes vehicle_agent/ALARMS.md: every alarm for people, made from the table and the texts that the program uses.

`python -m tests.contract.alarm_page` writes the file anew; a test fails when it is out of date.
"""

from __future__ import annotations

from pathlib import Path

from vehicle_agent import texts
from vehicle_agent.core.alarm_table import DEFINITIONS, PRIORITIES, SHELVED_MAX_S, Definition, rank

PAGE = Path(__file__).parents[2] / "vehicle_agent" / "ALARMS.md"

# What each alarm watches, and when: `core/alarms.py` and `core/care.py` in words.
WATCHES = {
    "airflow_lost": ("ventilation: the crew's switch and the airflow sensor", "while people are aboard"),
    "cell_temperature": (
        "temperature in each cell, where fitted",
        "in a cell with people, or planned for them until boarding is over",
    ),
    "cell_call": ("call button in each cell, where fitted", "always"),
    "alarm_button": ("alarm button of the body escort", "always"),
    "moved_unpermitted": (
        "handbrake and fix",
        "after arrival and while unloading; under way when people are out at a halt or the trip was not secured",
    ),
    "cell_door_open_under_way": ("door loop of each cell", "secured, under way, arrived; people aboard, no halt"),
    "cell_unlocked": ("bolt loop of each cell", "secured, under way, arrived; people aboard, no halt"),
    "cell_lock_fault": ("wires of each cell's loop", "secured, under way, arrived; people aboard, no halt"),
    "body_door_open": ("loop of the body door", "secured, under way, arrived; people aboard, no halt"),
    "permit_stuck": ("read-back of the permit relay", "always"),
    "lighting_lost": ("lighting: the crew's switch and the light sensor", "while people are aboard"),
    "intercom_lost": ("intercom: its pilot tone", "while people are aboard"),
    "radio_lost": ("radio station: registration and signal", "while people are aboard"),
    "power_lost": ("supply voltage", "while people are aboard"),
    "care_lost": ("the call buttons and temperature sensors themselves", "while people are aboard"),
    "welfare_due": ("time since somebody looked at the people, where set", "while people are aboard"),
    "unscheduled_halt": ("standing outside the unloading place without a logged halt", "under way"),
    "notice_unconfirmed": ("each unit's confirmation of a notice (Rule 19)", "from departure until it is there"),
    "gnss_lost": ("satellite receiver", "from the opening of a trip to its end"),
    "chattering": ("every wire and every alarm that comes and goes", "always"),
    "button_stuck": ("every button of the panel", "always"),
}

HEAD = f"""# Every alarm

Made by `python -m tests.contract.alarm_page` from `core/alarm_table.py` and `texts/`; do not edit it by hand.
An alarm asks somebody to do something; what asks nobody is only recorded. `{{n}}` is a cell's number, `{{item}}` the
name of an equipment, `{{unit}}` that of a unit.

- **Critical** ■: sounds without a pause until somebody has acknowledged it; cannot be put aside.
- **Warning** ▲: one beep in 30 s. **Advisory** ●: no sound. Both can be put aside with a reason, for at most
  {SHELVED_MAX_S / 60:.0f} minutes.
- Acknowledging ends the sound and names the person. An alarm whose cause has gone stays until a person has seen it.
- *Raised after*: how long the cause must last. *Returns after*: how long it must be gone. *Act within*: after that the
  consequence may come true.
"""


def span(seconds: float) -> str:
    """Seconds as `0.3 s`, `90 s`, `5 min` or `1 h`."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def section(code: str, alarm: Definition) -> str:
    """One alarm: its numbers, what it watches, and its words."""
    watched, when = WATCHES[code]
    facts = [
        f"Watches {watched}; {when}.",
        f"Raised after {span(alarm.on_s)}, returns after {span(alarm.off_s)}, act within {span(alarm.act_within_s)}.",
    ]
    if alarm.is_call:
        facts.append("Sounds until it is answered, also when the button has been let go.")
    if alarm.hidden_by:
        facts.append(f"Not told beside `{alarm.hidden_by}`, which explains it.")
    rows = []
    for language in texts.LANGUAGES:
        words = (texts.get(language, f"{group}.{code}") for group in ("cause", "consequence", "action"))
        rows.append(f"| {language} | {' | '.join(words)} |")
    table = "\n".join(["| | cause | consequence | action |", "|---|---|---|---|", *rows])
    return f"### `{code}`\n{' '.join(facts)}\n\n{table}\n"


def page() -> str:
    """The whole file."""
    parts = [HEAD]
    for priority in sorted(PRIORITIES, key=rank):
        names = ", ".join(texts.get(language, f"priority.{priority}") for language in texts.LANGUAGES)
        parts.append(f"## {names}\n")
        parts += [section(code, alarm) for code, alarm in DEFINITIONS.items() if alarm.priority == priority]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
