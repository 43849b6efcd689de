"""How sentences become one line per time stamp, and what the line claims (Rule 19's date, time and place)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hw.epoch import SENTENCES_MAX, USED_MAX, EpochBuilder
from hw.fix import Fix, TrustLimits
from hw.nmea import NmeaReader
from hw.nmea_fields import Sentence
from tests.contract.wires import lines, read

PLACE = "4314.33694,N,07653.38254,E"


def rmc(clock: str, status: str = "A", day: str = "221126", knots: str = "10.0", faa: str = "A") -> str:
    return f"GNRMC,{clock},{status},{PLACE if status == 'A' else ',,,'},{knots},77.5,{day},,,{faa},V"


def gga(clock: str, quality: int = 1, satellites: int = 12, altitude: str = "812.4") -> str:
    return f"GNGGA,{clock},{PLACE},{quality},{satellites:02d},0.80,{altitude},M,-40.6,M,,"


def gll(clock: str, status: str = "A") -> str:
    return f"GNGLL,{PLACE},{clock},{status},A"


def gsa(mode: int, talker: str = "GP", satellites: str = "05,07,08,13") -> str:
    return f"{talker}GSA,A,{mode},{satellites},,,,,,,,,1.2,0.8,0.9"


def modes(*bodies: str) -> list[int]:
    return [fix.mode for fix in read(*bodies)]


class TestMode:
    def test_a_position_alone_is_two_dimensional(self) -> None:
        assert modes(rmc("120000"), rmc("120001")) == [2, 2]

    def test_an_altitude_with_four_satellites_is_three_dimensional(self) -> None:
        assert modes(gga("120000", satellites=4), rmc("120000")) == [3]
        assert modes(gga("120000", satellites=3), rmc("120001")) == [2, 3]

    def test_without_an_altitude_it_is_two_dimensional(self) -> None:
        assert modes(gga("120000", satellites=9, altitude="")) == [2]

    def test_four_satellites_in_GSA_make_a_bare_RMC_three_dimensional(self) -> None:
        assert modes(gsa(3), rmc("120000")) == [3]

    def test_GSA_decides_where_no_altitude_is_known(self) -> None:
        assert modes(rmc("120000"), gsa(3)) == [3]
        assert modes(gga("120000", altitude=""), gsa(1)) == [1]

    def test_GSA_two_does_not_take_back_a_known_altitude(self) -> None:
        assert modes(gga("120000", satellites=4), gsa(2), rmc("120000")) == [3]

    def test_GSA_one_is_no_fix(self) -> None:
        assert modes(gga("120000"), gsa(1)) == [1]

    def test_GLL_alone_with_ZDA_is_a_fix_with_a_time(self) -> None:
        first, second = read(
            "GPZDA,120000.00,22,11,2026,00,00", gll("120000.00"), "GPZDA,120001.00,22,11,2026,00,00", gll("120001.00")
        )
        assert (first.mode, first.valid, first.time_utc) == (2, True, datetime(2026, 11, 22, 12, tzinfo=UTC))
        assert second.speed_mps == 0.0  # worked out from the positions, as the receiver gives none

    def test_the_last_word_of_an_epoch_counts(self) -> None:
        assert modes(gga("120000"), gll("120000", "V")) == [1]

    def test_a_receiver_of_several_systems_reports_the_share_of_GPS_without_meaning(self) -> None:
        assert modes(rmc("120000"), gsa(3, "GN"), gsa(1, "GP")) == [3]


class TestNoFix:
    @pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [1, 2, 0]])
    def test_RMC_V_is_no_fix_whatever_GGA_says(self, order: list[int]) -> None:
        bodies = [rmc("120000", "V", faa="N"), gga("120000"), gsa(3)]
        (fix,) = read(*[bodies[number] for number in order])
        assert (fix.mode, fix.valid, fix.latitude_deg, fix.speed_mps) == (1, False, None, None)

    def test_RMC_A_with_mode_N_is_no_fix(self) -> None:
        assert modes(rmc("120000", faa="N")) == [1]

    def test_a_remembered_position_under_quality_zero_is_no_fix(self) -> None:
        assert modes(gga("120000", quality=0, satellites=0)) == [1]

    def test_a_receiver_without_any_time_still_gives_lines(self) -> None:
        silent = ["GPGGA,,,,,,0,,,,,,,,", "GPRMC,,V,,,,,,,,,,N"]
        assert [(fix.mode, fix.time_utc) for fix in read(*silent * 3)] == [(1, None)] * 3


class TestTime:
    def test_time_is_null_until_the_receiver_gave_a_date(self) -> None:
        first, second = read(gga("120000"), gga("120001"), rmc("120001"))
        assert first.time_utc is None
        assert second.time_utc == datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)

    def test_the_date_of_a_void_RMC_is_not_believed(self) -> None:
        assert read(rmc("120000", "V", faa="N"))[0].time_utc is None

    def test_midnight_turns_the_date_with_the_next_GGA_already(self) -> None:
        fixes = read(rmc("235959"), gga("235959"), gga("000000"), gga("000001"), rmc("000001", day="231126"))
        assert [fix.time_utc.isoformat() for fix in fixes if fix.time_utc] == [
            "2026-11-22T23:59:59+00:00",
            "2026-11-23T00:00:00+00:00",
            "2026-11-23T00:00:01+00:00",
        ]

    def test_a_receiver_that_lost_its_time_lost_its_date(self) -> None:
        fixes = read(rmc("120000"), "GPRMC,,V,,,,,,,,,,N", gga("120002"))
        assert fixes[-1].time_utc is None

    def test_the_year_end(self) -> None:
        fixes = read(rmc("235959", day="311226"), gga("235959"), gga("000000"))
        assert fixes[-1].time_utc == datetime(2027, 1, 1, tzinfo=UTC)


class TestEnd:
    def feed(self, builder: NmeaReader, *bodies: str) -> list[Fix]:
        return builder.feed(lines(*bodies), 0.0)

    def test_the_sentence_that_closed_the_epoch_before_ends_this_one(self) -> None:
        reader = NmeaReader(TrustLimits())
        assert self.feed(reader, rmc("120000"), gga("120000"), gll("120000")) == []
        assert len(self.feed(reader, rmc("120001"))) == 1
        assert self.feed(reader, gga("120001")) == []
        assert len(self.feed(reader, gll("120001"))) == 1

    def test_of_several_GSA_the_last_ends_the_epoch(self) -> None:
        reader = NmeaReader(TrustLimits())
        self.feed(reader, rmc("120000"), gsa(3, "GN"), gsa(3, "GN"))
        self.feed(reader, rmc("120001"))
        assert self.feed(reader, gsa(3, "GN")) == []
        assert len(self.feed(reader, gsa(3, "GN"))) == 1

    def test_a_sentence_after_the_end_makes_no_second_line(self) -> None:
        reader = NmeaReader(TrustLimits())
        self.feed(reader, gga("120000"), rmc("120000"))
        assert len(self.feed(reader, gga("120001"), rmc("120001"))) == 2
        assert self.feed(reader, gsa(3), gll("120001")) == []
        assert [
            fix.time_utc.second
            for fix in self.feed(reader, gga("120002"), rmc("120002"), gga("120003"))
            if fix.time_utc
        ] == [2]

    def test_the_end_of_input_closes_the_last_epoch(self) -> None:
        assert len(read(rmc("120000"))) == 1
        assert NmeaReader(TrustLimits()).end() == []
        assert EpochBuilder(eager=True).end() == []

    def test_an_epoch_is_as_old_as_its_last_byte(self) -> None:
        reader = NmeaReader(TrustLimits())
        reader.feed(lines(rmc("120000")), 1.0)
        reader.feed(lines(gga("120000")), 1.5)
        (fix,) = reader.feed(lines(rmc("120001")), 2.0)
        assert fix.at_s == 1.5


def test_H21_an_epoch_that_never_ends_does_not_grow() -> None:
    builder = EpochBuilder(eager=True)
    for number in range(5000):
        builder.feed(
            Sentence("GSA", "GN", gsa_mode=3, used=frozenset({f"1:{number}"}), bad=("GSA.hdop",)), number / 1000.0
        )
    assert len(builder._seen) <= SENTENCES_MAX
    assert len(builder._used) <= USED_MAX
    (epoch,) = builder.end()
    assert len(epoch.bad) <= SENTENCES_MAX


def test_a_fix_that_was_claimed_is_not_taken_back_by_the_next_time_stamp() -> None:
    assert modes(rmc("120000"), rmc("120001"), rmc("120002", "V"), rmc("120003")) == [2, 2, 1, 2]


def test_speed_and_course_come_from_VTG_where_RMC_is_absent() -> None:
    (fix,) = read(gga("120000"), "GNVTG,123.4,T,,M,19.438,N,36.0,K,A")
    assert fix.speed_mps == pytest.approx(10.0, abs=0.001)
    assert fix.course_deg == 123.4
