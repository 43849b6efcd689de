"""A real Chromium on a real display over a scripted control, at the sizes of the vehicle's screens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.display_scenes import scene
from tests.integration.display_control import ControlStandIn
from tests.integration.display_rig import DisplayProcess, running, wait_for

# Touch Display 2 (7 inches) lying and standing, Touch Display 1: pixels, and pixels per millimetre.
SIZES = {"td2": (1280, 720, 8.26), "td1": (800, 480, 5.2), "portrait": (720, 1280, 8.26)}
TAP_PAUSE_S = 0.32  # the page ignores a second press within 300 ms

# Every element that shows something: wider or higher than its box, outside the screen, or smaller than 3.3 mm capitals;
# buttons under 15 mm or over one another. A line's box is lower than the font's own by 0.18 em, which is no ink. The
# header's permit block only repeats what a page shows, so it may be as low as the header.
OVERFLOWS = """() => {
  const found = [];
  const mm = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--mm"));
  const sheet = document.getElementById("sheet");
  const isSeen = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && !element.closest("[hidden]");
  };
  for (const element of document.querySelectorAll("#app *")) {
    if (!isSeen(element) || element.closest("svg") || element.tagName === "I") continue;
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const isText = element.childElementCount === 0 && element.textContent.trim() !== "";
    const isBlock = style.display !== "inline";
    const size = parseFloat(style.fontSize);
    const name = `${element.className}: ${element.textContent.slice(0, 60)}`;
    const isHigh = isBlock && !isText && element.scrollHeight > element.clientHeight + 0.18 * size;
    const isOutside = box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.left < -1 || box.top < -1;
    if (isBlock && element.scrollWidth > element.clientWidth + 1) found.push(`wide ${name}`);
    if (isHigh) found.push(`high ${name}`);
    if (isOutside) found.push(`outside ${name}`);
    if (isText && size < 4.6 * mm) found.push(`small ${name}`);
  }
  const root = sheet.hidden ? document : sheet;
  const buttons = [...root.querySelectorAll("[data-key]")].filter(isSeen);
  for (const [index, button] of buttons.entries()) {
    const a = button.getBoundingClientRect();
    const key = button.dataset.key;
    const isSmall = a.width < 14.9 * mm || a.height < 14.9 * mm;
    if (isSmall && key !== "permit" && !button.closest("#strip")) found.push(`small button ${key}`);
    for (const other of buttons.slice(index + 1)) {
      const b = other.getBoundingClientRect();
      const isAcross = a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
      if (isAcross) found.push(`overlap ${key} ${other.dataset.key}`);
    }
  }
  return found;
}"""


@dataclass
class Cab:
    """The page with everything behind it."""

    page: Page
    control: ControlStandIn
    display: DisplayProcess
    problems: list[str]
    size: str
    is_fast: bool = False

    def pause(self, seconds: float = TAP_PAUSE_S) -> None:
        """Let the page's own time pass; with `is_fast` by its clock, with a tick so that it stays live."""
        if not self.is_fast:
            self.page.wait_for_timeout(seconds * 1000)
            return
        self.page.clock.fast_forward(round(seconds * 1000))
        self.control.tick()
        self.page.locator("#cover").wait_for(state="hidden")

    def show(self, snapshot: dict[str, Any]) -> None:
        """Give control this snapshot and wait until the page has drawn it."""
        rev = self.control.set(snapshot)
        self.page.locator(f'body[data-rev="{rev}"]').wait_for(timeout=5000)

    def tap(self, key: str) -> None:
        self.pause()
        self.page.locator(f'[data-key="{key}"]').first.tap(timeout=10000)  # a busy machine draws late

    def hold(self, key: str, seconds: float) -> None:
        """Press, stay, release."""
        self.pause()
        box = self.page.locator(f'[data-key="{key}"]').first.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.pause(seconds)
        self.page.mouse.up()

    def seek(self, key: str) -> None:
        """Turn the pages until the button is seen."""
        for _ in range(8):
            if self.page.locator(f'[data-key="{key}"]').first.is_visible():
                return
            self.tap("body:next-page")
        raise AssertionError(f"no page has {key}")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def enter_pin(self, pin: str = "2468") -> None:
        self.page.locator(".pad").wait_for()
        for digit in pin:
            self.tap(f"pin:{digit}")
        self.tap(str(self.page.locator(".pad .primary").get_attribute("data-key")))


@contextmanager
def cab(
    browser: Browser, folder: Path, size: str = "td2", language: str = "ru", limits: str = "", is_fast: bool = False
) -> Iterator[Cab]:
    """A page that is live, in `language`, at `size`; fails when the page reported an error.

    `is_fast`: the page's clock can be moved on, so that its pauses against double taps cost the test nothing.
    """
    width, height, px_per_mm = SIZES[size]
    settings = f'port = 0\nlanguage = "{language}"\npx_per_mm = {px_per_mm}'
    first = scene("no_trip")
    with ControlStandIn(folder / "control.sock", first) as control, running(folder, settings, limits=limits) as display:
        context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True)
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        wait_for(lambda: "control is connected" in display.said(), "control connected")
        if is_fast:
            page.clock.install()
        page.goto(display.url)
        page.locator("#cover").wait_for(state="hidden", timeout=10_000)
        yield Cab(page, control, display, problems, size, is_fast)
        context.close()
        assert problems == []
