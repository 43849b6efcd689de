"""Every picture of the cab display fits, at every size and language: nothing clipped, overlapping or too small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.alarm_scenes import all_alarm_scenes, every_state, flooded
from tests.browser.display_page import OVERFLOWS, SIZES, Cab, cab
from tests.browser.display_scenes import alarmed, all_scenes, mixed_checking, scene
from tests.integration.display_rig import wait_for

STANDING_S = 3.2  # then the screen is unlocked
UNLOCKED = ("under_way_standing", "under_way_alarm_standing", "under_way_telephone", "halt")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=list(SIZES))
def screen(request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cab]:
    with cab(browser, tmp_path_factory.mktemp("layout"), request.param, is_fast=True) as made:
        yield made


def speak(screen: Cab, language: str) -> None:
    screen.tap("menu")
    screen.tap(f"lang:{language}")
    screen.tap("sheet:back")


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_every_phase_fits(screen: Cab, language: str) -> None:
    speak(screen, language)
    found = {}
    for name, snapshot in (all_scenes() | all_alarm_scenes()).items():
        screen.show(snapshot)
        if name in UNLOCKED or name.endswith("_standing"):
            screen.pause(STANDING_S)
            screen.page.locator('#bar [data-key="arrive"], #bar [data-key="end_halt"]').wait_for()
        if problems := screen.page.evaluate(OVERFLOWS):
            found[name] = problems
    assert found == {}


def test_every_sheet_fits(screen: Cab) -> None:
    screen.show(scene("no_trip"))
    speak(screen, {"td2": "kk", "td1": "ru", "portrait": "kk"}[screen.size])
    found = {}

    def look(name: str) -> None:
        if problems := screen.page.evaluate(OVERFLOWS):
            found[name] = problems

    screen.show(mixed_checking())
    for keys in (("permit",), ("menu",), ("menu", "menu:equipment"), ("menu", "menu:cells"), ("menu", "menu:cancel")):
        for key in keys:
            screen.tap(key)
        look(keys[-1])
        for _ in keys:
            screen.tap("sheet:back")
    for item in ("documents", "acceptance", "body_condition"):
        screen.seek(f"row:{item}")
        screen.tap(f"row:{item}")
        look(item)
        screen.tap("sheet:back")
    screen.tap("start_tests")
    look("pin")
    screen.enter_pin("1111")
    screen.page.locator(".pin p").wait_for()
    look("wrong pin")
    screen.tap("pin:name")
    for key in ("key:Ш",) * 14:
        screen.tap(key)
    look("name")
    screen.tap("key:enter")
    look("pin with a name")
    screen.tap("sheet:back")
    screen.show(alarmed("under_way", "standing"))
    screen.pause(STANDING_S)
    screen.page.locator('[data-key="log_halt"]').wait_for()
    for key in ("notices", "alarms", "log_halt"):
        screen.tap(key)
        look(key)
        screen.tap("sheet:back")
    assert found == {}


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_every_page_of_alarms_fits(screen: Cab, language: str) -> None:
    speak(screen, language)
    found = {}

    def look(name: str) -> None:
        for page in range(20):  # more than any list of a scene has
            if problems := screen.page.evaluate(OVERFLOWS):
                found[f"{name} {page}"] = problems
            number = screen.page.locator("#sheet .pager span")
            if number.count() == 0 or len(set(number.inner_text().split("/"))) == 1:
                return
            screen.tap("sheet:next-page")
        found[name] = ["the last page is never reached"]

    for name, snapshot in (("flood", flooded("checking")), ("states", every_state("checking"))):
        screen.show(snapshot)
        screen.tap("alarms")
        look(name)
        screen.tap("sheet:back")
    screen.show(flooded("checking"))
    screen.tap("alarms")
    for _ in range(20):
        if screen.page.locator('[data-key="alarm:chattering"]').is_visible():
            break
        screen.tap("sheet:next-page")
    screen.tap("alarm:chattering")
    look("cause")
    screen.tap("shelve:10")
    look("shelve")
    for _ in range(3):
        screen.tap("sheet:back")
    assert found == {}


def test_the_form_fits(screen: Cab) -> None:
    screen.show(scene("no_trip"))
    speak(screen, "ru")
    found = {}
    steps = (
        ("new_trip",),
        ("form:outside_settlement", "form:takeover", "form:women_on_board", "form:next"),
        ("form:number",),
        ("key:page",),
        ("key:page",),
        ("key:Ә", "key:enter", "form:next"),
        ("form:to:place",),
        ("form:to:astana-mp", "form:next"),
        ("form:via:taraz-mp", "form:via:karaganda-mp", "form:next"),
        ("form:more:1", "form:watch:1"),
        ("form:next",),
    )
    for keys in steps:
        for key in keys:
            screen.tap(key)
        if problems := screen.page.evaluate(OVERFLOWS):
            found[keys[-1]] = problems
    for _ in range(5):
        screen.tap("form:back")
    screen.tap("sheet:back")
    assert found == {}


def test_all_letters_come_from_the_shipped_font(screen: Cab) -> None:
    faces = "[...document.fonts].filter((face) => face.status === 'loaded').map((face) => face.family + face.weight)"
    wait_for(lambda: len(set(screen.page.evaluate(f"() => {faces}"))) == 2, "both weights are loaded")
    assert {name.strip('"').split('"')[0] for name in screen.page.evaluate(f"() => {faces}")} <= {
        "Noto Sans400",
        "Noto Sans700",
        "Noto Sans",
    }


def test_the_scenes_cover_every_phase(tmp_path: Path) -> None:
    phases = {snapshot["phase"] for snapshot in all_scenes().values()}
    assert len(phases) == 9
