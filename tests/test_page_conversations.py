"""Conversations in the reader's own browser: kept, opened again, exported, deleted; storage that is full or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import ask, opened
from web_fixtures import (
    BRIDGE,
    REOPENING,
    FakeAnswerer,
    Step,
    UntilCancelled,
    answer_bridge,
    bridge_script,
    declined,
    found_bridge,
    make_app,
    running,
)

from qa.conversation import Turn
from web.words import WORDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

FRENCH = WORDS["fr"]
QUESTION = "Quand rouvre le pont des Tanneurs ?"


@contextmanager
def asked(browser: Browser, *scripts: list[Step], **how: Any) -> Iterator[tuple[Page, FakeAnswerer, str]]:
    """A page that has had its first answer."""
    app, answerer = make_app(bridge_script(), *scripts)
    with running(app) as url, opened(browser, url, **how) as page:
        ask(page, QUESTION)
        page.wait_for_selector(".turn[data-state=answered]")
        yield page, answerer, url


def kept(page: Page) -> list[dict[str, Any]]:
    values = page.evaluate("Object.keys(localStorage).sort().map(key => localStorage[key])")
    return [json.loads(value) for value in values]


def test_a_conversation_is_opened_again_and_goes_on(browser: Browser) -> None:
    other = "Qui a gagné le match ?"
    with asked(browser, [found_bridge(other), declined(other)], bridge_script()) as (page, answerer, url):
        page.click("#new-conversation")
        ask(page, other)
        page.wait_for_selector(".turn[data-state=declined]")
        page.click("#open-history")
        titles = page.locator(".entry-open")
        assert titles.all_text_contents() == [one.replace(" ?", "\u202f?") for one in (other, QUESTION)]
        assert page.locator(".entry-this").nth(0).is_visible()
        assert not page.locator(".entry-this").nth(1).is_visible()
        titles.nth(1).click()
        page.wait_for_selector("#history", state="hidden")
        assert page.locator(".sentence").count() == 2
        page.hover(".cite[data-number='1']")
        assert page.text_content("#preview .preview-quote") == REOPENING
        ask(page, "Et combien ça coûte ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        assert answerer.asked[-1].history == (Turn(QUESTION, answer_bridge().text),)
        page.reload()
        assert page.locator(".turn[data-state=answered]").count() == 2
        assert sorted(len(one["turns"]) for one in kept(page)) == [1, 2]

        # Another tab begins anew and finds both.
        second = page.context.new_page()
        second.goto(url)
        assert second.locator(".turn").count() == 0
        second.click("#open-history")
        assert second.locator(".entry").count() == 2


def test_deleting_all_leaves_nothing_behind(browser: Browser) -> None:
    with asked(browser, bridge_script()) as (page, _, _url):
        page.evaluate("localStorage['sourcier-conversation-old'] = 'of another version'")
        page.click("#open-history")
        page.click("#delete-all")
        page.click("#delete-no")
        assert len(page.evaluate("Object.keys(localStorage)")) == 2
        page.click("#delete-all")
        page.click("#delete-yes")
        assert page.text_content("#history-status") == FRENCH["announce_all_deleted"]
        assert page.evaluate("Object.keys(localStorage)") == []
        page.keyboard.press("Escape")
        assert page.locator(".turn").count() == 0
        page.reload()  # leaving the page must not bring it back
        assert page.locator(".turn").count() == 0
        assert page.evaluate("[Object.keys(localStorage), Object.keys(sessionStorage)]") == [[], []]


def test_deleting_stops_the_answer_under_way_and_keeps_nothing_of_it(browser: Browser) -> None:
    with asked(browser, [found_bridge(), UntilCancelled()]) as (page, answerer, _):
        ask(page, "Encore ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=reading]")
        page.click("#open-history")
        page.click(".entry .delete")
        assert answerer.cancelled.wait(5)
        assert page.text_content("#history-status") == FRENCH["announce_deleted"]
        assert kept(page) == []


def test_what_another_tab_deleted_is_not_kept_again(browser: Browser) -> None:
    with asked(browser, bridge_script()) as (page, _, url):
        second = page.context.new_page()
        second.goto(url)
        second.click("#open-history")
        second.click("#delete-all")
        second.click("#delete-yes")
        ask(page, "Et combien ça coûte ?")  # this tab still shows it, and goes on
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        assert kept(page) == []


def test_a_stopped_answer_is_kept_as_far_as_it_came(browser: Browser) -> None:
    with asked(browser, [*bridge_script()[:4], UntilCancelled()]) as (page, _, _url):
        ask(page, "Encore ?")
        page.wait_for_selector(".turn:nth-child(2) .sentence")
        page.click("#stop")
        page.wait_for_selector(".turn:nth-child(2)[data-state=stopped]")
        page.reload()
        assert page.locator(".turn:nth-child(2)[data-state=stopped] .sentence").count() == 1
        assert page.text_content(".turn:nth-child(2) .summary") == FRENCH["stopped"]
        assert page.locator(".turn:nth-child(2) .copy").is_visible()


def exported(page: Page, kind: str) -> tuple[str, str]:
    page.click("#open-history")
    with page.expect_download() as download:
        page.click(f"[data-export={kind}]")
    page.click("#history-close")
    return download.value.suggested_filename, Path(download.value.path()).read_text(encoding="utf-8")


def test_the_export_has_every_sentence_and_its_source(browser: Browser) -> None:
    with asked(browser) as (page, _, url):
        name, text = exported(page, "json")
        assert name.startswith("sourcier-20")
        assert name.endswith("-Quand-rouvre-le-pont-des-Tanneurs.json")
        (turn,) = json.loads(text)["turns"]
        assert (turn["question"], turn["answered"], turn["answer"]) == (QUESTION, True, answer_bridge().text)
        assert [one["citations"] for one in turn["sentences"]] == [[1], [2, 3]]
        first = turn["citations"][0]
        assert BRIDGE.text[first["start"] : first["end"]] == first["quote"] == REOPENING
        assert first["page"].startswith(f"{url}/articles/{BRIDGE.id}?start=")

        name, text = exported(page, "markdown")
        assert name.endswith(".md")
        assert text.startswith(f"# {QUESTION}\n\nLe pont des Tanneurs doit rouvrir le 15 mars 2026. \\[1\\] ")
        assert f"\\[1\\] {BRIDGE.title}, {BRIDGE.source}, 14 octobre 2025: <{first['page']}>\n\n> {REOPENING}" in text
        assert text.count("\n> ") == 3


def test_without_storage_the_page_works_as_long_as_it_is_open(browser: Browser) -> None:
    refused = """for (const name of ['localStorage', 'sessionStorage'])
      Object.defineProperty(window, name, {get() { throw new DOMException('', 'SecurityError'); }});"""
    app, _ = make_app(bridge_script(), bridge_script())
    with running(app) as url, opened(browser, url) as page:
        page.add_init_script(refused)
        page.goto(url)
        ask(page, QUESTION)
        page.wait_for_selector(".turn[data-state=answered]")
        ask(page, "Et combien ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        page.click("#open-history")
        assert page.text_content("#history-status") == FRENCH["history_refused"]
        assert page.locator(".entry").count() == 1  # the one on the page can still be exported
        page.click("#delete-all")
        page.click("#delete-yes")
        assert page.locator(".entry").count() == 0


def test_full_storage_lets_the_oldest_go_and_says_when_nothing_helps(browser: Browser) -> None:
    fill = """() => { const part = 'x'.repeat(1e5); let number = 0;
      try { for (;;) localStorage['other-' + number++] = part; } catch {}
      try { for (number = 0;; number++) localStorage['small-' + number] = 'x'.repeat(100); } catch {} }"""
    with asked(browser, bridge_script(), bridge_script()) as (page, _, _url):
        page.evaluate(fill)  # by something else of this host: none of it is ours to delete
        page.click("#new-conversation")
        ask(page, "Combien ?")
        page.wait_for_selector(".turn[data-state=answered]")
        mine = [one for one in page.evaluate("Object.keys(localStorage)") if one.startswith("sourcier-conversation-")]
        assert len(mine) == 1
        assert json.loads(page.evaluate("key => localStorage[key]", mine[0]))["turns"][0]["question"] == "Combien ?"
        assert page.text_content("#notice") == ""
        ask(page, "Et où ?")  # now this one alone has no room to grow
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        assert page.text_content("#notice") == FRENCH["history_full"]
        assert FRENCH["history_full"] in page.locator("#live p").all_text_contents()
