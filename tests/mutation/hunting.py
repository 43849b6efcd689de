"""A pytest plugin that runs mutants: one warm process collects the tests, each mutant runs in a fork of it.

`python -m pytest -p tests.mutation.hunting --hunt PLAN tests/core`: PLAN is a JSON file, see `Plan`; the verdicts are
lines of JSON in its `verdicts`. A mutated function takes the place of the code of the original in the fork, so nothing
is copied, and nothing slows the code that is tested. What runs while the core is imported is mutated before that.
"""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.making import ROOT, Mutant, modules, mutants_of

PACKAGE = "vehicle_agent.core"
CPU_LIMIT_S = 120  # a mutant that never ends is killed by this, and counts as killed


@dataclass(frozen=True, slots=True)
class Plan:
    """Which mutants, by module or by key; `known_s`: how long a known survivor is tried, in seconds of tests."""

    modules: list[str]
    verdicts: str
    jobs: int = 2
    keys: list[str] | None = None
    known: list[str] | None = None
    known_s: float = 2.0
    unknown_s: float = 1e9

    def mutants(self) -> list[Mutant]:
        found = [mutant for module in self.modules for mutant in mutants_of(module)]
        return [mutant for mutant in found if self.keys is None or mutant.key in self.keys]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hunt", metavar="PLAN", help="run the mutants of this plan instead of the tests alone")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--hunt"):
        plan = Plan(**json.loads(Path(config.getoption("--hunt")).read_text(encoding="utf-8")))
        config.pluginmanager.register(Hunt(plan), "hunt")


class Hunt:
    """The mutants of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._known = frozenset(plan.known or ())
        self._killers: dict[str, Counter[int]] = {}
        self._is_loose = False  # this process is the fork of a mutant that runs at import: pytest goes on as ever
        self._running: dict[int, tuple[Mutant, int]] = {}
        self._out = Path(plan.verdicts).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115
        at_import = _called_at_import()
        self._late: list[Mutant] = []
        for mutant in plan.mutants():
            if f"{mutant.module}.{mutant.function}" in at_import:
                self._fork(mutant, partial(_import_mutated, mutant))
                if self._is_loose:
                    return
            else:
                self._late.append(mutant)
        self._reap(0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        if self._is_loose:
            session.config.option.maxfail = 1
            return None
        order = self._by_duration(session.items)
        gc.collect()
        gc.freeze()  # a fork shares what is never looked at again
        for mutant in self._late:
            self._fork(mutant, partial(self._try, mutant, session.items, order))
        self._reap(0)
        self._out.close()
        return True

    def _by_duration(self, items: list[pytest.Item]) -> list[tuple[int, float]]:
        """The tests, quickest first, with their seconds; measured in a fork, so that this process stays untouched."""
        reader, writer = os.pipe()
        if os.fork() == 0:
            spent = []
            for item in items:
                began_s = time.process_time()
                if not _passes(item):
                    os.write(2, f"{item.nodeid} fails without a mutant\n".encode())
                    os._exit(1)
                spent.append(time.process_time() - began_s)
            with os.fdopen(writer, "w") as pipe:
                json.dump(spent, pipe)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            text = pipe.read()
        os.wait()
        if not text:
            pytest.exit("the tests fail without a mutant", returncode=1)
        return sorted(enumerate(json.loads(text)), key=lambda pair: pair[1])

    def _try(
        self, mutant: Mutant, items: list[pytest.Item], order: list[tuple[int, float]], tell: Callable[[int], None]
    ) -> int:
        """In the fork: 1 when a test fails, 0 when the mutant survives them all (or all that its time allows)."""
        try:
            _install(mutant)
        except Exception:
            return 1
        killers = self._killers.get(f"{mutant.module}.{mutant.function}", Counter()) + Counter()
        first = [number for number, _ in killers.most_common(8)]
        left_s = self._plan.known_s if mutant.key in self._known else self._plan.unknown_s
        spent = dict(order)
        for number in (*first, *(number for number, _ in order if number not in first)):
            if not _passes(items[number]):
                tell(number)
                return 1
            left_s -= spent[number]
            if left_s < 0.0:
                break
        return 0

    def _fork(self, mutant: Mutant, work: Callable[[Callable[[int], None]], int | None]) -> None:
        self._reap(self._plan.jobs - 1)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writer)
            self._running[pid] = (mutant, reader)
            return
        os.close(reader)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))

        def tell(number: int) -> None:
            os.write(writer, str(number).encode())

        code = work(tell)
        if code is None:
            self._is_loose = True
        else:
            os._exit(code)

    def _reap(self, most: int) -> None:
        """Wait until at most so many forks are left."""
        while len(self._running) > most:
            pid, status = os.wait()
            mutant, reader = self._running.pop(pid)
            with os.fdopen(reader) as pipe:
                killer = pipe.read()
            if killer:
                self._killers.setdefault(f"{mutant.module}.{mutant.function}", Counter())[int(killer)] += 1
            is_killed = os.waitstatus_to_exitcode(status) != 0
            self._out.write(json.dumps({"key": mutant.key, "line": mutant.line, "killed": is_killed}) + "\n")


def _passes(item: pytest.Item) -> bool:
    return all(report.passed for report in runtestprotocol(item, log=False, nextitem=None))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


def _install(mutant: Mutant) -> None:
    """Put the mutant in the place of the original, in this process."""
    module = _module(mutant.module)
    if mutant.is_constant:
        old = getattr(module, mutant.function)
        space = dict(vars(module))
        exec(mutant.source, space)
        for name in modules():  # wherever it was imported by its name
            if getattr(_module(name), mutant.function, None) is old:
                setattr(_module(name), mutant.function, space[mutant.function])
        return
    space = dict(vars(module))
    exec(compile(mutant.source, f"<mutant of {mutant.module}>", "exec", dont_inherit=True), space)
    changed = space[mutant.function.rpartition(".")[2]]
    original = _original(module, mutant.function)
    original.__code__ = changed.__code__
    original.__defaults__, original.__kwdefaults__ = changed.__defaults__, changed.__kwdefaults__


def _original(module: ModuleType, function: str) -> FunctionType:
    owner, _, name = function.rpartition(".")
    found: Any = vars(getattr(module, owner) if owner else module)[name]
    found = found.fget if isinstance(found, property) else found
    assert isinstance(found, FunctionType)
    return found


def _called_at_import() -> frozenset[str]:
    """Functions of the core that run while it is imported: changing them afterwards would change nothing."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        called: set[str] = set()

        def note(frame: FrameType, event: str, _: object) -> None:
            path = Path(frame.f_code.co_filename)
            if event == "call" and path.parent == ROOT / "vehicle_agent" / "core":
                called.add(f"{path.stem}.{frame.f_code.co_qualname}")

        sys.setprofile(note)
        for name in modules():
            _module(name)
        sys.setprofile(None)
        with os.fdopen(writer, "w") as pipe:
            json.dump(sorted(called), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = json.load(pipe)
    os.wait()
    return frozenset(name for name in found if "<" not in name)


def _import_mutated(mutant: Mutant, _: Callable[[int], None]) -> None:
    """In the fork, before the core is imported: from now on this module has the mutant in it."""
    path = ROOT / "vehicle_agent" / "core" / f"{mutant.module}.py"
    text = path.read_text(encoding="utf-8")
    name = mutant.function
    assert "." not in name, name
    lines = text.split("\n")
    begin, end = next(span for span in _spans(text) if span[2] == name)[:2]
    replaced = "\n".join([*lines[: begin - 1], mutant.source, *lines[end:]])
    sys.meta_path.insert(0, _Mutated(f"{PACKAGE}.{mutant.module}", str(path), replaced))


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.end_lineno or node.lineno, node.name


class _Mutated:
    """Finder and loader of one module with its mutated source."""

    def __init__(self, name: str, path: str, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        return ModuleSpec(name, self, origin=self._path) if name == self._name else None  # type: ignore[arg-type]

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._path, "exec"), vars(module))
