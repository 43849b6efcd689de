"""Configurations for tests: the reference files of config/, changed in one place and written anew."""

from __future__ import annotations

import copy
import json
import math
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "config" / "vehicle"
DESK = ROOT / "config" / "desk" / "desk.toml"
FILES = ("vehicle", "units", "uplink")

Tree = dict[str, Any]


def tree() -> Tree:
    """The three reference files as one tree: `tree["vehicle"]["wiring"]…`."""
    return {name: tomllib.loads((REFERENCE / f"{name}.toml").read_text(encoding="utf-8")) for name in FILES}


def changed(path: str, value: Any) -> Tree:
    """The reference with one value set; `path` as in `vehicle.wiring.cells.0.loop`. `...` takes the key away."""
    result = copy.deepcopy(tree())
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    place: Any = result
    for step in way:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


def write(directory: Path, files: Tree) -> Path:
    for name, content in files.items():
        (directory / f"{name}.toml").write_text(toml(content), encoding="utf-8")
    return directory


def toml(content: Tree) -> str:
    """Enough of a TOML writer for these trees: every top-level value on one line, tables inline."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in content.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _key(key: str) -> str:
    return json.dumps(key)
