"""The command `dispatch-desk`: the duty officer's desk, for one or several units."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from vehicle_agent import logs
from vehicle_agent.config import ConfigError, DeskConfig, load_desk

DEFAULT_CONFIG = Path("/etc/dispatch-desk/desk.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 after a signal, 1 when the desk cannot start, 2 for a bad command line or configuration."""
    parser = argparse.ArgumentParser(prog="dispatch-desk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="serve the desk until SIGTERM")
    run_parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, help=f"the desk's file (default {DEFAULT_CONFIG})"
    )
    chosen = parser.parse_args(arguments)
    try:
        config = load_desk(chosen.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return _run(config)


def _run(config: DeskConfig) -> int:
    from vehicle_agent.dispatch.run import CannotStartError, run
    from vehicle_agent.dispatch.store import StoreError

    logs.setup("desk")
    try:
        run(config, lambda address: print(json.dumps({"desk": address}), flush=True))
    except (CannotStartError, StoreError) as error:
        print(f"dispatch-desk cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
