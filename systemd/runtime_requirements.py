"""Prints the part of requirements.lock that a vehicle or a desk needs: what it asks for, and what that needs in turn.

The lock's "via" comments tell it. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT_INPUT = "vehicle.in"
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==", re.IGNORECASE)


def runtime_part(lock: str) -> str:
    """The lines of `lock` for everything that `ROOT_INPUT` leads to, hashes included."""
    blocks = _blocks(lock)
    wanted = {name for name, (_, via) in blocks.items() if f"-r {ROOT_INPUT}" in via}
    while more := {name for name, (_, via) in blocks.items() if name not in wanted and not wanted.isdisjoint(via)}:
        wanted |= more
    return "\n".join(blocks[name][0] for name in blocks if name in wanted) + "\n"


def _blocks(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Package name -> (its lines, what asked for it)."""
    parts: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        if match := _PIN.match(line):
            name = match[1].lower()
            parts[name] = []
        elif line and not line[0].isspace():
            name = ""
        if name:
            parts[name].append(line)
    return {name: ("\n".join(lines), _via(lines)) for name, lines in parts.items()}


def _via(lines: list[str]) -> frozenset[str]:
    comments = [line.strip().removeprefix("#").strip() for line in lines if line.strip().startswith("#")]
    return frozenset(comment.removeprefix("via").strip() for comment in comments)


def main() -> None:
    lock = Path(__file__).resolve().parent.parent / "requirements.lock"
    sys.stdout.write(runtime_part(lock.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
