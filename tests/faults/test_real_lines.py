"""Notices from a real uplink to a real desk over real mosquitto, while lines and processes fail (H08, H09, H10, H17).

What the worlds of tests/delivery play in made time, here on sockets: kill -9 of broker, uplink and desk, both lines
half open, cut, and at 1 kB/s. At the end each notice stands once in the register and bears the officer's word.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from simulators.bench.broker_link import BrokerLink
from tests.brokers import mosquitto
from tests.integration.desk_rig import DeskProcess
from tests.integration.pair import paired_desk
from tests.integration.uplink_control import fix_body
from tests.integration.uplink_rig import uplink_rig

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]
SEED = "LINES_SEED"  # environment variable: plays this one again
UNIT = "astana-mp"
RESTS_WITHIN_S = 90.0  # dialling again takes up to 30 s, and what a half-open line held back is noticed after 20
FIXES_A_SECOND = 20


def play(tmp_path: Path, seed: int, notices: int) -> Counter[str]:
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(mosquitto(tmp_path, persistence=rng.random() < 0.5))
        lines = {name: BrokerLink("127.0.0.1", broker.port) for name in ("vehicle", "desk")}
        for line in lines.values():
            line.start()
            stack.callback(line.stop)
        rig = stack.enter_context(uplink_rig(tmp_path, lines["vehicle"].port, moving_s=0, parked_s=0))
        desk = paired_desk(tmp_path, rig, UNIT, lines["desk"].port)
        stack.callback(desk.http.close)
        stack.callback(desk.kill)
        desk.start(is_connected=False)
        rig.start()

        def kill_broker() -> None:
            broker.kill()
            broker.start()

        def kill_uplink() -> None:
            rig.stop(signal.SIGKILL)
            rig.start()

        def kill_desk() -> None:
            desk.kill()
            desk.start(is_connected=False)

        faults: dict[str, Callable[[], object]] = {
            "broker killed": kill_broker,
            "uplink killed": kill_uplink,
            "desk killed": kill_desk,
        }
        for name, line in lines.items():
            for mode in ("half_open", "down", "slow"):
                faults[f"{name} {mode}"] = partial(line.set, mode)
        recorded = []
        for _ in range(notices):
            recorded.append(rig.control.record_notice(UNIT)["id"])
            for number in range(FIXES_A_SECOND):
                rig.control.push("fix", fix_body(speed_mps=8.0, course_deg=float(number)))
            kind = rng.choice(sorted(faults))
            faults[kind]()
            counts[kind] += 1
            _officer(desk, rng.uniform(0.2, 2.5))
            if not kind.endswith("killed") and rng.random() < 0.8:
                lines[kind.split()[0]].set("up")
        for line in lines.values():
            line.set("up")
        began_s = time.monotonic()
        while set(rig.control.stages.values()) != {"acknowledged"}:
            assert time.monotonic() - began_s < RESTS_WITHIN_S, rig.control.stages
            _officer(desk, 0.2)
        counts["rested after, s"] = round(time.monotonic() - began_s)
        rows = desk.notices()
        assert sorted(row["id"] for row in rows) == sorted(recorded), "lost, or told twice"
        assert sorted(row["recipient_sequence"] for row in rows) == list(range(1, notices + 1))
        assert {row["stage"] for row in rows} == {"acknowledged"}
        assert [row for row in desk.get("/api/v1/warnings") if row["reason"] != "gap"] == []
        assert "Traceback" not in rig.log + desk.log.read_text()
        counts["notices"] = notices
        counts["lost or doubled"] = len(rows) - len({*recorded} & {row["id"] for row in rows})
    return counts


def _officer(desk: DeskProcess, for_s: float) -> None:
    """Sign for whatever lies on the desk, for so long."""
    deadline_s = time.monotonic() + for_s
    while time.monotonic() < deadline_s:
        for row in desk.notices():
            if row["stage"] == "received":
                desk.acknowledge(row["id"])
        time.sleep(0.1)


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.campaign("kills")) for part in range(1, 9))]
)
def test_H08_H09_H10_H17_each_notice_arrives_once_over_real_lines_that_fail(
    part: int, tmp_path: Path, tell: Tell
) -> None:
    seed = int(os.environ.get(SEED) or (1 if part == 0 else secrets.randbelow(2**31)))
    print(f"{SEED}={seed}")
    counts = play(tmp_path, seed, 12 if part == 0 else 40)
    print(dict(counts))
    for name in ("notices", "lost or doubled"):
        tell(f"real lines: {name}", counts.pop(name))
    counts.pop("rested after, s")
    tell("real lines: faults", counts.total())
