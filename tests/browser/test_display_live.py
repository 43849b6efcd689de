"""H20: the page says within 2 s that it is dead, whatever the reason, and lives again by itself."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.display_page import Cab, cab
from tests.browser.display_scenes import scene

COVER_S_MAX = 2.0
# When the cover appeared, by the page's own clock, without anybody asking the page meanwhile.
WATCH = """() => {
  window.coveredAt = null;
  new MutationObserver(() => {
    if (!document.getElementById("cover").hidden) window.coveredAt ??= performance.now();
  }).observe(document.getElementById("cover"), { attributes: true });
  window.watchedFrom = performance.now();
}"""

STEP = """() => {
  const now = Date.now, step = (Math.random() - 0.5) * 2e12;
  Date.now = () => now() + step;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def live(browser: Browser, tmp_path: Path) -> Iterator[Cab]:
    with cab(browser, tmp_path) as made:
        made.show(scene("boarding"))
        yield made


def covered_after_s(page: Page) -> float:
    page.locator("#cover").wait_for(state="visible", timeout=6000)
    return float(page.evaluate("() => (window.coveredAt - window.watchedFrom) / 1000"))


def test_H20_a_stopped_server_covers_the_page_and_the_page_lives_again(live: Cab) -> None:
    for _ in range(2):
        live.page.evaluate(WATCH)
        live.display.signal(signal.SIGSTOP)
        assert covered_after_s(live.page) <= COVER_S_MAX
        assert "DISPLAY NOT LIVE" in live.text("#cover")
        assert "ЭКРАН ЖАҢАРМАЙДЫ" in live.text("#cover")
        live.display.signal(signal.SIGCONT)
        live.page.locator("#cover").wait_for(state="hidden", timeout=8000)


def test_H20_a_dead_control_covers_the_page(live: Cab) -> None:
    live.page.evaluate(WATCH)
    live.control.stop()
    assert covered_after_s(live.page) <= COVER_S_MAX
    live.control.start()
    live.page.locator("#cover").wait_for(state="hidden", timeout=8000)


def test_H20_ticks_for_another_state_than_the_drawn_one_cover_the_page(live: Cab) -> None:
    """A tick vouches for one rev. Ticks of a newer state, whose snapshot cannot be had, keep nothing alive."""
    live.control.ticking = False
    live.control.handlers["snapshot"] = lambda _: (503, {"error": "busy"})
    live.page.evaluate(WATCH)
    for _ in range(30):
        live.control.push("tick", {"rev": 999, "at": "2026-11-22T08:00:09Z", "phase": "boarding", "uptime_s": 1})
        time.sleep(0.1)
    assert covered_after_s(live.page) <= COVER_S_MAX


def test_H20_green_fades_before_the_cover(live: Cab) -> None:
    assert "ok" in str(live.page.locator(".permit").get_attribute("class"))
    live.control.ticking = False
    live.page.locator("body.aging").wait_for(timeout=3000)
    live.page.locator("body.aging .permit").wait_for()
    colour = "() => getComputedStyle(document.querySelector('.permit')).backgroundColor"
    assert live.page.evaluate(colour) == "rgb(255, 255, 255)"


def test_H20_a_step_of_the_browser_s_clock_changes_nothing(browser: Browser, tmp_path: Path) -> None:
    with cab(browser, tmp_path) as made:
        made.page.evaluate("() => { Date.now = () => 0; }")
        made.show(scene("checking"))
        made.page.evaluate(WATCH)
        made.display.signal(signal.SIGSTOP)
        assert covered_after_s(made.page) <= COVER_S_MAX


def test_H20_a_server_that_answers_502_is_tried_again(live: Cab) -> None:
    live.page.evaluate(WATCH)
    port = live.display.port
    assert live.display.stop() == 0
    assert covered_after_s(live.page) <= COVER_S_MAX
    with BadGateway(port) as asked:
        deadline = time.monotonic() + 8
        while len(asked) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert len(asked) >= 2
    assert live.page.locator("#cover").is_visible()


def test_H20_without_its_script_the_page_is_covered(browser: Browser, tmp_path: Path) -> None:
    with cab(browser, tmp_path) as made:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(made.display.url)
        assert page.locator("#cover").is_visible()
        context.close()


CYCLES = 25  # of each of the four ways, a hundred in all


def stop_the_server(cab: Cab) -> Callable[[], None]:
    cab.display.signal(signal.SIGSTOP)
    return lambda: cab.display.signal(signal.SIGCONT)


def stop_control(cab: Cab) -> Callable[[], None]:
    cab.control.stop()
    return cab.control.start


def stop_the_ticks(cab: Cab) -> Callable[[], None]:
    cab.control.ticking = False

    def again() -> None:
        cab.control.ticking = True

    return again


def stop_the_server_and_step_the_clock(cab: Cab) -> Callable[[], None]:
    cab.page.evaluate(STEP)
    return stop_the_server(cab)


@pytest.mark.campaign("outage")
@pytest.mark.parametrize(
    "stop",
    [stop_the_server, stop_control, stop_the_ticks, stop_the_server_and_step_the_clock],
    ids=lambda stop: stop.__name__,
)
def test_H20_a_hundred_stopped_pages_cover_themselves_in_time(
    stop: Callable[[Cab], Callable[[], None]], live: Cab, tell: Callable[[str, int], None]
) -> None:
    moments_s = random.Random(20)
    times_s = []
    for _ in range(CYCLES):
        live.page.wait_for_timeout(moments_s.uniform(0.0, 600.0))  # any moment between two ticks
        live.page.evaluate(WATCH)
        revive = stop(live)
        times_s.append(covered_after_s(live.page))
        revive()
        live.page.locator("#cover").wait_for(state="hidden", timeout=8000)
    print(f"{stop.__name__}: {min(times_s):.2f} to {max(times_s):.2f} s")
    assert max(times_s) <= COVER_S_MAX, times_s
    tell("stopped pages that covered themselves in time", CYCLES)


class BadGateway:
    """A listener on the display's port that answers every request with 502."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self._asked: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> list[bytes]:
        self._thread.start()
        return self._asked

    def __exit__(self, *_exc: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
