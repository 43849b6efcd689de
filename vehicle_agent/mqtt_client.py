"""paho's MQTT client with what it leaves out towards a broker that means ill (hazard H30): a limit on what it buffers.

The library reads whatever length a packet announces, up to 256 MiB, into memory; the limit that CONNECT names binds an
honest broker only.
"""

from __future__ import annotations

import logging
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

log = logging.getLogger(__name__)

NO_TOPIC = "\ufffd"  # stands for a topic that is no text; no filter of ours matches it


class BoundedClient(Client):
    """Ends the connection when a packet announces more than `packet_bytes_max` bytes."""

    def __init__(self, *arguments: Any, packet_bytes_max: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._packet_bytes_max = packet_bytes_max

    def _sock_recv(self, bufsize: int) -> bytes:
        # The library asks here for every byte of a packet, so nothing beyond its length is read once that is too large.
        announced = self._in_packet["remaining_length"]
        if announced > self._packet_bytes_max:
            log.warning("the broker announces %d bytes, at most %d are read", announced, self._packet_bytes_max)
            raise ConnectionError("a packet is too large")
        return super()._sock_recv(bufsize)


def topic_of(message: MQTTMessage) -> str:
    """The topic, or `NO_TOPIC`; the library itself raises on one that is not UTF-8."""
    try:
        return message.topic
    except UnicodeDecodeError:
        return NO_TOPIC
