"""`vehicle-agent journal report`: the newest trip, or one that is named, printed as a page on standard output."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from vehicle_agent import texts
from vehicle_agent.config import Language, load_config
from vehicle_agent.control.replay import ReplayError
from vehicle_agent.journal_cli import FILE_NAME, UnreadableError, rows, verify
from vehicle_agent.report.compose import NoTripError, compose
from vehicle_agent.report.page import page


def main(config_dir: Path, trip: str | None = None, lang: Language | None = None) -> int:
    """Print the report. 0 done; 1 no such trip, or the journal is absent or not whole: then the page says so itself."""
    config = load_config(config_dir)
    path, lang = config.vehicle.paths.state_dir / FILE_NAME, lang or config.vehicle.display.language
    try:
        found = verify(path)
        report = compose(rows(path), trip)
    except (NoTripError, ReplayError, UnreadableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if found.problem is None:
        proof = escape(texts.get(lang, "report.whole", n=found.head.seq, m=found.head.hash))
    else:
        proof = f'<strong class="warning">{escape(texts.get(lang, "report.not_whole", m=found.problem))}</strong>'
    vehicle = config.vehicle.vehicle
    units = {unit.code: unit.name.get(lang, unit.code) for unit in config.units.unit}
    sys.stdout.write(page(report, lang=lang, vehicle=vehicle.id, origin=vehicle.unit, units=units, proof=proof))
    return 0 if found.problem is None else 1
