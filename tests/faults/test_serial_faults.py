"""Serial wires that are pulled, flooded and fed with noise (hazards H21, H22, H33)."""

from __future__ import annotations

import os
import random
import threading
import time
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hw.fix import TrustLimits
from hw.gnss import GnssReceiver
from hw.nmea import NmeaReader
from hw.radio import RadioStation
from hw.serial_port import Backoff, SerialWire, WireError
from simulators.bench.pty_port import PtyPort
from simulators.bench.radio_device import RadioDevice
from tests.contract.wires import lines, open_descriptors, wait_for

# The long campaign sets ten million bytes and a thousand times.
FUZZ_BYTES = int(os.environ.get("STV_FUZZ_BYTES", "2000000"))
REPLUGS = int(os.environ.get("STV_REPLUGS", "200"))

RMC = "GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,221126,,,A,V"
GGA = "GNGGA,120000.00,4314.33694,N,07653.38254,E,1,12,0.80,812.4,M,-40.6,M,,"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[PtyPort]:
    made = PtyPort(tmp_path / "wire")
    made.plug()
    yield made
    made.unplug()


def noise(seed: int) -> Iterator[bytes]:
    """Pure noise, real sentences with changed bytes, and right checksums over nonsense, in equal parts."""
    source = random.Random(seed)
    alphabet = b"$*,.0123456789ABCDEFGNSEWRMCGALVTZD\r\n-+"
    good = lines(
        RMC, GGA, "GNGSA,A,3,05,07,08,13,14,20,28,30,,,,,1.24,0.80,0.95,1", "GNGLL,4314.3,N,07653.3,E,120000.00,A,A"
    )
    fields = [
        "",
        "nan",
        "inf",
        "-1",
        "1e9",
        "99999999999999999999",
        "4314.3",
        "07653.3",
        "N",
        "E",
        "A",
        "V",
        "120000",
        "221126",
        "1_0",
        "0x1F",
    ]
    made = 0
    while made < FUZZ_BYTES:
        kind = source.randrange(4)
        if kind == 0:
            chunk = source.randbytes(600)
        elif kind == 1:
            changed = bytearray(good)
            for _ in range(source.randrange(1, 12)):
                changed[source.randrange(len(changed))] = source.randrange(256)
            chunk = bytes(changed)
        elif kind == 2:
            name = source.choice(["GNRMC", "GPGGA", "GNGSA", "GPGLL", "GNGNS", "GNZDA", "GPVTG", "GNTXT"])
            chunk = lines(*(f"{name}," + ",".join(source.choices(fields, k=source.randrange(0, 20))) for _ in range(8)))
        else:
            chunk = bytes(source.choices(alphabet, k=600))
        made += len(chunk)
        yield chunk


def _opened(receiver: GnssReceiver, times: int) -> bool:
    return receiver.status().openings >= times


def test_H21_two_million_bytes_of_noise_raise_nothing_accept_nothing_and_stay_small() -> None:
    seed = 354
    print(f"seed {seed}")
    chunks = list(noise(seed))
    reader = NmeaReader(TrustLimits())
    for chunk in chunks[:200]:
        reader.feed(chunk, 0.0)
    tracemalloc.start()
    began_s, before = time.monotonic(), tracemalloc.get_traced_memory()[0]
    worst = fixes = 0
    for number, chunk in enumerate(chunks):
        for fix in reader.feed(chunk, number / 100.0):
            fixes += 1
            assert fix.mode in (1, 2, 3)
            assert fix.latitude_deg is None or -90.0 <= fix.latitude_deg <= 90.0
            assert fix.longitude_deg is None or -180.0 <= fix.longitude_deg <= 180.0
            assert fix.speed_mps is None or not fix.valid or 0.0 <= fix.speed_mps <= 515.0
            assert fix.satellites is None or 0 <= fix.satellites <= 200
            assert not fix.valid or (fix.mode > 1 and fix.latitude_deg is not None)
        if number % 100 == 0:
            worst = max(worst, tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    took_s = time.monotonic() - began_s
    print(f"{sum(map(len, chunks))} bytes, {fixes} epochs, {reader.counts}, {took_s:.1f} s, grew {worst} bytes")
    assert worst < 1_000_000
    assert fixes > 0


@pytest.mark.parametrize("flood", [b"$", b"$GNRMC,", b"\x00", b"*", b"\r\n", b"$$*", b"A" * 64])
def test_H21_a_flood_of_one_thing_is_linear_and_leaves_nothing(flood: bytes) -> None:
    reader = NmeaReader(TrustLimits())
    began_s = time.monotonic()
    for number in range(200):
        reader.feed(flood * (4096 // len(flood)), number / 1000.0)
    assert time.monotonic() - began_s < 3.0
    assert reader.feed(b"\r\n" + lines(RMC, GGA), 1.0) + reader.end()


def test_H22_pulled_and_plugged_many_times_the_wire_recovers_and_leaks_nothing(port: PtyPort) -> None:
    wire = SerialWire(str(port.link), 9600)
    wire.open()
    before = open_descriptors()
    for number in range(REPLUGS):
        port.write(b"x")
        assert wire.read(1.0) == b"x"
        port.unplug()
        with pytest.raises(WireError):
            for _ in range(3):
                wire.read(1.0)
        assert not wire.is_open, number
        with pytest.raises(WireError):
            wire.open()
        port.plug()
        wire.open()
    assert open_descriptors() == before
    wire.close()


def test_H22_the_receivers_thread_finds_its_port_again_every_time(port: PtyPort) -> None:
    receiver = GnssReceiver(str(port.link))
    receiver.start()
    wait_for(lambda: receiver.status().is_open)
    before, threads = open_descriptors(), threading.active_count()
    for opened in range(2, 8):
        port.unplug()
        wait_for(lambda: not receiver.status().is_open)
        port.plug()
        wait_for(partial(_opened, receiver, opened), within_s=5.0)
        port.write(lines(RMC, GGA, RMC.replace("120000", "120001")))
        wait_for(receiver.drain)
    assert (open_descriptors(), threading.active_count()) == (before, threads)
    receiver.stop()
    assert not receiver.status().is_open


def test_H22_a_port_that_is_not_there_is_no_crash(tmp_path: Path) -> None:
    receiver, radio = GnssReceiver(str(tmp_path / "none")), RadioStation(str(tmp_path / "none"))
    receiver.start()
    radio.start()
    wait_for(lambda: "No such file" in (receiver.status().problem or ""))
    wait_for(
        lambda: (
            (health := radio.latest()) is not None and not health.answered and "No such file" in (health.reason or "")
        )
    )
    receiver.stop()
    radio.stop()


def test_H22_the_waiting_time_doubles_up_to_five_seconds() -> None:
    backoff = Backoff()
    assert [backoff.next_s() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_H33_a_second_reader_of_the_port_is_refused(port: PtyPort) -> None:
    first, second = SerialWire(str(port.link), 9600), SerialWire(str(port.link), 9600)
    first.open()
    with pytest.raises(WireError):
        second.open()
    first.close()
    second.open()
    second.close()


def test_H21_garbage_on_the_wire_stops_neither_the_thread_nor_the_next_fix(port: PtyPort) -> None:
    receiver = GnssReceiver(str(port.link))
    receiver.start()
    wait_for(port.is_listened_to)
    for chunk, _ in zip(noise(19), range(60), strict=False):
        port.write(chunk)
        time.sleep(0.002)  # a flood faster than any wire, but not faster than a pty holds
    port.write(b"\r\n" + lines(RMC, GGA, RMC.replace("120000", "120001")))
    wait_for(lambda: any(fix.valid and fix.trusted for fix in receiver.drain()))
    receiver.stop()


def test_H22_a_radio_that_is_pulled_is_told_within_three_seconds_and_found_again(tmp_path: Path) -> None:
    device, station = RadioDevice(tmp_path / "radio"), RadioStation(str(tmp_path / "radio"))
    device.start()
    station.start()
    wait_for(lambda: (health := station.latest()) is not None and health.registered)
    before = open_descriptors()
    for _ in range(3):
        device.set("unplug")
        assert wait_for(lambda: (health := station.latest()) is not None and not health.answered) < 3.0
        device.set("registered")
        wait_for(lambda: (health := station.latest()) is not None and health.registered)
    assert open_descriptors() == before
    station.stop()
    device.stop()


def test_writing_to_a_stuffed_port_fails_instead_of_hanging() -> None:
    master, slave = os.openpty()
    wire = SerialWire(os.ttyname(slave), 9600)
    wire.open()
    began_s = time.monotonic()
    with pytest.raises(WireError):
        for _ in range(100):
            wire.write(b"x" * 4096)
    assert time.monotonic() - began_s < 3.0
    os.close(slave)
    os.close(master)
