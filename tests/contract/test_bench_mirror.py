"""The shared mapping of levels: a reader never sees half of a value, and an old bench is not mistaken for a new one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulators.bench.mirror import Mirror

WRITER = """
import sys
from pathlib import Path
from simulators.bench.mirror import Mirror
mirror = Mirror(Path(sys.argv[1]), writable=True)
while True:
    for _ in range(1000):
        mirror.set_counts(1, 7, 0x07FF)
        mirror.beat(0x00FF_FFFF_FFFF)
        mirror.set_counts(1, 7, 0x0800)
        mirror.beat(0x0100_0000_0000)
    print("written", flush=True)
"""


def test_no_value_is_ever_torn(tmp_path: Path) -> None:
    path = tmp_path / "wires.shm"
    Mirror.create(path).close()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        mirror = Mirror.attach(path)
        seen, beats = set(), set()
        end_s = time.monotonic() + 1.0
        while time.monotonic() < end_s:
            for _ in range(1000):
                seen.add(mirror.counts(1, 7))
                beats.add(mirror.heartbeat_ns)
        mirror.close()
        assert seen == {0x07FF, 0x0800}
        assert beats == {0x00FF_FFFF_FFFF, 0x0100_0000_0000}
    finally:
        writer.kill()
        writer.communicate()


def test_every_place_of_the_mapping_is_its_own(tmp_path: Path) -> None:
    mirror = Mirror.create(tmp_path / "wires.shm")
    reader = Mirror.attach(tmp_path / "wires.shm")
    mirror.beat(123456789)
    for number in range(28):
        mirror.set_level(number, number % 3 == 0)
    for chip in (0, 1):
        for channel in range(8):
            mirror.set_counts(chip, channel, 4000 + 8 * chip + channel)
    assert reader.heartbeat_ns == 123456789
    assert [reader.level(number) for number in range(28)] == [number % 3 == 0 for number in range(28)]
    assert [reader.counts(chip, channel) for chip in (0, 1) for channel in range(8)] == list(range(4000, 4016))
    mirror.close()
    reader.close()


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wires.shm"
    path.write_bytes(bytes(4096))
    with pytest.raises(OSError, match="different versions"):
        Mirror.attach(path)


def test_a_new_bench_leaves_the_old_mapping_behind(tmp_path: Path) -> None:
    old = Mirror.create(tmp_path / "wires.shm")
    reader = Mirror.attach(tmp_path / "wires.shm")
    new = Mirror.create(tmp_path / "wires.shm")
    new.beat(5)
    assert reader.heartbeat_ns == 0, "an agent of the old bench notices that it has stopped"
    for mirror in (old, reader, new):
        mirror.close()
