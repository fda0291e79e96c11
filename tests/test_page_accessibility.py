"""Every state of the page held against WCAG 2.2 AA by axe-core, and what it cannot see: keyboard, focus, motion."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe import fetch_axe, violations
from browsing import DESK, PHONE, ask, no_sideways_scroll, opened
from web_fixtures import (
    REOPENING,
    Step,
    UntilCancelled,
    answer_bridge,
    bridge_script,
    checked_bridge,
    declined,
    found_bridge,
    make_app,
    running,
)

from qa.errors import Busy
from web.settings import Settings
from web.words import WORDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SIZES = {"phone": PHONE, "desk": DESK}
LOCALES = {"fr": "fr-FR", "en": "en-GB"}


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch_axe(tmp_path_factory.mktemp("axe"))


def combinations_of(*choices: Sequence[str]) -> list[Any]:
    """All of them; those at once where every choice is its first, or every one its last, the others with slow tests."""
    ends = [tuple(of[end] for of in choices) for end in (0, -1)]
    return [pytest.param(*one, marks=() if one in ends else pytest.mark.slow) for one in product(*choices)]


@pytest.mark.parametrize(
    ("scheme", "language", "size"), combinations_of(["light", "dark"], ["en", "fr"], ["desk", "phone"])
)
def test_axe_finds_nothing_in_any_state(
    browser: Browser, axe: Path, tmp_path: Path, scheme: str, language: str, size: str
) -> None:
    words = WORDS[language]
    gates = [threading.Event() for _ in range(3)]
    first, second = checked_bridge()
    scripts: list[list[Step]] = [
        [gates[0], found_bridge(), gates[1], first, gates[2], second, answer_bridge()],
        [found_bridge(), declined()],
        [Busy(60)],
        [found_bridge(), UntilCancelled()],
        [found_bridge(), ZeroDivisionError()],
    ]
    app, _ = make_app(*scripts, settings=Settings(home=tmp_path))
    seen: list[str] = []
    with (
        running(app) as url,
        opened(browser, url, SIZES[size], LOCALES[language], color_scheme=scheme, reduced_motion="reduce") as page,
    ):

        def check(state: str) -> None:
            seen.append(state)
            assert violations(page, axe) == [], state
            assert no_sideways_scroll(page), state

        def turn(state: str) -> None:
            page.wait_for_selector(f".turn:last-child[data-state={state}]")
            check(state)

        check("empty")
        page.click("#filters summary")
        check("filters")
        page.click("#filters summary")
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        turn("searching")
        assert page.text_content(".status-text") == words["searching"]
        gates[0].set()
        turn("reading")
        assert page.text_content(".status-text") == words["reading"]
        gates[1].set()
        turn("writing")
        assert page.text_content(".status-text") == words["writing"]
        gates[2].set()
        turn("answered")
        page.focus('.cite[data-number="1"]')
        check("preview")
        page.keyboard.press("Escape")
        page.click("[data-verdict=down]")
        check("feedback")
        page.click(".feedback [type=submit]")
        assert page.text_content(".feedback-problem") == words["reason_missing"]
        check("feedback without a reason")
        page.check(".feedback [value=wrong]")
        page.click(".feedback [type=submit]")
        page.wait_for_selector(".thanks")
        check("thanks")
        page.click('.cite[data-number="2"]')
        page.wait_for_selector("#reader mark#quote")
        check("article")
        page.click("#reader-close")
        page.wait_for_selector("#reader", state="hidden")
        ask(page, "Qui a gagné le match ?")
        turn("declined")
        ask(page, "Que dit le maire ?")
        turn("waiting")
        page.click("#stop")
        turn("stopped")
        ask(page, "Que dit le maire ?")
        page.wait_for_selector(".turn:last-child[data-state=reading]")
        page.context.set_offline(True)
        turn("offline")
        page.context.set_offline(False)
        turn("failed")
        page.click("#open-history")
        check("history")
        page.click("#delete-all")
        check("deleting")
        page.click("#delete-yes")
        check("deleted")
    assert len(seen) == 19


@pytest.mark.parametrize(("scheme", "language"), combinations_of(["light", "dark"], ["fr", "en"]))
def test_axe_finds_nothing_on_the_other_pages(browser: Browser, axe: Path, scheme: str, language: str) -> None:
    app, _ = make_app(bridge_script(), [found_bridge(), declined()])
    how: dict[str, Any] = {"locale": LOCALES[language], "color_scheme": scheme, "reduced_motion": "reduce"}
    with running(app) as url:
        for path in ("/articles/pont-tanneurs-fermeture?start=10&end=40", "/articles/flood/river-notes", "/nowhere"):
            with opened(browser, url + path, **how) as page:
                assert violations(page, axe) == [], path
        for state in ("answered", "declined"):
            with opened(browser, url, **how) as page:  # as the server answers a page without JavaScript
                page.fill("#question", "Quand rouvre le pont ?")
                page.evaluate("document.getElementById('ask-form').submit()")
                page.wait_for_selector(f".turn[data-state={state}]")
                assert violations(page, axe) == [], state


def test_a_whole_conversation_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    app, answerer = make_app(bridge_script(), bridge_script("Combien ?"), [found_bridge(), UntilCancelled()],
                             settings=Settings(home=tmp_path))  # fmt: skip
    with running(app) as url, opened(browser, url, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.keyboard.type("Quand rouvre le pont des Tanneurs ?")  # the box has the focus
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn[data-state=answered]")

        tab_to(page, ".cite[data-number='1']", back=True)
        assert page.text_content("#preview .preview-quote") == REOPENING
        page.keyboard.press("Enter")
        page.wait_for_selector("#reader mark#quote")
        page.keyboard.press("Escape")
        page.wait_for_selector("#reader", state="hidden")

        tab_to(page, ".copy")
        page.keyboard.press("Enter")
        page.wait_for_selector(f".copy:text-is('{WORDS['fr']['copied']}')")
        tab_to(page, "[data-verdict=down]")
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowDown")  # the first reason has the focus: the arrow takes the second
        tab_to(page, ".feedback textarea")
        page.keyboard.type("Il manque la date.")
        tab_to(page, ".feedback [type=submit]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".thanks:focus")
        assert '"reason": "incomplete"' in (tmp_path / "feedback.jsonl").read_text(encoding="utf-8")

        tab_to(page, ".card-link")
        tab_to(page, "#question")
        page.keyboard.type("Et combien ça coûte ?")
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        page.keyboard.type("Encore")
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn:nth-child(3)[data-state=reading]")
        tab_to(page, "#stop")
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn:nth-child(3)[data-state=stopped]")
        assert focused(page, "#question")

        tab_to(page, "#open-history", back=True)
        page.keyboard.press("Enter")
        page.wait_for_selector("#history[open]")
        with page.expect_download() as download:
            tab_to(page, "[data-export=markdown]")
            page.keyboard.press("Enter")
        assert download.value.suggested_filename.endswith(".md")
        tab_to(page, "#delete-all")
        page.keyboard.press("Enter")
        tab_to(page, "#delete-yes", back=True)
        page.keyboard.press("Enter")
        assert focused(page, "#history-status")
        page.keyboard.press("Escape")
        page.wait_for_selector("#history", state="hidden")
        assert page.locator(".turn").count() == 0
        assert focused(page, "#open-history")
        assert len(answerer.asked) == 3


def test_the_focus_is_always_to_be_seen(browser: Browser) -> None:
    """Whatever the tab key reaches is outlined, or its box is, and not below the composer (WCAG 2.4.7, 2.4.11)."""
    app, _ = make_app(bridge_script())
    with running(app) as url, opened(browser, url, PHONE) as page:
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=answered]")
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            one = page.evaluate(FOCUS)
            if one is None:  # past the last element: the next one is the first
                continue
            assert one["visible"], one
            assert one["marked"], one
            reached.append(one["name"])
        assert {"cite", "tool copy", "card-link", "expand quiet"} <= set(reached)


FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 12));
  const marks = one => { const style = getComputedStyle(one);
    return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none'; };
  const form = element.closest('#ask-form');
  return {name: element.className || element.id || element.tagName, visible: Boolean(top) &&
    (element.contains(top) || top.contains(element)), marked: marks(element) || Boolean(form && marks(form)) };
}"""


def test_the_preview_can_be_reached_and_sent_away(browser: Browser) -> None:
    """WCAG 1.4.13: it stays while the pointer is on it, and Escape takes it away without moving anything."""
    app, _ = make_app(bridge_script())
    with running(app) as url, opened(browser, url) as page:
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=answered]")
        page.hover(".cite[data-number='1']")
        page.wait_for_selector("#preview:not([hidden])")
        assert page.get_attribute(".cite[data-number='1']", "aria-describedby") == "preview"
        page.hover("#preview .preview-quote")
        with pytest.raises(Exception, match="Timeout"):
            page.wait_for_selector("#preview", state="hidden", timeout=1_000)
        page.keyboard.press("Escape")
        page.wait_for_selector("#preview", state="hidden")
        page.hover(".cite[data-number='1']")
        page.wait_for_selector("#preview:not([hidden])")
        page.hover(".turn-question")
        page.wait_for_selector("#preview", state="hidden")
        assert page.get_attribute("#preview .preview-quote", "lang") == "fr"


def test_each_text_says_its_language(browser: Browser) -> None:
    app, _ = make_app(bridge_script())
    with running(app) as url, opened(browser, url, locale="en-GB") as page:
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.get_attribute("html", "lang") == "en"
        for selector in (".turn-question-text", ".answer-text", ".card .excerpt", ".card-link"):
            assert page.locator(selector).first.get_attribute("lang") == "fr", selector
        assert page.locator(".excerpt").nth(2).get_attribute("lang") == "en"
        assert page.get_attribute(".partial", "lang") == "en"


def test_nothing_moves_for_readers_who_asked_for_that(browser: Browser) -> None:
    gate = threading.Event()
    app, _ = make_app([found_bridge(), gate, answer_bridge()])
    with running(app) as url, opened(browser, url, reduced_motion="reduce") as page:
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=reading]")
        assert page.evaluate("document.getAnimations().length") == 0
        gate.set()
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.evaluate("document.getAnimations().length") == 0
    gate.clear()
    app, _ = make_app([found_bridge(), gate, answer_bridge()])
    with running(app) as url, opened(browser, url, reduced_motion="no-preference") as page:
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=reading]")
        assert page.evaluate("document.getAnimations().length") > 0  # the drop beside "reading"
        gate.set()
        page.wait_for_selector(".turn[data-state=answered]")


def focused(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


def tab_to(page: Page, selector: str, back: bool = False) -> None:
    """Press Tab until the focus is there."""
    for _ in range(40):
        if focused(page, selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    pytest.fail(f"the tab key does not reach {selector}")
