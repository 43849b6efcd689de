"""Fingers on the page: taps run commands, holds guard what cannot be undone, nothing is lost in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.display_page import Cab, cab
from tests.browser.display_scenes import alarmed, halted, mixed_checking, notice, refusal, refused_boarding, scene
from tests.integration.display_rig import wait_for
from vehicle_agent import texts


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cab]:
    with cab(
        browser, tmp_path_factory.mktemp("taps"), limits='manual_fallback = ["ventilation"]', is_fast=True
    ) as made:
        made.show(scene("checking"))
        made.tap("start_tests")
        made.enter_pin()  # one commander's session for the whole module
        wait_for(lambda: len(made.control.commands()) == 2, "the command after the PIN")
        made.page.locator("#sheet").wait_for(state="hidden")
        yield made


@pytest.fixture
def screen(shared: Cab) -> Iterator[Cab]:
    shared.control.handlers.clear()
    shared.control.requests.clear()
    yield shared
    shared.show(scene("no_trip"))
    while shared.page.locator('[data-key="sheet:back"]').is_visible():
        shared.tap("sheet:back")


@pytest.mark.parametrize(
    ("snapshot", "key", "command", "arguments"),
    [
        (mixed_checking(), "start_tests", "start_tests", {}),
        (scene("checking"), "open_boarding", "open_boarding", {}),
        (scene("boarding"), "board:2", "board_person", {"cell": 2}),
        (scene("boarding"), "suspend", "suspend_boarding", {}),
        (scene("boarding"), "finish", "finish_boarding", {}),
        (refused_boarding(), "open_boarding", "open_boarding", {}),
        (scene("securing"), "row:isolation", "confirm", {"item": "isolation"}),
        (scene("securing"), "secure", "secure", {}),
        (scene("arrived"), "open_unloading", "open_unloading", {}),
        (scene("unloading"), "unload:6", "unload_person", {"cell": 6}),
        (alarmed("checking", "standing"), "ack:airflow_lost", "acknowledge_alarm", {"alarm": "a-airflow_lost"}),
        (alarmed(), "ack:airflow_lost", "acknowledge_alarm", {"alarm": "a-airflow_lost"}),
    ],
)
def test_a_tap_runs_the_command(
    screen: Cab, snapshot: dict[str, Any], key: str, command: str, arguments: dict[str, Any]
) -> None:
    screen.show(snapshot)
    screen.tap(key)
    sent = screen.control.wait_command(command)
    assert sent["body"] == {"rev": screen.control.snapshot["rev"], **arguments}


def test_R17_isolation_reminds_of_the_requests_reverse_until_it_is_confirmed(screen: Cab) -> None:
    snapshot = scene("securing")
    reminder = texts.get(screen.page.evaluate("document.documentElement.lang"), "display.see_reverse")
    isolation = next(row for row in snapshot["checklist"] if row["item"] == "isolation")
    for status, is_shown in (("pending", True), ("passed", False), ("expired", False)):
        isolation["status"] = status
        screen.show(snapshot)
        row = screen.page.locator('[data-key="row:isolation"]').first
        assert (f"{reminder} {snapshot['trip']['request_number']}" in row.inner_text()) is is_shown, status


@pytest.mark.parametrize(
    ("snapshot", "key", "command"),
    [
        (scene("boarding"), "unboard:2", "unboard_person"),
        (scene("secured"), "depart", "depart"),
        (scene("unloading"), "close_trip", "close_trip"),
    ],
)
def test_what_cannot_be_undone_needs_a_hold_of_1_5_s(
    screen: Cab, snapshot: dict[str, Any], key: str, command: str
) -> None:
    screen.show(snapshot)
    screen.tap(key)
    screen.hold(key, 1.2)
    assert screen.control.commands() == []
    screen.hold(key, 1.8)
    screen.control.wait_command(command)


def test_a_redraw_during_a_hold_neither_loses_nor_moves_it(screen: Cab) -> None:
    screen.show(scene("boarding"))
    screen.pause()
    box = screen.page.locator('[data-key="unboard:1"]').bounding_box()
    assert box is not None
    screen.page.mouse.move(box["x"] + 20, box["y"] + 20)
    screen.page.mouse.down()
    for count in (3, 4, 5):
        screen.pause(0.35)
        screen.show(scene("boarding", counts={"commander": 2, "body": count, "unloaded": 0}))
    screen.pause(0.8)
    screen.page.mouse.up()
    assert screen.control.wait_command("unboard_person")["body"]["cell"] == 1


def test_a_finger_that_slides_off_presses_nothing(screen: Cab) -> None:
    screen.show(scene("boarding"))
    screen.pause()
    start, end = (screen.page.locator(f'[data-key="board:{cell}"]').bounding_box() for cell in (2, 3))
    assert start is not None
    assert end is not None
    screen.page.mouse.move(start["x"] + 20, start["y"] + 20)
    screen.page.mouse.down()
    screen.page.mouse.move(end["x"] + 20, end["y"] + 20)
    screen.page.mouse.up()
    assert screen.control.commands() == []


def test_a_double_tap_counts_one_person(screen: Cab) -> None:
    screen.show(scene("boarding"))
    screen.pause()
    plus = screen.page.locator('[data-key="board:2"]')
    plus.tap()
    plus.tap()
    screen.control.wait_command("board_person")
    screen.pause()
    assert len(screen.control.commands()) == 1


def test_sensed_rows_have_no_control(screen: Cab) -> None:
    screen.show(scene("checking"))
    for item in ("radio", "cell_lock_1", "lighting", "order_valid"):
        assert screen.page.locator(f'[data-key="row:{item}"]').count() == 0


def test_documents_are_confirmed_one_by_one(screen: Cab) -> None:
    screen.show(mixed_checking())
    screen.seek("row:documents")
    screen.tap("row:documents")
    screen.tap("part:files")
    assert screen.control.wait_command("confirm")["body"]["part"] == "files"


def test_a_broken_sensor_s_row_asks_for_the_pin_again(screen: Cab) -> None:
    screen.show(mixed_checking())
    screen.seek("row:ventilation")
    screen.tap("row:ventilation")
    screen.hold("fallback", 1.8)
    screen.enter_pin("2468")
    body = screen.control.wait_command("confirm")["body"]
    assert (body["item"], body["pin"]) == ("ventilation", "2468")
    screen.page.locator("#sheet").wait_for(state="hidden")


def test_every_refusal_is_shown_with_its_rule(screen: Cab) -> None:
    screen.control.handlers["secure"] = lambda _: (
        409,
        {
            "accepted": False,
            "refusals": [refusal("lock_open", "cell_lock_2", "17"), refusal("counts_disagree", None, "16")],
        },
    )
    screen.show(scene("securing"))
    screen.tap("secure")
    screen.page.locator("#sheet .tile.crit").nth(1).wait_for()
    text = screen.text("#sheet")
    assert "Заприте камеру 2 · пункт 17" in text
    assert "Счёт не сходится: пересчитайте · пункт 16" in text


def test_a_change_elsewhere_is_retried_once_by_itself(screen: Cab) -> None:
    screen.show(scene("securing"))
    rev = screen.control.snapshot["rev"]
    newer = screen.control.snapshot | {"rev": rev + 1}
    screen.control.handlers["snapshot"] = lambda _: (200, newer)
    screen.control.handlers["confirm"] = lambda request: (
        (200, {"accepted": True, "rev": rev + 1, "seq": 1})
        if request["body"]["rev"] == rev + 1
        else (409, {"accepted": False, "refusals": [refusal("stale_view", None, None)]})
    )
    screen.tap("row:isolation")
    wait_for(lambda: len(screen.control.commands()) == 2, "the second try")
    assert [request["body"]["rev"] for request in screen.control.commands()] == [rev, rev + 1]
    assert not screen.page.locator("#sheet").is_visible()


def test_H27_a_change_of_what_was_pressed_is_shown_and_not_repeated(screen: Cab) -> None:
    screen.show(scene("boarding"))
    newer = screen.control.snapshot
    newer["rev"] += 1
    newer["trip"]["cells"][1]["seated"] = 2
    screen.control.handlers["snapshot"] = lambda _: (200, newer)
    screen.control.handlers["board_person"] = lambda _: (
        409,
        {"accepted": False, "refusals": [refusal("stale_view", None, None)]},
    )
    screen.tap("board:2")
    screen.page.locator("#sheet").wait_for()
    assert "Данные изменились" in screen.text("#sheet")
    assert len(screen.control.commands()) == 1


def test_after_the_pin_the_command_goes_on(browser: Browser, tmp_path: Path) -> None:
    with cab(browser, tmp_path, is_fast=True) as made:
        made.show(scene("securing"))
        made.tap("row:isolation")
        made.enter_pin("1111")
        made.page.locator(".pin p").wait_for()
        made.enter_pin("2468")
        wait_for(lambda: len(made.control.commands()) == 2, "the command again")
        assert made.control.commands()[-1]["session"] == "token-1"
        made.page.locator("#sheet").wait_for(state="hidden")


def test_after_the_pin_the_form_is_sent_and_closed(browser: Browser, tmp_path: Path) -> None:
    with cab(browser, tmp_path, is_fast=True) as made:
        for key in ("new_trip", "form:medical", "form:next", "form:number", "key:7", "key:enter", "form:next"):
            made.tap(key)
        for key in ("form:to:taraz-mp", "form:next", "form:next", "form:more:1", "form:next", "form:send"):
            made.tap(key)
        made.enter_pin()
        wait_for(lambda: len(made.control.commands()) == 2, "the form again")
        made.page.locator("#sheet").wait_for(state="hidden")


def test_control_gone_is_said(screen: Cab) -> None:
    screen.control.handlers["secure"] = lambda _: (503, {"error": "control_gone"})
    screen.show(scene("securing"))
    screen.tap("secure")
    screen.page.locator("#sheet").wait_for()
    assert "Управление не отвечает" in screen.text("#sheet") or "управление не отвечает" in screen.text("#sheet")


def test_while_moving_there_are_only_states_and_the_alarm_s_button(screen: Cab) -> None:
    screen.show(scene("secured"))
    screen.tap("menu")
    screen.show(alarmed())
    keys = "[...document.querySelectorAll('[data-key]')].filter((e) => e.getBoundingClientRect().width > 0)"
    shown = screen.page.evaluate(f"() => {keys}.map((e) => e.dataset.key)")
    assert shown == ["ack:airflow_lost"]


def test_unlocks_after_3_s_of_standing(screen: Cab) -> None:
    screen.show(scene("under_way"))
    screen.show(scene("under_way", motion="standing"))
    arrive = screen.page.locator('[data-key="arrive"]')
    screen.pause(2.0)
    assert not arrive.is_visible()
    screen.pause(1.2)
    arrive.wait_for()


def test_halt_and_notices_by_touch(screen: Cab) -> None:
    screen.show(halted())
    screen.pause(3.2)
    screen.page.locator('[data-key="in:2"]').wait_for()
    screen.tap("in:2")
    assert screen.control.wait_command("halt_in")["body"]["cell"] == 2
    overdue = [notice("karaganda-mp", "at_broker", overdue=True)]
    screen.show(scene("under_way", motion="standing", notices=overdue))
    screen.tap("notices")
    assert "Подтверждение задержано" in screen.text("#sheet")
    screen.tap("notice:n-departure-karaganda-mp")
    screen.hold("post:duty_officer", 1.8)
    body = screen.control.wait_command("told_by_radio")["body"]
    assert (body["notice"], body["post"]) == ("n-departure-karaganda-mp", "Дежурный")


def test_a_trip_is_opened_by_touch_alone(screen: Cab) -> None:
    screen.show(scene("no_trip"))
    steps = "new_trip form:outside_settlement form:women_on_board form:next form:number key:7 key:/ key:1 key:enter"
    for key in steps.split():
        screen.tap(key)
    more = "form:day+ form:next form:to:astana-mp form:next form:via:karaganda-mp form:next form:more:1 form:more:2"
    for key in (*more.split(), "form:watch:2", "form:next", "form:send"):
        screen.tap(key)
    body = screen.control.wait_command("open_trip")["body"]
    assert body["order"] == {"number": "7/1", "valid_until": "2026-11-23"}
    assert (body["kind"], body["women_on_board"], body["takeover"]) == ("outside_settlement", True, False)
    assert (body["destination"], body["intermediate"]) == ("astana-mp", ["karaganda-mp"])
    assert body["cells"] == [
        {"cell": 1, "planned": 1, "supervision": False},
        {"cell": 2, "planned": 1, "supervision": True},
    ]


def test_whom_to_tell_by_telephone_is_said(screen: Cab) -> None:
    snapshot = scene("under_way", motion="standing")
    snapshot["trip"] |= {"destination": None, "destination_place": "Городской суд"}
    screen.show(snapshot)
    assert "Сообщите по телефону: Городской суд" in screen.text("#strip")


def test_what_the_server_sends_is_text_only(screen: Cab) -> None:
    poison = '<img src=x onerror="document.title=1"><b>x</b>'
    snapshot = scene("under_way", motion="standing")
    snapshot["trip"] |= {"destination": None, "destination_place": poison}
    snapshot["alarms"] = [{**alarmed()["alarms"][0], "code": poison, "item": poison, "state": "acknowledged"}]
    screen.show(snapshot)
    assert poison in screen.text("#strip")
    assert screen.page.locator("#app img").count() == 0


@pytest.mark.parametrize(
    ("boarding", "words", "tone"),
    [
        ({"permitted": True, "open": True, "energised": True, "refusals": []}, "Посадка разрешена", "ok"),
        ({"permitted": True, "open": True, "energised": False, "refusals": []}, "Лампа разрешения не горит", "warn"),
        ({"permitted": True, "open": False, "energised": False, "refusals": []}, "Посадка приостановлена", "warn"),
        ({"permitted": True, "open": False, "energised": True, "refusals": []}, "Разрешение не снимается", "crit"),
        (
            {"permitted": False, "open": False, "energised": False, "refusals": [refusal("vehicle_moving")]},
            "Посадка запрещена",
            "crit",
        ),
        (
            {"permitted": False, "open": True, "energised": True, "refusals": [refusal("vehicle_moving")]},
            "Посадка запрещена",
            "crit",
        ),
    ],
)
def test_H05_green_is_only_shown_for_an_open_permitted_energised_permit(
    screen: Cab, boarding: dict[str, Any], words: str, tone: str
) -> None:
    screen.show(scene("boarding", boarding=boarding))
    block = screen.page.locator(".permit")
    assert block.inner_text() == words
    assert tone in str(block.get_attribute("class")).split()


def test_day_and_night_follow_the_sun_and_the_hand(screen: Cab) -> None:
    screen.show(scene("checking", at="2026-11-22T08:00:00Z"))
    assert screen.page.locator('html[data-theme="day"]').count() == 1
    screen.show(scene("checking", at="2026-11-22T16:00:00Z"))
    assert screen.page.locator('html[data-theme="night"]').count() == 1
    screen.tap("menu")
    screen.tap("menu:theme")
    assert screen.page.locator('html[data-theme="day"]').count() == 1
