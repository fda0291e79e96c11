"""The pages as the server makes them: exact quotes, nothing of an article ever HTML, both languages, no JavaScript."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from web_fixtures import (
    ARTICLES,
    BRIDGE,
    FLOOD,
    HOSTILE,
    PROMISE,
    REOPENING,
    SHOPS,
    SHUTTLE,
    FakeIndex,
    UntilCancelled,
    answer_bridge,
    bridge_script,
    corroborated_bridge,
    declined,
    found_bridge,
    make_app,
    span_of,
)

import web
from index.articles import Article
from index.filters import Filters
from index.passages import Span
from qa.errors import Busy
from qa.events import AnswerSentence
from qa.suggestions import Suggestion, SuggestionFile, digest_of_article
from qa.wording.askable_facts import LANGUAGES
from web import create_app
from web.article_text import Block, cut_article, usable_spans
from web.settings import Settings
from web.turn_view import article_path, readable, safe_link
from web.words import WORDS

STATIC = Path(web.__file__).parent / "static"
FRENCH = {"Accept-Language": "fr-FR,fr;q=0.9"}
ENGLISH = {"Accept-Language": "en-GB,en;q=0.8"}
VOID = {"meta", "link", "br", "path", "img", "input"}


class Page(HTMLParser):
    """Reads a page into (tag, attributes, text inside) for each element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attrs), list[str]())
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop()[0] == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def all(self, tag: str = "", **attributes: str) -> list[str]:
        """The text of each element with this tag and these attributes (`class_` may be one of several)."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            "".join(texts)
            for name, found, texts in self.elements
            if (not tag or name == tag)
            and all(value in (found.get(key) or "").split() for key, value in wanted.items())
        ]

    def attributes(self, name: str) -> list[str]:
        return [found[name] or "" for _, found, _ in self.elements if name in found]


def article_page(article: Article, query: str = "", headers: dict[str, str] = FRENCH) -> tuple[Page, str]:
    app, _ = make_app()
    response = app.test_client().get(article_path(article.id) + query, headers=headers)
    assert response.status_code == 200
    return Page(response.text), response.text


def joined(blocks: list[Block]) -> str:
    return "".join(piece.text for block in blocks for run in block.runs for piece in run.pieces)


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.title[:12])
def test_the_article_page_holds_the_exact_text(article: Article) -> None:
    page, _ = article_page(article)
    assert page.all(class_="article-text") == [article.text]
    assert page.all("h1") == [article.title]


@pytest.mark.parametrize(
    ("article", "words"),
    [
        (BRIDGE, REOPENING),
        (BRIDGE, "Une navette gratuite reliera les deux rives **toutes les dix minutes**, de 6 h 30 à 21 heures."),
        (BRIDGE, "les dix"),
        (SHOPS, "Elle demande une passerelle"),
        (HOSTILE, "<img src=x onerror=alert(1)> & \"quoted\" 'text'"),
        (HOSTILE, "</mark></p><script>alert(2)</script>"),
    ],
)
def test_the_quoted_characters_are_inside_the_mark(article: Article, words: str) -> None:
    span = span_of(article, words)
    page, _ = article_page(article, f"?start={span.start}&end={span.end}")
    assert page.all("mark", id="quote") == [words]
    assert page.all("mark") == [words]
    assert page.all(class_="article-text") == [article.text]


def test_a_quote_may_cross_paragraphs() -> None:
    start = BRIDGE.text.index("chaque jour.")
    end = BRIDGE.text.index("reliera")
    page, _ = article_page(BRIDGE, f"?start={start}&end={end}")
    assert page.all("mark") == ["chaque jour.\n", "## Une navette gratuite\n", "Une navette gratuite "]
    assert page.all("mark", id="quote") == ["chaque jour.\n"]


def test_several_spans_are_highlighted_and_the_first_named_is_scrolled_to() -> None:
    later, earlier = span_of(BRIDGE, "Quelque 11 000 véhicules"), span_of(BRIDGE, REOPENING)
    query = f"?start={later.start}&end={later.end}&span={earlier.start}-{earlier.end}&span=x&span=5-2&span=0-99999"
    page, _ = article_page(BRIDGE, query)
    assert page.all("mark") == [REOPENING, "Quelque 11 000 véhicules"]
    assert page.all("mark", id="quote") == ["Quelque 11 000 véhicules"]


@pytest.mark.parametrize(
    "query",
    ["?start=5", "?start=9&end=3", "?start=0&end=999999", "?start=-1&end=4", "?start=a&end=b", "?start=٣&end=٤٤"],
)
def test_offsets_that_are_no_span_are_passed_over(query: str) -> None:
    page, _ = article_page(BRIDGE, query)
    assert page.all("mark") == []
    assert page.all(class_="article-text") == [BRIDGE.text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "one",
        "# Title\nText right below\n\n\n- item **bold**\n- *em* and 2 * 3 * 4\n   \nlast\n",
        "**unclosed and\n\n** other **\n####### seven\n#no space\n*a* **b** *c*",
        "é🌉\n\n🌉**🌉**🌉",
    ],
)
def test_cutting_loses_and_adds_nothing(text: str) -> None:
    everything = [(start, end) for start in range(len(text)) for end in range(start + 1, len(text) + 1)]
    assert joined(cut_article(text, [], None)) == text
    for start, end in everything[:: max(1, len(everything) // 200)]:
        blocks = cut_article(text, [Span(start, end)], start)
        assert joined(blocks) == text
        runs = [run for block in blocks for run in block.runs if run.quoted]
        marked = "".join(piece.text for run in runs for piece in run.pieces)
        assert marked.replace("\n", "").replace(" ", "") == text[start:end].replace("\n", "").replace(" ", "")
        assert sum(run.anchor for run in runs) == (1 if runs else 0)


def test_overlapping_spans_become_one() -> None:
    assert usable_spans([(5, 9), (1, 3), (8, 12), (3, 4), (90, 99)], 20) == [Span(1, 4), Span(5, 12)]


def test_hard_wrapped_lines_flow_and_short_lines_stay() -> None:
    wrapped = "This line was wrapped by an editor at seventy-two columns or so, which\nis nothing the reader wants.\n"
    blocks = cut_article(wrapped + "\nRoses are red,\nviolets are blue.\n", [], None)
    assert [block.kind for block in blocks] == ["paragraph", "gap", "lines"]


def test_nothing_of_an_article_is_ever_html() -> None:
    page, html = article_page(HOSTILE, "?start=0&end=5")
    assert "<script" not in html.replace("&lt;script", "")
    assert not page.all("img")
    assert "<b>nobody</b>" in page.all("p", class_="byline")[0]
    _, html = article_page(FLOOD)
    assert "javascript:" not in html


def test_only_web_addresses_become_links() -> None:
    assert safe_link("https://a.example/x") == "https://a.example/x"
    for url in (None, "", "javascript:alert(1)", "data:text/html,x", "//a.example", " https://a.example"):
        assert safe_link(url) is None


def test_article_paths_survive_any_id() -> None:
    assert article_path('a"b<c>/d e?f#g', 1, 2) == "/articles/a%22b%3Cc%3E/d%20e%3Ff%23g?start=1&end=2#quote"


def test_an_excerpt_is_readable() -> None:
    assert readable("« Quand ? » : demain !") == "«\u202fQuand\u202f?\u202f»\u00a0: demain\u202f!"
    text = "a.\n\n## Une navette\n\nElle **passe** et *repasse* 2 * 3 * 4"
    assert readable(text) == "a.\nUne navette\nElle passe et repasse 2 * 3 * 4"


@pytest.mark.parametrize(
    ("headers", "language"), [(FRENCH, "fr"), (ENGLISH, "en"), ({}, "fr"), ({"Accept-Language": "pt"}, "fr")]
)
def test_the_interface_speaks_the_readers_language(headers: dict[str, str], language: str) -> None:
    app, _ = make_app()
    response = app.test_client().get("/", headers=headers)
    words = WORDS[language]  # type: ignore[index]
    page = Page(response.text)
    assert response.headers["Content-Language"] == language
    assert "Accept-Language" in response.headers["Vary"]
    assert page.elements[0][1]["lang"] == language
    assert page.all("h1") == [words["hero_title"]]
    assert page.all("button", id="ask") == [words["ask"]]
    assert page.all("time")[0] == ("17 octobre 2025" if language == "fr" else "17 October 2025")


@pytest.mark.parametrize(
    ("accepted", "day"),
    [
        ("en-US", "October 17, 2025"),
        ("en", "October 17, 2025"),
        ("de, en-GB;q=0.8", "17 October 2025"),
        ("en-XX-nonsense, en-GB;q=0.5", "17 October 2025"),
        ("fr-CA", "17 octobre 2025"),
    ],
)
def test_days_are_written_as_where_the_reader_is(accepted: str, day: str) -> None:
    app, _ = make_app()
    page = Page(app.test_client().get("/", headers={"Accept-Language": accepted}).text)
    assert page.all("time")[0] == day


def test_both_languages_have_every_word_and_french_its_spaces() -> None:
    assert set(WORDS["fr"]) == set(WORDS["en"])
    for text in WORDS["fr"].values():
        assert not re.search(r" [:;?!»]|« ", text), text
        assert "'" not in text, text
    for language in ("fr", "en"):
        for key, text in WORDS[language].items():  # type: ignore[index]
            if key.endswith("_many"):
                assert "{n}" in text


def test_a_question_is_answered_without_javascript() -> None:
    app, answerer = make_app(bridge_script())
    response = app.test_client().post("/", data={"q": " Quand rouvre le pont des Tanneurs ?\r\n"}, headers=FRENCH)
    assert response.status_code == 200
    assert answerer.asked[0].question == "Quand rouvre le pont des Tanneurs ?"
    page = Page(response.text)
    sentences = page.all(class_="sentence")
    assert sentences[0].startswith("Le pont des Tanneurs doit rouvrir le 15 mars 2026.")
    assert "[1]" in sentences[0]
    assert "appui incertain" in sentences[1]
    assert (
        page.all("p", class_="summary")[0]
        == "2 phrases vérifiées dans 2 articles · 1 phrase écartée, faute de source · 3,5 s"
    )
    cards = page.all(class_="card")
    assert len(cards) == 4  # three, and the empty one of the template
    assert page.all("span", class_="card-cited")[0] == "Cité [1][2]"
    assert page.all("p", class_="also")[1].split() == ["Aussi", "dans", ":", "Valley", "Notes,", "<i>nowhere</i>"]
    assert article_path(FLOOD.id) in page.attributes("href")
    assert page.all("mark") == [readable(one) for one in (REOPENING, SHUTTLE, PROMISE, "Nobody was hurt.")]
    span = span_of(BRIDGE, REOPENING)
    assert article_path(BRIDGE.id, span.start, span.end) in page.attributes("href")


@pytest.mark.parametrize(
    ("headers", "said"), [(FRENCH, "Selon 2 sources indépendantes"), (ENGLISH, "According to 2 independent sources")]
)
def test_an_answer_that_two_papers_give_says_so(headers: dict[str, str], said: str) -> None:
    app, _ = make_app([found_bridge(), corroborated_bridge()])
    page = Page(app.test_client().post("/", data={"q": "Quand ?"}, headers=headers).text)
    assert page.all("p", class_="according")[0] == said


def test_what_only_one_article_says_has_no_two_sources() -> None:
    """Two sentences, each with a source of its own, are no sentence with two."""
    twice = replace(answer_bridge(), independent_sources=2)
    once = replace(corroborated_bridge(), independent_sources=1)
    for answer in (twice, once, replace(declined(), independent_sources=0)):
        app, _ = make_app([found_bridge(), answer])
        page = Page(app.test_client().post("/", data={"q": "Quand ?"}, headers=FRENCH).text)
        assert page.all("p", class_="according") == ["", ""]  # its own, and that of the template


def test_an_unsupported_sentence_is_not_shown_whoever_sends_it() -> None:
    answer = answer_bridge()
    bad = AnswerSentence("Le maire a menti.", (1,), "unsupported", 0.1)
    answer = type(answer)(
        answer.text, True, "fr", answer.standalone_question, (*answer.sentences, bad), answer.citations,
        answer.hits, 0.9, 1, answer.timings,
    )  # fmt: skip
    app, _ = make_app([found_bridge(), answer])
    assert "menti" not in app.test_client().post("/", data={"q": "Quand ?"}).text


def test_a_declined_question_shows_the_nearest_articles() -> None:
    app, _ = make_app([found_bridge(), declined()])
    page = Page(app.test_client().post("/", data={"q": "Qui a gagné le match ?"}, headers=FRENCH).text)
    assert page.all(class_="declined-text")[0] == declined().text
    assert page.all(class_="evidence-title")[0] == "Les articles les plus proches"
    assert not page.all(class_="sentence")


def test_hostile_questions_and_answers_are_escaped_in_the_page() -> None:
    attack = '</textarea><script>alert("x")</script>'
    app, _ = make_app([Busy(2)])
    response = app.test_client().post("/", data={"q": attack}, headers=FRENCH)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert "<script>alert" not in response.text
    page = Page(response.text)
    assert page.all("textarea", id="question") == [attack]
    assert WORDS["fr"]["error_busy"] in page.all(class_="error-text")
    html = make_app()[0].test_client().get("/", query_string={"q": attack}).text
    assert "<script>alert" not in html
    assert Page(html).all("textarea", id="question") == [attack]


@pytest.mark.parametrize(
    ("question", "status", "key"),
    [("  ", 400, "question_empty"), ("x" * 1001, 400, "error_bad_request"), ("a\0b", 400, "error_bad_request")],
)
def test_a_bad_question_gets_the_page_back_with_a_reason(question: str, status: int, key: str) -> None:
    app, answerer = make_app()
    response = app.test_client().post("/", data={"q": question}, headers=ENGLISH)
    assert response.status_code == status
    assert WORDS["en"][key] in Page(response.text).all(class_="error-text")
    assert answerer.asked == []


def test_an_answer_that_takes_too_long_gets_the_page_back() -> None:
    app, _ = make_app([found_bridge(), UntilCancelled()], settings=Settings(answer_seconds=0.2))
    response = app.test_client().post("/", data={"q": "Quand ?"}, headers=FRENCH)
    assert response.status_code == 503


def test_the_page_says_that_it_is_waking_up() -> None:
    client = create_app(Settings(), None, None).test_client()
    response = client.get("/", headers=FRENCH)
    assert response.status_code == 200
    assert 'http-equiv="refresh"' in response.text
    assert '"ready": false' in response.text
    article = client.get("/articles/x", headers=FRENCH)
    assert article.status_code == 503
    assert WORDS["fr"]["error_not_ready"] in article.text


def test_pages_that_do_not_exist_say_so_in_html() -> None:
    app, _ = make_app()
    for path in ("/nowhere", "/articles/none"):
        response = app.test_client().get(path, headers=ENGLISH)
        assert response.status_code == 404
        assert response.mimetype == "text/html"
        assert Page(response.text).all(class_="fault-text") == [WORDS["en"]["error_not_found"]]


def test_nothing_comes_from_another_host_and_nothing_is_inline() -> None:
    app, _ = make_app(bridge_script())
    html = app.test_client().post("/", data={"q": "Quand ?"}).text
    page = Page(html)
    for name in ("src", "href", "action"):
        assert all(value.startswith(("/", "#")) or value == "" for value in page.attributes(name))
    assert page.attributes("style") == []
    assert not [name for _, found, _ in page.elements for name in found if name.startswith("on")]
    for path in STATIC.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text(encoding="utf-8")), path
        assert "innerHTML" not in path.read_text(encoding="utf-8"), path


def test_the_page_is_light() -> None:
    app, _ = make_app()
    weight = len(app.test_client().get("/").data) + sum(path.stat().st_size for path in STATIC.iterdir())
    assert weight < 150_000  # bytes, before compression


def test_the_form_without_script_filters_and_keeps_what_was_chosen() -> None:
    app, answerer = make_app(bridge_script())
    form = {"q": "Quand ?", "since": "2025-10-01", "until": "", "source": "L’Écho du Val"}
    response = app.test_client().post("/", data=form, headers={"Accept-Language": "fr"})
    assert answerer.asked[0].filters == Filters(since=date(2025, 10, 1), source=("L’Écho du Val",))
    assert '<details id="filters" open>' in response.text
    assert 'name="since" form="ask-form" value="2025-10-01"' in response.text
    assert "<option selected>L’Écho du Val</option>" in response.text
    assert "&lt;i&gt;nowhere&lt;/i&gt;</option>" in response.text
    wrong = app.test_client().post("/", data={"q": "Quand ?", "since": "2025-10-02", "until": "2025-10-01"})
    assert wrong.status_code == 400
    assert len(answerer.asked) == 1
    assert '<details id="filters">' in app.test_client().get("/").text


def suggesting_app(home: Path, *about: tuple[Article, str]) -> Flask:
    """An app whose home has these questions, each about its article."""
    app, _ = make_app(bridge_script(), settings=Settings(home=home))
    file, articles = SuggestionFile(home), {article.id: article for article in ARTICLES}
    for article, question in about:
        suggestion = Suggestion(article.id, digest_of_article(article), article.language, question, "accepted")
        assert file.add(suggestion, articles.get)
    return app


def test_the_empty_page_suggests_questions_of_its_language(tmp_path: Path) -> None:
    asked, hostile = "Quand rouvre « le pont » d’Aubrenne ?", 'Who is "<script>alert(1)</script>" & co?'
    app = suggesting_app(tmp_path, (BRIDGE, asked), (HOSTILE, hostile))
    response = app.test_client().get("/", headers=FRENCH)
    page = Page(response.text)
    assert page.all("a", class_="suggestion") == ["Quand rouvre «\u202fle pont\u202f» d’Aubrenne\u202f?"]
    (link,) = (href for href in page.attributes("href") if href.startswith("/?q="))
    assert parse_qs(urlsplit(link).query) == {"q": [asked]}
    assert Page(app.test_client().get(link, headers=FRENCH).text).all("textarea", id="question") == [asked]
    english = app.test_client().get("/", headers=ENGLISH)
    assert Page(english.text).all("a", class_="suggestion") == [hostile]
    assert "<script>alert" not in english.text


def test_without_a_question_in_its_language_the_page_suggests_none(tmp_path: Path) -> None:
    app = suggesting_app(tmp_path, (BRIDGE, "Quand rouvre le pont des Tanneurs ?"))
    assert WORDS["en"]["suggestions"] not in app.test_client().get("/", headers=ENGLISH).text.partition("page-data")[0]
    answered = app.test_client().post("/", data={"q": "Quand ?"}, headers=FRENCH)
    assert Page(answered.text).all("a", class_="suggestion") == []


def test_a_question_that_is_refused_goes_from_the_page_at_once(tmp_path: Path) -> None:
    asked = "Quand rouvre le pont des Tanneurs ?"
    client = suggesting_app(tmp_path, (BRIDGE, asked)).test_client()
    assert Page(client.get("/", headers=FRENCH).text).all("a", class_="suggestion")
    SuggestionFile(tmp_path).judge(asked, "refused")
    assert Page(client.get("/", headers=FRENCH).text).all("a", class_="suggestion") == []


@pytest.mark.parametrize("settings", [Settings(), Settings(suggest_proposed=True)])
def test_what_the_model_proposes_waits_for_an_editor_unless_set_otherwise(tmp_path: Path, settings: Settings) -> None:
    app, _ = make_app(settings=replace(settings, home=tmp_path))
    suggestion = Suggestion(BRIDGE.id, digest_of_article(BRIDGE), "fr", "Quand rouvre le pont des Tanneurs ?")
    SuggestionFile(tmp_path).add(suggestion, FakeIndex().article)
    page = Page(app.test_client().get("/", headers=FRENCH).text)
    assert len(page.all("a", class_="suggestion")) == settings.suggest_proposed


def test_questions_are_made_in_the_languages_of_the_page() -> None:
    assert set(LANGUAGES) == set(WORDS)
