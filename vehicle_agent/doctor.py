"""`vehicle-agent doctor`: tries everything that a trip will need, and says what to do about each that is not right.

With control running it asks control, which owns the wires; without it, it opens them itself and drives nothing. It
changes nothing, sends nothing and never takes the broker's session away from a connected uplink.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from vehicle_agent import doctor_broker, doctor_files, doctor_wires
from vehicle_agent.config import Config, load_config
from vehicle_agent.doctor_result import Check, Status

Part = Callable[[Config], Iterator[Check]]


def main(directory: Path, *, as_json: bool) -> int:
    """Print the table. 0 when nothing failed (a warning is no failure), 1 otherwise."""
    config = load_config(directory)
    checks = list(examine(config))
    if as_json:
        print(
            json.dumps({"ok": not _failed(checks), "checks": [check.as_dict() for check in checks]}, ensure_ascii=False)
        )
    else:
        _print_table(checks)
    return 1 if _failed(checks) else 0


def examine(config: Config) -> Iterator[Check]:
    """Every check, one part after the other; a part that breaks is a failed check, and the others still run."""
    yield Check("configuration", Status.OK, f"{config.directory} is complete")
    control = doctor_wires.ask_control(config)
    parts: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("control", lambda: doctor_wires.check_control(config, control)),
        ("wires", lambda: doctor_wires.check_wires(config, control)),
        ("disk", lambda: doctor_files.check_disk(config)),
        ("clock", lambda: doctor_files.check_clock(control)),
        ("journal", lambda: doctor_files.check_journal(config, control)),
        ("keys", lambda: doctor_files.check_keys(config)),
        ("broker", lambda: doctor_broker.check_broker(config, control)),
    )
    for name, part in parts:
        try:
            yield from part()
        except Exception as error:  # noqa: BLE001  the doctor is run on broken vehicles: it must say what it can
            yield Check(
                name, Status.FAIL, f"could not be examined: {error!r}", "Run it as root; if it stays, report this line."
            )


def _failed(checks: list[Check]) -> bool:
    return any(check.status is Status.FAIL for check in checks)


def _print_table(checks: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.status.value:<4}  {check.name:<{width}}  {check.found}")
        if check.advice and check.status is not Status.OK:
            print(f"      {'':<{width}}  -> {check.advice}")
    counts = ", ".join(f"{sum(check.status is status for check in checks)} {status.value}" for status in Status)
    print(counts)
