"""The mark of enhanced supervision is on the cells' tiles where people are put in and let out (Rule 12.2, H40)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.display_page import Cab, cab
from tests.browser.display_scenes import scene
from vehicle_agent import texts

MARKED = [1, 5]  # as the scenes have it


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def screen(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cab]:
    with cab(browser, tmp_path_factory.mktemp("supervision"), is_fast=True) as made:
        yield made


@pytest.mark.parametrize(("phase", "key"), [("boarding", "board"), ("unloading", "unload")])
def test_R12_H40_the_cells_that_need_supervision_are_marked_and_no_other(screen: Cab, phase: str, key: str) -> None:
    shown = scene(phase)
    for cell in shown["trip"]["cells"]:
        cell["planned"], cell["seated"] = 2, 1  # a cell without anybody has no tile
    assert [cell["cell"] for cell in shown["trip"]["cells"] if cell["supervision"]] == MARKED
    screen.show(shown)
    for number in range(1, 7):
        screen.seek(f"{key}:{number}")
        tile = screen.page.locator(".cell", has=screen.page.locator(f'[data-key="{key}:{number}"]'))
        expect(tile.locator("b").first).to_have_text(texts.get("ru", "display.cell", n=number))
        expect(tile.locator(".supervision")).to_be_visible(visible=number in MARKED)
