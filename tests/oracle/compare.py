"""One comparison of the core with the naive reading, from the snapshot and the outputs alone.

Where a level has changed so recently that both answers are right, the reading adopts what the core made of it: that
is counted as an "either". Where the reading has one answer, another one is a disagreement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.oracle import law, owed, wires
from tests.oracle.reading import SLACK_S
from tests.oracle.tally import DisagreementError

if TYPE_CHECKING:
    from tests.oracle.witness import Witness

CORRECTION_S = 5.0  # the contract names no time; a clock that is good stays good for longer than this


def compare(w: Witness) -> None:
    """Everything that the contract shows. Raises DisagreementError."""
    shown = w.snapshot()
    w.tally.facts += 1
    w.tally.phases[w.reading.phase()] += 1
    _same(w, "phase", {w.reading.phase()}, shown["phase"])
    _trip(w, shown)
    if w.reading.phase() in ("checking", "boarding", "securing"):
        _rows(w, shown)
    _open(w, shown)
    _refusals(w, shown)
    _permit(w, shown)
    _driver(w, shown)
    _later_rows(w, shown)
    _notices(w, shown)
    _revision(w, shown)


def _same(w: Witness, about: str, right: Any, actual: Any) -> None:
    w.tally.same(about, right, actual, w.history.story)


def _trip(w: Witness, shown: dict[str, Any]) -> None:
    reading = w.reading
    if reading.phase() == "no_trip":
        _same(w, "trip", {None}, shown["trip"])
        return
    counts = shown["counts"]
    _same(w, "commander", {reading.commander()}, counts["commander"])
    _same(w, "body", {reading.body()}, counts["body"])
    _same(w, "unloaded", {reading.unloaded()}, counts["unloaded"])
    trip, plan = shown["trip"], reading.plan()
    for name in ("kind", "takeover", "to_court", "women_on_board", "order", "request_number", "destination"):
        _same(w, f"trip.{name}", [plan[name]], trip[name])
    _same(w, "trip.intermediate", [list(plan["intermediate"])], trip["intermediate"])
    for cell in trip["cells"]:
        _same(w, f"seated {cell['cell']}", {reading.seated(cell["cell"])}, cell["seated"])
        _same(w, f"planned {cell['cell']}", {reading.planned(cell["cell"])}, cell["planned"])
    halt = trip["halt"]
    _same(w, "halted", {reading.is_halted() and reading.phase() == "under_way"}, halt is not None)
    if halt is not None:
        out = [{"cell": cell, "count": reading.out(cell)} for cell in w.settings.cells if reading.out(cell)]
        _same(w, "halt.out", [out], halt["out"])


def _rows(w: Witness, shown: dict[str, Any]) -> None:
    """Rule 15's list: exactly these rows, each with a right status; what is lost or gained is written down."""
    rows = {row["item"]: row for row in shown["checklist"]}
    duties = w.reading.checklist()
    expected = {duty.item for duty in (*duties, *law.SECURING_SENSED, *law.SECURING_BY_HAND, *law.CLOSING)}
    _same(w, "checklist", [expected], set(rows))
    if w.source != "none" and not w.reading.is_order_in_date():
        w.history.note("out_of_date")
    is_whole = True
    for duty in duties:
        row = rows[duty.item]
        _same(w, f"kind {duty.item}", {duty.kind}, row["kind"])
        _same(w, f"rule {duty.item}", {True}, any(rule in row["rule"] for rule in duty.rules))
        status = row["status"]
        right = _status(w, duty, status)
        _same(w, f"row {duty.item}", right, status)
        is_whole = is_whole and ("passed" in right if len(right) == 1 else status == "passed")
        if duty.kind == "sensed":
            _remember(w, duty.item, right, status)
    last = w.history.last("row_lost", "reported")
    if not is_whole and last >= 0 and w.history.facts[last].what == "reported":
        w.history.note("row_lost")


def _status(w: Witness, duty: law.Duty, status: str) -> frozenset[str]:
    """The right words for a row; an equipment that is not surely working may have taken the pass away already."""
    right = w.reading.status(duty.item)
    if duty.kind != "sensed":
        return right
    words = wires.equipment(w.history, duty.item, w.reading.since_start_s(), w.reading.rssi_min_dbm)
    if "working" not in words:
        return right - {"passed"} or frozenset({"expired", "failed"})
    if words != {"working"} and "passed" in right:
        return right | {"expired", "failed"}
    return right


def _remember(w: Witness, item: str, right: frozenset[str], status: str) -> None:
    last = w.history.last("lost", "seen_passed", when=lambda fact: fact.data["item"] == item)
    says = w.history.facts[last].what if last >= 0 else ""
    if status in ("expired", "failed") and w.reading.loss(item) < w.history.last("start_tests"):
        w.history.note("lost", item=item)
    elif status == "passed" and (says != "seen_passed" or last < w.reading.loss(item)):
        w.history.note("seen_passed", item=item)


def _open(w: Witness, shown: dict[str, Any]) -> None:
    """Boarding stays open only while every running condition holds; a person opens it again."""
    if w.reading.is_open():
        slots = w.permit_slots()
        if any(None not in slot.right for slot in slots):
            w.history.note("revoked", why="running condition")
        elif not shown["boarding"]["open"] and any(len(slot.right) > 1 for slot in slots):
            w.tally.either["open"] += 1
            w.history.note("revoked", why="adopted")
        elif not shown["boarding"]["open"] and _is_withdrawn(w):
            w.history.note("revoked", why="confirmation taken back")
    _same(w, "open", {w.reading.is_open()}, shown["boarding"]["open"])


def _is_withdrawn(w: Witness) -> bool:
    """The design notes: a confirmation taken back while boarding is open closes it."""
    return w.history.last("withdraw") > w.history.last("open_boarding")


def _refusals(w: Witness, shown: dict[str, Any]) -> None:
    """All the reasons, and no other: each slot has its right code, and each code named has its slot."""
    listed = shown["boarding"]["refusals"]
    phase = w.reading.phase()
    if phase not in ("checking", "boarding", "securing"):
        _same(w, "never permitted", {True}, bool(listed) and not shown["boarding"]["permitted"])
        return
    left = [(refusal["code"], refusal["item"], refusal["rule"]) for refusal in listed]
    for slot in w.permit_slots():
        mine = [entry for entry in left if entry[0] in slot.family and (slot.item is None or entry[1] == slot.item)]
        for entry in mine:
            left.remove(entry)
            if slot.rules and entry[2] is not None:
                _same(w, f"rule of {entry}", {True}, any(rule in entry[2] for rule in slot.rules))
        about = f"refusal {slot.item or ''} {sorted(slot.family)[0]}"
        _same(w, about, slot.right, mine[0][0] if mine else None)
        _same(w, f"once {slot.item}", {True}, len(mine) <= 1)
    _same(w, "refusals nobody asked for", [[]], left)
    _same(w, "permitted", {not listed}, shown["boarding"]["permitted"])


def _permit(w: Witness, shown: dict[str, Any]) -> None:
    """The output: open and permitted now, and this very opening lies on the disk: granting waits for its row."""
    opened = w.history.last("open_boarding")
    is_open = w.reading.is_open() and not shown["boarding"]["refusals"]
    right = {is_open and opened < w.history.kept}
    if is_open and w.history.at_s - w.history.facts[opened].at_s < 0.05:
        right = {True, False}  # the output follows the disk by a scan
    if w.history.at_s - w.disk_turned_s < 0.05:
        right = {True, False} if is_open else {False}
    _same(w, "output", right, w.out["permit_enable"])


def _driver(w: Witness, shown: dict[str, Any]) -> None:
    word, most_s, least_s = w.reading.report()
    if word == "valid" and most_s < w.reading.report_s - SLACK_S:
        right = {True}
    elif word == "valid" and (least_s < w.reading.report_s + SLACK_S or w.reading.is_open()):
        right = {True, False}
    else:
        right = {False}
    if w.reading.phase() in ("checking", "boarding", "securing"):
        _same(w, "driver", right, shown["driver"]["ready"])
    else:
        _same(w, "driver", {False}, shown["driver"]["ready"])


def _later_rows(w: Witness, shown: dict[str, Any]) -> None:
    phase = w.reading.phase()
    rows = {row["item"]: row["status"] for row in shown["checklist"]}
    for duty in (*law.SECURING_SENSED, *law.SECURING_BY_HAND):
        if phase == "securing":
            words = w.reading.securing(duty.item)
            _same(w, f"securing {duty.item}", {word == "passed" for word in words}, rows[duty.item] == "passed")
        elif phase in ("checking", "boarding"):
            _same(w, f"securing {duty.item}", {"pending"}, rows[duty.item])
    if phase == "unloading":
        words = w.reading.seen_empty()
        _same(w, "vehicle_empty", {word == "passed" for word in words}, rows["vehicle_empty"] == "passed")
        looks = [w.reading.looked_into(cell) for cell in w.reading.used_cells()]
        right = {"open" not in looked for looked in looks if len(looked) == 1} | {
            answer for looked in looks if len(looked) > 1 for answer in (True, False)
        }
        right = {False} if any(looked == {"open"} for looked in looks) else right or {True}
        _same(w, "cells_seen_open", right, rows["cells_seen_open"] == "passed")


def _notices(w: Witness, shown: dict[str, Any]) -> None:
    """Rule 19: owed is recorded, each recipient's numbers rise by one, stages only go forward, nothing is forgotten."""
    rows = w.notice_rows()
    owed_ones = owed.owed(w.history, w.settings.origin)
    told = [(row.kind, row.recipient) for row in rows if row.kind != "correction"]
    _same(w, "notices", [sorted((kind, unit) for kind, unit, _ in owed_ones)], sorted(told))
    numbers: dict[str, int] = {}
    for row in rows:
        numbers[row.recipient] = numbers.get(row.recipient, 0) + 1
        _same(w, f"number {row.recipient}", {numbers[row.recipient]}, row.recipient_sequence)
    _corrections(w, rows)
    listed = {notice["id"]: notice for notice in shown["notices"]}
    _same(w, "ids", {len(listed)}, len(shown["notices"]))
    _same(w, "notices shown", {True}, set(listed) <= {row.notice for row in rows})
    other_boot = w.history.last("restart", when=lambda fact: not fact.data["same_boot"])
    other_boot_s = w.history.facts[other_boot].at_s if other_boot >= 0 else -1.0
    for row in rows:
        stage = owed.stage(w.history, row.notice, row.recipient)
        notice = listed.get(row.notice)
        when = next((at for kind, unit, at in owed_ones if (kind, unit) == (row.kind, row.recipient)), None)
        if when is not None:
            owed_ones.remove((row.kind, row.recipient, when))
        if notice is None:
            _same(w, f"forgotten {row.kind} {row.recipient} {stage}", {True}, owed.is_confirmed(stage))
            continue
        _same(w, f"stage {row.kind} {row.recipient}", owed.shown(w.history, row.notice, row.recipient), notice["stage"])
        if when is None:
            continue  # a correction
        right = owed.overdue(
            w.history.at_s - when,
            stage,
            is_sender=row.recipient == w.settings.origin,
            within_s=w.settings.confirm_within_s,
        )
        if other_boot_s > when:
            right = right | {True, False}  # how long the computer was off, nobody can say
        _same(w, f"overdue {row.kind} {row.recipient}", right, notice["overdue"])


def _corrections(w: Witness, rows: list[Any]) -> None:
    """A departure without a clock is corrected once there is one; one with a good clock never is (contract, MQTT)."""
    corrected = {row.recipient for row in rows if row.kind == "correction" and row.corrects is not None}
    sources = {fact.data["source"] for fact in w.history.facts if fact.what in ("departed", "arrive")}
    if not sources - {"gnss", "ntp"}:
        _same(w, "corrections", [set()], corrected)
    departed = w.history.last("departed")
    if w.reading.phase() not in ("under_way", "arrived", "unloading") or departed < 0:
        return
    fact = w.history.facts[departed]
    source, held_s = w.history.held("source")
    same_boot = w.history.last("restart", when=lambda f: not f.data["same_boot"]) < departed
    if fact.data["source"] == "none" and source == "gnss" and held_s > CORRECTION_S and same_boot:
        ids = {row.notice for row in rows if row.kind == "departure"}
        late = [row for row in rows if row.kind == "correction" and row.corrects in ids]
        _same(
            w,
            "correction owed",
            {True},
            set(owed.recipients(w.reading.plan(), w.settings.origin)) <= {row.recipient for row in late},
        )


def _revision(w: Witness, shown: dict[str, Any]) -> None:
    """`rev` moves with phase, trip, rows, driver, counts and refusals, and with nothing else."""
    visible = (
        *(shown["phase"], repr(shown["trip"]), repr(shown["counts"]), shown["driver"]["ready"]),
        repr([(row["item"], row["status"], row.get("parts")) for row in shown["checklist"]]),
        repr([(r["code"], r["item"]) for r in shown["boarding"]["refusals"]]),
        shown["boarding"]["open"],
    )
    key = w.rev_key()
    if w.key_seen is not None and w.key_seen[0] != visible and w.key_seen[1] == key:
        raise DisagreementError(f"something moved but `rev` did not:\n{w.key_seen[0]}\n{visible}\n{w.history.story()}")
    w.key_seen = (visible, key)
