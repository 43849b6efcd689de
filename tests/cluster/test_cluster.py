"""A broker of three machines, one of which is killed in the middle of a thousand notices (H08, H09, H17).

The same uplink and the same desks as everywhere, which here speak MQTT 3.1.1, as this broker knows no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.rabbit import rabbit_cluster
from tests.integration.pair import paired_desk
from tests.integration.uplink_control import until
from tests.integration.uplink_rig import uplink_rig

pytestmark = [pytest.mark.slow, pytest.mark.campaign("cluster")]
UNIT = "astana-mp"
NOTICES = 1000
SETTLES_WITHIN_S = 300.0


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_H08_H09_H17_a_node_killed_in_the_middle_of_a_thousand_notices_costs_none(
    victim: int, tmp_path: Path, tell: Callable[[str, int], None]
) -> None:
    (tmp_path / "cluster").mkdir()
    with rabbit_cluster(tmp_path / "cluster") as cluster, uplink_rig(tmp_path, cluster.port) as rig:
        desk = paired_desk(tmp_path, rig, UNIT, cluster.port)
        try:
            desk.start()
            rig.start()
            recorded = [rig.control.record_notice(UNIT)["id"] for _ in range(NOTICES)]
            until(lambda: len(desk.notices()) > NOTICES // 3, SETTLES_WITHIN_S, rig.log[-2000:])
            queues = cluster.nodes[victim].control("list_queues", "name", "type", "--quiet")
            assert "quorum" in queues, queues
            cluster.nodes[victim].kill()
            killed_s, before = time.monotonic(), len(desk.notices())
            assert before < NOTICES, "it was over before the node was killed"
            until(lambda: len(desk.notices()) > before, SETTLES_WITHIN_S, "the first notice after the kill")
            print(f"node {victim} killed after {before}; {time.monotonic() - killed_s:.1f} s to the next notice")
            until(lambda: len(desk.notices()) == NOTICES, SETTLES_WITHIN_S, rig.log[-2000:])
            for notice in recorded:
                assert desk.acknowledge(notice).status_code == 200
            until(lambda: set(rig.control.stages.values()) == {"acknowledged"}, SETTLES_WITHIN_S, rig.log[-2000:])
            rows = desk.notices()
            assert sorted(row["recipient_sequence"] for row in rows) == list(range(1, NOTICES + 1))
            assert sorted(row["id"] for row in rows) == sorted(recorded)
            stages = [row["data"] for row in rig.control.rows if row["type"] == "notice_stage"]
            acknowledged = [one["notice"] for one in stages if one["stage"] == "acknowledged"]
            assert sorted(acknowledged) == sorted(recorded), "one was acknowledged twice, or never"
            # Having lost a node a cluster may say again all that it ever said; what finds no room is counted.
            assert {warning["reason"] for warning in desk.get("/api/v1/warnings")} <= {"overload"}
            assert "Traceback" not in rig.log + desk.log.read_text()
        finally:
            desk.kill()
            desk.http.close()
        tell("cluster: notices", NOTICES)
        tell("cluster: notices lost or doubled", len(rows) - len({*recorded} & {row["id"] for row in rows}))
