"""The traps of NMEA and of pynmea2, one by one (hazards H12, H21)."""

from __future__ import annotations

from datetime import date

import pytest

from hw.framer import SENTENCE_CHARS_MAX, Framer
from hw.nmea_fields import OTHER, NmeaError, Sentence, parse
from simulators.bench.nmea_writer import sentence
from tests.contract.wires import lines, read

RMC = "GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,221126,,,A,V"
GGA = "GNGGA,120000.00,4314.33694,N,07653.38254,E,1,12,0.80,812.4,M,-40.6,M,,"


def parsed(body: str) -> Sentence:
    return parse(sentence(body).strip())


def test_navigation_status_V_of_u_blox_does_not_hide_a_good_fix() -> None:
    assert parsed(RMC).claims_fix is True
    (fix,) = read(RMC, GGA)
    assert (fix.valid, fix.mode, fix.trusted, fix.reasons) == (True, 3, True, ())


def test_no_fix_is_no_position_rather_than_zero_zero() -> None:
    no_fix = parsed("GNGGA,120000.00,,,,,0,00,99.99,,,,,,")
    assert (no_fix.latitude_deg, no_fix.longitude_deg, no_fix.hdop, no_fix.claims_fix) == (None, None, None, False)
    (fix,) = read("GNRMC,120000.00,V,,,,,,,221126,,,N,V", "GNGGA,120000.00,,,,,0,00,99.99,,,,,,")
    assert (fix.valid, fix.mode, fix.latitude_deg, fix.speed_mps) == (False, 1, None, None)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("9914.3,N,07653.4,E", "latitude 99"),
        ("9000.1,N,07653.4,E", "beyond the pole"),
        ("4314.3,N,18000.1,E", "beyond the date line"),
        ("4360.0,N,07653.4,E", "sixty minutes"),
        ("4314.3,X,07653.4,E", "no such hemisphere"),
        ("4314.3,N,nan,E", "not a number"),
        ("4314.3,N,1e400,E", "infinite"),
        ("4314,N,07653.4,E", "no decimal point"),
        ("-4314.3,N,07653.4,E", "signed"),
    ],
)
def test_H21_an_impossible_position_is_no_position(place: str, name: str) -> None:
    said = parsed(f"GNRMC,120000.00,A,{place},0.0,,221126,,,A,V")
    assert said.latitude_deg is None
    assert said.bad == ("RMC.position",), name
    (fix,) = read(f"GNRMC,120000.00,A,{place},0.0,,221126,,,A,V")
    assert (fix.valid, fix.mode) == (False, 1)


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        (RMC.replace("0.040", "-3.0"), "RMC.speed"),
        (RMC.replace("0.040", "1_0"), "RMC.speed"),
        (RMC.replace("0.040", "9999"), "RMC.speed"),
        (RMC.replace("77.5", "361"), "RMC.course"),
        (RMC.replace("120000.00", "240000.00"), "RMC.time"),
        (RMC.replace("120000.00", "126000.00"), "RMC.time"),
        (RMC.replace("120000.00", "1200"), "RMC.time"),
        (RMC.replace("120000.00", "120060.00"), "RMC.time"),
        (RMC.replace("221126", "320126"), "RMC.date"),
        (RMC.replace("221126", "221326"), "RMC.date"),
        (RMC.replace("221126", "2211-1"), "RMC.date"),
        (RMC.replace("221126", "290226"), "RMC.date"),
        (GGA.replace(",12,", ",-1,"), "GGA.satellites"),
        (GGA.replace(",12,", ",9999,"), "GGA.satellites"),
        (GGA.replace(",0.80,", ",x,"), "GGA.hdop"),
        (GGA.replace("812.4", "99999999"), "GGA.altitude"),
        (GGA.replace(",1,12,", ",Q,12,"), "GGA.quality"),
    ],
)
def test_H21_a_field_out_of_range_makes_the_epoch_invalid_and_is_named(body: str, bad: str) -> None:
    assert parsed(body).bad == (bad,)
    fixes = read(RMC, body) if body.startswith("GNGGA") else read(body, GGA)
    assert any(f"bad_field:{bad}" in fix.reasons and not fix.valid and not fix.trusted for fix in fixes)


def test_counts_and_dops_come_as_numbers() -> None:
    said = parsed(GGA.replace(",12,", ",08,"))
    assert (said.satellites, said.hdop, said.altitude_m) == (8, 0.8, 812.4)


def test_the_leap_second_is_read_and_doubted() -> None:
    said = parsed(RMC.replace("120000.00", "235960.00"))
    assert (said.time_ms, said.is_leap_second, said.bad) == (86_400_000, True, ())


@pytest.mark.parametrize(
    ("year", "full"), [("69", 1969), ("80", 1980), ("99", 1999), ("00", 2000), ("26", 2026), ("68", 2068)]
)
def test_H12_two_digits_of_a_year(year: str, full: int) -> None:
    assert parsed(RMC.replace("221126", f"2211{year}")).day == date(full, 11, 22)


@pytest.mark.parametrize(
    "line",
    [
        "$GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,221126,,,A,V",
        "$GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,221126,,,A,V*00",
        "$GNGGA,120000.00,4314.33694,N*" + "7E",
    ],
)
def test_a_sentence_without_a_right_checksum_is_refused(line: str) -> None:
    with pytest.raises(NmeaError):
        parse(line)


def test_a_sentence_that_the_receiver_cut_short_says_nothing() -> None:
    with pytest.raises(NmeaError):
        parsed("GPGSA,A,1,,,,")


def test_GSA_knows_its_system_and_any_number_of_satellite_fields() -> None:
    galileo = parsed("GNGSA,A,3,07,12,33,,,,,,,,,,1.05,0.64,0.83,3")
    assert (galileo.used, galileo.hdop, galileo.gsa_mode) == (frozenset({"3:7", "3:12", "3:33"}), 0.64, 3)
    long = parsed("GPGSA,A,3,27,23,13,07,25,,,,,,,,,,,,,,,,,,,,07.9,06.0,05.2")
    assert len(long.used) == 5


@pytest.mark.parametrize(
    "body", ["GPGSV,1,1,01,05,01,047,,1", "PUBX,00,1", "PQGSA,A,3,12", "GNXYZ,1,2", "PMTK001,604,1"]
)
def test_kinds_that_are_not_read_are_passed_over(body: str) -> None:
    assert parsed(body) is OTHER


def test_an_antenna_fault_is_told_and_clears_trust() -> None:
    (fix,) = read("GNTXT,01,01,02,ANTSTATUS=OPEN", RMC, GGA)
    assert (fix.valid, fix.trusted, fix.reasons) == (True, False, ("antenna_open",))


class TestFramer:
    def test_takes_sentences_in_any_pieces(self) -> None:
        data = lines(RMC, GGA)
        for size in (1, 2, 7, 80, 4096):
            framer = Framer()
            pieces = [data[start : start + size] for start in range(0, len(data), size)]
            got = [line for piece in pieces for line in framer.feed(piece, 0.0)]
            assert got == data.decode().split()

    def test_H21_resynchronises_on_the_dollar_sign(self) -> None:
        torn = b"$GNRMC,120000.00,A,43\x00\xff\r\n" + lines(RMC)[:30] + lines(GGA)
        assert Framer().feed(torn, 0.0) == [sentence(GGA).strip()]

    def test_skips_binary_in_between(self) -> None:
        ubx = bytes.fromhex("b5620107040024002a00") * 40
        framer = Framer()
        assert framer.feed(ubx + lines(RMC) + ubx + lines(GGA) + ubx, 0.0) == [
            sentence(RMC).strip(),
            sentence(GGA).strip(),
        ]
        assert framer.take_skipped() >= 1200

    def test_takes_real_sentences_longer_than_82_characters_up_to_its_bound(self) -> None:
        fits = sentence("GNTXT,01,01,02," + "x" * (SENTENCE_CHARS_MAX - 19)).strip()
        assert len(fits) == SENTENCE_CHARS_MAX
        assert Framer().feed(fits.encode() + b"\r\n", 0.0) == [fits]
        over = sentence("GNTXT,01,01,02," + "x" * (SENTENCE_CHARS_MAX - 18)).strip()
        assert Framer().feed(over.encode() + b"\r\n", 0.0) == []

    def test_half_a_sentence_grows_old(self) -> None:
        data, framer = lines(RMC), Framer()
        assert framer.feed(data[:40], 0.0) == []
        assert framer.feed(data[40:], 1.0) == [sentence(RMC).strip()]
        assert framer.feed(data[:40], 10.0) == []
        assert framer.feed(data[40:], 13.0) == []

    def test_H21_a_line_that_never_ends_is_not_kept(self) -> None:
        framer = Framer()
        for _ in range(1000):
            framer.feed(b"$GNRMC," + b"1" * 500, 0.0)
        assert len(framer._half) <= SENTENCE_CHARS_MAX
