"""A real browser for the tests that need one, and what they all do with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from missing import impossible

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE, DESK = (390, 844), (1280, 900)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium; without it the test is skipped, and fails in CI."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None  # type: ignore[assignment]
    missing = "playwright is not installed" if sync_playwright is None else f"{CHROMIUM} is missing"
    if sync_playwright is None or not CHROMIUM.exists():
        impossible(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, url: str, size: tuple[int, int] = DESK, locale: str = "fr-FR", **more: Any
) -> Iterator[Page]:
    """Open the page in a fresh context; a console error or an uncaught exception fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=locale, **more)
    context.set_default_timeout(10_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    # A refusal by the server and a line that is down are logged by the browser too, and are what some tests are about.
    expected = ("status of", "ERR_INTERNET_DISCONNECTED")

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(part in message.text for part in expected):
            problems.append(message.text)

    page.on("console", hear)
    try:
        page.goto(url)
        yield page
        assert problems == []
    finally:
        context.close()


def ask(page: Page, question: str) -> None:
    page.fill("#question", question)
    page.press("#question", "Enter")


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


IN_VIEW = """element => {
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + 4, box.top + 6);
  return box.top >= 0 && box.bottom <= innerHeight && element.contains(top);
}"""
