"""What the law answers to a command: every reason against it, from the table `law.COMMANDS`, or none at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.oracle import boarding, law, wires
from tests.oracle.reading import Reading

UNITS = frozenset({"almaty-mp", "taraz-mp", "karaganda-mp", "astana-mp"})
KINDS = frozenset(law.APPENDIX_1)
Codes = frozenset[str]


@dataclass(frozen=True)
class Verdict:
    """`is_lawful`: True, False, or None where law and times leave it open. `codes`: of these at least one is named."""

    is_lawful: bool | None
    codes: Codes = frozenset()
    because: str = ""
    may_be_malformed: bool = False


LAWFUL, OPEN = Verdict(True), Verdict(None)


def no(*codes: str, because: str) -> Verdict:
    return Verdict(False, frozenset(codes), because)


def verdict(reading: Reading, name: str, args: dict[str, Any]) -> Verdict:
    """The law's answer to `name` now."""
    if name in ("confirm", "withdraw"):
        return _by_hand(reading, name, args)
    if name == "told_by_radio":
        return _told_by_radio(reading, args)
    rule = law.COMMANDS[name]
    phase = reading.phase()
    if phase not in rule.where:
        return no("no_trip", "wrong_phase", because=f"{name} is for {rule.where}, this is {phase} ({rule.cites})")
    answers = [CONDITIONS[need](reading, args) for need in rule.needs]
    if "cell" in args and args["cell"] not in reading.cells:
        answers.append(no("unknown_item", because="the vehicle has no such cell"))
    against = [answer for answer in answers if answer.is_lawful is False]
    if against:
        codes = frozenset(code for answer in against for code in answer.codes)
        malformed = any(answer.may_be_malformed for answer in against)
        return Verdict(False, codes, "; ".join(answer.because for answer in against) + f" ({rule.cites})", malformed)
    return OPEN if any(answer.is_lawful is None for answer in answers) else LAWFUL


def _by_hand(reading: Reading, name: str, args: dict[str, Any]) -> Verdict:
    """Confirming and taking back: what no sensor sees, and only that; each in the phases of its stage."""
    phase, item, part = reading.phase(), args["item"], args.get("part")
    if phase in ("no_trip", "closed"):
        return no("no_trip", "wrong_phase", "unknown_item", because="there is no trip")
    before = {duty.item: duty for duty in reading.checklist()}
    after = {duty.item for duty in law.SECURING_BY_HAND}
    if item in after:
        where: tuple[str, ...] = ("securing",)
    elif item == "order_valid":
        where = ("checking", "boarding")
        if reading.history.held("source")[0] != "none":
            return no("unknown_item", "wrong_phase", because="the clock reads the date")
        if name == "withdraw":
            return OPEN  # the contract says that it is confirmed by hand, not that this can be taken back
    elif item in before and before[item].kind == "attested":
        where = ("checking", "boarding")
    else:
        return no("unknown_item", "wrong_phase", because="sensed, computed or not in the list")
    parts = reading.parts(item)
    if name == "confirm" and parts and part not in parts:
        return Verdict(False, frozenset({"unknown_item", "wrong_phase"}), "one of its parts is needed", True)
    if phase not in where:
        return no("wrong_phase", because=f"{item} is confirmed in {where}, this is {phase}")
    if name == "withdraw" and "passed" not in reading.status(item) and item in before:
        return OPEN  # taking back what was never said: the contract names no answer
    if item == "at_door" and wires.motion(reading.history, reading.since_start_s()) != {"standing"}:
        return OPEN  # a vehicle that rolls is not at the door (Rule 16); the contract names no answer
    return LAWFUL


def _told_by_radio(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 19: whoever was called by radio has been told; only of a notice that exists."""
    if args["notice"] not in args["known"]:
        return no("unknown_item", because="there is no such notice")
    again = {"acknowledged", "told_by_radio"}
    said = {f.data.get("stage", f.what) for f in reading.history.facts if f.data.get("notice") == args["notice"]}
    return OPEN if said & again else LAWFUL  # to say it twice, or after an officer's word, is left open


# --- the conditions, by name ---


def units_known(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 19: whoever is to be told can be told; without a unit there is a place to go to."""
    if args["kind"] not in KINDS:
        return Verdict(False, frozenset({"unknown_item"}), "no such kind of trip", True)
    if any(cell["cell"] not in reading.cells for cell in args["cells"]):
        return Verdict(False, frozenset({"unknown_item"}), "the vehicle has no such cell", True)
    if {args["destination"], *args["intermediate"]} - {None} - UNITS:
        return Verdict(False, frozenset({"unknown_unit"}), "nobody can tell that unit", True)
    if args["destination"] is None and not args["destination_place"]:
        return Verdict(False, frozenset({"unknown_unit"}), "neither a unit nor a place to go to", True)
    return LAWFUL


def boarding_open(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Open, and nothing on its way that may close it in the scan of this very order."""
    if not reading.is_open():
        return no("reopen_needed", because="boarding is not open")
    return LAWFUL if all(slot.right == {None} for slot in boarding.against(reading)) else OPEN


def boarding_open_or_unsaid(reading: Reading, args: dict[str, Any]) -> Verdict:
    return LAWFUL if reading.is_open() else OPEN


def boarding_not_open(reading: Reading, args: dict[str, Any]) -> Verdict:
    return no("wrong_phase", because="boarding is open") if reading.is_open() else LAWFUL


def place_in_cell(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 12.2: the commander decided who sits where."""
    is_full = reading.seated(args["cell"]) >= reading.planned(args["cell"])
    return no("cell_full", because="the cell is full") if is_full else LAWFUL


def somebody_in_cell(reading: Reading, args: dict[str, Any]) -> Verdict:
    inside = reading.seated(args["cell"]) - reading.out(args["cell"])
    return LAWFUL if inside > 0 else no("cell_empty", because="nobody is in the cell")


def somebody_of_cell_out(reading: Reading, args: dict[str, Any]) -> Verdict:
    return LAWFUL if reading.out(args["cell"]) > 0 else no("cell_empty", "cell_full", because="nobody of it is out")


def halted(reading: Reading, args: dict[str, Any]) -> Verdict:
    return LAWFUL if reading.is_halted() else no("wrong_phase", because="no halt was logged")


def no_halt_yet(reading: Reading, args: dict[str, Any]) -> Verdict:
    """What a second reason for the same halt is answered, the contract leaves open."""
    return OPEN if reading.is_halted() else LAWFUL


def nobody_out(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 4: one at a time, and nobody is left behind."""
    is_out = any(reading.out(cell) > 0 for cell in reading.cells)
    return no("persons_out", because="somebody is out") if is_out else LAWFUL


def counts_agree_and_somebody(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 16: the commander's count and its repeat."""
    if reading.commander() == reading.body() >= 1:
        return LAWFUL
    return no("counts_disagree", "cell_empty", because=f"{reading.commander()} counted, {reading.body()} repeated")


def standing(reading: Reading, args: dict[str, Any]) -> Verdict:
    words = wires.motion(reading.history, reading.since_start_s())
    if words == {"standing"}:
        return LAWFUL
    return OPEN if "standing" in words else no("vehicle_moving", "motion_unknown", because="the vehicle moves")


def still(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Tests, halts and unloading are for a vehicle that stands; what is answered otherwise the contract leaves open."""
    return LAWFUL if wires.motion(reading.history, reading.since_start_s()) == {"standing"} else OPEN


SECURING_CODES = {
    "cell_locks_locked": ("lock_open", "securing_incomplete"),
    "body_door_closed": ("body_door_open", "securing_incomplete"),
    "counts_agree": ("counts_disagree", "securing_incomplete"),
}


def all_of_securing(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 17: isolation, the escort's places, the commander's own, the keys; locks locked, door shut, counts agree."""
    words = {duty.item: reading.securing(duty.item) for duty in (*law.SECURING_SENSED, *law.SECURING_BY_HAND)}
    missing = [item for item, word in words.items() if word == {"open"}]
    if missing:
        codes = [code for item in missing for code in SECURING_CODES.get(item, ("securing_incomplete",))]
        return no(*codes, because=f"not yet: {', '.join(missing)}")
    return OPEN if any(len(word) > 1 for word in words.values()) else LAWFUL


def all_of_boarding(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rules 15 and 16: no reason at all may stand against it."""
    slots = boarding.against(reading)
    codes = [code for slot in slots if None not in slot.right for code in slot.right if code]
    if codes:
        return no(*codes, because="not everything is proven, now")
    return OPEN if any(len(slot.right) > 1 for slot in slots) else LAWFUL


def everybody_out(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Rule 18: whoever was counted in is counted out."""
    left = reading.commander() - reading.unloaded()
    return LAWFUL if left == 0 else no("persons_aboard", because=f"{left} still aboard")


def nobody_aboard(reading: Reading, args: dict[str, Any]) -> Verdict:
    return no("persons_aboard", because="somebody is aboard") if reading.is_anyone_aboard() else LAWFUL


def seen_empty(reading: Reading, args: dict[str, Any]) -> Verdict:
    """Nobody is left behind unseen: each used cell looked into, and the body confirmed empty at its rear."""
    words = [reading.seen_empty(), *(reading.looked_into(cell) for cell in reading.used_cells())]
    if any(word == {"open"} for word in words):
        return no("not_confirmed_empty", because="not seen to be empty")
    return OPEN if any(len(word) > 1 for word in words) else LAWFUL


CONDITIONS: dict[str, Callable[[Reading, dict[str, Any]], Verdict]] = {
    condition.__name__: condition
    for condition in (
        *(
            units_known,
            boarding_open,
            boarding_open_or_unsaid,
            boarding_not_open,
            place_in_cell,
            somebody_in_cell,
            somebody_of_cell_out,
            still,
            no_halt_yet,
        ),
        *(halted, nobody_out, counts_agree_and_somebody, standing, all_of_securing, all_of_boarding),
        *(everybody_out, nobody_aboard, seen_empty),
    )
}
