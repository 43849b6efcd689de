"""The desk's MQTT session: kept by the broker while the desk is away, for a week with MQTT 5.

A broker that refuses MQTT 5, or hangs up on its greeting, is greeted in 3.1.1, and with each new connection in 5 first.
The older protocol tells of no retained flag on live messages and of no absent vehicle; the vehicle's own questions make
up for that.

Callbacks run in the library's thread, where an escaping exception would end all reception in silence: each is wrapped,
and does nothing but hand over. Should the loop end all the same, it is started anew with a fresh client.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from vehicle_agent.config import BrokerTable
from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.inbox import Inbox
from vehicle_agent.messages.topics import notice_filter, vehicle_filter
from vehicle_agent.mqtt_client import BoundedClient, topic_of

log = logging.getLogger(__name__)

SESSION_EXPIRY_S = 7 * 24 * 3600
PACKET_BYTES_MAX = 256 * 1024  # oversize messages below this are counted and shown; larger ones never leave the broker
REPORT_PARTS = ("state", "session", "position", "events")
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 30.0  # between two connections, doubling
QUEUE_MAX = 32  # the register is the queue, not the library


class Link:
    """After `start` messages come to the inbox; `on_change` and `on_puback` are called in the library's thread."""

    def __init__(
        self,
        broker: BrokerTable,
        units: tuple[str, ...],
        inbox: Inbox,
        on_change: Callable[[], None],
        on_puback: Callable[[int, int], None],
    ) -> None:
        self._broker = broker
        self._units = units
        self._inbox = inbox
        self._on_change = on_change
        self._on_puback = on_puback
        self._client: mqtt.Client | None = None
        self._is_v5 = True
        # Of the connection of the moment, written in the library's thread, which is `_run`'s.
        self._is_greeted = self._has_hung_up = False
        self._refusal: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.problem: str | None = "not connected yet"
        self.since_s = clock.mono_s()

    @property
    def is_connected(self) -> bool:
        """Connected and every subscription granted."""
        return self.problem is None

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._thread.start()

    def stop(self) -> None:
        """Leave; the broker keeps the session."""
        self._stopping.set()
        if self._client is not None:
            self._client.disconnect()
        self._thread.join(timeout=1.0)

    def publish(self, topic: str, payload: bytes) -> int | None:
        """Hand one message to the library if the link is up; its number, or None."""
        client = self._client
        if client is None or not self.is_connected:
            return None
        info = client.publish(topic, payload, qos=1)
        return info.mid if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def _run(self) -> None:
        """One client for each connection: what the library still held of the last one is sent by nobody."""
        pause_s = PAUSE_FIRST_S
        while not self._stopping.is_set():
            self._is_greeted, self._has_hung_up, self._refusal = False, False, None
            try:
                self._client = self._build()
                self._client.connect_async(
                    self._broker.host,
                    self._broker.port,
                    keepalive=self._broker.keepalive_s,
                    clean_start=False if self._is_v5 else 3,  # 3 is paho's word for "not in this protocol"
                    properties=_connect_properties() if self._is_v5 else None,
                )
                self._client.loop_forever()
            except OSError as error:
                self._set(f"no answer from {self._broker.host}:{self._broker.port}: {error.strerror or error}")
            except Exception as error:
                log.exception("the broker's loop ended; it starts again")
                self._set(f"{type(error).__name__}: {error}")
            # A broker that took the older protocol is greeted in the newer one again: it may be another by now.
            self._is_v5 = self._is_greeted or self._is_v5 != self._has_hung_up
            pause_s = PAUSE_FIRST_S if self._is_greeted else min(2 * pause_s, PAUSE_MAX_S)
            # A random share, so that the desks of a country do not come back in the same second.
            self._stopping.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  no secret

    def _build(self) -> mqtt.Client:
        name = self._broker.client_id or f"desk-{self._units[0]}"
        client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=mqtt.MQTTv5 if self._is_v5 else mqtt.MQTTv311,
            clean_session=None if self._is_v5 else False,
            reconnect_on_failure=False,
            packet_bytes_max=PACKET_BYTES_MAX,
        )
        if self._broker.tls:
            certificate, key = (str(path) if path else None for path in (self._broker.certificate, self._broker.key))
            client.tls_set(str(self._broker.ca) if self._broker.ca else None, certificate, key)
        client.max_queued_messages_set(QUEUE_MAX)
        client.on_connect = _guarded(self._connected)
        client.on_disconnect = _guarded(self._disconnected)
        client.on_subscribe = _guarded(self._subscribed)
        client.on_message = _guarded(self._message)
        client.on_publish = _guarded(self._published)
        return client

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses this desk: {reason}"
            self._set(self._refusal)
            return
        self._is_greeted = True
        if not self._is_v5:
            client.subscribe([(topic, 1) for topic in self._filters()])
            return
        # A notice with the retain flag must be recognised even when it comes live; of a report the flag must say that
        # it is an old one.
        notice_options = SubscribeOptions(qos=1, retainAsPublished=True)
        report_options = SubscribeOptions(qos=1, retainAsPublished=False)
        options = [notice_options] * len(self._units) + [report_options] * len(REPORT_PARTS)
        client.subscribe(list(zip(self._filters(), options, strict=True)))

    def _filters(self) -> list[str]:
        return [notice_filter(unit) for unit in self._units] + [vehicle_filter(part) for part in REPORT_PARTS]

    def _subscribed(self, _client: Any, _data: Any, _number: int, reasons: Any, _properties: Any) -> None:
        refused = [reason for reason in reasons if reason.is_failure]
        self._set(f"the broker refuses a subscription: {refused[0]}" if refused else None)

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._has_hung_up = not self._is_greeted
        self._set(self._refusal or f"connection lost: {reason}")

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._inbox.put_message(topic_of(message), bytes(message.payload), message.retain)

    def _published(self, _client: Any, _data: Any, number: int, reason: Any, _properties: Any) -> None:
        self._on_puback(number, reason.value)

    def _set(self, problem: str | None) -> None:
        if (problem is None) != self.is_connected:
            self.since_s = clock.mono_s()
            log.warning("broker: %s", problem or "connected")
        self.problem = problem
        self._on_change()


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    return properties


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Let no exception reach the library's thread (it would end it, and the library would still say "connected")."""

    @wraps(callback)
    def call(*arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:
            log.exception("a callback of the broker's link failed")

    return call
