"""The bench page in a real browser: what it shows is what the wires have, and its switches move them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.contract.bench_process import CARE_SPEC, BenchProcess, rig_on, wait_for

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    process = BenchProcess(tmp_path_factory.mktemp("page"))
    yield process
    process.stop()


@pytest.fixture
def page(browser: Browser, bench: BenchProcess) -> Iterator[Page]:
    bench.all_auto()
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(bench.url)
    expect(opened.locator("#live")).to_have_text("live")
    yield opened
    opened.close()
    assert problems == []


def test_the_cutter_cuts_and_auto_repairs(bench: BenchProcess, page: Page) -> None:
    row = page.locator('tr[data-wire="cell_2"]')
    row.get_by_role("button", name="cut", exact=True).click()
    expect(row.locator(".level")).to_have_text("cut")
    assert bench.wires()["wires"]["cell_2"]["level"] == "cut"
    row.get_by_role("button", name="auto", exact=True).click()
    expect(row.locator(".level")).to_have_text("locked")


def test_a_panel_button_presses_the_wire(bench: BenchProcess, page: Page) -> None:
    seen = bench.last()
    page.get_by_role("button", name="READY (driver)").click()
    expect(page.locator('[data-button="driver_ready"]')).to_have_class("down")
    wait_for(lambda: len([e for e in bench.timeline(seen) if e["wire"] == "driver_ready"]) == 2, "pressed and released")


def test_lamps_and_relay_follow_the_agent(bench: BenchProcess, page: Page) -> None:
    with rig_on(bench.directory) as rig:
        level = False
        end_s = time.monotonic() + 1.0
        while time.monotonic() < end_s:
            level = not level
            rig.write({"permit_enable": True, "permit_lamp_red": False, "permit_pulse": level})
            page.wait_for_timeout(20)
        expect(page.locator("#relay-state")).to_have_text("CLOSED", timeout=10)
        expect(page.locator('[data-output="permit_enable"] b')).to_have_text("ON")
        expect(page.locator("#relay-state")).to_have_text("OPEN")


def test_cables_are_switched(bench: BenchProcess, page: Page) -> None:
    page.locator("#radio").get_by_role("button", name="searching").click()
    wait_for(lambda: bench.client.get("/radio").json()["mode"] == "searching", "radio searching")
    expect(page.locator("#broker")).to_be_hidden()
    page.locator("#radio").get_by_role("button", name="registered").click()
    expect(page.locator("#radio output")).to_contain_text("registered")


def test_a_refused_body_is_shown_and_not_swallowed(page: Page) -> None:
    page.locator("#latitude").fill("123")
    page.locator("#gnss").get_by_role("button", name="parked").click()
    expect(page.locator("#problem")).to_contain_text("Not done")


def test_H20_a_bench_that_is_gone_is_shown_as_gone(browser: Browser, tmp_path: Path) -> None:
    process = BenchProcess(tmp_path)
    opened = browser.new_page()
    try:
        opened.goto(process.url)
        expect(opened.locator("#live")).to_have_text("live")
        process.process.kill()
        expect(opened.locator("#live")).to_have_text("BENCH DOES NOT ANSWER", timeout=4000)
    finally:
        opened.close()
        process.stop()


@pytest.mark.parametrize(("language", "live"), [("kk", "байланыс бар"), ("ru", "на связи")])
def test_every_word_of_the_page_is_there_in_kazakh_and_russian(
    bench: BenchProcess, browser: Browser, language: str, live: str
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{bench.url}/?lang={language}")
    expect(page.locator("#live")).to_have_text(live)
    expect(page.locator('tr[data-wire="cell_2"]')).to_be_visible()
    shown = page.locator("h1, h2, h3, small, button, td, li span, label, header p").all_inner_texts()
    page.close()
    left = {text for text in shown if any("a" <= letter <= "z" for letter in text.lower())} - {"Eng"}
    assert left == set()


@pytest.fixture(scope="module")
def care_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    process = BenchProcess(tmp_path_factory.mktemp("care"), spec=CARE_SPEC)
    yield process
    process.stop()


def test_the_care_watch_has_its_place_only_where_it_is_fitted(page: Page) -> None:
    expect(page.locator('tr[data-wire="cell_2"]')).to_be_visible()
    expect(page.locator("#care")).to_be_hidden()


def test_a_call_is_pressed_and_a_cell_is_heated_on_the_page(care_bench: BenchProcess, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(care_bench.url)
    call, temperature = (page.locator(f'#care tr[data-wire="cell_{what}_1"]') for what in ("call", "temperature"))
    expect(temperature.locator(".level")).to_have_text("21.0")
    seen = care_bench.last()
    call.get_by_role("button", name="press", exact=True).click()
    edges = wait_for(lambda: (found := care_bench.timeline(seen))[1:] and found, "pressed and released")
    assert [(edge["wire"], edge["level"]) for edge in edges] == [("cell_call_1", "pressed"), ("cell_call_1", "idle")]
    temperature.locator("input").fill("45")
    temperature.locator("input").press("Enter")
    expect(temperature.locator(".level")).to_have_text("45.0")
    assert care_bench.wires()["wires"]["cell_temperature_1"]["set"] == "45.0"
    temperature.get_by_role("button", name="cut", exact=True).click()
    expect(temperature.locator(".level")).to_have_class("level fault")
    page.close()


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_the_care_watch_is_there_in_kazakh_and_russian(
    care_bench: BenchProcess, browser: Browser, language: str
) -> None:
    care_bench.all_auto()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{care_bench.url}/?lang={language}")
    expect(page.locator('tr[data-wire="cell_temperature_2"]')).to_be_visible()
    shown = [text.replace("°C", "") for text in page.locator("#care h2, #care button, #care td").all_inner_texts()]
    page.close()
    assert [text for text in shown if any("a" <= letter <= "z" for letter in text.lower())] == []
    assert any("2" in text for text in shown)
