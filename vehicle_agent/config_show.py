"""What `vehicle-agent check-config` prints: every effective setting as one `key = value` line, built-in ones marked."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from vehicle_agent.config import Config, DeskConfig
from vehicle_agent.config_load import SECRET_KEYS, fields_of


def show(config: Config | DeskConfig) -> None:
    """Print the settings in the order of the files. Secrets are named, never printed."""
    if isinstance(config, Config):
        for name in ("vehicle", "units", "uplink"):
            print(f"# {config.directory / name}.toml")
            print("\n".join(setting_lines(getattr(config, name))))
    else:
        print("\n".join(setting_lines(config)))


def setting_lines(model: BaseModel) -> list[str]:
    """One line for each setting; what the file does not say is behind a comment sign."""
    lines = []
    for key, value, is_written in fields_of(model):
        text = '"…"' if key.rpartition(".")[2] in SECRET_KEYS else _toml(value)
        lines.append(
            f"{key} = {text}"
            if text and is_written
            else f"# {key} = {text}  (built in)"
            if text
            else f"# {key} not set"
        )
    return lines


def _toml(value: object) -> str:
    """A value as TOML writes it; empty for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    return json.dumps(value)
