"""The Order's Rules 3, 4, 12 and 14 to 19 and the contract as tables: what is lawful when, and what must hold for it.

Nothing here is taken from the product. Each line cites the rule of Order No. 354 that asks for it; "contract" stands
where the Order is silent and the contract page decides.
"""

from __future__ import annotations

from dataclasses import dataclass

# --- phases: what the last of these facts was says where the trip is ---
PHASE_AFTER = {
    "open_trip": "checking",  # Rule 12.1
    "open_boarding": "boarding",  # Rule 16
    "finish_boarding": "securing",  # Rule 17
    "secure": "secured",  # Rule 17
    "departed": "under_way",  # Rule 19
    "arrive": "arrived",  # Rule 18
    "open_unloading": "unloading",  # Rule 18
    "close_trip": "closed",
    "cancel_trip": "closed",
}
BEFORE_DEPARTURE = ("checking", "boarding", "securing", "secured")


@dataclass(frozen=True)
class Duty:
    """One line of a checklist: what must be proven, which rules ask for it, and how it is proven."""

    item: str
    rules: tuple[str, ...]
    kind: str  # sensed, attested, computed


# --- Rule 15 and its neighbours: before anybody boards ---
RADIO = Duty("radio", ("3", "15"), "sensed")  # байланыс құралдары
BEACON = Duty("beacon", ("3",), "sensed")  # жарқылдауық маяк
INTERCOM = Duty("intercom", ("3", "15"), "sensed")  # сөйлесу құрылғысы
VENTILATION = Duty("ventilation", ("15",), "sensed")  # желдеткіш
LIGHTING = Duty("lighting", ("15",), "sensed")  # жарық түсіру
ORDER = Duty("order_valid", ("12.1",), "computed")  # нұсқама with its date
BY_HAND = (
    Duty("body_condition", ("15",), "attested"),
    Duty("seats_fixed", ("15",), "attested"),
    Duty("objects_removed", ("15",), "attested"),
    Duty("intercom_speech", ("15",), "attested"),
    Duty("documents", ("App. 1", "12.2"), "attested"),
    Duty("acceptance", ("14",), "attested"),
    Duty("at_door", ("16",), "attested"),
)
WOMEN = Duty("servicewoman_in_escort", ("4",), "attested")
TESTED = (RADIO, BEACON, INTERCOM, VENTILATION, LIGHTING)


def lock(cell: int) -> Duty:
    """Rule 15: камера есіктері мен құлыптары."""
    return Duty(f"cell_lock_{cell}", ("15",), "sensed")


def before_boarding(cells: tuple[int, ...], *, women: bool) -> tuple[Duty, ...]:
    """All of these, or nobody boards."""
    return (*TESTED, *map(lock, cells), ORDER, *BY_HAND, *((WOMEN,) if women else ()))


# --- Rule 17: before the vehicle leaves ---
SECURING_SENSED = (
    Duty("cell_locks_locked", ("17",), "sensed"),
    Duty("body_door_closed", ("16", "17"), "sensed"),
    Duty("counts_agree", ("16",), "sensed"),
)
SECURING_BY_HAND = (
    Duty("isolation", ("17",), "attested"),
    Duty("escort_placed", ("17",), "attested"),
    Duty("keys_with_commander", ("17",), "attested"),
    Duty("commander_in_cab", ("17",), "attested"),
)
# --- Rule 18 and the hazard of a forgotten person: before the trip is closed ---
CLOSING = (Duty("cells_seen_open", ("18",), "sensed"), Duty("vehicle_empty", ("18",), "sensed"))

# --- Appendix 1: the documents by kind of trip; the words are the contract's ---
APPENDIX_1 = {
    "within_settlement": ("list", "files"),
    "outside_settlement": (
        *("list_3", "files", "order", "travel_documents", "route_sheet", "travel_journal", "food_certificate"),
    ),
    "medical": ("referral", "order", "certificate", "route_sheet", "travel_journal"),
}
TAKEOVER = ("accompanying_list_3", "convict_files")
RULE_14 = ("papers", "fit", "pregnant_certificate", "food_clothing", "infection")


def documents(kind: str, *, takeover: bool, to_court: bool) -> frozenset[str]:
    """App. 1. To a court within the settlement the list alone goes along; a take-over adds its own papers."""
    papers = {"list"} if kind == "within_settlement" and to_court else set(APPENDIX_1[kind])
    if takeover:
        papers |= {*TAKEOVER, *(("food_certificate",) if kind == "outside_settlement" else ())}
    return frozenset(papers)


# --- which equipment must be in working order while people board: Rules 3 and 15, and the body's door ---
WORKING = ("radio", "beacon", "intercom", "ventilation", "lighting")


@dataclass(frozen=True)
class OrderOf:
    """What one command of the commander may do: in which phases, and what must hold there (names of `conditions`)."""

    where: tuple[str, ...]
    needs: tuple[str, ...] = ()
    cites: str = "contract"


COMMANDS = {
    "open_trip": OrderOf(("no_trip", "closed"), ("units_known",), "12.1, 19"),
    "start_tests": OrderOf(("checking", "boarding"), ("boarding_not_open", "still"), "15"),
    "open_boarding": OrderOf(("checking", "boarding", "securing"), ("boarding_not_open", "all_of_boarding"), "15, 16"),
    "suspend_boarding": OrderOf(("boarding",), ("boarding_open_or_unsaid",), "16"),
    "board_person": OrderOf(("boarding",), ("boarding_open", "place_in_cell"), "12.2, 16"),
    "unboard_person": OrderOf(("boarding", "securing", "secured"), ("somebody_in_cell",), "16"),
    "finish_boarding": OrderOf(("boarding",), ("counts_agree_and_somebody",), "16"),
    "secure": OrderOf(("securing",), ("all_of_securing",), "17"),
    "depart": OrderOf(("secured",), ("all_of_securing",), "17, 19"),
    "log_halt": OrderOf(("under_way",), ("still", "no_halt_yet"), "4"),
    "halt_out": OrderOf(("under_way",), ("halted", "somebody_in_cell", "nobody_out"), "4"),
    "halt_in": OrderOf(("under_way",), ("halted", "somebody_of_cell_out"), "4"),
    "end_halt": OrderOf(("under_way",), ("halted", "nobody_out"), "4"),
    "arrive": OrderOf(("under_way",), ("standing", "nobody_out"), "18"),
    "open_unloading": OrderOf(("arrived",), ("still",), "18"),
    "unload_person": OrderOf(("unloading",), ("somebody_in_cell",), "18"),
    "close_trip": OrderOf(("unloading",), ("everybody_out", "seen_empty"), "18"),
    "cancel_trip": OrderOf(BEFORE_DEPARTURE, ("nobody_aboard",), "contract"),
}

# --- Rule 19: stages, only forward; a call by radio stands above a unit's receipt and below an officer's word ---
STAGES = ("recorded", "at_broker", "received", "told_by_radio", "acknowledged")
