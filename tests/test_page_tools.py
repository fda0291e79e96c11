"""What a reader does with an answer: copy it, link to the question, say what it was worth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import DESK, PHONE, ask, opened
from web_fixtures import (
    BRIDGE,
    FakeAnswerer,
    FakeIndex,
    Step,
    answer_bridge,
    bridge_script,
    checked_bridge,
    declined,
    found_bridge,
    make_app,
    running,
)

from index.filters import Filters
from qa.suggestions import Suggestion, SuggestionFile, digest_of_article
from web import create_app
from web.feedback import FEEDBACK_FILE
from web.ready import Ready
from web.settings import Settings
from web.words import WORDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CLIPBOARD = ["clipboard-read", "clipboard-write"]
QUESTION = "Quand rouvre le pont des Tanneurs ?"


@contextmanager
def answered(
    browser: Browser, home: Path, *scripts: list[Step], **how: Any
) -> Iterator[tuple[Page, FakeAnswerer, str]]:
    app, answerer = make_app(*(scripts or (bridge_script(),)), settings=Settings(home=home))
    with running(app) as url, opened(browser, url, permissions=CLIPBOARD, **how) as page:
        ask(page, QUESTION)
        page.wait_for_selector(".turn-tools:not([hidden])")
        yield page, answerer, url


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_an_answer_is_copied_with_its_sources(browser: Browser, tmp_path: Path, locale: str) -> None:
    with answered(browser, tmp_path, locale=locale) as (page, _, url):
        language = "fr" if locale == "fr-FR" else "en"
        page.click(".copy")
        page.wait_for_selector(f".copy:text-is('{WORDS[language]['copied']}')")
        text = clipboard(page)
        first, second = (one.sentence.text for one in checked_bridge())
        day = "14 octobre 2025" if language == "fr" else "14 October 2025"
        assert text.startswith(f"{first} [1] {second} [2][3] ({WORDS[language]['partial']})\n\n")
        assert f"[1] {BRIDGE.title}, {BRIDGE.source}, {day}\n    {url}/articles/{BRIDGE.id}?start=" in text
        assert text.count("\n[") == 3
        page.wait_for_selector(f".copy:text-is('{WORDS[language]['copy_answer']}')")


def test_copying_works_without_a_secure_context(browser: Browser, tmp_path: Path) -> None:
    with answered(browser, tmp_path) as (page, _, _url):
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not secure')); }")
        page.click(".copy")
        page.wait_for_selector(f".copy:text-is('{WORDS['fr']['copied']}')")
        assert clipboard(page).startswith("Le pont des Tanneurs doit rouvrir")
        page.evaluate("() => { document.execCommand = () => false; }")
        page.click(".share")
        page.wait_for_selector(f"#live p:text-is('{WORDS['fr']['copy_failed']}')", state="attached")


def test_a_link_asks_the_same_question_of_the_same_articles(browser: Browser, tmp_path: Path) -> None:
    query = "Combien coûtent les travaux du pont des Tanneurs ?"
    scripts = bridge_script(), bridge_script(query), bridge_script()
    with answered(browser, tmp_path, *scripts) as (page, answerer, url):
        page.click("#filters summary")
        page.fill("[name=since]", "2025-10-05")
        page.select_option("[name=source]", "L’Écho du Val")
        page.select_option("[name=language]", "fr")
        ask(page, "Et combien ça coûte ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        shown = page.text_content(".turn:nth-child(2) .turn-filters-text")
        assert shown == "L’Écho du Val, Français, à partir du 5 octobre 2025"
        page.click(".turn:nth-child(2) .share")
        page.wait_for_selector(f".share:text-is('{WORDS['fr']['shared']}')")
        link = clipboard(page)
        asked = {"q": [query], "since": ["2025-10-05"], "source": ["L’Écho du Val"], "language": ["fr"]}
        assert parse_qs(urlsplit(link).query) == asked  # the follow-up as it was searched

        page.goto(link)  # in the same tab: a conversation of its own
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.url == f"{url}/"
        assert page.locator(".turn").count() == 1
        assert answerer.asked[2].question == query
        assert answerer.asked[2].history == ()
        assert answerer.asked[2].filters == Filters(
            since=date(2025, 10, 5), source=("L’Écho du Val",), language=("fr",)
        )
        assert page.input_value("[name=since]") == "2025-10-05"
        assert page.text_content("#filter-count") == "(3)"


@pytest.mark.parametrize("script", [True, False])
def test_a_suggested_question_is_asked_by_one_click(browser: Browser, tmp_path: Path, script: bool) -> None:
    app, answerer = make_app(bridge_script(), settings=Settings(home=tmp_path))
    suggestion = Suggestion(BRIDGE.id, digest_of_article(BRIDGE), "fr", QUESTION, "accepted")
    SuggestionFile(tmp_path).add(suggestion, FakeIndex().article)
    with running(app) as url, opened(browser, url, java_script_enabled=script) as page:
        page.click("a.suggestion")
        if not script:  # the question is in the box, and the button sends it
            assert page.input_value("#question") == QUESTION
            page.click("#ask")
        page.wait_for_selector(".turn[data-state=answered]")
        assert answerer.asked[0].question == QUESTION
        assert not page.locator("#suggestions").is_visible()


def test_a_link_to_a_source_that_is_gone_is_not_asked_of_all_articles(browser: Browser) -> None:
    app, answerer = make_app([found_bridge(), declined()])
    with running(app) as url, opened(browser, f"{url}/?q=Quand&source=Le+Disparu&language=xx") as page:
        page.wait_for_selector(".turn[data-state=declined]")
        assert answerer.asked[0].filters == Filters(source=("Le Disparu",), language=("xx",))


def test_a_link_waits_until_the_server_is_awake(browser: Browser) -> None:
    app = create_app(Settings(), None, None)
    with running(app) as url, opened(browser, f"{url}/?q=Quand+%3F") as page:
        page.wait_for_selector("#ask:disabled")
        answerer = FakeAnswerer(bridge_script())
        Ready.of(app).fill(answerer, FakeIndex())
        page.wait_for_selector(".turn[data-state=answered]")
        assert [one.question for one in answerer.asked] == ["Quand ?"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=lambda size: str(size[0]))
def test_a_verdict_is_stored_with_its_reason(browser: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    with answered(browser, tmp_path, size=size) as (page, _, _url):
        page.click("[data-verdict=up]")
        assert page.get_attribute("[data-verdict=up]", "aria-expanded") == "true"
        assert page.locator(".feedback [name=reason]").count() == 0
        page.click("[data-verdict=down]")  # the reader thinks again
        assert page.locator("form.feedback").count() == 1
        assert page.text_content(".feedback-note") == WORDS["fr"]["feedback_stored"]
        page.click(".feedback [type=submit]")
        assert page.text_content(".feedback-problem") == WORDS["fr"]["reason_missing"]
        page.check("[value=source]")
        page.fill(".feedback [name=comment]", "Ce n’est <b>pas</b> écrit.")
        assert not (tmp_path / FEEDBACK_FILE).exists()  # nothing is sent before "send"
        page.click(".feedback [type=submit]")
        page.wait_for_selector(".thanks")
        stored = json.loads((tmp_path / FEEDBACK_FILE).read_text(encoding="utf-8"))
        assert (stored["verdict"], stored["reason"]) == ("down", "source")
        assert stored["comment"] == "Ce n’est <b>pas</b> écrit."
        assert stored["question"] == QUESTION
        assert stored["answer"] == answer_bridge().text
        assert stored["articles"] == [BRIDGE.id, "pont-tanneurs-commercants"]
        page.reload()
        assert page.text_content(".thanks") == WORDS["fr"]["thanks"]  # asked once


def test_a_verdict_that_could_not_be_stored_is_not_lost(browser: Browser, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where the folder should be", encoding="utf-8")
    with answered(browser, home) as (page, _, _url):
        page.click("[data-verdict=up]")
        page.fill(".feedback [name=comment]", "Merci !")
        page.click(".feedback [type=submit]")
        page.wait_for_selector(f".feedback-problem:text-is('{WORDS['fr']['feedback_failed']}')")
        assert page.input_value(".feedback [name=comment]") == "Merci !"
        home.unlink()
        page.click(".feedback [type=submit]")
        page.wait_for_selector(".thanks")
        assert json.loads((home / FEEDBACK_FILE).read_text(encoding="utf-8"))["comment"] == "Merci !"


def test_a_declined_question_can_be_shared_and_judged_but_has_nothing_to_copy(browser: Browser, tmp_path: Path) -> None:
    with answered(browser, tmp_path, [found_bridge(), declined()]) as (page, _, _url):
        assert not page.locator(".copy").is_visible()
        assert page.locator(".share").is_visible()
        assert page.locator("[data-verdict=down]").is_visible()
