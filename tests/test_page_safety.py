"""Hostile words in every place that the page shows: none of them is ever HTML, a script, or a link to one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from browsing import ask, opened
from web_fixtures import TIMINGS, FakeAnswerer, FakeIndex, running

from index.articles import Article
from index.passages import Passage, Span
from index.search import Hit
from qa.events import Answer, AnswerSentence, Checked, Found
from qa.grounding import Citation
from web import create_app
from web.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ATTACKS = (
    "<img src=x onerror=window.ran=1>",
    "<script>window.ran=1</script>",
    '"><svg onload=window.ran=1>',
    "'-window.ran-'{{7*7}}${window.ran=1}",
    "</template></textarea></script><iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "[x](javascript:window.ran=1) ![x](https://elsewhere.example/x.png)",
    "javascript:window.ran=1",
    "{n}{title}$&$1<b onmouseover=window.ran=1>b</b>",
    "\u202eevil\u0000\u2028<style>*{display:none}</style>",
)
ATTACK = " ".join(ATTACKS).replace("\u0000", "")
QUESTION = f"{ATTACK[:900]} ?"


class HostileIndex(FakeIndex):
    """Every article says nothing but the attack, in every field."""

    ONE = Article(
        id=f"x/{ATTACK[:200]}", title=ATTACK, text=f"{ATTACK}\n\n{ATTACK}", language='fr" onfocus="window.ran=1',
        author=ATTACK, source=ATTACK, url="javascript:window.ran=1",
    )  # fmt: skip

    def article(self, article_id: str) -> Article | None:
        return self.ONE if article_id == self.ONE.id else None

    def articles(self, offset: int, limit: int) -> list[Article]:
        return [self.ONE]

    def sources(self, limit: int) -> list[str]:
        return [ATTACK, "Le Courrier"]


def hostile_answer() -> list[Any]:
    article = HostileIndex.ONE
    whole, span = Span(0, len(article.text)), Span(0, len(ATTACK))
    one = Hit(article, Passage("p", article.id, whole.start, whole.end, article.text, (span,)), span,
              score=0.5, vector=0.5, keyword=0.5, rank=1, vectors=None,
              also=(replace(article, id="y", source=f"{ATTACK}2"),))  # fmt: skip
    sentence = AnswerSentence(ATTACK, (1,), "partial", 0.5)
    citation = Citation(1, article, span.start, span.end)
    found = Found((one, replace(one, rank=2)), ATTACK, article.language, 1.0)
    answer = Answer(ATTACK, True, article.language, ATTACK, (sentence,), (citation,), found.hits, 0.5, 1, TIMINGS)
    return [found, Checked(sentence, (citation,)), answer]


@contextmanager
def hostile(browser: Browser, home: Path, path: str = "/", **how: Any) -> Iterator[tuple[Page, FakeAnswerer]]:
    """The page over the hostile index; whatever ran, asked another host, or became an element fails the test."""
    answerer = FakeAnswerer(*(hostile_answer() for _ in range(3)))
    app = create_app(Settings(home=home), answerer, HostileIndex())
    with running(app) as url, opened(browser, "about:blank", **how) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog was opened: {dialog.message}"))
        page.goto(url + path)
        yield page, answerer
        unharmed(page)
        assert all(one.startswith((f"{url}/", "blob:")) for one in asked), asked


def unharmed(page: Page) -> None:
    assert page.evaluate("window.ran") is None
    assert page.locator("main img, main script, main iframe, main svg, main style, main b, #history b").count() == 0
    links = page.evaluate(
        "[...document.querySelectorAll('[href], [src], [action]')].map(one => one.href ?? one.src ?? one.action)"
    )
    assert links
    assert not [one for one in links if not str(one).startswith("http://127.0.0.1") and one != ""]
    handlers = (
        "[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames()).filter(one => /^on/.test(one))"
    )
    assert page.evaluate(handlers) == []


def test_articles_answers_and_quotes_are_only_text(browser: Browser, tmp_path: Path) -> None:
    with hostile(browser, tmp_path) as (page, _):
        assert ATTACKS[0] in page.text_content("#latest a")
        page.click("#filters summary")
        page.select_option("[name=source]", index=1)
        ask(page, QUESTION)
        page.wait_for_selector(".turn[data-state=answered]")
        for selector in (".turn-question-text", ".searched-as-text", ".turn-filters-text", ".sentence", ".card-link",
                         ".card-source", ".excerpt", ".also-places"):  # fmt: skip
            assert ATTACKS[1] in page.locator(selector).first.inner_text(), selector
        assert "window.ran" in page.get_attribute("a.cite", "aria-label")
        page.focus("a.cite")
        assert ATTACKS[1] in page.inner_text("#preview .preview-quote")
        unharmed(page)
        page.keyboard.press("Enter")
        page.wait_for_selector("#reader mark#quote")
        assert ATTACKS[1] in page.inner_text("#reader h1")
        unharmed(page)


def test_the_history_and_the_export_are_only_text(browser: Browser, tmp_path: Path) -> None:
    with hostile(browser, tmp_path) as (page, _):
        ask(page, QUESTION)
        page.wait_for_selector(".turn[data-state=answered]")
        page.click("#open-history")
        assert ATTACKS[0] in page.inner_text(".entry-open")
        with page.expect_download() as download:
            page.click("[data-export=markdown]")
        assert not set(download.value.suggested_filename) & set("<>\"'/\\:*?|\u202e")
        text = Path(download.value.path()).read_text(encoding="utf-8")
        assert "\\<img src=x onerror" in text
        lines = [line for line in text.split("\n") if not line.startswith("\\[1\\]")]  # the one with the address
        assert "<" not in "".join(lines).replace("\\<", "")
        assert "](" not in text.replace("\\]", "")
        with page.expect_download() as download:
            page.click("[data-export=json]")
        exported = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        assert exported["turns"][0]["answer"] == ATTACK


def test_a_verdict_is_only_text(browser: Browser, tmp_path: Path) -> None:
    with hostile(browser, tmp_path) as (page, _):
        ask(page, QUESTION)
        page.wait_for_selector(".turn[data-state=answered]")
        page.click("[data-verdict=down]")
        page.check("[value=other]")
        page.fill(".feedback [name=comment]", ATTACK.replace("\n", " ")[:1000])
        page.click(".feedback [type=submit]")
        page.wait_for_selector(".thanks")
        (line,) = (tmp_path / "feedback.jsonl").read_text(encoding="utf-8").splitlines()
        assert ATTACKS[1] in json.loads(line)["comment"]


def test_a_link_is_only_a_question(browser: Browser, tmp_path: Path) -> None:
    link = f"/?q={quote(QUESTION)}&source={quote(ATTACK[:200])}&since={quote(ATTACK)}&language={quote(ATTACK)}"
    with hostile(browser, tmp_path, link) as (page, answerer):
        # The language cannot be one: the server refuses it, and the question is still there to be put again.
        page.wait_for_selector(".turn[data-state=failed]")
        assert ATTACKS[0] in page.inner_text(".turn-question-text")
        assert answerer.asked == []
    with hostile(browser, tmp_path, f"/?q={quote(QUESTION)}") as (page, answerer):
        page.wait_for_selector(".turn[data-state=answered]")
        assert answerer.asked[0].question == QUESTION


def test_a_page_without_javascript_is_only_text(browser: Browser, tmp_path: Path) -> None:
    with hostile(browser, tmp_path) as (page, _):
        page.fill("#question", QUESTION)
        page.evaluate("document.getElementById('ask-form').submit()")
        page.wait_for_selector(".turn[data-state=answered]")
        assert ATTACKS[1] in page.locator(".sentence").first.inner_text()


TURN = {"question": ATTACK, "filters": {}, "asked": 1, "found": None, "sentences": [], "answer": None, "stopped": True}
KEPT = {"version": 1, "id": "a", "started": 1, "turns": [TURN]}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"turns": [{"question": ATTACK, "stopped": True}]},
        {"turns": [TURN | {"answer": ATTACK}]},
        {"turns": [TURN | {"filters": {"since": ATTACK, "source": {"x": 1}}}]},
        {"turns": [TURN | {"found": {"passages": [{"text": ATTACK}], "standalone_question": 3}}]},
        {"turns": [TURN | {"answer": {"answer": ATTACK, "sentences": [1], "citations": [None], "passages": [ATTACK]}}]},
        {"turns": [TURN | {"question": {"x": 1}}]},
        {"turns": [TURN | {"asked": 1e300}]},
        {"turns": {"length": 1}},
        {"turns": []},
        {"started": "never"},
        {"started": 1e300},
        {"version": 99},
        {"id": ATTACK},
    ],
)
def test_what_lies_in_storage_is_only_text_or_nothing(browser: Browser, tmp_path: Path, change: dict[str, Any]) -> None:
    with hostile(browser, tmp_path) as (page, _):
        value = {**KEPT, **change}
        key = f"sourcier-conversation-{value['id']}"
        page.evaluate("([key, text]) => { localStorage[key] = text; }", [key, json.dumps(value)])
        page.evaluate("id => { sessionStorage['sourcier-open'] = id; }", value["id"])
        page.evaluate("localStorage['sourcier-conversation-b'] = '{broken'")
        page.reload()
        page.click("#open-history")
        unharmed(page)
        if page.locator(".entry").count():
            page.locator(".entry-open").first.click()
            unharmed(page)
        else:
            page.keyboard.press("Escape")
        page.click("#new-conversation") if page.locator("#new-conversation").is_visible() else None
        ask(page, QUESTION)  # the page still works
        page.wait_for_selector(".turn[data-state=answered]")
        page.click("#open-history")
        page.click("#delete-all")
        page.click("#delete-yes")
        assert page.evaluate("Object.keys(localStorage)") == []
