"""The radio's dialogue, from bytes and over a pty (Rules 3 and 15: the radio station)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hw.pei import ALLOWED, LINE_CHARS_MAX, PeiReader
from hw.radio import RadioHealth, RadioStation
from simulators.bench.radio_device import TALKGROUP, RadioDevice
from tests.contract.wires import wait_for


class TestPei:
    def read(self, data: bytes) -> PeiReader:
        reader = PeiReader()
        reader.feed(data)
        return reader

    @pytest.mark.parametrize(
        ("stat", "registered"), [(0, False), (1, True), (2, False), (3, False), (4, False), (5, True)]
    )
    def test_registration(self, stat: int, registered: bool) -> None:
        assert self.read(f"+CREG: {stat},1638\r\nOK\r\n".encode()).answers.registered is registered

    @pytest.mark.parametrize(("steps", "rssi_dbm"), [(0, -113), (24, -65), (31, -51), (99, None)])
    def test_signal(self, steps: int, rssi_dbm: int | None) -> None:
        reader = self.read(f"+CSQ: {steps},99\r\n".encode())
        assert (reader.answers.rssi_dbm, reader.rejected) == (rssi_dbm, 0)

    @pytest.mark.parametrize(("number", "mode"), [(0, "tmo"), (1, "dmo"), (5, "gateway"), (6, "repeater")])
    def test_mode(self, number: int, mode: str) -> None:
        assert self.read(f"+CTOM: {number}\r\n".encode()).answers.mode == mode

    def test_talkgroup(self) -> None:
        assert self.read(b"+CTGS: 1,09011638300000001\r\n").answers.talkgroup == "09011638300000001"

    @pytest.mark.parametrize(
        "line",
        [
            b"+CREG: 9",
            b"+CREG:0052,1090",
            b"+CREG: 1x",
            b"+CREG: x",
            b"+CSQ: 50,99",
            b"+CTOM: 3",
            b"+CSQ:",
            b"\xff\xfe",
            b"OKAY",
            b"ok",
        ],
    )
    def test_nonsense_says_nothing(self, line: bytes) -> None:
        reader = self.read(line + b"\r\n")
        answers = reader.answers
        assert (answers.registered, answers.rssi_dbm, answers.mode, answers.final) == (None, None, None, None)

    @pytest.mark.parametrize("final", ["OK", "ERROR", "+CME ERROR: 35", "+CMS ERROR: 1"])
    def test_what_ends_a_question(self, final: str) -> None:
        assert self.read(f"\r\n{final}\r\n".encode()).answers.final == final

    def test_a_short_message_cannot_pose_as_an_answer(self) -> None:
        reader = self.read(b"+CTSDSR: 12,23404,0,23401,0,112\r\n82040801476A61746A616A676A61\r\n+CREG: 1\r\nOK\r\n")
        assert (reader.answers.registered, reader.answers.final, reader.unsolicited, reader.rejected) == (
            True,
            "OK",
            2,
            0,
        )

    def test_half_lines_and_echo(self) -> None:
        reader = PeiReader()
        for byte in b"AT+CREG?\r\r\n+CREG: 1,1638\r\n\r\nOK\r\n":
            reader.feed(bytes([byte]))
        assert (reader.answers.registered, reader.answers.final, reader.rejected) == (True, "OK", 0)

    def test_H21_a_line_that_never_ends_is_not_kept(self) -> None:
        reader = PeiReader()
        for _ in range(500):
            reader.feed(b"A" * 200)
        assert len(reader._half) <= LINE_CHARS_MAX
        reader.feed(b"\r\nOK\r\n")
        assert reader.answers.final == "OK"

    def test_nothing_that_may_be_asked_changes_the_radio(self) -> None:
        assert all(question == "AT" or question.endswith("?") or question == "AT+CSQ" for question in ALLOWED)
        assert not any("=" in question for question in ALLOWED)


class Bench:
    def __init__(self, directory: Path) -> None:
        self.device = RadioDevice(directory / "radio")
        self.station = RadioStation(str(directory / "radio"), poll_s=0.2)

    def was_asked(self, times: int) -> bool:
        return bool(self.device.state()["asked"] >= times)

    def health(self, **wanted: Any) -> bool:
        health = self.station.latest()
        return health is not None and all(getattr(health, name) == value for name, value in wanted.items())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.device.start()
    made.station.start()
    yield made
    made.station.stop()
    made.device.stop()


def test_a_registered_radio(bench: Bench) -> None:
    wait_for(lambda: bench.health(answered=True))
    health = bench.station.latest()
    assert health is not None
    assert abs(time.monotonic() - health.at_s) < 1.0
    assert health == RadioHealth(health.at_s, True, True, -85, "tmo", TALKGROUP, None)


def test_signal_strength_follows(bench: Bench) -> None:
    bench.device.set({"mode": "registered", "rssi_dbm": -51})
    wait_for(lambda: bench.health(rssi_dbm=-51))


def test_a_searching_radio_answers_but_is_not_registered(bench: Bench) -> None:
    bench.device.set("searching")
    wait_for(lambda: bench.health(answered=True, registered=False, rssi_dbm=None, reason="not registered"))


@pytest.mark.parametrize("mode", ["silent", "garbage"])
def test_silence_and_garbage_are_told_within_three_seconds(bench: Bench, mode: str) -> None:
    wait_for(lambda: bench.health(registered=True))
    bench.device.set(mode)
    assert wait_for(lambda: bench.health(answered=False, registered=None)) < 3.0
    bench.device.set("registered")
    wait_for(lambda: bench.health(registered=True))


def test_health_stays_fresh_and_unsolicited_lines_do_not_disturb(bench: Bench) -> None:
    wait_for(lambda: bench.health(registered=True))
    asked = bench.device.state()["asked"]
    healths = set()

    def enough() -> bool:
        health = bench.station.latest()
        assert health is not None
        assert health.registered
        assert time.monotonic() - health.at_s < 1.0
        healths.add(health.at_s)
        return len(healths) >= 6

    wait_for(enough)
    assert bench.device.state()["asked"] - asked >= 20


def test_the_radio_is_asked_nothing_but_the_allowed_questions(bench: Bench) -> None:
    for mode in ("registered", "searching", "garbage", "registered"):
        bench.device.set(mode)
        asked = bench.device.state()["asked"]
        # Garbage is no answer, so each question there takes its full second.
        wait_for(partial(bench.was_asked, asked + (1 if mode == "garbage" else 6)))
    assert set(bench.device.commands) <= ALLOWED
    assert set(bench.device.commands) >= {"AT", "AT+CREG?", "AT+CSQ?", "AT+CTOM?", "AT+CTGS?"}


def test_a_command_outside_the_list_is_refused_in_code(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not among the questions"):
        RadioStation(str(tmp_path / "radio"))._ask("AT+CTOM=1")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("dead", "allowed are registered"),
        ({"mode": "registered", "rssi": 1}, "rssi_dbm"),
        ({"mode": "registered", "rssi_dbm": 5}, "-113 to -51"),
        ({}, "allowed"),
    ],
)
def test_a_wrong_body_says_what_is_allowed(tmp_path: Path, body: Any, says: str) -> None:
    device = RadioDevice(tmp_path / "radio")
    before = device.state()
    with pytest.raises(ValueError, match=says):
        device.set(body)
    assert device.state() == before
