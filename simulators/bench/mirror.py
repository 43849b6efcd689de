"""`wires.shm`: the input levels as the pins see them, written by the bench and read by the pin factory without a call.

Header: magic, version, heartbeat in CLOCK_MONOTONIC nanoseconds; then GPIO levels 0..27 as bytes, then the ADC counts
as uint16[2][8]; all in this machine's byte order. Values are stored through casts of the mapping, one aligned store
each: `struct.pack_into` clears its place first, and a reader in between would see zero, which is a short circuit.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

MAGIC = b"STVWIRE1"
VERSION = 1
SIZE = 4096

_HEADER = struct.Struct("=8sI")
_HEARTBEAT_AT = 16
_GPIO_AT = 32
_ADC_AT = 64

GPIO_LINES = 28
ADC_CHIPS, ADC_CHANNELS = 2, 8


class Mirror:
    """Both ends of the mapping; `create` for the bench, `attach` for the factory."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        flags = os.O_RDWR if writable else os.O_RDONLY
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        descriptor = os.open(path, flags)
        try:
            self._map = mmap.mmap(descriptor, SIZE, access=access)
        finally:
            os.close(descriptor)
        whole = memoryview(self._map)
        self._heartbeat = whole[_HEARTBEAT_AT : _HEARTBEAT_AT + 8].cast("Q")
        self._gpio = whole[_GPIO_AT : _GPIO_AT + GPIO_LINES]
        self._adc = whole[_ADC_AT : _ADC_AT + 2 * ADC_CHIPS * ADC_CHANNELS].cast("H")
        whole.release()

    @classmethod
    def create(cls, path: Path) -> Mirror:
        """A new file under the name: a reader of an older bench keeps that one, whose heartbeat has stopped."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_bytes(bytes(SIZE))
        mirror = cls(fresh, writable=True)
        mirror._map[: _HEADER.size] = _HEADER.pack(MAGIC, VERSION)
        fresh.replace(path)
        return mirror

    @classmethod
    def attach(cls, path: Path) -> Mirror:
        mirror = cls(path, writable=False)
        magic, version = _HEADER.unpack_from(mirror._map)
        if (magic, version) != (MAGIC, VERSION):
            mirror.close()
            raise OSError(f"{path} is no wire mirror of version {VERSION}: bench and agent are of different versions")
        return mirror

    def level(self, number: int) -> bool:
        return self._gpio[number] != 0

    def set_level(self, number: int, level: bool) -> None:
        self._gpio[number] = level

    def counts(self, chip: int, channel: int) -> int:
        return self._adc[chip * ADC_CHANNELS + channel]

    def set_counts(self, chip: int, channel: int, counts: int) -> None:
        self._adc[chip * ADC_CHANNELS + channel] = counts

    @property
    def heartbeat_ns(self) -> int:
        return self._heartbeat[0]

    def beat(self, now_ns: int) -> None:
        self._heartbeat[0] = now_ns

    def close(self) -> None:
        for view in (self._heartbeat, self._gpio, self._adc):
            view.release()
        self._map.close()
