"""Whatever a broker answers, a link to it ends in words, holds nothing back and takes nothing for granted (H30)."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import resources
from tests.attack.fake_broker import PUBACK, FakeBroker, Peer, Script, honest, publish
from tests.attack.hostilities import HOSTILITIES, NOTICES
from tests.attack.seeds import drawn_seed
from tests.brokers import mosquitto
from tests.integration.desk_rig import DeskProcess, Keys, TestVehicle
from tests.integration.uplink_control import until
from tests.integration.uplink_rig import spying, uplink_rig
from vehicle_agent.config import BrokerTable
from vehicle_agent.dispatch.inbox import Inbox
from vehicle_agent.dispatch.link import Link as DeskLink
from vehicle_agent.dispatch.model import Reason
from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX
from vehicle_agent.uplink.link import Acked, Address, Arrived, Connected, Event, Link, Lost, Will

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]

WILL = Will("stv/v1/vehicles/kz-mp-017/session", b"{}")
ENDS_WITHIN_S = 20.0
GROWTH_MIB_MAX = 12.0
UPLINK_MIB_MAX = 80.0  # of the 256 that systemd allows
DESK_MIB_MAX = 130.0


def attacked(broker: FakeBroker, is_v5: bool) -> list[Event]:
    """Everything that one link tells of one connection, to its end."""
    events: queue.Queue[Event] = queue.Queue()
    address = Address("127.0.0.1", broker.port, "kz-mp-017", keepalive_s=2, is_tls=False)

    def post(link: Link, event: Event) -> None:
        events.put(event)
        if isinstance(event, Arrived):
            link.taken()
        elif isinstance(event, Connected):
            link.publish("stv/v1/units/astana-mp/notices/kz-mp-017", b"notice")

    link = Link(address, WILL, "stv/v1/vehicles/kz-mp-017/receipts/+", post, is_v5=is_v5)
    link.start()
    told: list[Event] = []
    deadline_s = time.monotonic() + ENDS_WITHIN_S
    while not told or not isinstance(told[-1], Lost):
        told.append(events.get(timeout=max(0.01, deadline_s - time.monotonic())))
    link.close(ENDS_WITHIN_S)
    assert not link.is_alive
    assert events.empty(), "the end was not the end"
    return told


def judge(name: str, told: list[Event]) -> None:
    last = told[-1]
    assert isinstance(last, Lost) and last.reason, name
    assert sum(isinstance(event, Lost) for event in told) == 1, name
    for event in told:
        if isinstance(event, Arrived):
            assert len(event.payload) <= PAYLOAD_BYTES_MAX + 1, name
        if isinstance(event, Acked) and event.is_ok:
            assert any(isinstance(one, Connected) for one in told), name


@pytest.mark.parametrize("is_v5", [True, False], ids=["MQTT 5", "MQTT 3.1.1"])
def test_H30_every_hostility_ends_the_link_in_words(is_v5: bool, tell: Tell) -> None:
    """Each on a link of its own; at the end nothing is left of any of them."""
    with FakeBroker(1) as broker:
        for round_of in range(2):  # the first time the library settles in
            before = resources.rss_mib(), resources.open_files(), resources.threads("mqtt")
            for name, script in HOSTILITIES.items():
                if round_of == 0 and not name.startswith(("noise", "256", "a flood")):
                    continue
                broker.script = script
                judge(name, attacked(broker, is_v5))
        assert broker.wrong == []
    assert resources.rss_mib() - before[0] < GROWTH_MIB_MAX
    assert resources.open_files() <= before[1]
    assert resources.threads("mqtt") == before[2]
    tell("attack: hostile connections", len(HOSTILITIES))


@pytest.mark.parametrize("count", [100, pytest.param(4000, marks=pytest.mark.campaign("attack"))])
def test_H30_noise_ends_the_link_in_words(count: int, tell: Tell) -> None:
    seed = drawn_seed()
    rng = random.Random(seed)
    names = ("noise instead of an answer", "noise once it is trusted")
    with FakeBroker(seed) as broker:
        for _ in range(count):
            name = rng.choice(names)
            broker.script = HOSTILITIES[name]
            judge(f"{name}, seed {seed}", attacked(broker, rng.random() < 0.5))
        assert broker.wrong == []
    tell("attack: hostile connections", count)


def _desk_link(port: int, monkeypatch: pytest.MonkeyPatch) -> tuple[DeskLink, Inbox]:
    """The desk's own link, which dials again at once instead of after a second."""
    for name in ("PAUSE_FIRST_S", "PAUSE_MAX_S"):
        monkeypatch.setattr(f"vehicle_agent.dispatch.link.{name}", 0.005)
    inbox = Inbox(frozenset({"astana-mp"}), frozenset({"kz-mp-017"}))
    table = BrokerTable(host="127.0.0.1", port=port, tls=False, keepalive_s=5)
    return DeskLink(table, ("astana-mp",), inbox, lambda: None, lambda *_: None), inbox


def _play(broker: FakeBroker, script: Script) -> None:
    """Have one connection that begins from now on go as `script` says."""
    played = threading.Event()

    def marked(peer: Peer) -> None:
        try:
            script(peer)
        finally:
            played.set()

    broker.script = marked
    broker.hang_up()
    assert played.wait(ENDS_WITHIN_S), "the desk did not dial again"


def test_H30_the_desks_link_survives_every_hostility(monkeypatch: pytest.MonkeyPatch, tell: Tell) -> None:
    """All of them on one link, which then still takes a message."""
    with FakeBroker(2) as broker:
        link, inbox = _desk_link(broker.port, monkeypatch)
        link.start()
        for name in ("a flood of notices", "256 MiB announced"):  # the library settles in
            _play(broker, HOSTILITIES[name])
        inbox.take(0.5, 1000)
        before = resources.rss_mib(), resources.open_files(), threading.active_count()
        refused: Counter[Reason] = Counter()
        for script in HOSTILITIES.values():
            _play(broker, script)
            batch = inbox.take(0.0, 1000)
            refused.update({one.reason: one.count for one in batch.refusals})
        assert refused.keys() <= {Reason.UNKNOWN_TOPIC, Reason.RETAINED, Reason.OVERLOAD, Reason.OVERSIZE}
        _play(broker, _one_good_message)
        good = inbox.take(5.0, 1000).notices
        while not any(one.payload == GOOD for one in good):
            good = inbox.take(5.0, 1000).notices
            assert good, "the good message did not come"
        link.stop()
        assert broker.wrong == []
    assert resources.rss_mib() - before[0] < GROWTH_MIB_MAX
    assert resources.open_files() <= before[1]
    tell("attack: hostile connections", len(HOSTILITIES))


GOOD = b"good"


def _one_good_message(peer: Peer) -> None:
    peer.welcome()
    peer.send(publish(NOTICES, GOOD))
    peer.until(PUBACK)


PROCESS_CASES = ("256 MiB announced", "a topic that is no text", "SUBACK 0x87", "noise once it is trusted")


@pytest.mark.parametrize("count", [4, pytest.param(60, marks=pytest.mark.campaign("attack"))])
def test_H17_H30_the_uplink_outlives_hostile_brokers_and_delivers_at_the_next_honest_one(
    tmp_path: Path, count: int, tell: Tell
) -> None:
    names = chosen(count)
    with (
        mosquitto(tmp_path) as real,
        FakeBroker(3) as front,
        uplink_rig(tmp_path, front.port) as rig,
        spying(real.port) as spy,
    ):
        front.script = HOSTILITIES[names[0]]
        child = rig.start()
        row = rig.control.record_notice("astana-mp")
        for name in names:
            _play(front, HOSTILITIES[name])
        assert rig.control.stages[row["id"]] in ("recorded", "at_broker"), "a hostile broker confirmed for a unit"
        front.script = honest(real.port)
        front.hang_up()
        message = until(lambda: spy.notices("astana-mp"), 30.0, "the notice at the honest broker")[0]
        spy.publish(*rig.receipt(message, "acknowledged", "Maj. Serikov"))
        until(lambda: rig.control.stages[row["id"]] == "acknowledged")
        assert child.poll() is None
        assert "Traceback" not in rig.log, rig.log
        assert resources.peak_mib(child.pid) < UPLINK_MIB_MAX
        assert rig.stop() == 0
    tell("attack: hostile connections to a process", count)


@pytest.mark.parametrize("count", [4, pytest.param(40, marks=pytest.mark.campaign("attack"))])
def test_H30_a_desk_outlives_hostile_brokers_and_takes_notices_from_the_next_honest_one(
    tmp_path: Path, count: int, tell: Tell
) -> None:
    keys = Keys(tmp_path)
    with mosquitto(tmp_path) as real, FakeBroker(4) as front:
        names = chosen(count)
        front.script = HOSTILITIES[names[0]]
        desk = DeskProcess(keys, front.port)
        try:
            desk.start(is_connected=False)
            for name in names:
                _play(front, HOSTILITIES[name])
            assert desk.notices() == []
            front.script = honest(real.port)
            front.hang_up()
            until(lambda: desk.get("/healthz")["broker"]["connected"], 60.0, "connected to the honest broker")
            vehicle = TestVehicle(keys, real.port)
            sent = vehicle.notice("astana-mp", 1)
            vehicle.send(sent)
            assert vehicle.next_receipt()["notice"] == sent.id
            vehicle.close()
            assert "Traceback" not in desk.log.read_text()
            assert resources.peak_mib(desk.pid) < DESK_MIB_MAX
            desk.stop()
        finally:
            desk.kill()
            desk.http.close()
    tell("attack: hostile connections to a process", count)


def chosen(count: int) -> list[str]:
    """The four worst and, in a campaign, as many drawn by lot."""
    rest = [name for name in HOSTILITIES if name not in PROCESS_CASES]
    return [*PROCESS_CASES, *random.Random(drawn_seed()).sample(rest, count - len(PROCESS_CASES))]
