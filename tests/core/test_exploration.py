"""Everything that can happen to a vehicle, searched breadth-first with the real core; every scan is judged.

The promises are in `exploring/claims.py`, what can happen in `exploring/actions.py`, why the search is finite and
merges nothing that differs in `exploring/normal.py`. Sizes and how to read a failure: README.md here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.core.exploring.actions import Instance
from tests.core.exploring.normal import Node, node_of
from tests.core.exploring.search import Graph, explore
from tests.core.exploring.steps import Drive, Stepper, advance
from tests.core.exploring.vehicle import FAULTS
from vehicle_agent.core.inputs import AtBroker, Command, Input, NoticeSending, Receipt

Tell = Callable[[str, int], None]
ONE_CELL = Instance(
    "a whole trip: one cell, one person, nothing breaks",
    planned=(1,),
    faults=(),
    at_a_time=0,
    asks_freely=False,
    counts_beyond=0,
    left_out=frozenset({"withdraw isolation", "hold body_count"}),
)
NOBODY_BOARDS = Instance(
    "up to boarding: the light's sensor breaks, people may answer for it, nobody boards",
    planned=(1,),
    faults=("dark",),
    at_a_time=1,
    asks_freely=False,
    left_out=frozenset(
        {*("board_person 1", "press body_count", "hold body_count", "start_tests, and press body_count")}
        | {*("withdraw seats_fixed", "release the handbrake", "start_tests, and release the handbrake", "power cut")}
    ),
)
PHASES = {"no_trip", "checking", "boarding", "securing", "secured", "under_way", "arrived", "unloading", "closed"}
Landmarks = dict[str, Callable[[Node], bool]]
ON_A_TRIP: Landmarks = {
    "boarding open with people aboard": lambda node: node.trip.is_open and node.trip.commander > 0,
    "boarding revoked with people aboard": lambda node: (
        node.trip.phase == "boarding" and not node.trip.is_open and node.trip.commander > 0
    ),
    "counts that disagree": lambda node: node.trip.commander < node.trip.body,
    "a departure that was secured": lambda node: node.trip.left is not None and node.trip.left[0],
    "a departure that was not": lambda node: node.trip.left is not None and not node.trip.left[0],
    "a halt with somebody out": lambda node: bool(node.trip.halted),
    "moving in unloading": lambda node: node.trip.phase == "unloading" and node.live.motion == "moving",
    "everyone out and looked at": lambda node: any(r.item == "vehicle_empty" for r in node.trip.rows),
    **{phase: lambda node, phase=phase: node.trip.phase == phase for phase in PHASES},  # type: ignore[misc]
}
BEFORE_IT: Landmarks = {
    "boarding open with the permit on": lambda node: node.trip.is_open and node.live.is_enabled,
    "a report that is too old": lambda node: node.trip.report == "old",
    "rows that are too old, while open": lambda node: node.trip.is_open and any(r.is_old for r in node.trip.rows),
    "a lock being proven": lambda node: any(stage == "locked" for _, stage in node.live.tests),
}
WITH_A_FAULT: Landmarks = {
    "a question for a fallback": lambda node: node.trip.fallback is not None,
    "a question that is too late": lambda node: node.trip.fallback is not None and node.trip.fallback[1],
    "a fallback under an open boarding": lambda node: (
        node.trip.is_open and any(r.status == "manual_fallback" for r in node.trip.rows)
    ),
    "a row that failed": lambda node: any(r.status == "failed" for r in node.trip.rows),
    "a row that one fault took": lambda node: any(r.is_lost_alone for r in node.trip.rows),
}


@pytest.fixture(scope="module")
def whole_trip() -> Graph:
    return explore(ONE_CELL)


@pytest.fixture(scope="module")
def nobody_boards() -> Graph:
    return explore(NOBODY_BOARDS)


def went_everywhere(graph: Graph, tell: Tell, *landmarks: Landmarks) -> None:
    """The search itself asks every claim after every scan; a claim is worth something where the search went."""
    missed = [name for some in landmarks for name, is_meant in some.items() if not graph.find(is_meant)]
    assert not missed, missed
    tell("states explored", len(graph.nodes))
    tell("edges between them", len(graph.sources))
    tell("scans judged on them", graph.scans)


def every_trip_can_end(graph: Graph) -> None:
    """From every state orders, presses and repairs alone lead to a trip that is finished or cancelled."""
    ends = graph.find(lambda node: node.trip.phase in ("no_trip", "closed"))
    can_end = graph.reach(ends, lambda action: action.brings_an_end, is_back=True)
    stuck = set(range(len(graph.nodes))) - can_end
    assert not stuck, [action.name for action in graph.history(min(stuck))]


def after_a_restart_only_a_person_opens(graph: Graph) -> None:
    """Whatever follows a restart, without the order `open_boarding` nothing is open and nothing permitted."""
    started = {target for _, action, target in graph.edges() if action.kind == "restart"}
    assert started
    beyond = graph.reach(started, lambda action: action.name != "open_boarding")
    permitted = [n for n in beyond if graph.nodes[n].trip.is_open or graph.nodes[n].live.is_enabled]
    assert not permitted, [action.name for action in graph.history(min(permitted))]
    is_open = [node.trip.is_open for node in graph.nodes]
    assert {action.name for a, action, b in graph.edges() if is_open[b] > is_open[a]} == {"open_boarding"}


@pytest.mark.slow
def test_H01_H07_H26_every_scan_of_a_whole_trip_keeps_its_promises(whole_trip: Graph, tell: Tell) -> None:
    went_everywhere(whole_trip, tell, BEFORE_IT, ON_A_TRIP)
    started = [b for _, action, b in whole_trip.edges() if action.kind == "restart"]
    assert any(whole_trip.nodes[n].trip.commander for n in started), "no restart with people aboard was seen"
    every_trip_can_end(whole_trip)
    after_a_restart_only_a_person_opens(whole_trip)


@pytest.mark.slow
def test_H01_H07_every_scan_with_a_broken_sensor_keeps_its_promises(nobody_boards: Graph, tell: Tell) -> None:
    went_everywhere(nobody_boards, tell, BEFORE_IT, WITH_A_FAULT)
    every_trip_can_end(nobody_boards)
    after_a_restart_only_a_person_opens(nobody_boards)


def _clerks(rng: random.Random, drive: Drive) -> list[Input]:
    """What the search leaves out because nothing depends on it: receipts, calls by radio, acknowledged alarms."""
    said: list[Input] = []
    for notice in drive.trip.notices:
        stage, unit = rng.choice(("received", "acknowledged")), notice.record.recipient
        told = Command("told_by_radio", {"notice": notice.id, "post": "x"})
        receipt = Receipt(notice.id, stage, "A", "B", "2026-11-22T08:00:00Z", "0", unit)
        said += rng.sample([AtBroker(notice.id), NoticeSending(notice.id, 1.0), receipt, told], 2)
    return said + [Command("acknowledge_alarm", {"alarm": alarm.id}) for alarm in drive.trip.alarms]


def reach_again(graph: Graph, seed: int) -> None:
    """Drive to one node in one piece, and do there everything that can be done."""
    rng = random.Random(seed)
    instance, number = graph.instance, rng.randrange(len(graph.nodes))
    node = graph.nodes[number]
    stepper = Stepper(instance)
    drive = Drive(stepper.state_before_all, instance)
    drive.settle(30)
    for action in graph.history(number):
        drive.scan(*_clerks(rng, drive))
        advance(drive, action)
    assert node_of(drive.state(), drive.at_s, instance.settings) == node
    expected = {action.name: graph.nodes[target] for source, action, target in graph.edges() if source == number}
    found = {}
    for action in stepper.possible(node):
        other = drive.copy()
        advance(other, action)
        found[action.name] = node_of(other.state(), other.at_s, instance.settings)
    assert {name: end for name, end in found.items() if end != node} == {
        name: end for name, end in expected.items() if end != node
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_normal_form_of_a_trip_loses_nothing(whole_trip: Graph, seed: int) -> None:
    """A node is reached again without the normal form, alarms and notices kept and answered: all goes on alike."""
    reach_again(whole_trip, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_normal_form_with_a_broken_sensor_loses_nothing(nobody_boards: Graph, seed: int) -> None:
    reach_again(nobody_boards, seed)


ONE_CELLS_FAULTS = tuple(fault for fault in FAULTS if fault != "cell_2_short")
LARGE = (
    Instance("never commissioned", (1,), (), 0, (), False, asks_freely=False, left_out=ONE_CELL.left_out),
    replace(NOBODY_BOARDS, name="up to boarding with every fault", faults=ONE_CELLS_FAULTS),
    replace(
        ONE_CELL,
        name="a whole trip with what stops a permit",
        faults=("cell_1_cut", "journal_lost", "readback_lost"),
        at_a_time=1,
    ),
)
LARGEST = replace(ONE_CELL, name="a whole trip with two cells", planned=(1, 1), doors=("both_open",))


@pytest.mark.campaign("gate")
@pytest.mark.parametrize("instance", LARGE, ids=lambda instance: instance.name.replace(" ", "_"))
def test_H01_H07_H26_every_scan_of_a_large_search_keeps_its_promises(instance: Instance, tell: Tell) -> None:
    search_with_two_cores(instance, tell)


@pytest.mark.campaign("exploration")
def test_H01_H07_H26_every_scan_of_the_largest_search_keeps_its_promises(tell: Tell) -> None:
    search_with_two_cores(LARGEST, tell)


def search_with_two_cores(instance: Instance, tell: Tell) -> None:
    graph = explore(instance, workers=2)
    went_everywhere(graph, tell, BEFORE_IT)
    every_trip_can_end(graph)
    after_a_restart_only_a_person_opens(graph)
