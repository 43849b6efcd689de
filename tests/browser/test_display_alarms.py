"""Alarms on the cab display: one line per cause, none lost, each state unmistakable, every press the right command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import TimeoutError as TooLateError

from tests.browser.alarm_scenes import UNTIL, calling, care, every_state, flooded, one_alarm
from tests.browser.display_page import Cab, cab
from tests.browser.display_scenes import alarm, equipment, mixed_checking, refusal, scene
from tests.integration.display_rig import wait_for
from vehicle_agent import texts

PAGES_MAX = 20  # more than any list of a scene has
STANDING_S = 3.2  # then the screen is unlocked
FLOODED = (  # of `flooded`: the gravest first, and among equals the one that was raised first
    "cell_lock_fault",
    "cell_temperature",
    "notice_unconfirmed",
    "care_lost",
    "chattering",
    "button_stuck",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cab]:
    with cab(browser, tmp_path_factory.mktemp("alarms"), is_fast=True) as made:
        made.show(scene("securing"))
        made.tap("row:isolation")
        made.enter_pin()  # one commander's session for the whole module
        wait_for(lambda: len(made.control.commands()) == 2, "the command after the PIN")
        made.page.locator("#sheet").wait_for(state="hidden")
        yield made


@pytest.fixture
def screen(shared: Cab) -> Iterator[Cab]:
    shared.control.handlers.clear()
    shared.control.requests.clear()
    yield shared
    shared.control.handlers.clear()
    shared.show(scene("no_trip"))
    back = shared.page.locator('[data-key="sheet:back"]')
    for _ in range(PAGES_MAX):
        if not back.is_visible():
            break
        shared.pause()
        with contextlib.suppress(TooLateError):  # it may go by itself, as the page is drawn anew
            back.first.tap(timeout=2000)
    back.wait_for(state="hidden", timeout=5000)


def show_standing(screen: Cab, snapshot: dict[str, Any]) -> None:
    """Show a scene under way that stands, and wait until the screen is unlocked."""
    screen.show(snapshot)
    screen.pause(STANDING_S)
    screen.page.locator('[data-key="arrive"]').wait_for()


def pages(screen: Cab, selector: str) -> list[str]:
    """What `selector` finds on all pages of the open sheet: the key where there is one, else the text."""
    seen: list[str] = []
    for _ in range(PAGES_MAX):
        shown = [found for found in screen.page.locator(f"#sheet {selector}").all() if found.is_visible()]
        seen += [found.get_attribute("data-key") or found.inner_text() for found in shown]
        number = screen.page.locator("#sheet .pager span")
        if number.count() == 0 or len(set(number.inner_text().split("/"))) == 1:
            return seen
        screen.tap("sheet:next-page")
    raise AssertionError(f"the last page is never reached: {seen}")


def turn_to(screen: Cab, key: str) -> None:
    for _ in range(PAGES_MAX):
        if screen.page.locator(f'#sheet [data-key="{key}"]').is_visible():
            screen.tap(key)
            return
        screen.tap("sheet:next-page")
    raise AssertionError(f"no page has {key}")


def acknowledged(screen: Cab) -> list[str]:
    return [request["body"]["alarm"] for request in screen.control.commands()]


def test_a_flood_shows_one_line_for_each_cause_and_loses_no_item(screen: Cab) -> None:
    snapshot = flooded()
    show_standing(screen, snapshot)
    assert "(+5)" in screen.text("#strip")
    screen.tap("alarms")
    assert screen.text(".sheet-head b") == "Тревоги: 50"
    assert pages(screen, ".alarm-line > .alarm") == [f"alarm:{code}" for code in FLOODED]
    found: dict[str, set[str]] = {}
    for code in FLOODED:
        screen.tap("sheet:back")
        screen.tap("alarms")
        turn_to(screen, f"alarm:{code}")
        found[code] = set(pages(screen, ".tile b"))
        screen.tap("sheet:back")
    for code in FLOODED:
        items = [entry["item"] for entry in snapshot["alarms"] if entry["code"] == code]
        names = {texts.label("ru", item) for item in items}
        if code == "notice_unconfirmed":  # the page knows the units' names
            assert len(found[code]) == len(items)
        else:
            assert found[code] == names
    assert sum(len(names) for names in found.values()) == 50


def test_what_nobody_has_seen_comes_first_and_what_is_put_aside_last(screen: Cab) -> None:
    show_standing(screen, every_state())
    screen.tap("alarms")
    order = ("cell_door_open_under_way", "welfare_due", "airflow_lost", "radio_lost", "gnss_lost")
    assert pages(screen, ".alarm-line > .alarm") == [f"alarm:{code}" for code in order]
    assert "Отложена до 13:30:05" in screen.text('[data-key="alarm:gnss_lost"]')


def test_an_alarm_says_priority_cause_consequence_and_action(screen: Cab) -> None:
    show_standing(screen, one_alarm("airflow_lost", "ventilation", "critical"))
    words = ("Опасно", *texts.alarm("ru", "airflow_lost", "ventilation"))
    for word in words:
        assert word in screen.text("#strip")
    screen.tap("alarms")
    for word in (*words, "Не подтверждена"):
        assert word in screen.text("#sheet .alarm-line")


def test_items_of_one_cause_stand_in_one_line(screen: Cab) -> None:
    show_standing(screen, every_state())
    assert "Открыты двери камер 1, 2, 5" in screen.text("#strip")
    show_standing(screen, flooded())
    screen.tap("alarms")
    turn_to(screen, "alarm:care_lost")
    assert "Кнопка вызова, камера 1, 2, 3, 4, 5, 6; Температура, камера 1, 2" in screen.text("#sheet .alarm")


def look(screen: Cab, snapshot: dict[str, Any]) -> tuple[str, str, str]:
    """Border, hatching and ground of the strip."""
    screen.show(snapshot)
    style = "(e) => { const s = getComputedStyle(e); return [s.borderTopStyle, s.backgroundImage, s.backgroundColor]; }"
    border, image, ground = screen.page.locator("#strip .alarm").evaluate(style)
    return str(border), str(image).split("(")[0], str(ground)


@pytest.mark.parametrize("priority", ["critical", "warning", "advisory"])
def test_three_states_look_different_without_their_words(screen: Cab, priority: str) -> None:
    states = ("unacknowledged", "acknowledged", "returned")
    looks = [look(screen, one_alarm("radio_lost", "radio", priority, state)) for state in states]
    assert [border for border, _, _ in looks] == ["solid", "solid", "dashed"]
    assert [image for _, image, _ in looks] == ["none", "none", "repeating-linear-gradient"]
    assert looks[0][2] != looks[1][2]


def test_a_returned_alarm_says_that_its_cause_has_gone_and_that_nobody_has_seen_it(screen: Cab) -> None:
    show_standing(screen, one_alarm("radio_lost", "radio", "warning", "returned"))
    assert "Причина снята, ещё не просмотрена" in screen.text("#strip")
    assert "Свяжитесь другим средством" not in screen.text("#strip")
    screen.tap("ack:radio_lost")
    assert screen.control.wait_command("acknowledge_alarm")["body"]["alarm"] == "a-radio_lost"


def test_who_acknowledged_is_shown(screen: Cab) -> None:
    named = {"acknowledged_by": "майор Серіков Ә.Қ."}
    show_standing(screen, one_alarm("airflow_lost", "ventilation", "critical", "acknowledged", **named))
    assert "Подтверждена: майор Серіков Ә.Қ." in screen.text("#strip")
    assert screen.page.locator('[data-key^="ack:"]').count() == 0
    show_standing(screen, one_alarm("airflow_lost", "ventilation", "critical", "acknowledged"))
    assert "Подтверждена: начальник конвоя" in screen.text("#strip")


def test_acknowledging_a_cause_acknowledges_each_of_its_alarms_though_rev_moves(screen: Cab) -> None:
    show_standing(screen, every_state())
    now = screen.control.snapshot
    done: list[str] = []

    def acknowledge(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request["body"]["rev"] != now["rev"]:
            return 409, {"accepted": False, "refusals": [refusal("stale_view", None, None)]}
        done.append(request["body"]["alarm"])
        next(entry for entry in now["alarms"] if entry["id"] == done[-1])["state"] = "acknowledged"
        now["rev"] += 1
        return 200, {"accepted": True, "rev": now["rev"], "seq": 1}

    screen.control.handlers["acknowledge_alarm"] = acknowledge
    screen.control.handlers["snapshot"] = lambda _: (200, now)
    screen.tap("ack:cell_door_open_under_way")
    wait_for(lambda: len(done) == 2, "both alarms that nobody had seen")
    assert sorted(done) == ["a-door-1", "a-door-2"]  # the third had been acknowledged before
    assert not screen.page.locator("#sheet").is_visible()


def test_an_alarm_that_is_there_again_is_not_acknowledged_by_a_press_on_the_gone_one(screen: Cab) -> None:
    show_standing(screen, one_alarm("radio_lost", "radio", "warning", "returned"))
    newer = screen.control.snapshot
    newer["rev"] += 1
    newer["alarms"][0]["state"] = "unacknowledged"
    screen.control.handlers["snapshot"] = lambda _: (200, newer)
    stale = {"accepted": False, "refusals": [refusal("stale_view", None, None)]}
    screen.control.handlers["acknowledge_alarm"] = lambda _: (409, stale)
    screen.tap("ack:radio_lost")
    screen.page.locator("#sheet").wait_for()
    assert "Данные изменились" in screen.text("#sheet")
    assert acknowledged(screen) == ["a-radio_lost"]


def test_a_warning_is_put_aside_with_a_time_and_a_reason(screen: Cab) -> None:
    alarms = [
        alarm("care_lost", f"cell_call_{n}", "warning", state) | {"id": f"a-{n}"}
        for n, state in ((1, "unacknowledged"), (2, "acknowledged"), (3, "returned"))
    ]
    show_standing(screen, scene("under_way", motion="standing", alarms=alarms))
    screen.tap("alarms")
    screen.tap("alarm:care_lost")
    screen.tap("shelve:10")
    screen.tap("reason:technician_called")
    wait_for(lambda: len(screen.control.commands()) == 2, "one command for each that is there")
    assert [request["name"] for request in screen.control.commands()] == ["shelve_alarm"] * 2
    bodies = [request["body"] for request in screen.control.commands()]
    assert [body["alarm"] for body in bodies] == ["a-1", "a-2"]
    assert {(body["reason"], body["for_s"]) for body in bodies} == {("Техник вызван", 600)}
    screen.page.locator('[data-key="shelve:30"]').wait_for()  # back on the cause's sheet
    screen.tap("shelve:30")
    screen.tap("reason:other")
    wait_for(lambda: len(screen.control.commands()) == 4, "both again")
    assert screen.control.commands()[-1]["body"]["for_s"] == 1800


@pytest.mark.parametrize(
    ("snapshot", "code"),
    [
        (one_alarm("airflow_lost", "ventilation", "critical"), "airflow_lost"),
        (one_alarm("airflow_lost", "ventilation", "critical", "acknowledged"), "airflow_lost"),
        (one_alarm("cell_call", "cell_call_3", "critical"), "cell_call"),
        (one_alarm("radio_lost", "radio", "warning", "returned"), "radio_lost"),
        (one_alarm("radio_lost", "radio", "warning", shelved_until=UNTIL), "radio_lost"),
    ],
)
def test_nothing_critical_gone_or_put_aside_already_can_be_put_aside(
    screen: Cab, snapshot: dict[str, Any], code: str
) -> None:
    show_standing(screen, snapshot)
    screen.tap("menu")
    screen.tap("menu:alarms")
    screen.tap(f"alarm:{code}")
    assert screen.page.locator('[data-key^="shelve:"]').count() == 0


def test_what_is_put_aside_leaves_the_strip_and_stays_in_the_sheet(screen: Cab) -> None:
    show_standing(screen, one_alarm("gnss_lost", "gnss", "advisory", shelved_until=UNTIL))
    assert not screen.page.locator("#strip").is_visible()
    screen.tap("menu")
    screen.tap("menu:alarms")
    assert "Отложена до 13:30:05" in screen.text("#sheet .alarm-line")
    assert screen.page.locator('[data-key^="sheet-ack:"]').count() == 0


def test_H36_a_call_takes_the_strip_and_stays_until_it_is_answered(screen: Cab) -> None:
    screen.show(calling())
    assert "Вызов из камеры 3 (+2)" in screen.text("#strip")
    large, plain = (
        screen.page.locator(selector).evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
        for selector in ("#strip .alarm b >> nth=0", "#body .tile b >> nth=0")
    )
    assert large > plain
    gone = calling()
    gone["alarms"][2]["state"] = "returned"  # the button was let go; nobody has answered
    screen.show(gone)
    assert "Вызов из камеры 3" in screen.text("#strip")
    assert "Ответьте" in screen.text("#strip")
    screen.tap("ack:cell_call")
    assert screen.control.wait_command("acknowledge_alarm")["body"]["alarm"] == "a-cell_call"


def test_H36_confirming_the_look_at_the_people_is_said_on_the_button(screen: Cab) -> None:
    show_standing(screen, one_alarm("welfare_due", None, "warning"))
    assert screen.text('[data-key="ack:welfare_due"]') == "Люди проверены"
    screen.tap("ack:welfare_due")
    screen.control.wait_command("acknowledge_alarm")
    show_standing(screen, one_alarm("welfare_due", None, "warning", "returned"))
    assert screen.text('[data-key="ack:welfare_due"]') == "Подтвердить"  # somebody else had looked


def test_H36_temperatures_and_calls_have_their_tiles(screen: Cab) -> None:
    screen.show(scene("under_way", equipment=equipment() | care()))
    assert "21,5 … 26,5 °C" in screen.text("#body")
    assert "Вызова нет" in screen.text("#body")
    screen.show(calling())
    hot = screen.page.locator("#body .tile.crit")
    assert [tile.inner_text() for tile in hot.all()] == [
        "Температура, камера 2\n41,3 °C",
        "Кнопка вызова, камера 3\nВызывает",
    ]
    silent = equipment() | care()
    silent["cell_temperature_4"] |= {"status": "fault", "reason": "not_readable", "detail": {"celsius": None}}
    screen.show(scene("under_way", equipment=silent))
    assert "Температура, камера 4\nНеисправно: не читается" in screen.text("#body")
    screen.show(scene("checking", equipment=equipment() | care()))
    screen.tap("menu")
    screen.tap("menu:equipment")
    assert len([name for name in pages(screen, ".tile b") if name.startswith(("Температура", "Кнопка"))]) == 12


def test_a_vehicle_without_a_care_watch_shows_none(screen: Cab) -> None:
    screen.show(scene("under_way"))
    assert "°C" not in screen.text("#body")
    assert "Вызов" not in screen.text("#body")


def test_while_moving_the_strip_still_acknowledges_and_opens_nothing(screen: Cab) -> None:
    screen.show(every_state(motion="moving"))
    keys = "[...document.querySelectorAll('[data-key]')].filter((e) => e.getBoundingClientRect().width > 0)"
    assert screen.page.evaluate(f"() => {keys}.map((e) => e.dataset.key)") == ["ack:cell_door_open_under_way"]
    screen.page.locator("#strip .alarm").tap()
    assert not screen.page.locator("#sheet").is_visible()
    screen.tap("ack:cell_door_open_under_way")
    wait_for(lambda: len(acknowledged(screen)) == 2, "both alarms that nobody had seen")


def test_what_a_person_answers_for_by_hand_has_its_own_colour(screen: Cab) -> None:
    screen.show(mixed_checking())
    screen.seek("row:documents")
    tile = screen.page.locator(".tile.manual").first
    colours = "(e, name) => { e.style.color = `var(--${name})`; return getComputedStyle(e).color; }"
    probe = screen.page.locator("#head .clock")
    shown = tile.locator(".state").evaluate("(e) => getComputedStyle(e).color")
    others = {name: probe.evaluate(colours, name) for name in ("manual", "warn", "ok", "advice", "stale")}
    assert shown == others.pop("manual")
    assert shown not in others.values()


def test_on_the_road_without_a_session_the_strip_says_to_stop_for_the_pin(browser: Browser, tmp_path: Path) -> None:
    with cab(browser, tmp_path, is_fast=True) as made:
        moving = one_alarm("airflow_lost", "ventilation", "critical") | {"motion": "moving"}
        made.show(moving)
        made.tap("ack:airflow_lost")
        made.page.locator(".strip-note").wait_for()
        assert "после остановки" in made.text("#strip")
        assert not made.page.locator("#sheet").is_visible()
        show_standing(made, moving | {"motion": "standing"})
        made.tap("ack:airflow_lost")
        made.enter_pin()
        wait_for(lambda: len(made.control.commands()) == 3, "the acknowledgement after the PIN")


def test_the_commander_s_name_goes_with_the_pin_and_is_remembered_here_only(browser: Browser, tmp_path: Path) -> None:
    with cab(browser, tmp_path, is_fast=True) as made:

        def sessions() -> list[tuple[str, str | None]]:
            return [(r["pin"], r.get("by")) for r in made.control.requests if r["op"] == "session"]

        made.show(scene("securing"))
        made.tap("row:isolation")
        made.enter_pin("1111")  # without a name
        made.page.locator(".pin p").wait_for()
        made.tap("pin:name")
        for key in ("key:М", "key:А", "key:Й", "key:space", "key:page", "key:Ә", "key:enter"):
            made.tap(key)
        assert "МАЙ Ә" in made.text('[data-key="pin:name"]')
        made.enter_pin("2468")
        wait_for(lambda: len(made.control.commands()) == 2, "the command again")
        assert sessions() == [("1111", None), ("2468", "МАЙ Ә")]
        made.page.context.clear_cookies()  # another session, on this computer
        made.page.reload()
        made.page.locator("#cover").wait_for(state="hidden")
        made.tap("row:isolation")
        assert "МАЙ Ә" in made.text('[data-key="pin:name"]')
        made.enter_pin("2468")
        wait_for(lambda: len(sessions()) == 3, "the third session")
        assert sessions()[-1] == ("2468", "МАЙ Ә")
        sent = [request for request in made.control.requests if "МАЙ" in str(request)]
        assert {request["op"] for request in sent} == {"session"}
