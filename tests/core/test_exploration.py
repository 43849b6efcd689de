"""Everything that can happen to a vehicle, searched breadth-first with the real core; every scan is judged.

The promises are in `exploring/claims.py`, what can happen in `exploring/actions.py`, why the search is finite and
merges nothing that differs in `exploring/normal.py`. Sizes and how to read a failure: README.md here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.core.exploring.actions import Instance
from tests.core.exploring.normal import Node, node_of
from tests.core.exploring.search import Graph, explore
from tests.core.exploring.steps import Drive, Stepper, advance
from vehicle_agent.core.inputs import AtBroker, Command, Input, NoticeSending, Receipt

Tell = Callable[[str, int], None]
SMALL = Instance("one cell, one person, the light's sensor", (1,), ("dark",), 1, asks_freely=False)
PHASES = {"no_trip", "checking", "boarding", "securing", "secured", "under_way", "arrived", "unloading", "closed"}
REACHED: dict[str, Callable[[Node], bool]] = {
    "boarding open with the permit on": lambda node: node.trip.is_open and node.live.is_enabled,
    "boarding open with people aboard": lambda node: node.trip.is_open and node.trip.commander > 0,
    "boarding revoked with people aboard": lambda node: (
        node.trip.phase == "boarding" and not node.trip.is_open and node.trip.commander > 0
    ),
    "counts that disagree": lambda node: node.trip.commander < node.trip.body,
    "a report that is too old": lambda node: node.trip.report == "old",
    "a report that is older than a row": lambda node: node.trip.report == "outdated",
    "rows that are too old, while open": lambda node: node.trip.is_open and any(r.is_old for r in node.trip.rows),
    "a lock being proven": lambda node: any(stage == "locked" for _, stage in node.live.tests),
    "a question for a fallback": lambda node: node.trip.fallback is not None,
    "a fallback under an open boarding": lambda node: (
        node.trip.is_open and any(r.status == "manual_fallback" for r in node.trip.rows)
    ),
    "a row that failed": lambda node: any(r.status == "failed" for r in node.trip.rows),
    "a departure that was secured": lambda node: node.trip.left is not None and node.trip.left[0],
    "a departure that was not": lambda node: node.trip.left is not None and not node.trip.left[0],
    "a halt with somebody out": lambda node: bool(node.trip.halted),
    "moving in unloading": lambda node: node.trip.phase == "unloading" and node.live.motion == "moving",
    "everyone out and looked at": lambda node: any(r.item == "vehicle_empty" for r in node.trip.rows),
}


@pytest.fixture(scope="module")
def small() -> Graph:
    return explore(SMALL)


def judge(graph: Graph, tell: Tell, reached: dict[str, Callable[[Node], bool]]) -> None:
    """What is promised of the graph as a whole."""
    assert {node.trip.phase for node in graph.nodes} == PHASES
    missed = [name for name, is_meant in reached.items() if not graph.find(is_meant)]
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
    assert any(graph.nodes[n].trip.commander for n in started), "no restart with people aboard was seen"
    beyond = graph.reach(started, lambda action: action.name != "open_boarding")
    permitted = [n for n in beyond if graph.nodes[n].trip.is_open or graph.nodes[n].live.is_enabled]
    assert not permitted, [action.name for action in graph.history(min(permitted))]
    is_open = [node.trip.is_open for node in graph.nodes]
    assert {action.name for a, action, b in graph.edges() if is_open[b] > is_open[a]} == {"open_boarding"}


@pytest.mark.slow
def test_H01_H07_H26_H37_H38_every_scan_keeps_its_promises(small: Graph, tell: Tell) -> None:
    """The search itself asks every claim after every scan; here, that it went everywhere."""
    judge(small, tell, REACHED)


@pytest.mark.slow
def test_H38_every_trip_can_be_ended_from_everywhere(small: Graph) -> None:
    every_trip_can_end(small)


@pytest.mark.slow
def test_H07_after_a_restart_only_a_person_opens_boarding(small: Graph) -> None:
    after_a_restart_only_a_person_opens(small)


def _clerks(rng: random.Random, drive: Drive) -> list[Input]:
    """What the search leaves out because nothing depends on it: receipts, calls by radio, acknowledged alarms."""
    said: list[Input] = []
    for notice in drive.trip.notices:
        stage, unit = rng.choice(("received", "acknowledged")), notice.record.recipient
        told = Command("told_by_radio", {"notice": notice.id, "post": "x"})
        receipt = Receipt(notice.id, stage, "A", "B", "2026-11-22T08:00:00Z", "0", unit)
        said += rng.sample([AtBroker(notice.id), NoticeSending(notice.id, 1.0), receipt, told], 2)
    return said + [Command("acknowledge_alarm", {"alarm": alarm.id}) for alarm in drive.trip.alarms]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_the_normal_form_loses_nothing(small: Graph, seed: int) -> None:
    """A node is reached again in one piece: no normal form between, alarms and notices kept and answered. There,
    everything that can happen leads to the same nodes as in the search."""
    rng = random.Random(seed)
    stepper = Stepper(SMALL)
    number = rng.randrange(len(small.nodes))
    drive = Drive(stepper.state_before_all, SMALL)
    drive.settle(30)
    for action in small.history(number):
        drive.scan(*_clerks(rng, drive))
        advance(drive, action)
    assert node_of(drive.state(), drive.at_s, SMALL.settings) == small.nodes[number]
    expected = {action.name: small.nodes[target] for source, action, target in small.edges() if source == number}
    found = {}
    for action in stepper.possible(small.nodes[number]):
        other = drive.copy()
        advance(other, action)
        found[action.name] = node_of(other.state(), other.at_s, SMALL.settings)
    changed = {name: node for name, node in found.items() if node != small.nodes[number]}
    assert changed == {name: node for name, node in expected.items() if node != small.nodes[number]}
