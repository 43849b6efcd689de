"""`vehicle-agent journal report`: the newest trip, or one that is named, printed as a page on standard output."""

from __future__ import annotations

import sys
from html import escape
from itertools import takewhile
from pathlib import Path

from vehicle_agent import texts
from vehicle_agent.config import Language, load_config
from vehicle_agent.journal_cli import FILE_NAME, UnreadableError, stored, verify
from vehicle_agent.report.compose import NoTripError, compose
from vehicle_agent.report.page import page


def main(config_dir: Path, trip: str | None = None, lang: Language | None = None) -> int:
    """Print the report. 0 done; 1 no such trip, no journal, or one that is not whole: then the page says so itself."""
    config = load_config(config_dir)
    path, lang = config.vehicle.paths.state_dir / FILE_NAME, lang or config.vehicle.display.language
    try:
        found = verify(path)
        # Of a whole journal no row that has come since: the page shall not tell more than was proven.
        rows = takewhile(lambda values: found.problem is not None or values[0] <= found.head.seq, stored(path))
        report = compose(rows, trip)
    except UnreadableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except NoTripError as error:
        sys.stderr.write(f"{error}{f' The journal is not whole: {found.problem}' if found.problem else ''}\n")
        return 1
    problem = found.problem or report.problem
    if problem is None:
        proof = escape(texts.get(lang, "report.whole", n=found.head.seq, m=found.head.hash))
    else:
        proof = f'<strong class="warning">{escape(texts.get(lang, "report.not_whole", m=problem))}</strong>'
    vehicle = config.vehicle.vehicle
    units = {unit.code: unit.name.get(lang, unit.code) for unit in config.units.unit}
    try:
        text = page(
            report, lang=lang, vehicle=vehicle.id, origin=vehicle.unit, units=units, proof=proof, is_test=vehicle.test
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if problem is None:
            raise
        sys.stderr.write(f"{path}: NOT WHOLE: {problem}; the trip cannot be printed: {error!r}\n")
        return 1
    sys.stdout.write(text)
    return 0 if problem is None else 1
