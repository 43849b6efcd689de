"""The trip report: columns 9, 10, 11 and 13 of the travel journal, and when everything was (Rules 13 to 19)."""

from __future__ import annotations

import contextlib
import html
import re
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.config_files import changed, write
from tests.contract.journal_kit import durable, opened
from tests.core.world import PLAN, World
from vehicle_agent import texts
from vehicle_agent.cli import main
from vehicle_agent.core.inputs import Receipt
from vehicle_agent.core.notices import wire_time

BLANK = {1, 2, 3, 4, 5, 6, 7, 8, 12, 14}


def kept(world: World, directory: Path) -> Path:
    """A vehicle's configuration whose journal tells of this world."""
    state, config = directory / "state", directory / "config"
    state.mkdir()
    config.mkdir()
    journal = opened(state)
    journal.append(*world.envelopes)
    durable(journal, len(world.envelopes))
    assert journal.stop()
    return write(config, changed("vehicle.paths.state_dir", str(state)))


def printed(config: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["journal", "report", "--config", str(config), "--lang", "en", *options]) == 0
    return capsys.readouterr().out


def cells(text: str) -> list[str]:
    """The words of each cell of a piece of the page."""
    found = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", text, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", " ", cell)).strip() for cell in found]


def journal_lines(page: str) -> list[dict[int, str]]:
    body = page.split('class="journal"')[1].split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
    return [dict(enumerate(cells(line), start=1)) for line in body.split("<tr>")[1:]]


def section(page: str, title: str) -> list[list[str]]:
    lines = page.split(f"<h2>{title}</h2>")[1].split("</table>", maxsplit=1)[0].split("<tr>")[1:]
    return [cells(line) for line in lines]


def test_R13_the_report_has_the_journals_columns_as_far_as_the_vehicle_knows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = World()
    w.to_under_way()
    page = printed(kept(w, tmp_path), capsys)
    head = cells(page.split('class="journal"')[1].split("</thead>")[0])
    assert (len(head), head[8], head[22]) == (28, "Basis of the escorting", "9")
    lines = journal_lines(page)
    assert [line[13] for line in lines] == ["Cell 1 Enhanced supervision", "Cell 2", "Cell 2", "", ""]
    for line in lines[:3]:
        assert line[9] == "order 17, valid until 01.12.2026 request number 4"
        assert line[10] == line[11] == "Military police, Astana"
    assert {line[number] for line in lines for number in BLANK} == {""}, "what the vehicle does not know is left blank"


def test_R13_a_place_without_a_unit_is_named_as_it_was_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = World()
    w.to_boarding(destination=None, destination_place='Court <b>"1"</b>', intermediate=[])
    w.board(2)
    lines = journal_lines(printed(kept(w, tmp_path), capsys))
    assert lines[0][10] == lines[0][11] == 'Court <b>"1"</b>', "and nothing of it is read as a command to the page"


def test_R13_whoever_was_taken_back_is_not_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    w = World()
    w.to_boarding()
    w.board(2, 1, 2)
    w.must("unboard_person", cell=2)
    assert [line[13][:6] for line in journal_lines(printed(kept(w, tmp_path), capsys))] == ["Cell 2", "Cell 1", "", ""]


def whole_trip() -> World:
    w = World()
    w.to_under_way()
    w.park()
    w.must("log_halt", reason="toilet")
    w.must("end_halt")
    w.must("arrive")
    w.must("open_unloading")
    for cell in (1, 2, 2):
        w.must("unload_person", cell=cell)
    for cell in (1, 2):
        w.loops[f"cell_{cell}"] = "door_open"
        w.run(0.1)
    w.press("body_count")
    w.must("close_trip")
    return w


def test_R19_the_report_tells_when_and_how_certain_and_who_has_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = whole_trip()
    told, first = w.trip.id, next(n for n in w.trip.notices if n.record.recipient == "astana-mp")
    w.source, w.uncertainty_s = "none", None
    for cell in (1, 2):
        w.loops[f"cell_{cell}"] = "locked"
    w.must("open_trip", **PLAN)
    w.scan(Receipt(first.id, "acknowledged", "astana-mp/1", "duty_officer", wire_time(w.utc), "0" * 64, "astana-mp"))
    config = kept(w, tmp_path)
    page = printed(config, capsys, "--trip", str(told))
    times = {line[2]: line for line in section(page, "Times")}
    assert list(times) == [
        "Trip opened",
        "Driver ready to move",
        "Boarding began",
        "Boarding finished",
        "Securing check done",
        "Departure",
        "Halt",
        "Halt ended",
        "Arrived",
        "Unloading began",
        "Trip closed",
    ]
    left_utc = next(e.at_utc for e in w.envelopes if e.event.type == "departed")
    assert times["Departure"][:2] == [(left_utc + timedelta(hours=5)).strftime("%d.%m.%Y %H:%M:%S"), "± 1 s"]
    assert times["Halt"][3] == "Toilet"
    assert section(page, "Check before boarding")[0][:2] == ["Radio station", "Passed"]
    assert [line[1] for line in section(page, "Securing check")] == ["Passed"] * 3 + ["Confirmed"] * 4
    assert [line[1] for line in section(page, "Check at the end of the trip")] == ["Passed"] * 2
    departures = {line[0]: line for line in section(page, "Notices") if line[1] == "Departure notice"}
    assert departures.keys() == {f"Military police, {town}" for town in ("Almaty", "Karaganda", "Astana")}
    stages = {unit: line[3:5] for unit, line in departures.items()}
    assert stages["Military police, Astana"] == ["Confirmed", "Duty officer"], "after the trip"
    assert stages["Military police, Karaganda"] == ["Recorded", ""]
    newest = printed(config, capsys)
    assert section(newest, "Times") == [[*section(newest, "Times")[0][:1], "Time uncertain", "Trip opened", ""]]


def test_R13_where_the_order_of_boarding_is_not_certain_the_report_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = World()
    w.to_boarding()
    w.board(2, 1, 2)
    w.must("unboard_person", cell=2)  # the first or the third: nobody has said
    assert "the order is not certain" in printed(kept(w, tmp_path), capsys)


def test_R17_a_departure_before_the_securing_check_is_shown_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = World()
    w.to_securing()
    w.drive()
    times = {line[2]: line for line in section(printed(kept(w, tmp_path), capsys), "Times")}
    assert times["Departure"][3] == "Without the securing check"


def test_what_comes_after_a_trips_end_is_not_in_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    w = World()
    w.to_ready()
    w.must("cancel_trip", reason="road")
    w.contacts["alarm_button"] = True
    w.run(1.0)
    assert any(one.event.type == "alarm_raised" for one in w.envelopes)
    page = printed(kept(w, tmp_path), capsys)
    assert "<h2>Alarms</h2>" not in page
    assert section(page, "Times")[-1][2:] == ["Trip cancelled", "Road conditions"]


def test_an_old_row_of_other_software_does_not_keep_a_trip_from_being_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = whole_trip()
    for cell in (1, 2):
        w.loops[f"cell_{cell}"] = "locked"
    w.must("open_trip", **PLAN)
    config = kept(w, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as connection, connection:
        connection.execute("UPDATE events SET type = 'of_another_release' WHERE type = 'tests_started'")
    assert main(["journal", "report", "--config", str(config), "--lang", "en"]) == 1, "for the chain is broken now"
    assert [line[2] for line in section(capsys.readouterr().out, "Times")] == ["Trip opened"]


@pytest.mark.parametrize("data", ["[]", '"x"', "{}", '{"notice": 7}'])
def test_whatever_a_damaged_row_says_what_stands_before_it_is_printed(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = kept(whole_trip(), tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as connection, connection:
        connection.execute("UPDATE events SET data = ? WHERE type = 'arrived'", (data,))
    assert main(["journal", "report", "--config", str(config), "--lang", "en"]) == 1
    page = capsys.readouterr().out
    assert "THE RECORD IS NOT WHOLE" in page
    assert [line[2] for line in section(page, "Times")][-1] == "Halt ended"


def test_a_plan_that_makes_no_sense_any_more_is_an_error_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = kept(whole_trip(), tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as connection, connection:
        sql = "UPDATE events SET data = replace(data, 'supervision', 'supervisiom') WHERE type = 'trip_opened'"
        connection.execute(sql)
    assert main(["journal", "report", "--config", str(config), "--lang", "en"]) == 1
    assert "NOT WHOLE" in capsys.readouterr().err


def test_every_word_of_the_report_is_in_three_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = kept(whole_trip(), tmp_path)
    for lang in texts.LANGUAGES:
        assert main(["journal", "report", "--config", str(config), "--lang", lang]) == 0
        page = capsys.readouterr().out
        assert re.findall(r"\b(?:report|status|stage|kind|display|count|notice|permit)\.[a-z_]+", page) == []
        assert f'<html lang="{lang}">' in page


def test_a_journal_that_is_not_whole_says_so_on_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = kept(whole_trip(), tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as connection, connection:
        connection.execute("UPDATE events SET at = '2026-11-22T00:00:00.000Z' WHERE type = 'departed'")
    assert main(["journal", "report", "--config", str(config), "--lang", "en"]) == 1
    assert "THE RECORD IS NOT WHOLE" in capsys.readouterr().out


def test_a_trip_that_is_not_there_is_an_error_that_names_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = World()
    w.to_ready()
    config = kept(w, tmp_path)
    assert main(["journal", "report", "--config", str(config), "--trip", "other"]) == 1
    said = capsys.readouterr()
    assert (said.out, str(w.trip.id) in said.err) == ("", True)
    assert main(["journal", "show", "--config", str(config), "--lang", "en"]) == 2
    (tmp_path / "state" / "journal.db").unlink()
    assert main(["journal", "report", "--config", str(config)]) == 1
    assert "there is no journal" in capsys.readouterr().err


def test_a_journal_without_a_trip_says_when_one_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    w = World()
    w.restart()
    assert main(["journal", "report", "--config", str(kept(w, tmp_path))]) == 1
    assert "A trip begins when the commander opens it" in capsys.readouterr().err
