"""The page in a real browser, over a real server: what a reader sees, clicks and hears."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from browsing import DESK, IN_VIEW, PHONE, ask, no_sideways_scroll, opened
from web_fixtures import (
    BRIDGE,
    PROMISE,
    REOPENING,
    SHOPS,
    SHUTTLE,
    FakeAnswerer,
    FakeIndex,
    Step,
    UntilCancelled,
    answer_bridge,
    bridge_script,
    checked_bridge,
    corroborated_bridge,
    declined,
    found_bridge,
    make_app,
    running,
    span_of,
)

from index.filters import Filters
from qa.conversation import Turn
from qa.errors import Busy
from web import create_app
from web.ready import Ready
from web.settings import Settings
from web.turn_view import article_path, readable
from web.words import WORDS, unbroken

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@contextmanager
def asking(browser: Browser, *scripts: list[Step], **how: Any) -> Iterator[tuple[Page, FakeAnswerer]]:
    app, answerer = make_app(*scripts)
    with running(app) as url, opened(browser, url, **how) as page:
        yield page, answerer


@pytest.mark.parametrize("size", [PHONE, DESK, (320, 640)], ids=lambda size: str(size[0]))
def test_evidence_then_checked_sentences_then_the_quote(browser: Browser, size: tuple[int, int]) -> None:
    gates = [threading.Event() for _ in range(3)]
    first, second = checked_bridge()
    script = [gates[0], found_bridge(), gates[1], first, gates[2], second, answer_bridge()]
    with asking(browser, script, size=size) as (page, _):
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=searching]")
        assert page.text_content(".status-text") == WORDS["fr"]["searching"]
        assert page.text_content(".turn-question-text") == "Quand rouvre le pont des Tanneurs\u202f?"
        gates[0].set()

        page.wait_for_selector(".turn[data-state=reading] .card")
        assert page.locator(".card").count() == 3
        assert page.locator(".sentence").count() == 0
        card = page.locator(".card").first
        assert card.locator(".card-link").text_content() == BRIDGE.title
        assert card.locator(".card-source").text_content() == "Le Courrier de la Sarve"
        assert card.locator(".card-date").text_content() == "14 octobre 2025"
        assert card.locator("mark").all_text_contents() == [REOPENING]
        assert no_sideways_scroll(page)
        gates[1].set()

        page.wait_for_selector(".turn[data-state=writing] .sentence")
        assert page.locator(".sentence").count() == 1
        assert page.locator(".sentence").text_content() == f"{first.sentence.text}\u2060[1]"
        gates[2].set()

        page.wait_for_selector(".turn[data-state=answered]")
        assert page.locator(".sentence").count() == 2
        assert page.locator(".sentence").nth(1).get_attribute("data-support") == "partial"
        assert page.locator(".card-cited").first.text_content() == "Cité [1][2]"
        assert card.locator("mark").all_text_contents() == [readable(REOPENING), readable(SHUTTLE)]
        assert card.locator(".excerpt").text_content() == readable(BRIDGE.text)
        also = page.locator(".cards .also")
        assert [also.nth(place).is_visible() for place in range(3)] == [False, True, False]
        assert also.nth(1).inner_text() == "Aussi dans\u00a0: Valley Notes, <i>nowhere</i>"
        assert also.nth(1).locator("a").first.get_attribute("href") == "/articles/flood/river-notes"
        announced = page.locator("#live p").all_text_contents()
        assert announced == [
            WORDS["fr"]["announce_searching"],
            "3 passages trouvés, lecture en cours.",
            first.sentence.text,
            second.sentence.text,
            WORDS["fr"]["announce_done"],
        ]

        page.click('.cite[data-number="2"]')
        quote = page.wait_for_selector("#reader mark#quote")
        assert quote is not None
        assert quote.text_content() == SHUTTLE
        assert quote.evaluate(IN_VIEW)
        assert no_sideways_scroll(page)
        page.go_back()
        page.wait_for_selector("#reader", state="hidden")
        assert page.locator(".sentence").count() == 2
        assert page.evaluate("document.activeElement.dataset.number") == "2"


@pytest.mark.parametrize("size", [PHONE, DESK], ids=lambda size: str(size[0]))
def test_the_article_page_scrolls_to_the_quote_without_javascript(browser: Browser, size: tuple[int, int]) -> None:
    app, _ = make_app(bridge_script())
    with running(app) as url, opened(browser, url, size=size, java_script_enabled=False) as page:
        page.fill("#question", "Quand rouvre le pont des Tanneurs ?")
        page.click("#ask")
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.locator(".sentence").count() == 2
        assert not page.locator("#stop").is_visible()
        page.click('.cite[data-number="2"]')
        quote = page.locator("mark#quote")
        assert quote.text_content() == SHUTTLE
        box = quote.bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= size[1] - box["height"]


def test_keyboard_alone_and_the_preview(browser: Browser) -> None:
    with asking(browser, bridge_script()) as (page, _):
        assert page.evaluate("document.activeElement.id") == "question"
        page.keyboard.type("Première ligne")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("seconde ligne")
        assert page.input_value("#question") == "Première ligne\nseconde ligne"
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn[data-state=answered]")
        page.focus('.cite[data-number="1"]')
        assert page.text_content("#preview .preview-quote") == REOPENING
        assert page.locator("#preview").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("#preview").is_visible()
        page.keyboard.press("Enter")
        page.wait_for_selector("#reader mark#quote")
        page.keyboard.press("Escape")
        page.wait_for_selector("#reader", state="hidden")
        assert page.evaluate("document.activeElement.dataset.number") == "1"


def test_a_follow_up_carries_the_conversation(browser: Browser) -> None:
    query = "Combien coûtent les travaux du pont des Tanneurs ?"
    with asking(browser, bridge_script(), bridge_script(query)) as (page, answerer):
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=answered]")
        assert not page.locator(".searched-as").is_visible()
        ask(page, "Et combien ça coûte ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        assert page.locator(".searched-as-text").nth(1).text_content() == query.replace(" ?", "\u202f?")
        assert answerer.asked[1].history == (Turn("Quand rouvre le pont des Tanneurs ?", answer_bridge().text),)

        page.reload()  # the conversation is this tab's
        assert page.locator(".turn[data-state=answered]").count() == 2
        page.click("#new-conversation")
        assert page.locator(".turn").count() == 0
        page.reload()
        assert page.locator(".turn").count() == 0
        assert page.locator("#hero").is_visible()


def test_the_english_page(browser: Browser) -> None:
    with asking(browser, bridge_script("Quand ?"), locale="en-GB") as (page, _):
        assert page.text_content("h1") == WORDS["en"]["hero_title"]
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.locator(".card-date").first.text_content() == "14 October 2025"
        assert page.locator(".summary").text_content() == (
            "2 sentences checked in 2 articles · 1 sentence withheld for want of a source · 3.5 s"
        )
        assert page.get_attribute(".answer-text", "lang") == "fr"


@pytest.mark.parametrize(
    ("locale", "said"),
    [("fr-FR", "Selon 2 sources indépendantes"), ("en-GB", "According to 2 independent sources")],
)
def test_an_answer_that_two_papers_give_says_so(browser: Browser, locale: str, said: str) -> None:
    scripts: list[list[Step]] = [[found_bridge(), corroborated_bridge()], bridge_script()]
    with asking(browser, *scripts, locale=locale) as (page, _):
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.inner_text(".according") == said
        page.reload()  # kept with the conversation
        assert page.inner_text(".according") == said
        ask(page, "Et combien ça coûte ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        assert not page.locator(".turn:nth-child(2) .according").is_visible()


def test_a_declined_question(browser: Browser) -> None:
    with asking(browser, [found_bridge(), declined()]) as (page, _):
        ask(page, "Qui a gagné le match ?")
        page.wait_for_selector(".turn[data-state=declined]")
        assert page.text_content(".declined-text") == declined().text
        assert page.text_content(".evidence-title") == WORDS["fr"]["nearest"]
        assert page.locator(".card").count() == 3
        assert page.locator(".sentence").count() == 0


def test_busy_is_counted_down_and_asked_again(browser: Browser) -> None:
    with asking(browser, [Busy(2)], bridge_script()) as (page, answerer):
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=waiting]")
        assert page.text_content(".error-text") == WORDS["fr"]["waiting_busy"]
        assert page.text_content(".countdown") == "Nouvel essai dans 2 secondes."
        spoken = f"{WORDS['fr']['waiting_busy']} Nouvel essai dans 2 secondes."
        assert page.locator("#live p").last.text_content() == spoken
        page.wait_for_selector(".countdown:text('dans 1 seconde.')")
        assert page.locator("#live p").last.text_content() == spoken  # the countdown is for the eyes
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.locator(".turn").count() == 1
        assert not page.locator(".turn-error").is_visible()
        assert answerer.asked[1].history == ()


def test_a_reader_who_waits_may_ask_at_once_or_stop(browser: Browser) -> None:
    with asking(browser, [Busy(60)], bridge_script(), [Busy(60)]) as (page, answerer):
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.click(".turn[data-state=waiting] .retry")
        page.wait_for_selector(".turn[data-state=answered]")
        ask(page, "Et combien ça coûte ?")
        page.wait_for_selector(".turn[data-state=waiting]")
        page.click("#stop")
        page.wait_for_selector(".turn:nth-child(2)[data-state=stopped]")
        assert page.locator("#ask").is_visible()
        assert len(answerer.asked) == 3


def test_offline_waits_for_the_line(browser: Browser) -> None:
    with asking(browser, bridge_script(), [found_bridge(), UntilCancelled()], bridge_script()) as (page, answerer):
        page.context.set_offline(True)
        ask(page, "Quand rouvre le pont des Tanneurs ?")
        page.wait_for_selector(".turn[data-state=offline]")
        assert page.text_content(".error-title") == WORDS["fr"]["offline_title"]
        page.context.set_offline(False)
        page.wait_for_selector(".turn[data-state=answered]")

        ask(page, "Et combien ça coûte ?")
        page.wait_for_selector(".turn:nth-child(2)[data-state=reading]")
        page.context.set_offline(True)  # in the middle of an answer
        page.wait_for_selector(".turn:nth-child(2)[data-state=offline]")
        page.context.set_offline(False)
        page.wait_for_selector(".turn:nth-child(2)[data-state=answered]")
        assert page.locator(".turn:nth-child(2) .card").count() == 3
        assert page.locator(".turn:nth-child(2) .sentence").count() == 2
        assert len(answerer.asked) == 3


def test_an_error_may_be_tried_again_and_is_no_part_of_the_conversation(browser: Browser) -> None:
    with asking(browser, [found_bridge(), ZeroDivisionError("secret")], bridge_script()) as (page, answerer):
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=failed]")
        assert page.text_content(".error-title") == WORDS["fr"]["error_title"]
        page.click(".retry")
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.locator(".turn").count() == 1
        assert answerer.asked[1].history == ()


def test_the_page_says_how_many_others_are_answered(browser: Browser) -> None:
    gate = threading.Event()
    app, _ = make_app([found_bridge(), gate, answer_bridge()], [found_bridge(), gate, answer_bridge()])
    with running(app) as url, opened(browser, url) as page, opened(browser, url) as other:
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=reading]")
        assert page.text_content(".ahead") == ""
        ask(other, "Quand ?")
        other.wait_for_selector(".turn[data-state=reading]")
        assert other.text_content(".ahead") == WORDS["fr"]["ahead_one"]
        gate.set()
        other.wait_for_selector(".turn[data-state=answered]")
        page.wait_for_selector(".turn[data-state=answered]")


def test_a_stream_that_breaks_says_so_and_keeps_what_was_checked(browser: Browser) -> None:
    first, _ = checked_bridge()
    with asking(browser, [found_bridge(), first, ZeroDivisionError("secret")]) as (page, _):
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=failed]")
        assert page.text_content(".error-text") == WORDS["fr"]["error_internal"]
        assert page.locator(".sentence").count() == 1
        assert "secret" not in page.content()


def test_stop_cancels_the_answer_on_the_server(browser: Browser) -> None:
    with asking(browser, [found_bridge(), UntilCancelled()]) as (page, answerer):
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=reading]")
        page.click("#stop")
        page.wait_for_selector(".turn[data-state=stopped]")
        assert answerer.cancelled.wait(5)
        assert page.locator("#ask").is_visible()
        assert page.locator(".card").count() == 3


def test_a_link_with_a_question_asks_it_once(browser: Browser) -> None:
    app, answerer = make_app(bridge_script())
    with running(app) as url, opened(browser, f"{url}/?q=Quand+rouvre+le+pont+%3F") as page:
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.url == f"{url}/"
        page.reload()
        assert page.locator(".turn").count() == 1
        assert [asked.question for asked in answerer.asked] == ["Quand rouvre le pont ?"]


def test_the_page_wakes_up_with_the_server(browser: Browser) -> None:
    app = create_app(Settings(), None, None)
    with running(app) as url, opened(browser, url) as page:
        assert page.locator("#waking").is_visible()
        assert page.locator("#ask").is_disabled()
        Ready.of(app).fill(FakeAnswerer(bridge_script()), FakeIndex())
        page.wait_for_selector("#ask:enabled")
        assert not page.locator("#waking").is_visible()
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=answered]")


def test_a_folded_card_opens_and_counts_characters_as_the_server_does(browser: Browser) -> None:
    gate = threading.Event()
    with asking(browser, [*bridge_script()[:-1], gate, answer_bridge()]) as (page, _):
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=writing]")
        card = page.locator(".card").nth(1)
        assert not card.locator(".far").first.is_visible()
        card.locator(".expand").click()
        assert card.locator(".far").first.is_visible()
        assert card.locator(".expand").get_attribute("aria-expanded") == "true"
        assert card.locator(".excerpt").text_content() == unbroken(SHOPS.text.replace("\n\n", "\n"))
        gate.set()
        page.wait_for_selector(".turn[data-state=answered]")
        assert card.locator(".far").first.is_visible()  # the whole answer did not fold it again
        assert card.locator(".excerpt").text_content() == unbroken(SHOPS.text.replace("\n\n", "\n"))
        assert card.locator("mark").all_text_contents() == [readable(PROMISE)]


def test_a_card_shows_what_is_cited_instead_of_the_sentence_found(browser: Browser) -> None:
    found, (first, _) = found_bridge(), checked_bridge()
    found = replace(found, hits=(replace(found.hits[0], sentence=span_of(BRIDGE, SHUTTLE)), *found.hits[1:]))
    (cited,) = first.citations
    overlapping = replace(cited, number=2, start=cited.start + 3)
    answer = replace(answer_bridge(), hits=found.hits, sentences=(first.sentence,), citations=(cited, overlapping))
    gate = threading.Event()
    with asking(browser, [found, gate, first, answer]) as (page, _):
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=reading] .card")
        card, (shuttle, reopening) = page.locator(".card").first, (span_of(BRIDGE, SHUTTLE), span_of(BRIDGE, REOPENING))
        link = card.locator(".card-link")
        assert card.locator("mark").all_text_contents() == [readable(SHUTTLE)]
        assert link.get_attribute("href") == article_path(BRIDGE.id, shuttle.start, shuttle.end)
        gate.set()
        page.wait_for_selector(".turn[data-state=answered]")
        assert card.locator("mark").all_text_contents() == [readable(REOPENING)]
        assert link.get_attribute("href") == article_path(BRIDGE.id, reopening.start, reopening.end)


# Widths, in pixels, at which the number of a citation does not stand behind its sentence, but begins a line.
ALONE = """([from, to]) => {
  const text = document.querySelector(".answer-text");
  const alone = [];
  for (let width = from; width <= to; width += 1) {
    text.style.width = `${width}px`;
    for (const mark of text.querySelectorAll(".cite")) {
      const sentence = mark.parentElement.firstChild;
      const end = document.createRange();
      end.setStart(sentence, sentence.length - 1);
      end.setEnd(sentence, sentence.length);
      if (mark.getBoundingClientRect().left < end.getBoundingClientRect().left) alone.push(width);
    }
  }
  return alone;
}"""


def test_the_number_of_a_citation_never_begins_a_line(browser: Browser) -> None:
    with asking(browser, bridge_script()) as (page, _):
        ask(page, "Quand ?")
        page.wait_for_selector(".turn[data-state=answered]")
        assert page.locator(".cite").count() == 3
        assert page.evaluate(ALONE, [260, 700]) == []


SPLIT = """async () => {
  const { readEvents } = await import("/static/event_stream.js");
  const text = ": hello\\r\\nevent: a\\r\\ndata: {\\"x\\": \\"é🌉\\"}\\r\\n\\r\\ndata:one\\ndata: two\\n\\n: keep-alive\\n\\nevent: cut\\ndata: 1\\n";
  const bytes = new TextEncoder().encode(text);
  const wrong = [];
  for (let one = 0; one <= bytes.length; one += 1) {
    for (const two of [one, one + 1, one + 7]) {
      const parts = [bytes.slice(0, one), bytes.slice(one, two), bytes.slice(two)];
      const body = new ReadableStream({ start(out) { parts.forEach((part) => out.enqueue(part)); out.close(); } });
      const events = [];
      for await (const event of readEvents(body)) events.push(event);
      const seen = JSON.stringify(events);
      if (seen !== '[{"event":"a","data":"{\\\\"x\\\\": \\\\"é🌉\\\\"}"},{"event":"message","data":"one\\\\ntwo"}]') wrong.push([one, two, seen]);
    }
  }
  return wrong;
}"""  # noqa: E501  # one script, as the browser runs it


def test_events_are_read_whatever_the_chunks(browser: Browser) -> None:
    with asking(browser) as (page, _):
        assert page.evaluate(SPLIT) == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=lambda size: str(size[0]))
def test_filters_go_with_the_question(browser: Browser, size: tuple[int, int]) -> None:
    app, answerer = make_app(bridge_script())
    with running(app) as url, opened(browser, url, size=size) as page:
        summary = page.locator("#filters summary")
        summary.focus()
        page.keyboard.press("Enter")
        page.fill("[name=since]", "2025-10-05")
        page.fill("[name=until]", "2025-10-04")
        page.select_option("[name=source]", "L’Écho du Val")
        assert summary.inner_text() == "Limiter à certains articles (3)"
        page.fill("#question", "Quand ?")
        page.press("#question", "Enter")
        assert answerer.asked == []  # the browser says that the days are the wrong way round
        page.fill("[name=until]", "")
        page.press("#question", "Enter")
        page.wait_for_selector(".turn[data-state=answered]")
        assert answerer.asked[0].filters == Filters(since=date(2025, 10, 5), source=("L’Écho du Val",))
        assert no_sideways_scroll(page)
