"""Ten million bytes that no receiver and no radio would send, on both serial wires (H21, H22)."""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Callable

import pytest

from hw.fix import TrustLimits
from hw.nmea import NmeaReader
from hw.pei import MODES, PeiReader
from tests.attack.mutations import spoil_bytes
from tests.attack.seeds import drawn_seed
from tests.faults.test_serial_faults import noise

Tell = Callable[[str, int], None]
GROWTH_BYTES_MAX = 1_000_000
DIALOGUE = (
    b"AT\r\r\nOK\r\n",
    b"AT+CREG?\r\r\n+CREG: 1,0901,25001\r\n\r\nOK\r\n",
    b"+CREG: 2\r\n",
    b"+CREG: 9\r\n",
    b"+CSQ: 20,99\r\nOK\r\n",
    b"+CSQ: 99\r\n",
    b"+CTOM: 0\r\nOK\r\n",
    b"+CTGS: 0,1001\r\nOK\r\n",
    b"+CTSDSR: 12,1234,0,5678,0,16\r\n41424344\r\n",
    b"+CME ERROR: 35\r\n",
    b"ERROR\r\n",
)
REGISTERED = re.compile(
    r"\+CREG: ?0{0,2}[15][ \x09\x0b\x0c\x1c-\x1f]*(?=[,\r\n])"
)  # blanks at a line's end are dropped


@pytest.mark.campaign("attack")
@pytest.mark.parametrize("part", range(5))
def test_H21_two_million_bytes_of_noise_five_times_over_give_no_trusted_fix_of_their_own(part: int, tell: Tell) -> None:
    """The ordinary run reads two million with one seed; these are drawn."""
    seed = drawn_seed() + part
    reader, size = NmeaReader(TrustLimits()), 0
    for number, chunk in enumerate(noise(seed)):
        size += len(chunk)
        for fix in reader.feed(chunk, number / 100.0):
            assert fix.mode in (1, 2, 3), f"seed {seed}"
            assert fix.latitude_deg is None or -90.0 <= fix.latitude_deg <= 90.0, f"seed {seed}"
            assert fix.longitude_deg is None or -180.0 <= fix.longitude_deg <= 180.0, f"seed {seed}"
            assert not fix.valid or (fix.mode > 1 and fix.latitude_deg is not None), f"seed {seed}"
            assert fix.valid or not fix.trusted, f"seed {seed}"
    tell("attack: bytes on the receiver's wire", size)


@pytest.mark.parametrize("size", [400_000, pytest.param(10_000_000, marks=pytest.mark.campaign("attack"))])
def test_H22_noise_from_a_radio_raises_nothing_stays_small_and_registers_nobody(size: int, tell: Tell) -> None:
    seed = drawn_seed()
    rng = random.Random(seed)
    reader, taken, text = PeiReader(), 0, b""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    while taken < size:
        if rng.random() < 0.05:
            reader.begin_round()
            text = re.split(rb"[\r\n]", text)[-1]  # the line that is under way goes on
        chunk = rng.choice(DIALOGUE)
        if rng.random() < 0.8:
            chunk = spoil_bytes(chunk, rng) if rng.random() < 0.7 else rng.randbytes(rng.randrange(300))
        reader.feed(chunk)
        text = (text + chunk)[-100_000:]
        taken += len(chunk)
        answers = reader.answers
        assert answers.mode in {None, *MODES.values()}
        assert answers.rssi_dbm is None or -113 <= answers.rssi_dbm <= -51
        if answers.registered:
            assert REGISTERED.search(text.decode("ascii", errors="replace")), f"seed {seed}"
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < GROWTH_BYTES_MAX
    tell("attack: bytes on the radio's wire", taken)
