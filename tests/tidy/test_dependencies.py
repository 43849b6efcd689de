"""Who may import whom: the dependency rules of the design (hazards H28, H36)."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.source_tree import PRODUCTION, Module, is_standard, modules, reached_from, under

NETWORK = {
    *("paho", "fastapi", "starlette", "uvicorn", "sse_starlette", "httpx", "httpcore", "anyio", "h11", "requests"),
    *("http", "urllib", "ssl", "ftplib", "smtplib", "telnetlib", "xmlrpc", "socketserver", "wsgiref"),
}
# Wall time is the business of one module in control. The other processes have no say in the record; each reads the wall
# clock in one place, for the reason given.
WALL_CLOCKS = {
    "vehicle_agent/control/clock.py": "the vehicle's clock, with its source and uncertainty",
    "vehicle_agent/dispatch/clock.py": "when the desk received and answered; a desk's computer keeps its own time",
    "vehicle_agent/doctor_files.py": "whether a certificate is valid today",
    "vehicle_agent/uplink/tls.py": "the time by which OpenSSL would judge a certificate",
}
WALL_CLOCK_NAMES = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today", "time.localtime", "time.gmtime"),
}
SIMULATION = re.compile(r"simulat|\bbench|\bdemo\b|\bmock|\bfake", re.IGNORECASE)


@pytest.mark.parametrize("module", list(under("vehicle_agent.core")), ids=lambda module: module.name)
def test_the_core_imports_the_standard_library_and_itself(module: Module) -> None:
    foreign = {name for name in module.imports if not is_standard(name) and not name.startswith("vehicle_agent.core")}
    assert not foreign - {"vehicle_agent"}, module.place


@pytest.mark.parametrize("module", list(under("vehicle_agent.core")), ids=lambda module: module.name)
def test_the_core_does_nothing_but_compute(module: Module) -> None:
    """No clock, no files, no threads, no logging: time and readings are arguments."""
    acting = {
        *("asyncio", "io", "logging", "os", "pathlib", "random", "select", "signal", "socket", "sqlite3", "subprocess"),
        *("sys", "threading", "time", "uuid"),
    }
    assert not {name.partition(".")[0] for name in module.imports} & acting, module.place
    called = {
        node.func.id for node in ast.walk(module.tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}, module.place


def test_the_drivers_know_nothing_of_the_agent() -> None:
    for module in under("hw"):
        assert not {name for name in module.imports if name.startswith(("vehicle_agent", "simulators", "tests"))}, (
            module.place
        )


def test_no_production_code_imports_the_far_side_or_the_tests() -> None:
    for module in under(*PRODUCTION):
        assert not {name for name in module.imports if name.startswith(("simulators", "tests"))}, module.place


def test_no_production_code_has_a_branch_for_simulation() -> None:
    for module in under(*PRODUCTION):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.If | ast.IfExp | ast.While):
                assert not SIMULATION.search(ast.unparse(node.test)), f"{module.place}:{node.lineno}"


def test_H28_control_and_the_drivers_reach_no_network_library() -> None:
    """Not even through another module of ours, and not by an import inside a function."""
    for start in ("vehicle_agent.control.run", "hw.rig", "hw.gnss", "hw.radio", "vehicle_agent.core.decide"):
        reached = {name.partition(".")[0] for name in reached_from(start)}
        assert not reached & NETWORK, start


def test_H28_only_control_opens_the_wires() -> None:
    """The uplink and the display reach none of the libraries that drive pins or ports."""
    for start in ("vehicle_agent.uplink.run", "vehicle_agent.display.run", "vehicle_agent.dispatch.run"):
        reached = {name.partition(".")[0] for name in reached_from(start)}
        assert not reached & {"gpiozero", "lgpio", "serial", "spidev"}, start


def test_only_control_opens_the_journal() -> None:
    for start in ("vehicle_agent.uplink.run", "vehicle_agent.display.run"):
        assert "vehicle_agent.control.store" not in reached_from(start), start


def test_desk_and_display_share_by_neutral_places_only() -> None:
    for start, other in (("dispatch", "display"), ("display", "dispatch")):
        reached = reached_from(f"vehicle_agent.{start}.run")
        assert not {name for name in reached if name.startswith(f"vehicle_agent.{other}")}, start


def test_wall_time_is_read_in_named_places_only() -> None:
    for module in under(*PRODUCTION):
        used = _wall_clocks(module)
        assert not used or module.place in WALL_CLOCKS, f"{module.place} reads the wall clock: {used}"


def test_no_named_place_for_wall_time_is_out_of_use() -> None:
    for place in WALL_CLOCKS:
        module = next(module for module in modules().values() if module.place == place)
        assert _wall_clocks(module), place


def _wall_clocks(module: Module) -> set[str]:
    """The wall clocks that a module names, whether it calls them or hands them on."""
    named = {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    return named & WALL_CLOCK_NAMES


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c", {"a.b", "c"}),
        ("def f():\n    from paho.mqtt import client", {"paho.mqtt"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fastapi", {"typing"}),
        ("try:\n    import x\nexcept ImportError:\n    import y", {"x", "y"}),
    ],
)
def test_the_import_reader_sees_every_import_that_runs(source: str, names: set[str]) -> None:
    from tests.tidy.source_tree import _imports

    assert set(_imports(ast.parse(source), "own.module", False)) == names
