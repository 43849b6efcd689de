"""What the wires say about the equipment, read from their levels over time: each answer is the set of the right words.

A set with more than one word is the observer's "either": a level has changed so recently that filters, whose times the
contract leaves open, may or may not have followed. Once the settling time of a wire has passed there is one right word.
"""

from __future__ import annotations

from tests.oracle.history import History

WORDS = frozenset({"working", "fault", "stale", "unknown"})
BAD = WORDS - {"working"}
REVOKE_S = 0.06  # hazards H01, H41: what is bad for longer has been acted upon
FAST_S = 2.0 + 0.01  # half a scan more: a sum of many scans is two seconds or a hair less
GLITCH_S = 0.01  # less than a scan: two samples in a row are no glitch
TRUST_S = 0.30  # ten good samples (0.2 s) and a little; no filter of a plain contact is slower
# The rest have filters or tests of their own, which the contract does not time: generous on purpose,
# and the walks wait for longer than this before they demand exactness.
SETTLE_S = {"ventilation": 3.0, "lighting": 3.0, "beacon": 5.0, "intercom": 7.0, "radio": 0.5}
RUN_UP_S = 8.5  # so long a test waits for what it had interrupted; until then it is nobody's fault, and the row is open
RADIO_DBM = -84  # the world's own signal
RADIO_STALE_S = 3.0  # `radio_stale_s`
LOOP_WORD = {
    "locked": "working",
    "bolt_open": "working",
    "door_open": "working",
    "both_open": "working",
    "cut": "fault",
    "short": "fault",
}


def loop(history: History, wire: str, since_start_s: float) -> frozenset[str]:
    """A loop: readable is working, cut and short are faults, any other level is no answer (contract, Bench)."""
    word, held_s = None, 0.0
    for at, _, level in reversed(history.spans(wire, history.at_s - 1.0)):
        says = LOOP_WORD.get(level, "unknown")
        if word is not None and says != word:
            break
        word, held_s = says, history.at_s - at
    if word is None or since_start_s < TRUST_S:
        return WORDS
    if held_s >= TRUST_S:
        return frozenset({word})
    return BAD if word != "working" and held_s >= REVOKE_S else WORDS


def _quiet(history: History, since_start_s: float, settle_s: float, *wires: str) -> bool:
    return since_start_s >= settle_s and all(history.held(wire)[1] >= settle_s for wire in wires)


def running(history: History, name: str, since_start_s: float) -> frozenset[str]:
    """Fan and light: switched on by the crew and seen to run; an interruption by our own test is no fault."""
    sense, switch, inhibit = {
        "ventilation": ("airflow", "fan_switch", "out:fan_inhibit"),
        "lighting": ("light_sense", "light_switch", "out:light_inhibit"),
    }[name]
    if not _quiet(history, since_start_s, SETTLE_S[name], sense, switch, inhibit):
        return WORDS
    seen, on = history.held(sense)[0], history.held(switch)[0]
    if seen is False and on and _is_running_up(history, name, inhibit):
        return WORDS
    if seen is None or on is None:
        return frozenset({"unknown"}) if seen is not False and on is not False else BAD
    if seen and on:
        return frozenset({"working"})
    return frozenset({"fault"}) if not seen else BAD


def _is_running_up(history: History, name: str, inhibit: str) -> bool:
    """Our own test interrupted it a moment ago, and nothing came of it yet."""
    ends = [until for _, until, level in history.spans(inhibit, history.at_s - RUN_UP_S) if level]
    passed = history.last("seen_passed", when=lambda fact: fact.data["item"] == name)
    return bool(ends) and (passed < 0 or history.facts[passed].at_s < ends[-1])


def beacon(history: History, since_start_s: float) -> frozenset[str]:
    """Switched on it has to flash, switched off it has to be dark."""
    settle_s = SETTLE_S["beacon"]
    if not _quiet(history, since_start_s, settle_s, "beacon_switch", "out:beacon_test", "forced:beacon_sense"):
        return WORDS
    seen = {level for _, _, level in history.spans("beacon_sense", history.at_s - 2.0)}
    on = history.held("beacon_switch")[0]
    if None in seen or on is None:
        return frozenset({"unknown"})
    if on:
        return frozenset({"working"}) if seen == {True, False} else frozenset({"fault"})
    return BAD if True in seen else WORDS if _was_doubtful(history) else frozenset({"working"})


def _was_doubtful(history: History) -> bool:
    """A beacon that is dark now may have failed its last test: only the next test can say."""
    last = {wire: history.levels.get(wire, [(0.0, None)])[-1][0] for wire in ("forced:beacon_sense", "out:beacon_test")}
    meddled = len(history.levels.get("forced:beacon_sense", [])) > 1
    return meddled and last["forced:beacon_sense"] >= last["out:beacon_test"] - 1.0


def intercom(history: History, since_start_s: float) -> frozenset[str]:
    """The line hears its own tone and nothing else."""
    if not _quiet(history, since_start_s, SETTLE_S["intercom"], "forced:intercom_return"):
        return WORDS
    forced = history.held("forced:intercom_return")[0]
    if forced == "auto":
        return frozenset({"working"})
    return frozenset({"unknown"}) if forced is None else frozenset({"fault"})


def radio(history: History, since_start_s: float, rssi_min_dbm: int) -> frozenset[str]:
    """The station answers, is registered and heard well enough; silence is `stale` after three seconds."""
    (lives, quiet_s), (said, held_s) = history.held("radio_lives"), history.held("radio")
    if since_start_s < SETTLE_S["radio"] or held_s < SETTLE_S["radio"]:
        return WORDS
    if said is None:
        return BAD
    if not lives:
        if quiet_s > RADIO_STALE_S + TRUST_S:
            return frozenset({"stale"})
        if quiet_s > RADIO_STALE_S - TRUST_S:
            return WORDS
    elif quiet_s < SETTLE_S["radio"]:
        return WORDS
    answered, registered, rssi_dbm = said
    if not answered:
        return BAD
    if registered is None:
        return BAD
    good = registered and (rssi_dbm is None or rssi_dbm >= rssi_min_dbm)
    return frozenset({"working"}) if good else frozenset({"fault"})


def motion(history: History, since_start_s: float) -> frozenset[str]:
    """Handbrake released moves; applied it stands, unless a trusted fix of 2 m/s contradicts it for 2 s (contract)."""
    every = frozenset({"standing", "moving", "unknown"})
    applied, held_s = history.held("handbrake")
    if applied is False:
        return frozenset({"moving"}) if held_s >= REVOKE_S and since_start_s >= TRUST_S else every
    if held_s < TRUST_S or since_start_s < TRUST_S:
        return every
    if applied is None:
        return frozenset({"unknown"})
    is_fast, fast_s = history.held("fast_fix")
    if is_fast:
        if fast_s >= 2.0 + TRUST_S and since_start_s >= 2.0 + TRUST_S:
            return frozenset({"unknown"})
        return frozenset({"standing"}) if fast_s < 2.0 - TRUST_S else frozenset({"standing", "unknown"})
    # A fix that has just ended may be the newest one for as long as it counts as fresh (3 s); a slow one replaces it.
    over_s = TRUST_S if history.held("has_fix")[0] and history.held("has_fix")[1] >= TRUST_S else 3.0 + TRUST_S
    was_fast = len(history.levels.get("fast_fix", [])) > 1
    return frozenset({"standing"}) if fast_s >= over_s or not was_fast else frozenset({"standing", "unknown"})


def is_moving(history: History, since_start_s: float) -> bool:
    """Contract, "Moving": handbrake released, or a trusted fix of 2 m/s for 2 s; one sample may be a glitch."""
    applied, held_s = history.held("handbrake")
    if applied is False and held_s >= GLITCH_S and since_start_s >= GLITCH_S:
        return True
    is_fast, fast_s = history.held("fast_fix")
    return bool(is_fast) and min(fast_s, since_start_s) >= FAST_S


def is_healthy(history: History, name: str, since_s: float) -> bool:
    """Nobody has touched this equipment's wires since then: each is as a sound vehicle has it."""
    sound: dict[str, tuple[tuple[str, object], ...]] = {
        "ventilation": (("fan_switch", True), ("forced:airflow", "auto")),
        "lighting": (("light_switch", True), ("forced:light_sense", "auto")),
        "beacon": (("forced:beacon_sense", "auto"),),
        "intercom": (("forced:intercom_return", "auto"),),
        "radio": (("radio_lives", True), ("radio", (True, True, RADIO_DBM))),
    }
    if not all(level for _, _, level in history.spans("disk_works", since_s)):
        return False  # what may be tried with nobody aboard waits until the disk knows that nobody is
    return all(
        level == right for wire, right in sound[name] for _, _, level in history.spans(wire, since_s - SETTLE_S[name])
    )


def equipment(history: History, name: str, since_start_s: float, rssi_min_dbm: int) -> frozenset[str]:
    """The right words for one equipment now."""
    if name.startswith("cell_lock_"):
        return loop(history, "cell_" + name.removeprefix("cell_lock_"), since_start_s)
    if name == "body_door":
        return loop(history, "body_door", since_start_s)
    if name == "beacon":
        return beacon(history, since_start_s)
    if name == "intercom":
        return intercom(history, since_start_s)
    if name == "radio":
        return radio(history, since_start_s, rssi_min_dbm)
    return running(history, name, since_start_s)
