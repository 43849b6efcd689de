"""The demo's embedded broker tells who asked for it that a live message was sent to be kept (hazard H14)."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from simulators.stack.retained import Direction, Marks, matches
from tests.brokers import free_port

WITHIN_S = 10.0
Seen = queue.Queue[tuple[str, bytes, bool]]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    number = free_port()
    config = tmp_path_factory.mktemp("embedded") / "broker.toml"
    child = subprocess.Popen(
        [sys.executable, "-m", "simulators.stack.broker", "--port", str(number), "--config", str(config)],
        cwd=Path(__file__).parents[2],
    )
    try:
        yield number
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(WITHIN_S)


@contextmanager
def client(port: int, topic: str, *, as_published: bool) -> Iterator[tuple[mqtt.Client, Seen]]:
    seen: Seen = queue.Queue()
    subscribed: queue.Queue[None] = queue.Queue()
    one = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    one.on_message = lambda _client, _data, message: seen.put((message.topic, bytes(message.payload), message.retain))
    one.on_subscribe = lambda *_: subscribed.put(None)
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        try:
            one.connect("127.0.0.1", port)
            break
        except OSError:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    one.loop_start()
    one.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=as_published))
    subscribed.get(timeout=WITHIN_S)
    try:
        yield one, seen
    finally:
        one.disconnect()
        one.loop_stop()


def test_H14_the_retain_flag_reaches_who_asked_for_it_and_nobody_else(port: int) -> None:
    with (
        client(port, "a/+/b", as_published=True) as (one, asked),
        client(port, "a/#", as_published=False) as (_, other),
    ):
        large = b"x" * 9000
        for payload, is_retained in ((b"kept", True), (b"live", False), (b"kept", False), (large, True)):
            one.publish("a/1/b", payload, qos=1, retain=is_retained).wait_for_publish(WITHIN_S)
            assert asked.get(timeout=WITHIN_S) == ("a/1/b", payload, is_retained)
            assert other.get(timeout=WITHIN_S) == ("a/1/b", payload, False)
    with client(port, "a/1/b", as_published=False) as (_, late):
        assert late.get(timeout=WITHIN_S) == ("a/1/b", large, True)


def test_packets_that_come_in_pieces_or_are_no_mqtt_pass_unchanged() -> None:
    publish = b"\x31\x08\x00\x03a/b\x00hi"
    there = Direction(Marks(), set(), is_v5=True, to_broker=True)
    assert b"".join(there.feed(publish[at : at + 1]) for at in range(len(publish))) == publish
    for noise in (b"\x30\xff\xff\xff\xff\xff\xff", b"\x82\x03\x00", b"\x30\x02\x00\xff"):
        passed = Direction(Marks(), set(), is_v5=True, to_broker=True).feed(noise)
        assert noise.startswith(passed)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "fits"),
    [("a/b", "a/b", True), ("a/+", "a/b", True), ("#", "a/b", True), ("a/#", "a", True), ("a/+", "a/b/c", False)],
)
def test_wildcards(topic_filter: str, topic: str, fits: bool) -> None:
    assert matches(topic_filter, topic) is fits
