"""The demo: the whole vehicle on one machine, to look at, to test, to play scenarios; started by `simulators/demo`.

Standard output carries exactly one line, the contract's JSON, when everything is ready; words for people go to standard
error.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from simulators.scenario.errors import ScenarioError
from simulators.scenario.language import Scenario, read_scenario
from simulators.scenario.runner import Endpoints, run_scenario
from simulators.stack import broker, variants
from simulators.stack.ports import PortBusyError, choose
from simulators.stack.running import POLL_S, CancelledError, Stack, StartError


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        scenario = read_scenario(options.scenario) if options.scenario else None
        ports = choose(auto=options.ports == "auto")
    except (ScenarioError, PortBusyError) as error:
        _say(str(error))
        return 1
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: ended.set())
    variant = variants.VARIANTS[options.vehicle or (scenario.vehicle if scenario else "six_cells")]
    stack = Stack(variant, ports, options.broker)
    try:
        stack.start(ended.is_set)
        print(stack.ready_line(), flush=True)
        if not options.no_browser:
            _open_pages(stack)
        return _run(stack, scenario, ended)
    except StartError as error:
        _say(f"the demo did not start: {error}")
        return 1
    except CancelledError:
        return 0
    finally:
        stack.stop()


def _run(stack: Stack, scenario: Scenario | None, ended: threading.Event) -> int:
    """Keep the processes alive until a signal comes or the scenario is over."""
    result: list[bool] = []
    worker: threading.Thread | None = None
    if scenario is not None:
        endpoints = Endpoints.from_ready_line(stack.ready_line())
        worker = threading.Thread(
            target=lambda: result.append(run_scenario(scenario, endpoints, _say)), name="scenario", daemon=True
        )
        worker.start()
    while not ended.wait(POLL_S):
        stack.keep_running()
        if worker is not None and not worker.is_alive():
            return 0 if result == [True] else 1
    return 0


def _open_pages(stack: Stack) -> None:
    """Show the three pages; without a screen there is nothing to open."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        _say(f"no screen here; open {stack.display} (cab), {stack.bench} (bench), {stack.desk} (desk)")
        return
    for url in (stack.desk, stack.bench, stack.display):
        subprocess.Popen(
            [sys.executable, "-m", "webbrowser", "-t", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the person's browser outlives the demo
        )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulators/demo", description="The whole vehicle on this machine.")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="play this scenario, then end: exit 0 or 1")
    parser.add_argument("--no-browser", action="store_true", help="do not open the three pages")
    parser.add_argument("--ports", choices=("default", "auto"), default="default", help="auto: the kernel chooses")
    parser.add_argument("--broker", choices=broker.KINDS, default="embedded", help="which broker to run")
    parser.add_argument("--vehicle", choices=tuple(variants.VARIANTS), help="default: the scenario's, else six_cells")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
