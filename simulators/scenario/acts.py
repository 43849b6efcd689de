"""What happens to the vehicle: wires, buttons, receivers, links, processes, and strangers on the network."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

from simulators.scenario import ending
from simulators.scenario.errors import NotMetError
from simulators.scenario.registry import action
from simulators.scenario.words import BUTTONS
from simulators.scenario.world import World
from simulators.stack import variants
from simulators.stack.calls import call

PRESS_S = 0.3  # a firm press; 0.05 to 3 s count as one
ROUTE_SPEED_MPS = 50 / 3.6


# --- wires ------------------------------------------------------------------------------------------------------------


def _set(world: World, wire: str, word: str) -> None:
    world.put_bench(f"wires/{wire}", {"set": word})


@action(
    "SET {wire:input} {word:auto|closed|open|cut|short|locked|bolt_open|door_open|both_open|leak}",
    "puts a wire into a state",
)
def set_wire(world: World, wire: str, word: str) -> None:
    _set(world, wire, word)


@action("CUT {wires:input*}", "cuts wires")
def cut(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "cut")


@action("SHORT {wires:input*}", "shorts wires")
def short(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "short")


@action("LEAK {wires:input*}", "brings door loops to a level that no state has")
def leak(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "leak")


@action("RESTORE {wires:input*}", "leaves wires to the simulated vehicle again")
def restore(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "auto")


@action("UNLOCK {wires:input*}", "draws the bolt of a cell or of the body door; the door stays shut")
def unlock(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "bolt_open")


@action("SWING {wires:input*}", "unlocks and opens the door of a cell or of the body")
def swing(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "both_open")


@action("LOCK {wires:input*}", "shuts and locks the door of a cell or of the body")
def lock(world: World, wires: list[str]) -> None:
    for wire in wires:
        _set(world, wire, "locked")


@action("UNLOCK EVERY CELL", "draws the bolt of every cell")
def unlock_all(world: World) -> None:
    unlock(world, world.cells())


@action("LOCK EVERY CELL", "shuts and locks every cell")
def lock_all(world: World) -> None:
    lock(world, world.cells())


@action(
    "CHATTER {wire:input} FOR {span_s:duration}", "opens and closes a contact 25 times a second, as a loose wire does"
)
def chatter(world: World, wire: str, span_s: float) -> None:
    words = ("both_open", "locked") if wire.startswith("cell_") or wire == "body_door" else ("open", "closed")
    end_s = time.monotonic() + span_s
    while time.monotonic() < end_s:
        for word in words:
            _set(world, wire, word)
            time.sleep(0.02)


@action("PRESS {button:button} [FOR {hold_s:duration}]", f"presses a button and releases it ({PRESS_S} s)")
def press(world: World, button: str, hold_s: float = PRESS_S) -> None:
    world.press(button, hold_s)


@action("HOLD {button:button}", "presses a button and does not let go")
def hold(world: World, button: str) -> None:
    _set(world, button, "closed" if button in BUTTONS else "pressed")


@action("RELEASE {button:button}", "lets go of a button")
def release(world: World, button: str) -> None:
    _set(world, button, "auto")


@action("TEMPERATURE {cell:cell} {value_c:celsius}", "how warm it is in a cell that has a sensor (45C)")
def temperature(world: World, cell: int, value_c: float) -> None:
    _set(world, f"cell_temperature_{cell}", f"{value_c}")


# --- receivers and links ----------------------------------------------------------------------------------------------


@action("GNSS {mode:OFF|GARBAGE|JAM|SPOOF|UNPLUG}", "what the GNSS receiver does")
def gnss(world: World, mode: str) -> None:
    world.put_bench("gnss", {"mode": mode})


@action("GNSS PARKED [AT {place:point}]", "the receiver reports a standing vehicle")
def gnss_parked(world: World, place: tuple[float, float] | None = None) -> None:
    body: dict[str, Any] = {"mode": "parked"}
    if place is not None:
        body |= {"latitude_deg": place[0], "longitude_deg": place[1]}
    world.put_bench("gnss", body)


@action("GNSS FILE {name:text}", "the receiver says what a recorded file beside the scenario holds")
def gnss_file(world: World, name: str) -> None:
    world.put_bench("gnss", {"mode": "file", "path": str((world.directory / name).resolve())})


@action(
    "ROUTE {points:route*} [AT {speed_mps:speed}]", "drives a named route or way-points (50km/h); the handbrake follows"
)
def route(world: World, points: list[tuple[tuple[float, float], ...]], speed_mps: float = ROUTE_SPEED_MPS) -> None:
    waypoints = [list(place) for leg in points for place in leg]
    world.put_bench("gnss", {"mode": "route", "waypoints": waypoints, "speed_mps": round(speed_mps, 2)})


@action(
    "RADIO {mode:REGISTERED|SEARCHING|SILENT|GARBAGE|UNPLUG} [LEVEL {rssi_dbm:number}]",
    "what the radio station does; level in −dBm",
)
def radio(world: World, mode: str, rssi_dbm: int | None = None) -> None:
    world.put_bench("radio", {"mode": mode} | ({} if rssi_dbm is None else {"rssi_dbm": -rssi_dbm}))


def _broker(world: World, mode: str, span_s: float | None) -> None:
    world.put_bench("broker", {"mode": mode})
    if span_s is not None:
        world.later(span_s, lambda: world.put_bench("broker", {"mode": "up"}))


@action("BROKER {mode:UP|DOWN|HALF_OPEN|SLOW}", "the link between vehicle and broker")
def broker(world: World, mode: str) -> None:
    _broker(world, mode, None)


@action("BROKER {mode:DOWN|HALF_OPEN|SLOW} {span_s:duration}", "the same for a while; the scenario goes on meanwhile")
def broker_for(world: World, mode: str, span_s: float) -> None:
    _broker(world, mode, span_s)


# --- processes --------------------------------------------------------------------------------------------------------


@action("KILL {process:process}", "SIGKILL")
def kill(world: World, process: str) -> None:
    world.signal(process, signal.SIGKILL)


@action("STOP {process:process}", "SIGSTOP: the process hangs")
def stop(world: World, process: str) -> None:
    world.signal(process, signal.SIGSTOP)


@action("CONT {process:process}", "SIGCONT: a stopped process goes on")
def cont(world: World, process: str) -> None:
    world.signal(process, signal.SIGCONT)


# --- duty officers and strangers --------------------------------------------------------------------------------------


@action(
    "ACKNOWLEDGE {unit:unit} BY {by:text} [POST {post:text}] [KIND {kind:notice_kind}]",
    "the unit's duty officer confirms the newest notice",
)
def acknowledge(world: World, unit: str, by: str, post: str = "duty officer", kind: str = "departure") -> None:
    notice = newest_notice(world, world.commander.must_look(), unit, kind)
    path = f"/api/v1/notices/{notice['id']}/acknowledge"
    deadline_s = time.monotonic() + 5.0  # the notice may still be on its way to the desk
    while True:
        answer = call("POST", world.endpoints.desk, path, {"by": by, "post": post})
        if answer.status == 200:
            return
        if time.monotonic() > deadline_s:
            raise NotMetError(f"the desk answered {answer.status}: {answer.text}")
        time.sleep(0.1)


def newest_notice(world: World, snapshot: dict[str, Any], unit: str, kind: str) -> dict[str, Any]:
    """The scenario's newest notice of this kind to this unit. Raises NotMetError when there is none."""
    found = [
        notice
        for notice in snapshot["notices"]
        if notice["recipient"] == unit and notice["kind"] == kind and notice["id"] not in world.old_notices
    ]
    if not found:
        raise NotMetError(f"no {kind} notice for {unit} in the snapshot")
    return dict(max(found, key=lambda notice: notice["id"]))  # UUIDv7: a later one is greater


@action(
    "PUBLISH RECEIPT {stage:received|acknowledged} FROM {unit:unit} SIGNED BY {signer:text} [FOR ANOTHER NOTICE]",
    "a stranger publishes a receipt for the unit's newest departure notice; signed by a unit's key or by `stranger`",
)
def publish_receipt(world: World, stage: str, unit: str, signer: str, **other: bool) -> None:
    if signer != "stranger" and signer not in variants.UNITS:
        raise NotMetError(f"{signer} has no key here: {', '.join(variants.UNITS)} or stranger")
    notice = newest_notice(world, world.commander.must_look(), unit, "departure")["id"]
    world.outsider.publish(unit, world.outsider.receipt(stage, unit, signer, notice, is_other_notice="for" in other))


@action("PUBLISH GARBAGE AS {unit:unit} [RETAINED]", "a stranger publishes what is no receipt at all")
def publish_garbage(world: World, unit: str, retained: bool = False) -> None:
    for payload in (b"", b"\x00\xff\xfe", b"{", b"[1]", b'{"payload": 1}', b"a" * 9000, b'{"a":' * 500):
        world.outsider.publish(unit, payload, is_retained=retained)
    if retained:
        world.outsider.publish(unit, b"", is_retained=True)  # takes the retained message away again


@action(
    "HTTP {method:GET|POST|PUT|DELETE} {page:page} {path:text} [BODY {body:text}] [BYTES {size:number}]"
    " [AS {content_type:text}] [SIGNED IN]",
    "one plain request to a page, with a body as written or of so many bytes",
)
def http(world: World, method: str, page: str, path: str, **extra: Any) -> None:
    raw = b'{"pin": "' + b"0" * (extra["size"] - 11) + b'"}' if "size" in extra else extra.get("body", "").encode()
    headers = {"Content-Type": extra.get("content_type", "application/json")}
    if "signed" in extra:
        headers |= world.commander.session_headers()
    answer = call(method.upper(), world.endpoints.page(page), path, raw=raw or None, headers=headers)
    world.commander.answers = [answer]


# --- time, and the end ------------------------------------------------------------------------------------------------


@action("WAIT {span_s:duration}", "nothing happens for a while")
def wait(_world: World, span_s: float) -> None:
    threading.Event().wait(span_s)


@action("END TRIP", "everything is repaired, everybody is let out, and the trip ends by the shortest lawful way")
def end_trip(world: World) -> None:
    ending.end_trip(world)
