"""`vehicle-agent`: the one command of the vehicle. Each subcommand imports what it needs only when it runs.

Exit codes: 0 done; 1 it ran and something is not as it should be (a failed check, a broken chain, no answer); 2 it
could not start (wrong usage or configuration); 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vehicle_agent.config import Config

DEFAULT_CONFIG = Path("/etc/vehicle-agent")
EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130  # as shells count SIGINT
EPILOG = "exit codes: 0 done, 1 something is not as it should be, 2 wrong usage or configuration"

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Known errors end in one clear line on standard error, never in a traceback."""
    arguments = build_parser().parse_args(argv)
    command: Command = arguments.command
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone, as in `… | head`; nothing is left to flush to.
        sys.stderr.close()
        return 0
    except Exception as error:
        message = _known(error)
        if message is None:
            raise
        print(message, file=sys.stderr)
        return int(getattr(error, "exit_code", EXIT_FAILED))


def build_parser() -> argparse.ArgumentParser:
    """Every command and option; a test compares them with the README and with `--help`."""
    parser = argparse.ArgumentParser(prog="vehicle-agent", description=_first_line(__doc__), epilog=EPILOG)
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    configured = _configured()

    def add(name: str, command: Command, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=list(parents), epilog=EPILOG)
        sub.set_defaults(command=command)
        return sub

    add("run", _run, "control: wires, journal, boarding permit", configured)
    add("uplink", _uplink, "notices and positions to the broker", configured)
    add("display", _display, "the cab display", configured)
    add("check-config", _check_config, "check the configuration and print what is in force", configured)
    doctor = add("doctor", _doctor, "try every wire, port, disk, clock, broker and certificate", configured)
    doctor.add_argument("--json", action="store_true", help="print the result as JSON")
    gnss = add("gnss", _gnss, "one JSON line for each epoch of a receiver or of a recorded log")
    gnss.add_argument("port", metavar="PORT", help="serial port, or a file with NMEA sentences")
    gnss.add_argument(
        "--baud", type=int, default=9600, metavar="N", help="bits a second of the serial port (default 9600)"
    )
    commission = add(
        "commission", _commission, "record that each wire was exercised; needs a running control", configured
    )
    commission.add_argument(
        "--by", default="technician", help="post of the one who answers for it (default: technician)"
    )
    add("outputs-off", _outputs_off, "release every output; run by systemd when control has ended", configured)
    _add_journal(add, configured)
    _add_keys(add, configured)
    return parser


Add = Callable[..., argparse.ArgumentParser]


def _add_journal(add: Add, configured: argparse.ArgumentParser) -> None:
    journal = add("journal", _journal, "check the hash chain, read the journal, export it, print a trip", configured)
    journal.add_argument("action", choices=("verify", "show", "export", "report"))
    journal.add_argument(
        "--witness", type=Path, action="append", default=[], metavar="FILE",
        help="with verify: a desk's register.csv to hold against the journal; may be given more than once",
    )  # fmt: skip
    journal.add_argument("--trip", metavar="ID", help="with report: the trip to print (default: the newest)")
    journal.add_argument(
        "--lang", choices=("kk", "ru", "en"), help="with report: its language (default: the display's)"
    )


def _add_keys(add: Add, configured: argparse.ArgumentParser) -> None:
    keys = add("keys", _keys, "make or show this vehicle's keys; make the hash of a PIN", configured)
    keys.add_argument("action", choices=("new", "show", "pin"))


def _configured() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="DIR",
        help=f"configuration directory (default {DEFAULT_CONFIG})",
    )
    return parser


def _first_line(text: str | None) -> str:
    return (text or "").split("\n", 1)[0].replace("`", "")


def _version() -> str:
    return f"%(prog)s {importlib.metadata.version('vehicle-agent')}"


def _known(error: Exception) -> str | None:
    """What to say about an error that a person can mend; None for a defect of ours, whose traceback is wanted."""
    from hw.errors import HwError
    from vehicle_agent.config_errors import ConfigError
    from vehicle_agent.control_client import ControlGoneError

    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, ControlGoneError):
        return f"control does not answer ({error}). Start it with `vehicle-agent run`, or look at its log."
    if isinstance(error, HwError):
        return str(error)
    if isinstance(error, PermissionError):
        return f"{error.filename}: {error.strerror}. Run it as root or as the service's own user."
    if isinstance(error, OSError):
        return f"{error.filename or error}: {error.strerror or 'failed'}."
    return None


def _run(arguments: argparse.Namespace) -> int:
    from vehicle_agent.control.run import main as run

    return run(arguments.config)


def _uplink(arguments: argparse.Namespace) -> int:
    from vehicle_agent.uplink.run import main as run

    return run(arguments.config)


def _display(arguments: argparse.Namespace) -> int:
    from vehicle_agent.display.run import main as run

    return run(arguments.config)


def _check_config(arguments: argparse.Namespace) -> int:
    from vehicle_agent.config import load_config, load_desk
    from vehicle_agent.config_show import show

    if arguments.config.is_file():  # a desk has one file, a vehicle a directory
        show(load_desk(arguments.config))
    else:
        show(load_config(arguments.config))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from vehicle_agent.doctor import main as doctor

    return doctor(arguments.config, as_json=arguments.json)


def _gnss(arguments: argparse.Namespace) -> int:
    from vehicle_agent.gnss_cli import main as gnss

    return gnss(arguments.port, arguments.baud)


def _commission(arguments: argparse.Namespace) -> int:
    import asyncio

    from vehicle_agent.control_client import ControlClient

    path = _load(arguments).vehicle.paths.runtime_dir / "control.sock"

    async def ask() -> tuple[int, dict[str, object]]:
        client = ControlClient(path)
        try:
            return await client.request("commission", by=arguments.by)
        finally:
            await client.close()

    status, body = asyncio.run(ask())
    if status != 200:
        print(f"not commissioned: control answered {status}: {body}", file=sys.stderr)
        return EXIT_FAILED
    wires, idle = body.get("wires"), body.get("not_exercised")
    print(f"commissioned in journal row {body.get('seq')}: {len(wires) if isinstance(wires, list) else 0} wires")
    if isinstance(idle, list) and idle:
        print("never seen to change since control started, so exercise them: " + ", ".join(str(wire) for wire in idle))
    return 0


def _outputs_off(arguments: argparse.Namespace) -> int:
    from hw.factory import open_factory
    from hw.outputs import OutputLines
    from hw.pins import parse_output

    outputs = _load(arguments).vehicle.wiring.outputs
    factory = open_factory()
    # Opening claims every output in its released state; closing leaves the pull-downs outside in charge.
    OutputLines(factory, {name: parse_output(text) for name, text in outputs.items()}).close()
    factory.close()
    return 0


def _journal(arguments: argparse.Namespace) -> int:
    from vehicle_agent.journal_cli import main as journal

    if arguments.witness and arguments.action != "verify":
        print("vehicle-agent journal: --witness goes with verify", file=sys.stderr)
        return EXIT_UNUSABLE
    if (arguments.trip or arguments.lang) and arguments.action != "report":
        print("vehicle-agent journal: --trip and --lang go with report", file=sys.stderr)
        return EXIT_UNUSABLE
    if arguments.action == "report":
        from vehicle_agent.report.cli import main as report

        return report(arguments.config, arguments.trip, arguments.lang)
    return journal(arguments.action, arguments.config, arguments.witness)


def _keys(arguments: argparse.Namespace) -> int:
    from vehicle_agent.keys_cli import main as keys

    return keys(arguments.action, arguments.config)


def _load(arguments: argparse.Namespace) -> Config:
    from vehicle_agent.config import load_config

    return load_config(arguments.config)


if __name__ == "__main__":
    sys.exit(main())
