"""Recordings of real receivers, read as gpsd reads them (Rule 19's date, time and place)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hw.fix import TrustLimits
from hw.nmea import NmeaReader
from tests.contract.wires import LOGS
from vehicle_agent.gnss_cli import as_json

FOUND = sorted(LOGS.glob("*.log"))
POSITION_DEG_MAX = 1e-5
SPEED_MPS_MAX = 0.01


def expected(log: Path) -> dict[str, dict[str, Any]]:
    """gpsd's last TPV of each time; those without a time are not compared."""
    reports: dict[str, dict[str, Any]] = {}
    for line in log.with_name(log.name + ".chk").read_text("utf-8", errors="replace").splitlines():
        if line.startswith('{"class":"TPV"'):
            report = json.loads(line)
            if "time" in report:
                reports[report["time"]] = report
    return reports


def ours(log: Path, *, eager: bool) -> list[dict[str, Any]]:
    reader = NmeaReader(TrustLimits(is_live=False), eager=eager)
    data = log.read_bytes()
    chunks = [data[start : start + 97] for start in range(0, len(data), 97)]
    fixes = [fix for number, chunk in enumerate(chunks) for fix in reader.feed(chunk, number / 100.0)]
    return [as_json(fix) for fix in fixes + reader.end()]


def difference(report: dict[str, Any], line: dict[str, Any] | None) -> str | None:
    if line is None:
        return "no line"
    if line["mode"] != max(1, report["mode"]):
        return f"mode {line['mode']}, gpsd {report['mode']}"
    if report["mode"] < 2:
        return "claims validity" if line["valid"] else None
    away = max(abs(line["latitude_deg"] - report["lat"]), abs(line["longitude_deg"] - report["lon"]))
    if away > POSITION_DEG_MAX:
        return f"position {away} degrees away"
    if "speed" in report and (line["speed_mps"] is None or abs(line["speed_mps"] - report["speed"]) > SPEED_MPS_MAX):
        return f"speed {line['speed_mps']}, gpsd {report['speed']}"
    return None


@pytest.mark.parametrize("eager", [False, True], ids=["recording", "wire"])
def test_T16_every_recording_agrees_with_gpsd(eager: bool) -> None:
    if not LOGS.is_dir():
        pytest.skip(f"NO RECORDINGS AT {LOGS}: agreement with gpsd is NOT proven by this run")
    wrong, compared = [], 0
    for log in FOUND:
        got = {line["time"]: line for line in ours(log, eager=eager)}
        for time, report in expected(log).items():
            compared += 1
            if (why := difference(report, got.get(time))) is not None:
                wrong.append(f"{log.name} {time}: {why}")
    print(f"read {len(FOUND)} logs, compared {compared} times with gpsd")
    assert len(FOUND) >= 12
    assert compared >= 300
    assert not wrong


@pytest.mark.parametrize("log", FOUND, ids=lambda log: log.name)
def test_a_recording_has_one_line_for_each_time_stamp(log: Path) -> None:
    times = [line["time"] for line in ours(log, eager=True) if line["time"] is not None]
    assert len(times) == len(set(times))
