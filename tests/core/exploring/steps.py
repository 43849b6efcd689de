"""One step of the search: an action on a real state, then scans until the vehicle is quiet; every scan is judged."""

from __future__ import annotations

import itertools
from copy import copy
from dataclasses import replace

from tests.core.exploring.actions import Action, Instance, alphabet
from tests.core.exploring.claims import RESTART_CLAIMS, SCAN_CLAIMS, Seen
from tests.core.exploring.normal import LONG_S, Node, State, TripKey, node_of, state_of, trip_key
from tests.core.exploring.vehicle import SCAN_S, START, START_S, Wires, now, readings
from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import Answer
from vehicle_agent.core.decide import scan
from vehicle_agent.core.equipment import BEACON_LIMIT_S, FLASH_GAP_S, READBACK_LIMIT_S
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.inputs import Command, Input
from vehicle_agent.core.motion import FAST_FOR_S
from vehicle_agent.core.outputs import outputs
from vehicle_agent.core.state import Live, Trip

SCANS_MAX = 120  # 22 s: longer than every test and delay together
SCANS_AFTER_START = 30  # two pilot tones: until then the intercom is not known
LET_GO_AFTER = 3
LAG_MAX = 2  # orders that a hanging disk may be behind
OFF = dict.fromkeys(
    ("permit_enable", "permit_lamp_red", "ready_lamp", "buzzer", "fan_inhibit", "light_inhibit", "beacon_test"), False
) | {"intercom_tone": False}


class BrokenPromiseError(AssertionError):
    """A promise that a scan did not keep, or a vehicle that never came to rest."""


class Drive:
    """A real trip and live state under way from one quiet moment to the next."""

    def __init__(self, state: State, instance: Instance) -> None:
        self.instance, self.settings = instance, instance.settings
        self.wires, self.trip, self.live, self.durable = state.wires, state.trip, state.live, state.durable
        self.lag = state.lag
        self.at_s, self.held, self.scans, self.inhibited_s = START_S, 99, 0, 0.0
        self.out = OFF | {"permit_enable": state.live.enable[0]}
        self.permitted = 99 if self.out["permit_enable"] else 0

    def copy(self) -> Drive:
        other = copy(self)
        other.out = dict(self.out)
        return other

    def hold(self, wires: Wires) -> None:
        self.wires, self.held = wires, 0

    def scan(self, *inputs: Input) -> tuple[tuple[Answer, ...], bool]:
        """One scan and the claims about it; also says whether anything in it is still moving."""
        before, old = self.trip, self.live
        self.at_s += SCAN_S
        self.held += 1
        self.scans += 1
        read = readings(self.wires, self.out, self.at_s)
        step = scan(before, old, read, inputs, now(self.wires, self.at_s), self.settings)
        self.trip, self.live = step.trip, step.live
        # The disk gets its rows between two scans, so what a scan decides is never durable in the scan itself.
        self.out = outputs(self.trip, self.durable, self.live, self.at_s)
        self.permitted = self.permitted + 1 if self.out["permit_enable"] else 0
        is_off = self.out["fan_inhibit"] or self.out["light_inhibit"]
        self.inhibited_s = self.inhibited_s + SCAN_S if is_off else 0.0
        seen = Seen(
            before,
            self.trip,
            self.live,
            self.durable,
            self.out,
            self.wires,
            self.held,
            self.permitted,
            inputs,
            step.envelopes,
            self.at_s,
            self.inhibited_s,
            self.settings,
        )
        for claim in SCAN_CLAIMS:
            if not claim(seen):
                raise BrokenPromiseError(f"{claim.__name__}: {claim.__doc__}")
        is_behind = self.durable is not self.trip
        if "disk_hangs" not in self.wires.broken:
            self.durable = self.trip
        is_moving = (
            (is_behind and self.trip.is_open and self.durable is self.trip)
            or self.live.levels is not old.levels
            or self.live.equipment is not old.equipment
            or self.live.tests is not old.tests
            or self.live.motion != old.motion
            or bool(step.envelopes)
        )
        return step.answers, is_moving

    def answers(self, *inputs: Input) -> tuple[Answer, ...]:
        """What would be answered in the next scan, without making it."""
        at_s = self.at_s + SCAN_S
        read = readings(self.wires, self.out, at_s)
        return scan(self.trip, self.live, read, inputs, now(self.wires, at_s), self.settings).answers

    def is_pending(self) -> bool:
        """Whether a delay of the core is running: a tone, a test, a flash, a read-back, a speed that must last."""
        live, at_s = self.live, self.at_s
        tone, (is_expected, since_s) = live.tone, live.beacon_expected
        is_unheard = tone.result is None and live.level("intercom_return") is not None
        if tone.is_on or at_s - tone.since_s < 0.5 or is_unheard:
            return True
        if any(not item.startswith("cell_lock_") or test.seen_s is not None for item, test in live.tests.items()):
            return True
        if self.trip.phase not in ("no_trip", "closed") and self.trip.tests != live.tests_order:
            return True
        is_lit = at_s - live.beacon_lit_s <= FLASH_GAP_S
        if is_lit != is_expected and at_s - since_s <= BEACON_LIMIT_S + 2 * SCAN_S:
            return True
        is_fast_soon = live.fast_since_s is not None and at_s - live.fast_since_s < FAST_FOR_S
        return is_fast_soon or at_s - live.enable[1] <= READBACK_LIMIT_S or self.out["permit_enable"] != live.enable[0]

    def settle(self, least: int) -> None:
        """Scan until nothing moves and nothing is pending."""
        for n in range(1, SCANS_MAX):
            _, is_moving = self.scan()
            if n >= least and not is_moving and not self.is_pending():
                return
        raise BrokenPromiseError("the vehicle never comes to rest")

    def state(self) -> State:
        return State(self.wires, self.trip, self.live, self.durable, self.lag)


def advance(drive: Drive, action: Action) -> tuple[Answer, ...]:
    """Do the action and settle; the answers to its inputs."""
    if action.kind == "restart":
        _start_again(drive, is_same_boot=action.name == "restart")
        drive.settle(SCANS_AFTER_START)
        return ()
    if action.kind == "time":
        _grow_old(drive, action)
        drive.settle(1)
        return ()
    if action.kind == "commission":
        commissioned = ev.Commissioned((), drive.settings.wiring_sha256, "post")
        drive.trip = evolve(drive.trip, _envelope(commissioned, drive))
        drive.settle(1)
        return ()
    if action.wires is not None:
        drive.hold(action.wires(drive.wires))
        if action.back is not None:
            for _ in range(LET_GO_AFTER):
                drive.scan()
            drive.hold(action.back(drive.wires))
        drive.settle(action.least)
        return ()
    answers, is_moving = drive.scan(*action.inputs)
    if action.then is not None and any(answer.events for answer in answers):
        advance(drive, action.then)
    elif is_moving:
        if "disk_hangs" in drive.wires.broken:
            drive.lag += 1
        drive.settle(1)
    return answers


def _envelope(event: ev.Event, drive: Drive) -> ev.Envelope:
    return ev.Envelope("row", START, drive.at_s, "gnss", 0.2, "boot", drive.trip.id, event)


def _start_again(drive: Drive, *, is_same_boot: bool) -> None:
    """What the disk has is folded on; what it has not is lost, and so is everything that was read."""
    durable = drive.durable
    if durable.departure is not None and not is_same_boot:
        durable = replace(durable, departure=replace(durable.departure, boot_id="an earlier boot"))
    drive.trip = evolve(durable, _envelope(ev.Started("test", 1, is_same_boot, "test"), drive))
    for claim in RESTART_CLAIMS:
        if not claim(durable, drive.trip):
            raise BrokenPromiseError(f"{claim.__name__}: {claim.__doc__}")
    # The disk that a new start finds has written that start.
    drive.durable, drive.live, drive.out, drive.lag = drive.trip, Live(), OFF, 0
    drive.hold(drive.wires.holding("disk_hangs", is_there=False))


def _grow_old(drive: Drive, action: Action) -> None:
    """Time passes in which nothing happens: the same as if all that is there had been there for longer."""
    drive.trip = _older(drive.trip, action)
    drive.durable = drive.trip if drive.durable is not None and drive.lag == 0 else _older(drive.durable, action)


def _older(trip: Trip, action: Action) -> Trip:
    report, fallback = trip.report, trip.fallback
    if report is not None and action.name != "half a minute passes":
        report = replace(report, at_s=report.at_s - LONG_S)
    if fallback is not None:
        fallback = (fallback[0], fallback[1] - LONG_S, fallback[2])
    rows = trip.rows
    if action.name == "the checks are too old":
        rows = {item: replace(row, at_s=row.at_s - LONG_S) for item, row in rows.items()}
    return replace(trip, report=report, fallback=fallback, rows=rows)


class Stepper:
    """Steps from nodes of one instance, and how many scans they took."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.settings, self.scans = instance, instance.settings, 0
        self.actions = alphabet(instance)
        self._started: dict[tuple[Wires, TripKey], Node] = {}
        self.state_before_all = _switched_on(instance)
        drive = Drive(self.state_before_all, instance)
        drive.settle(SCANS_AFTER_START)
        self.root = node_of(drive.state(), drive.at_s, self.settings)
        drive.scan(Command("open_trip", instance.plan))
        assert drive.trip.plan is not None
        self.plan = drive.trip.plan

    def drive(self, node: Node) -> Drive:
        return Drive(state_of(node, self.plan, self.settings), self.instance)

    def possible(self, node: Node) -> list[Action]:
        is_far_behind = node.lag >= LAG_MAX
        return [a for a in self.actions if a.is_possible(node) and not (is_far_behind and a.is_of_people)]

    def step(self, node: Node, action: Action) -> Node:
        """Where the action leads from this node. Raises BrokenPromiseError where a promise does not hold."""
        drive = self.drive(node)
        if action.kind == "restart":
            return self._start_again(drive, action)
        advance(drive, action)
        return self._arrived(drive)

    def expand(self, node: Node) -> list[tuple[int, Node]]:
        """`(number of the action, where it leads)` for all that can happen here and changes anything."""
        possible = self.possible(node)
        people, things = [a for a in possible if a.is_of_people], [a for a in possible if not a.is_of_people]
        acting = things + self._obeyed(node, people)
        found = []
        for action in acting:
            try:
                found.append((self.actions.index(action), self.step(node, action)))
            except BrokenPromiseError as error:
                raise BrokenPromiseError(f"at `{action.name}`: {error}") from None
        return found

    def _obeyed(self, node: Node, actions: list[Action]) -> list[Action]:
        """Those orders and presses that lead to any event.

        Many are given in one scan: as long as none of them has led to an event, the next one finds the vehicle as it
        would alone. Behind the first that has, the rest is tried again in a new scan.
        """
        found = []
        while actions:
            drive = self.drive(node)
            said = [item for action in actions for item in action.inputs]
            answers = iter(drive.answers(*said))
            self.scans += 1
            for n, action in enumerate(actions):
                its_own = list(itertools.islice(answers, len(action.inputs)))
                if any(answer.events for answer in its_own):
                    found.append(action)
                    actions = actions[n + 1 :]
                    break
            else:
                break
        return found

    def _start_again(self, drive: Drive, action: Action) -> Node:
        """After a start only the trip and the wires matter, so equal ones need to come to rest only once."""
        _start_again(drive, is_same_boot=action.name == "restart")
        key = drive.wires, trip_key(drive.trip, drive.at_s, self.settings)
        if key not in self._started:
            drive.settle(SCANS_AFTER_START)
            self._started[key] = self._arrived(drive)
        return self._started[key]

    def _arrived(self, drive: Drive) -> Node:
        self.scans += drive.scans
        return node_of(drive.state(), drive.at_s, self.settings)


def _switched_on(instance: Instance) -> State:
    settings = instance.settings
    trip = Trip(commissioned=settings.wiring_sha256 if instance.is_commissioned else None)
    return State(Wires(("locked",) * len(instance.cells)), trip, Live(), trip)
