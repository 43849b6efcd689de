"""One MQTT connection from dialling to its end; the uplink makes a new one each time (Rule 19: notices must get out).

paho's own queue and its reconnection are not used: what it still held when a connection ended would be sent later, in
any number and behind everybody's back. Its thread only turns what happens into events for the uplink's loop; an
exception in a callback would end that thread while `is_connected()` goes on saying yes, so the thread and its end are
ours.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX
from vehicle_agent.mqtt_client import BoundedClient, topic_of
from vehicle_agent.uplink.tls import Judge

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0  # a SYN is repeated after 1 and 3 s; more would keep a returned link waiting
LOOP_S = 2.0  # longest sleep of the thread: keepalive is looked at this often
ARRIVALS_MAX = 256  # receipts waiting for our loop; a desk sends again what is dropped beyond that
PACKET_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX  # asked of the broker, and the end of one that sends more all the same
FAILURE = 0x80  # MQTT 5: reason codes from here on are failures
UNSUPPORTED_PROTOCOL = 0x84
NO_CONNECTION = "no connection"


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted us; the subscription is on its way."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is over, or never came about. Sent exactly once."""

    reason: str
    wants_other_protocol: bool = False


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker's word on one of our messages; `is_ok` is false for every refusal."""

    mid: int
    is_ok: bool
    code: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message on our subscription."""

    topic: str
    payload: bytes
    is_retained: bool


Event = Connected | Lost | Acked | Arrived


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and how we show who we are."""

    host: str
    port: int
    client_id: str
    keepalive_s: int
    is_tls: bool
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says in our place when we vanish."""

    topic: str
    payload: bytes


class Link:
    """One connection; every event goes to `post`, from the link's thread. Nothing here raises after `start`.

    `trusted_utc` is what the certificate's dates are judged by: see `tls`.
    """

    def __init__(
        self,
        address: Address,
        will: Will,
        subscription: str,
        post: Callable[[Link, Event], None],
        *,
        is_v5: bool = True,
        trusted_utc: datetime | None = None,
    ) -> None:
        self._address = address
        self._subscription = subscription
        self._post = post
        self._is_v5 = is_v5
        self._judge = Judge(trusted_utc)
        self._is_up = False
        self._is_dropped = False
        self._is_closing = False
        self._wants_other = False
        self._reason = NO_CONNECTION
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._room = threading.BoundedSemaphore(ARRIVALS_MAX)
        self._client = self._make(will)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Dial; `Connected` or `Lost` follows."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread that would tell us of anything is there at all."""
        return self._thread.is_alive()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Hand one message over at QoS 1; its number for `Acked`, or None where it cannot go now."""
        if not self._is_up:
            return None
        try:
            info = self._client.publish(topic, payload, qos=1, retain=retain)
        except (ValueError, OSError) as error:
            log.error("publish on %s: %s", topic, error)
            return None
        self._wake_thread()
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def taken(self) -> None:
        """The loop has dealt with one `Arrived`: there is room for another."""
        self._room.release()

    def drop(self, reason: str) -> None:
        """End the connection as if the line were cut: the broker then speaks our will."""
        self._reason = reason
        self._is_dropped = True
        self._wake_thread()

    def close(self, timeout_s: float) -> None:
        """Say goodbye properly (no will) and wait for the thread at most `timeout_s`."""
        self._is_closing = True
        self._wake_thread()
        self._thread.join(timeout_s)

    def _make(self, will: Will) -> BoundedClient:
        client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            packet_bytes_max=PACKET_BYTES_MAX,
            client_id=self._address.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311,
            # A kept session for the older protocol: of a clean one a cluster has the queue on one node alone, and while
            # that node is down the vehicle can subscribe at no other.
            clean_session=None if self._is_v5 else False,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(128)  # above all our windows together; they are the limit
        client.max_queued_messages_set(64)
        client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._guard(self._on_connect)
        client.on_subscribe = self._guard(self._on_subscribe)
        client.on_publish = self._guard(self._on_publish)
        client.on_message = self._guard(self._on_message)
        client.on_disconnect = self._guard(self._on_disconnect)
        # With this set, publish() leaves the writing to our thread; without it, paho writes from the thread that asks.
        client.on_socket_register_write = lambda *_: None
        return client

    def _run(self) -> None:
        try:
            if self._address.is_tls:
                address = self._address
                self._client.tls_set_context(self._judge.context(address.ca, address.certificate, address.key))
            properties = None
            if self._is_v5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.MaximumPacketSize = PACKET_BYTES_MAX
            self._client.connect(
                self._address.host,
                self._address.port,
                keepalive=self._address.keepalive_s,
                clean_start=True if self._is_v5 else 3,  # 3 is paho's word for "not in this protocol"
                properties=properties,
            )
            if isinstance(channel := self._client.socket(), ssl.SSLSocket):
                self._judge.check_dates(channel)
            self._serve()
        except Exception as error:  # noqa: BLE001  (whatever a broker can provoke in the library ends this connection only)
            self._reason = f"{type(error).__name__}: {error}"
        finally:
            self._is_up = False
            self._close_socket()
            self._post(self, Lost(self._reason, self._wants_other))

    def _serve(self) -> None:
        """paho's loop in public calls: its own one cannot be woken by a publish from elsewhere unless the thread is its
        own too."""
        while not self._is_dropped and (channel := self._client.socket()) is not None:
            # Bytes that TLS has decrypted already are invisible to select.
            timeout_s = 0.0 if isinstance(channel, ssl.SSLSocket) and channel.pending() else LOOP_S
            writing: list[Any] = [channel] if self._client.want_write() else []
            reading: list[Any] = [channel, self._wake]
            readable, writable, _ = select.select(reading, writing, [], timeout_s)
            if self._wake in readable:
                os.eventfd_read(self._wake)
            if channel in readable or not timeout_s:
                self._client.loop_read()
            if self._is_closing and self._is_up:
                self._is_up = False
                self._client.disconnect()
            if writable or self._client.want_write():
                self._client.loop_write()
            self._client.loop_misc()

    def _wake_thread(self) -> None:
        with contextlib.suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def _close_socket(self) -> None:
        channel: Any = self._client.socket()
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.close()

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.close(self._wake)

    def _guard(self, callback: Callable[..., None]) -> Callable[..., None]:
        def guarded(*arguments: object) -> None:
            try:
                callback(*arguments)
            except Exception:  # an escape would end paho's thread
                log.exception("in an MQTT callback")

        return guarded

    def _on_connect(
        self, client: BoundedClient, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self._reason = f"refused: {reason}"
            self._wants_other = reason.value == UNSUPPORTED_PROTOCOL
            return
        if self._is_v5:
            # The flag as published, also on live messages: a retained receipt is refused (hazard H14).
            client.subscribe(self._subscription, options=SubscribeOptions(qos=1, retainAsPublished=True))
        else:
            client.subscribe(self._subscription, qos=1)
        self._reason = "connection lost"
        self._is_up = True
        self._post(self, Connected())

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.drop(f"subscription refused: {reasons[0]}")

    def _on_publish(self, _client: object, _data: object, mid: int, reason: ReasonCode, _more: object) -> None:
        self._post(self, Acked(mid, reason.value < FAILURE, reason.value))

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        if not self._room.acquire(blocking=False):
            return
        # One byte over the limit is enough to be refused as too large; the rest need not wait in memory.
        self._post(
            self, Arrived(topic_of(message), bytes(message.payload[: PAYLOAD_BYTES_MAX + 1]), bool(message.retain))
        )

    def _on_disconnect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _more: object) -> None:
        if self._reason == NO_CONNECTION:  # TLS 1.3 tells us of a refused certificate only after its handshake
            self._reason = f"disconnected before the broker accepted us: {reason}"
            self._wants_other = True  # an old broker may hang up on a greeting that it does not know
        elif self._is_up and reason.value != 0:
            self._reason = f"disconnected: {reason}"
        self._is_up = False
