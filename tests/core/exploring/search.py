"""Breadth-first through everything that can happen to a vehicle, and what can be said of the whole graph.

Nodes are numbered in the order in which they were found, so the way back to a broken promise is a shortest one.
"""

from __future__ import annotations

import multiprocessing
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tests.core.exploring.actions import Action, Instance, alphabet
from tests.core.exploring.normal import Node
from tests.core.exploring.steps import BrokenPromiseError, Stepper

Found = tuple[list[tuple[int, Node]], str | None, int]
CHUNK = 16  # nodes that a worker takes at a time: some tenths of a second


class Graph:
    """All nodes that can be reached, and the edges that change anything as three columns: from, by which action, to."""

    def __init__(self, instance: Instance, root: Node) -> None:
        self.instance, self.actions = instance, alphabet(instance)
        self.nodes, self._numbers = [root], {root: 0}
        self.sources, self.by, self.targets = array("l"), array("l"), array("l")
        self._parents: list[tuple[int, int] | None] = [None]
        self.scans = 0

    def add(self, source: int, by: int, node: Node) -> None:
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
            self._parents.append((source, by))
        self.sources.append(source)
        self.by.append(by)
        self.targets.append(number)

    def history(self, number: int) -> list[Action]:
        """A shortest way from the start to a node."""
        way = []
        parent = self._parents[number]
        while parent is not None:
            way.append(self.actions[parent[1]])
            parent = self._parents[parent[0]]
        return way[::-1]

    def edges(self) -> Iterator[tuple[int, Action, int]]:
        for source, by, target in zip(self.sources, self.by, self.targets, strict=True):
            yield source, self.actions[by], target

    def reach(self, begin: Iterable[int], steps: Callable[[Action], bool], *, is_back: bool = False) -> set[int]:
        """Everything that edges of some kind lead to from here, or from where they lead to here."""
        onward: list[list[int]] = [[] for _ in self.nodes]
        for source, action, target in self.edges():
            if steps(action):
                onward[target if is_back else source].append(source if is_back else target)
        seen = set(begin)
        waiting = list(seen)
        while waiting:
            fresh = [number for number in onward[waiting.pop()] if number not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
        return seen

    def find(self, is_meant: Callable[[Node], bool]) -> list[int]:
        return [number for number, node in enumerate(self.nodes) if is_meant(node)]


def explore(instance: Instance, *, workers: int = 1) -> Graph:
    """Every node that can be reached. Raises BrokenPromiseError with the history that leads to a promise not kept."""
    graph = Graph(instance, Stepper(instance).root)

    with _expander(instance, workers) as expand:
        begin = 0
        while begin < len(graph.nodes):
            level = graph.nodes[begin:]
            for number, (found, error, scans) in enumerate(expand(level), begin):
                graph.scans += scans
                if error is not None:
                    way = " > ".join(action.name for action in graph.history(number))
                    raise BrokenPromiseError(f"{error}\nafter: {way}")
                for by, node in found:
                    graph.add(number, by, node)
            begin += len(level)
    return graph


_steppers: list[Stepper] = []  # a worker process has one instance, and one stepper, for life


def _begin(instance: Instance) -> None:
    _steppers.append(Stepper(instance))


def _expand(node: Node) -> Found:
    return expand_with(_steppers[0], node)


def expand_with(stepper: Stepper, node: Node) -> Found:
    before = stepper.scans
    try:
        return stepper.expand(node), None, stepper.scans - before
    except BrokenPromiseError as error:
        return [], str(error), stepper.scans - before


@contextmanager
def _expander(instance: Instance, workers: int) -> Iterator[Callable[[list[Node]], Iterable[Found]]]:
    if workers == 1:
        stepper = Stepper(instance)
        yield lambda nodes: (expand_with(stepper, node) for node in nodes)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _begin, (instance,)) as pool:
        yield lambda nodes: pool.imap(_expand, nodes, CHUNK)
