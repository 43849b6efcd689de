"""Against a broker that knows MQTT 3.1.1 alone, uplink and desk do their work all the same (H17)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.fake_broker import CONNACK, FakeBroker, connack, honest, only_older, packet
from tests.brokers import mosquitto
from tests.integration.pair import paired_desk
from tests.integration.uplink_control import until
from tests.integration.uplink_rig import uplink_rig

pytestmark = pytest.mark.slow
UNIT = "astana-mp"
REFUSALS = {
    "in its own words": packet(CONNACK, b"\x00\x01"),
    "in the words of MQTT 5": connack(0x84),
    "by hanging up": b"",
}


@pytest.mark.parametrize("words", REFUSALS)
def test_H17_a_notice_and_the_officers_word_go_through_a_broker_of_the_older_protocol(
    words: str, tmp_path: Path
) -> None:
    with (
        mosquitto(tmp_path) as real,
        FakeBroker(1) as front,
        uplink_rig(tmp_path, front.port) as rig,
    ):
        front.script = only_older(real.port, REFUSALS[words])
        desk = paired_desk(tmp_path, rig, UNIT, front.port)
        try:
            desk.start()
            rig.start()
            row = rig.control.record_notice(UNIT)
            until(lambda: rig.control.stages[row["id"]] == "received", 20.0)
            assert desk.acknowledge(row["id"]).status_code == 200
            until(lambda: rig.control.stages[row["id"]] == "acknowledged", 20.0)
            assert {kept for level, kept in front.keeps_session if level == 4} == {True}, (
                "on a cluster none could return"
            )
            desk.kill()  # the broker keeps the session: what comes meanwhile is there afterwards
            away = rig.control.record_notice(UNIT)
            until(lambda: rig.control.stages[away["id"]] == "at_broker", 20.0)
            desk.start()
            until(lambda: rig.control.stages[away["id"]] == "received", 20.0)
            front.script = honest(real.port)  # a new broker in its place: the newer protocol again
            front.hang_up()
            last = rig.control.record_notice(UNIT)
            until(lambda: rig.control.stages[last["id"]] == "received", 40.0)
            assert 5 in front.levels[-2:], front.levels
            assert "Traceback" not in rig.log + desk.log.read_text()
            assert rig.stop() == 0
            desk.stop()
        finally:
            desk.kill()
            desk.http.close()
