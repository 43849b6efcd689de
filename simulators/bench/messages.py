"""Messages on `pins.sock` (SOCK_SEQPACKET, one message a packet): what the pin factory does with its lines.

| from factory | answer | means |
|---|---|---|
| `claim n` | `granted` or `busy` | this process uses line n; it is an input until it says otherwise |
| `drive n level ns` | none | line n is an output and has this level since `ns` (CLOCK_MONOTONIC) |
| `release n ns` | none | line n is an input again: outside, its pull-down takes it low |

A closed connection frees the claims and leaves every output at its last level, as a real Pi does.
"""

from __future__ import annotations

import struct
from enum import IntEnum

_MESSAGE = struct.Struct("<BBBxxxxxQ")
SIZE_MAX = _MESSAGE.size

GRANTED = b"\x01"
BUSY = b"\x00"


class Verb(IntEnum):
    CLAIM = 1
    DRIVE = 2
    RELEASE = 3


def pack(verb: Verb, number: int, level: bool, at_ns: int) -> bytes:
    return _MESSAGE.pack(verb, number, level, at_ns)


def unpack(packet: bytes) -> tuple[Verb, int, bool, int]:
    """Raises ValueError for anything that `pack` did not make."""
    if len(packet) != _MESSAGE.size:
        raise ValueError(f"a message has {_MESSAGE.size} bytes, this has {len(packet)}")
    verb, number, level, at_ns = _MESSAGE.unpack(packet)
    return Verb(verb), number, bool(level), at_ns
