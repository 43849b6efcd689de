"""The duty officer's page in a real browser: what is new calls, what is old says so, what arrives is only ever text."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.brokers import Broker, mosquitto
from tests.integration.desk_rig import (
    VEHICLES,
    DeskProcess,
    Keys,
    TestVehicle,
    new_id,
    now,
    position,
    running_desk,
    session,
    state,
    until,
)

CHROMIUM = "/usr/bin/chromium"
MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
UNUSED = iter(VEHICLES)
SLOW_DISK_MS = 20_000  # each round is one commit, which a busy disk may take seconds for


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def desk(keys: Keys, broker: Broker) -> Iterator[DeskProcess]:
    with running_desk(keys, broker.port) as running:
        yield running


@pytest.fixture
def vehicle(keys: Keys, broker: Broker, desk: DeskProcess) -> Iterator[TestVehicle]:
    running = TestVehicle(keys, broker.port, next(UNUSED))
    yield running
    running.close()


@pytest.fixture
def page(browser: Browser, desk: DeskProcess) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: problems.append(request.url) if not request.url.startswith(desk.url) else None)
    opened.goto(desk.url)
    expect(opened.locator("#cover")).not_to_be_visible()
    yield opened
    assert problems == []  # no script error, nothing asked of any other machine
    opened.close()


def card(page: Page, vehicle: TestVehicle) -> str:
    return f"#open article:has-text('{vehicle.vehicle}')"


def test_a_notice_appears_within_a_second_and_is_acknowledged_by_a_named_person(
    page: Page, desk: DeskProcess, vehicle: TestVehicle
) -> None:
    began = time.monotonic()
    sent = vehicle.notice("astana-mp", 1)
    vehicle.send(sent)
    page.wait_for_selector(card(page, vehicle))
    assert time.monotonic() - began < 1.0
    expect(page.locator(card(page, vehicle))).to_contain_text("astana-mp")
    page.click(f"{card(page, vehicle)} button")
    page.click("#sign-send")  # nothing filled in yet
    expect(page.locator("#sign")).to_be_visible()
    assert desk.notices(vehicle.vehicle)[0]["stage"] == "received"
    page.fill("#sign-by", "майор Серіков Ә.Қ.")
    page.fill("#sign-post", "кезекші")
    page.click("#sign-send")
    expect(page.locator("#sign")).not_to_be_visible()
    expect(page.locator(f"#done article:has-text('{vehicle.vehicle}')")).to_contain_text("майор Серіков Ә.Қ., кезекші")
    assert desk.notices(vehicle.vehicle)[0]["by"] == "майор Серіков Ә.Қ."
    vehicle.send(vehicle.notice("astana-mp", 2))
    page.click(f"{card(page, vehicle)} button")
    expect(page.locator("#sign-by")).to_have_value("майор Серіков Ә.Қ.")  # remembered in the page
    page.click("#sign-cancel")
    page.reload()
    page.click(f"{card(page, vehicle)} button")
    expect(page.locator("#sign-by")).to_have_value("")  # and nowhere else
    page.click("#sign-cancel")


def test_what_is_not_as_it_should_be_is_said_in_words(page: Page, vehicle: TestVehicle) -> None:
    doubtful: dict[str, Any] = {
        "late_by_s": 4000.0,
        "time_source": "none",
        "time_uncertainty_s": None,
        "secured": False,
        "test": True,
    }
    checks = {"all_passed": False, "fallbacks": ["ventilation"]}
    vehicle.send(vehicle.notice("astana-mp", 3, **doubtful, checks=checks))
    shown = page.locator(card(page, vehicle))
    for words in ("ТЕСТ", "1 ч 6 мин", "Время неточно", "до окончания контрольной проверки", "Вентиляция"):
        expect(shown).to_contain_text(words)
    expect(page.locator("#warnings")).to_contain_text("№ 1–2")


def test_H30_nothing_that_arrives_becomes_markup(page: Page, desk: DeskProcess, vehicle: TestVehicle) -> None:
    sent = vehicle.notice("astana-mp", 1)
    vehicle.send(sent)
    vehicle.next_receipt()
    assert desk.acknowledge(sent.id, MARKUP, MARKUP).status_code == 200
    vehicle.publish(f"stv/v1/units/astana-mp/notices/{vehicle.vehicle}", MARKUP.encode())
    data = {"_kind": "notice_stage", "notice": new_id(), "kind": "departure", "recipient": "taraz-mp", "at": now()}
    vehicle.report("events", {**data, "stage": "acknowledged", "by": MARKUP, "post": MARKUP, "sha256": None})
    expect(page.locator(f"#done article:has-text('{vehicle.vehicle}')")).to_contain_text(MARKUP)
    expect(page.locator("#events")).to_contain_text(MARKUP)
    for language in ("kk", "en", "ru"):
        page.click(f"#languages [data-language={language}]")
        assert page.locator("img, main script, #warnings script").count() == 0
    assert page.evaluate("window.hacked") is None


def test_vehicles_show_alarms_faults_age_and_silence(page: Page, vehicle: TestVehicle) -> None:
    shown = page.locator(f"#vehicles article:has-text('{vehicle.vehicle}')")
    expect(shown).to_contain_text("Данных ещё не было")
    alarm = {"id": new_id(), "code": "airflow_lost", "priority": "critical", "state": "unacknowledged"}
    equipment = {"cell_lock_2": {"status": "fault", "reason": "cut", "since": None}}
    vehicle.report(
        "state",
        state(alarms=[{**alarm, "since": None, "item": "ventilation"}], alarms_total=1, equipment=equipment),
    )
    vehicle.report("position", position(), time_text="2026-06-01T00:00:00.000Z")
    vehicle.report("session", session())
    expect(shown).to_contain_text("Нет вентиляции")
    expect(shown).to_contain_text("Дверь и замок камеры 2: Неисправно (обрыв провода)")
    expect(shown.locator(".where .mark.stale")).to_contain_text("данные устарели")
    expect(shown).to_contain_text("на связи")
    vehicle.report("session", session(online=False))
    expect(shown).to_contain_text("Нет связи с машиной")


def raised(code: str, item: str | None, change: str = "raised", priority: str | None = "warning") -> dict[str, Any]:
    return {"_kind": "alarm", "alarm": new_id(), "change": change, "code": code, "priority": priority, "item": item}


def test_one_row_for_each_vehicle_and_cause_the_gravest_first(page: Page, vehicle: TestVehicle) -> None:
    def one(code: str, item: str, priority: str, state: str = "unacknowledged") -> dict[str, Any]:
        return {"id": new_id(), "code": code, "priority": priority, "state": state, "since": None, "item": item}

    alarms = [
        one("care_lost", "cell_temperature_2", "warning"),
        one("radio_lost", "radio", "warning", "returned"),
        *(one("cell_unlocked", f"cell_lock_{n}", "critical", "acknowledged") for n in (5, 1)),
        one("cell_unlocked", "cell_lock_2", "critical"),
        one("care_lost", "cell_call_2", "warning"),
    ]
    vehicle.report("state", state(alarms=alarms, alarms_total=14))
    shown = page.locator(f"#vehicles article:has-text('{vehicle.vehicle}') .troubles li")
    expect(shown).to_have_text(
        [
            "■Опасно: Не заперты камеры 1, 2, 5 (Не подтверждена: 1 · Подтверждена: 2)",
            "▲Предупреждение: Температура, камера 2; Кнопка вызова, камера 2: нет контроля",
            "△Предупреждение: Нет радиосвязи (Причина снята, ещё не просмотрена)",
            "ещё 8",  # the vehicle tells its ten gravest, and how many there are
        ]
    )
    expect(shown.nth(2)).to_have_css("border-top-style", "dashed")


def test_a_flood_is_said_until_it_is_over_and_the_log_has_every_alarm(browser: Browser, tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    with mosquitto(tmp_path) as broker, running_desk(keys, broker.port) as own:
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.goto(own.url)
        sender = TestVehicle(keys, broker.port, VEHICLES[0])
        for n in range(10):
            sender.report("events", raised("care_lost", f"cell_call_{n}"))
        rate = opened.locator("#alarm-rate")
        expect(rate).to_have_text("За 10 минут: 10", timeout=SLOW_DISK_MS)
        expect(opened.locator("#flood")).not_to_be_visible()
        for change in ("returned", "acknowledged", "shelved", "unshelved"):
            sender.report("events", raised("care_lost", "cell_call_1", change))
        old = datetime.now(UTC) - timedelta(minutes=11)
        sender.report(
            "events", raised("gnss_lost", "gnss"), time_text=old.isoformat(timespec="milliseconds")[:-6] + "Z"
        )
        expect(opened.locator("#alarms li")).to_have_count(15, timeout=SLOW_DISK_MS)
        for words in ("причина снята", "подтверждена", "отложена", "снова показана"):
            expect(opened.locator(f"#alarms .change:text-is('{words}')")).to_have_count(1)
        expect(rate).to_have_text("За 10 минут: 10")  # neither what is no new alarm nor what is long past
        for n in range(40):
            sender.report("events", raised("chattering", f"cell_{n}", priority="advisory"))
        expect(opened.locator("#flood")).to_contain_text("Слишком много тревог: 50 за 10 минут", timeout=SLOW_DISK_MS)
        expect(opened.locator("#flood")).to_contain_text(f"{VEHICLES[0]}: 50")
        expect(opened.locator("#alarms li")).to_have_count(55, timeout=SLOW_DISK_MS)
        sender.report("events", {"_kind": "phase", "phase": "arrived", "secured": None, "inside": True})
        expect(opened.locator("#events li")).to_have_count(
            1, timeout=SLOW_DISK_MS
        )  # a flood of alarms pushes nothing else out
        own.kill()
        own.start()  # a new program knows of the flood from its register
        opened.goto(own.url)
        expect(opened.locator("#flood")).to_contain_text("50 за 10 минут", timeout=SLOW_DISK_MS)
        sender.close()
        opened.close()


def test_refusals_and_forks_stand_out_until_a_named_person_has_seen_them(
    page: Page, desk: DeskProcess, vehicle: TestVehicle
) -> None:
    vehicle.send(vehicle.notice("almaty-mp", 1))
    vehicle.send(vehicle.notice("almaty-mp", 1))
    line = page.locator(f"#warnings li.grave:has-text('ПРОТИВОРЕЧИВОЕ'):has-text('{vehicle.vehicle}')")
    line.locator("button").click()
    page.fill("#sign-by", "Maj. Serikov")
    page.fill("#sign-post", "duty officer")
    page.click("#sign-send")
    expect(line).to_have_count(0)
    until(lambda: desk.warnings("fork", vehicle.vehicle)[0]["seen"])


def test_sound_waits_for_a_press_and_says_so(browser: Browser, desk: DeskProcess) -> None:
    opened = browser.new_page()
    # Before any press; `evaluate` would count as one, so only the page's own text is looked at.
    opened.goto(desk.url)
    expect(opened.locator("#sound")).to_have_attribute("data-state", "off")
    expect(opened.locator("#sound")).to_contain_text("Звук выключен")
    opened.click("#sound")
    expect(opened.locator("#sound")).to_have_attribute("data-state", "on")
    opened.close()


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_no_text_is_cut_off(page: Page, vehicle: TestVehicle, language: str, size: tuple[int, int]) -> None:
    late: dict[str, Any] = {"late_by_s": 400_000.0, "time_source": "none", "time_uncertainty_s": None, "secured": False}
    vehicle.send(vehicle.notice("astana-mp", 2, **late, test=True))
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.click(f"#languages [data-language={language}]")
    page.wait_for_selector(card(page, vehicle))
    wide = page.evaluate(
        "() => [...document.querySelectorAll('body *')].filter((e) => e.clientWidth > 0 && getComputedStyle(e).display"
        " !== 'inline' && e.scrollWidth > e.clientWidth + 1).map((e) => e.id || e.className || e.tagName)"
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "desk." not in page.inner_text("body") and "reason." not in page.inner_text("body")


def test_H20_a_stopped_desk_is_covered_within_2_s_even_over_an_open_dialog(
    page: Page, desk: DeskProcess, vehicle: TestVehicle
) -> None:
    vehicle.send(vehicle.notice("astana-mp", 1))
    page.click(f"{card(page, vehicle)} button")
    os.kill(desk.pid, signal.SIGSTOP)
    try:
        page.wait_for_selector("#cover:popover-open", timeout=2300)  # 2.0 s, and the time to look
        with_dialog = page.screenshot()
        page.evaluate("document.querySelector('#sign').close()")
        assert page.screenshot() == with_dialog  # the dialog could not be seen
    finally:
        os.kill(desk.pid, signal.SIGCONT)
    expect(page.locator("#cover")).not_to_be_visible(timeout=8000)


def test_H20_a_killed_desk_is_covered_and_the_page_comes_back_by_itself(
    browser: Browser, broker: Broker, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    with running_desk(keys, broker.port) as own:
        opened = browser.new_page()
        opened.goto(own.url)
        expect(opened.locator("#cover")).not_to_be_visible()
        own.kill()
        opened.wait_for_selector("#cover:popover-open", timeout=2300)
        port = own.url.rpartition(":")[2]
        own.file.write_text(own.file.read_text().replace("port = 0", f"port = {port}"), encoding="utf-8")
        own.start()
        expect(opened.locator("#cover")).not_to_be_visible(timeout=8000)
        opened.close()


def test_a_lost_broker_is_said_loudly(browser: Browser, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as own_broker, running_desk(Keys(tmp_path), own_broker.port) as own:
        opened = browser.new_page()
        opened.goto(own.url)
        expect(opened.locator("#link")).to_contain_text("Связь есть")
        own_broker.kill()
        expect(opened.locator("#outage")).to_contain_text("НЕТ СВЯЗИ", timeout=8000)
        own_broker.start()
        expect(opened.locator("#outage")).not_to_be_visible(timeout=15000)
        opened.close()
