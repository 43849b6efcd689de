"""A restart after any row of a recorded history: the rows are folded anew, the naive reading says what may be left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.core.world import World
from tests.oracle import law, owed
from tests.oracle.history import History
from tests.oracle.reading import Reading
from tests.oracle.tally import DisagreementError, Tally
from tests.oracle.witness import REPORT_S, VALID_S, Witness

LOOKS = 11  # scans: one more than the ten good samples after which a level is trusted


@dataclass(frozen=True)
class Moment:
    """What the reading says of one moment, from its facts alone."""

    phase: str
    commander: int
    body: int
    unloaded: int
    keeps: frozenset[str]
    attested: dict[str, frozenset[str]]
    owed: tuple[tuple[str, str], ...]


def moment(w: Witness, facts: int) -> Moment:
    history = History()
    for fact in w.history.facts[:facts]:
        history.at_s = fact.at_s
        history.note(fact.what, **fact.data)
    reading = Reading(history, w.settings.cells, VALID_S, REPORT_S)
    phase = reading.phase()
    duties = reading.checklist() if phase != "no_trip" else ()
    return Moment(
        phase,
        *(reading.commander(), reading.body(), reading.unloaded(), reading.kept_with_people()),
        {duty.item: reading.status(duty.item) for duty in duties if duty.kind == "attested"},
        tuple((kind, unit) for kind, unit, _ in owed.owed(history, w.settings.origin)),
    )


def around(w: Witness) -> Iterator[tuple[int, Moment, Moment]]:
    """For each number of rows: the moments before and after it between which they were written."""
    known: dict[int, Moment] = {}
    place = 0
    for rows in range(1, len(w.envelopes) + 1):
        while place + 1 < len(w.marks) and w.marks[place + 1][0] <= rows:
            place += 1
        until = next((mark for mark in w.marks[place:] if mark[0] >= rows), w.marks[-1])
        both = []
        for _, facts in (w.marks[place], until):
            if facts not in known:
                known[facts] = moment(w, facts)
            both.append(known[facts])
        yield rows, both[0], both[1]


def restart_everywhere(w: Witness, tally: Tally) -> int:
    """Restart after every single row, in turn in the same boot and in another. Returns how many restarts that were."""
    for rows, before, after in around(w):
        last = w.envelopes[rows - 1]
        same_boot = (rows + len(w.envelopes)) % 2 == 0
        restarted = World(w.settings)
        restarted.envelopes = list(w.envelopes[:rows])
        restarted.mono_s, restarted.utc, restarted.boot_id = last.at_s, last.at_utc, last.boot_id
        restarted.restart(same_boot=same_boot)
        if restarted.snapshot()["boarding"]["open"]:  # before anything was looked at, which would close it anyway
            raise DisagreementError(f"boarding is open after a restart at row {rows}: {last.event}")
        for _ in range(LOOKS):
            restarted.scan()
            if restarted.out["permit_enable"]:
                raise DisagreementError(f"permit after a restart at row {rows}: {last.event}")
        is_whole = rows == len(w.envelopes) or w.envelopes[rows].at_s != last.at_s
        _check(restarted, rows, before, after, same_boot=same_boot, is_whole=is_whole, tally=tally)
    tally.restarts += len(w.envelopes)
    return len(w.envelopes)


def _check(
    w: World, rows: int, before: Moment, after: Moment, *, same_boot: bool, is_whole: bool, tally: Tally
) -> None:
    """`is_whole`: all rows of the last scan are there; the journal writes them as one: notices are never half told."""
    shown: dict[str, Any] = w.snapshot()
    last = w.envelopes[rows - 1].event

    def same(about: str, right: Any, actual: Any) -> None:
        said = f"restart: {about} after row {rows}, {last}, same boot {same_boot}"
        tally.same(said, right, actual, is_doubt=before != after)

    same("open", {False}, shown["boarding"]["open"])
    same("permitted", {False}, shown["boarding"]["permitted"])
    same("driver", {False}, shown["driver"]["ready"])
    same("phase", {before.phase, after.phase}, shown["phase"])
    counts = shown["counts"]
    for name in ("commander", "body", "unloaded"):
        low, high = sorted((getattr(before, name), getattr(after, name)))
        same(name, set(range(low, high + 1)), counts[name])
    rows_told: list[Any] = [e.event for e in w.envelopes if e.event.type == "notice_recorded"]
    told = sorted((row.kind, row.recipient) for row in rows_told)
    if is_whole:
        same("notices", [sorted(before.owed), sorted(after.owed)], [one for one in told if one[0] != "correction"])
    if before.phase != after.phase or shown["phase"] not in ("checking", "boarding", "securing"):
        return
    codes = {refusal["code"] for refusal in shown["boarding"]["refusals"]}
    same("report", {True}, "driver_not_ready" in codes)
    status = {row["item"]: row["status"] for row in shown["checklist"]}
    for item in (*(duty.item for duty in law.TESTED), *(f"cell_lock_{cell}" for cell in w.settings.cells)):
        if not same_boot or item not in before.keeps | after.keeps:
            same(f"proof {item}", {"pending", "running", "failed", "expired"}, status[item])
    for item, right in after.attested.items():
        same(f"row {item}", right | before.attested.get(item, frozenset()), status[item])
