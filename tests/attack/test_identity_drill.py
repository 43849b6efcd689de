"""The whole loop over mutual TLS at the reference broker, while keys and certificates change under it (H31, H32)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fleet import Fleet, fleet_ca, running_fleet
from tests.integration.desk_rig import DeskProcess, Keys, desk_toml
from tests.integration.uplink_control import VEHICLE, until
from tests.integration.uplink_rig import Rig, make_signer, uplink_rig
from vehicle_agent.messages import jws, notices, topics

pytestmark = pytest.mark.slow
UNIT = "astana-mp"
WITHIN_S = 40.0  # a broker that was away: waits of up to 30 s between two dials


@dataclass
class Drill:
    """A vehicle's uplink and a unit's desk, both with certificates of the fleet's signer."""

    fleet: Fleet
    rig: Rig
    desk: DeskProcess
    keys: Keys
    vehicle_keys: dict[str, str]

    def write_desk(self) -> None:
        """The desk's file: this unit alone, over TLS, with the vehicle's keys of the moment."""
        text = desk_toml(self.keys, self.fleet.port, units=(UNIT,))
        own = f'keys = {{ "{VEHICLE}/1" = "{self.keys.signers[VEHICLE].public_key}" }}'
        assert own in text
        lines = ", ".join(f'"{kid}" = "{key}"' for kid, key in self.vehicle_keys.items())
        text = text.replace(own, f"keys = {{ {lines} }}")
        self.desk.file.write_text(_over_tls(text, self.fleet, UNIT), encoding="utf-8")

    def delivered(self) -> str:
        """A notice from its record to the officer's word in the vehicle's journal; its id."""
        row = self.rig.control.record_notice(UNIT)
        until(lambda: self.rig.control.stages[row["id"]] == "received", WITHIN_S, self.rig.log[-2000:])
        assert self.desk.acknowledge(row["id"]).status_code == 200
        until(lambda: self.rig.control.stages[row["id"]] == "acknowledged", WITHIN_S)
        return str(row["id"])


def _over_tls(text: str, fleet: Fleet, name: str) -> str:
    files = fleet.directory
    lines = f'tls = true\nca = "{fleet.ca}"\ncertificate = "{files}/{name}.crt"\nkey = "{files}/{name}.key"'
    return text.replace(
        'host = "127.0.0.1"\nport = ' + str(fleet.port), f'host = "localhost"\nport = {fleet.port}'
    ).replace("tls = false", lines)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    for name in ("fleet", "desk"):
        (tmp_path / name).mkdir()
    keys = Keys(tmp_path / "desk")
    with running_fleet(tmp_path / "fleet", VEHICLE, UNIT) as fleet, uplink_rig(tmp_path, fleet.port) as rig:
        units = tmp_path / "units.toml"
        units.write_text(units.read_text().replace(rig.units[UNIT].public_key, keys.signers[UNIT].public_key))
        uplink = tmp_path / "uplink.toml"
        uplink.write_text(_over_tls(uplink.read_text(), fleet, VEHICLE))
        made = Drill(fleet, rig, DeskProcess(keys, fleet.port), keys, {rig.vehicle.kid: rig.vehicle.public_key})
        made.write_desk()
        try:
            made.desk.start()
            rig.start()
            yield made
            assert "Traceback" not in rig.log + made.desk.log.read_text()
        finally:
            made.desk.kill()
            made.desk.http.close()


def test_H31_H32_a_certificate_is_renewed_and_the_old_one_revoked_under_a_running_vehicle(drill: Drill) -> None:
    fleet, rig = drill.fleet, drill.rig
    first = drill.delivered()
    old = (fleet.directory / f"{VEHICLE}.crt").read_bytes(), (fleet.directory / f"{VEHICLE}.key").read_bytes()
    fleet_ca("revoke", fleet.directory, VEHICLE)
    fleet.enrol(VEHICLE)  # the new files over the old ones, as the page has it
    fleet.reload()
    second = drill.delivered()  # over the connection that was open
    fleet.stop()
    row = rig.control.record_notice(UNIT)
    fleet.start()
    until(lambda: rig.control.stages[row["id"]] == "received", WITHIN_S, rig.log[-2000:])
    assert {one["id"] for one in drill.desk.notices()} == {first, second, row["id"]}
    for name, content in zip(("thief.crt", "thief.key"), old, strict=True):
        (fleet.directory / name).write_bytes(content)
    with pytest.raises(AssertionError, match="was not let in"):
        fleet.client("thief")


def test_H13_H32_a_new_signing_key_beside_the_old_one_and_then_in_its_place(drill: Drill, tmp_path: Path) -> None:
    """Desks first; what waits is signed anew over the same bytes; then the old key is worth nothing."""
    rig, desk = drill.rig, drill.desk
    drill.delivered()
    new = make_signer(VEHICLE, tmp_path / "signing-2.pem", number=2)
    desk.stop()
    waiting = rig.control.record_notice(UNIT)
    until(lambda: rig.control.stages[waiting["id"]] == "at_broker", WITHIN_S)
    drill.vehicle_keys[new.kid] = new.public_key
    drill.write_desk()
    rig.stop()
    uplink = tmp_path / "uplink.toml"
    uplink.write_text(
        uplink.read_text()
        .replace(f"{tmp_path}/signing.pem", f"{tmp_path}/signing-2.pem")
        .replace(rig.vehicle.kid, new.kid)
    )
    rig.start()
    desk.start()
    until(lambda: rig.control.stages[waiting["id"]] == "received", WITHIN_S, rig.log[-2000:])
    assert sum(row["count"] for row in desk.get("/api/v1/warnings")) == 0
    drill.delivered()
    del drill.vehicle_keys[rig.vehicle.kid]
    desk.stop()
    drill.write_desk()
    desk.start()
    drill.delivered()
    before = len(desk.notices())
    rig.stop()
    thief = drill.fleet.client(VEHICLE)
    row = rig.control.record_notice(UNIT)
    forged = jws.sign(notices.build_payload(row, 1.0), rig.vehicle)
    assert json.loads(forged)["payload"]
    thief.publish(topics.notice_topic(UNIT, VEHICLE), forged)
    until(lambda: desk.refused("bad_signature") == 1, WITHIN_S)
    assert len(desk.notices()) == before
