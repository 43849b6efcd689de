"""The trip report as one page for the printer: no script, no file beside it, every word of the record escaped.

Its first table has the fourteen columns of Appendix 2, so that it lies beside the travel journal column by column; what
the vehicle does not know is left blank for the pen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from html import escape

from vehicle_agent import texts
from vehicle_agent.core import rules
from vehicle_agent.core.events import AlarmRaised
from vehicle_agent.core.state import Notice
from vehicle_agent.core.state import Row as ItemRow
from vehicle_agent.report.compose import UNSECURED, Moment, Report

COLUMNS = 14
REPORTED_AS = {
    "driver_reported": "permit.driver_ready",
    "boarding_closed": "permit.suspended",
    "halt_logged": "display.halt",
    "arrived": "phase.arrived",
}
BLANK_ROWS = 2  # for whom the vehicle did not count
_STYLE = """
@page { size: A4 landscape; margin: 10mm }
body { font: 10pt/1.35 "Noto Sans", "DejaVu Sans", Arial, sans-serif; color: #000; margin: 0 auto; max-width: 277mm }
h1 { font-size: 16pt; margin: 0 0 2mm } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } tr { break-inside: avoid } thead { display: table-header-group }
td, th { border: 1px solid #000; padding: 1mm 1.5mm; text-align: left; vertical-align: top; font-weight: normal }
.journal { table-layout: fixed; overflow-wrap: anywhere } .journal th { font-size: 7pt; hyphens: auto }
.journal td { height: 9mm } .number { text-align: center } .bad { font-weight: bold }
.warning { border: 2px solid #000; padding: 2mm; font-weight: bold }
footer { margin-top: 5mm; font-size: 8pt; overflow-wrap: anywhere }
"""
_WIDTHS = (3, 6, 6, 6, 9, 4, 6, 7, 11, 10, 9, 6, 10, 7)  # percent
_REASONS = {code.removeprefix("reason.") for code in texts.load()["en"]["display"] if code.startswith("reason.")}
Say = Callable[..., str]


def page(
    report: Report, *, lang: str, vehicle: str, origin: str, units: Mapping[str, str], proof: str, is_test: bool = False
) -> str:
    """The whole page. `units`: code -> name in this language; `proof`: what the check of the journal found, HTML."""

    def say(key: str, **params: object) -> str:
        return escape(texts.get(lang, key, **params))

    plan, mark = report.plan, say("desk.test") if is_test else ""
    kinds = [plan.kind, *(name for name in ("takeover", "to_court", "women_on_board") if getattr(plan, name))]
    via = ", ".join(units.get(code, code) for code in plan.intermediate) or "–"
    head = [
        (say("word.vehicle"), escape(vehicle)),
        (say("desk.origin"), escape(units.get(origin, origin))),
        (say("word.trip"), say(f"phase.{report.phase}")),
        (say("display.trip_kind"), ", ".join(say(f"kind.{kind}") for kind in kinds)),
        (say("desk.destination"), escape(_destination(report, units))),
        (say("desk.intermediate"), escape(via)),
        (say("count.commander"), str(report.commander)),
        (say("count.body"), str(report.body)),
        (say("count.unloaded"), str(report.unloaded)),
    ]
    checks = rules.checklist(_locks(report), women_on_board=plan.women_on_board)
    return "".join(
        (
            f'<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>{say("report.title")}</title>',
            f"<style>{_STYLE}</style><h1>{say('report.title')} {escape(report.trip)} {mark}</h1>",
            "" if report.is_order_certain else f'<p class="warning">{say("report.order_uncertain")}</p>',
            _table("", head),
            f"<h2>{say('part.travel_journal')}</h2><p>{say('report.by_hand')}</p>",
            _journal(report, lang, say, units),
            _table(say("report.times"), [_moment(one, say) for one in report.moments]),
            _table(say("report.before_boarding"), _checks(checks, rules.BEFORE_BOARDING, report.boarding, lang)),
            _table(say("phase.securing"), _checks(checks, rules.BEFORE_DEPARTURE, report.departing, lang)),
            _table(say("report.before_close"), _checks(checks, rules.BEFORE_CLOSE, report.closing, lang)),
            _table(say("display.notices"), [_notice(one, say, units) for one in report.notices]),
            _table(say("display.alarms"), [_alarm(*one, lang, units) for one in report.alarms]),
            f"<footer><p>{proof}</p><p>{say('word.commander')} ____________________</p></footer></html>\n",
        )
    )


def _journal(report: Report, lang: str, say: Say, units: Mapping[str, str]) -> str:
    """Columns 9, 10, 11 and 13 of Appendix 2 as far as the vehicle knows them, one row a person."""
    plan = report.plan
    valid = say("word.valid_until", date=".".join(reversed(plan.order_valid_until.split("-"))))
    basis = [f"{say('word.order')} {escape(plan.order_number)}, {valid}"]
    if plan.request_number is not None:
        basis.append(f"{say('word.request_number')} {escape(plan.request_number)}")
    watched = {cell["cell"] for cell in plan.cells if cell["supervision"]}
    where = escape(_destination(report, units))
    lines = []
    for cell in (*report.cells, *[None] * BLANK_ROWS):
        known = dict.fromkeys(range(1, COLUMNS + 1), "")
        if cell is not None:
            place = say("display.cell", n=cell)
            known |= {9: "<br>".join(basis), 10: where, 11: where}
            known[13] = f"{place}<br>{say('count.supervision')}" if cell in watched else place
        lines.append("<tr>" + "".join(f"<td>{known[number]}</td>" for number in known) + "</tr>")
    widths = "".join(f'<col style="width:{width}%">' for width in _WIDTHS)
    titles = "".join(f"<th>{say(f'report.column_{number}')}</th>" for number in range(1, COLUMNS + 1))
    numbers = "".join(f'<th class="number">{number}</th>' for number in range(1, COLUMNS + 1))
    return (
        f'<table class="journal" lang="{lang}"><colgroup>{widths}</colgroup><thead><tr>{titles}</tr>'
        f"<tr>{numbers}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _destination(report: Report, units: Mapping[str, str]) -> str:
    plan = report.plan
    if plan.destination is not None:
        return units.get(plan.destination, plan.destination)
    return plan.destination_place or ""


def _locks(report: Report) -> list[str]:
    found = {item for rows in (report.boarding, report.closing) for item in rows if item.startswith("cell_lock_")}
    return sorted(found, key=lambda item: int(item.removeprefix("cell_lock_")))


def _moment(moment: Moment, say: Say) -> tuple[str, ...]:
    return (
        _local(moment.at),
        say("desk.time_uncertain")
        if moment.uncertainty_s is None
        else say("report.uncertainty", m=math.ceil(moment.uncertainty_s)),
        say(REPORTED_AS.get(moment.type, f"report.{moment.type}")),
        _reason(moment, say),
    )


def _reason(moment: Moment, say: Say) -> str:
    if moment.reason == UNSECURED:
        return f'<span class="bad">{say("report.unsecured")}</span>'
    if moment.reason is None or moment.type == "boarding_closed":
        return ""  # why boarding was closed is a code of ours; what stood against it is in the record
    return say(f"display.reason.{moment.reason}") if moment.reason in _REASONS else escape(moment.reason)


def _checks(
    checks: Iterable[rules.ItemRule], stage: str, rows: Mapping[str, ItemRow], lang: str
) -> list[tuple[str, ...]]:
    """What each row said then; a row that nobody has touched was not checked."""
    lines: list[tuple[str, ...]] = []
    for rule in checks:
        if rule.stage != stage or not rows:
            continue
        row = rows.get(rule.item, ItemRow())
        status = "confirmed" if row.status == "passed" and rule.kind == "attested" else row.status
        said = escape(texts.get(lang, f"status.{status}"))
        since = _local(row.since_utc) if row.since_utc is not None else ""
        lines.append(
            (escape(texts.label(lang, rule.item)), said if row.is_good else f'<span class="bad">{said}</span>', since)
        )
    return lines


def _notice(notice: Notice, say: Say, units: Mapping[str, str]) -> tuple[str, ...]:
    record = notice.record
    word, at = "notice.departed_at", record.departed_at
    if record.kind == "arrival" and record.arrived_at is not None:
        word, at = "phase.arrived", record.arrived_at
    return (
        escape(units.get(record.recipient, record.recipient)),
        say(f"notice.{record.kind}"),
        f"{say(word)}: {_local(datetime.fromisoformat(at))}",
        _stage(notice, say),
        _post(notice, say),
        _local(datetime.fromisoformat(notice.at)) if notice.at else "",
    )


def _stage(notice: Notice, say: Say) -> str:
    """How far it came, and that somebody was told by radio as well; whose word it was stands beside it."""
    stage = say("status.confirmed" if notice.stage == "acknowledged" else f"stage.{notice.stage}")
    is_told_too = notice.told_by is not None and notice.stage != "told_by_radio"
    return f"{stage}; {say('stage.told_by_radio')}" if is_told_too else stage


def _post(notice: Notice, say: Say) -> str:
    """The post of whoever confirmed, a code of the desks or as it was typed in the cab."""
    post = notice.post or ""
    return say(f"display.{post}") if post in ("duty_officer", "deputy", "chief") else escape(post)


def _alarm(at: datetime, event: AlarmRaised, lang: str, units: Mapping[str, str]) -> tuple[str, ...]:
    item = event.item if event.item is None else units.get(event.item, event.item)
    return _local(at), escape(texts.alarm(lang, event.code, item)[0])


def _local(moment: datetime) -> str:
    return moment.astimezone(rules.LOCAL_TIME).strftime("%d.%m.%Y %H:%M:%S")


def _table(title: str, lines: Iterable[tuple[str, ...]]) -> str:
    """Cells are HTML already; a table without lines is not shown."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
    heading = f"<h2>{title}</h2>" if title else ""
    return f"{heading}<table>{body}</table>" if body else ""
