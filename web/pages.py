"""The chat page and the article page, both usable without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, render_template, request

from index.filters import read_filters
from web.article_text import cut_article, usable_spans
from web.asking import Asking, last_answer
from web.contract.validation import read_text
from web.faults import Fault, NotFound, fault_of
from web.ready import Index, Ready, the_index
from web.settings import Settings
from web.suggested import Suggested
from web.turn_view import Turn, article_path, failed_turn, safe_link, shown_turn
from web.words import WORDS, counted, language_name, long_date, page_language, page_locale, unbroken

LATEST_ARTICLES = 4  # on the empty page
MOST_SPANS = 50  # highlighted on one article page
MOST_SOURCES = 200  # to choose from
LONGEST_FILTER = 300  # characters of a filter in a link
FILTER_FIELDS = ("since", "until", "source", "language")

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def chat() -> Response:
    """Show the chat page; `?q=` puts a question into the box, which the page's script asks at once.

    The filters may stand beside it (`&since=2025-10-01&source=…`), as they do in a link to a question.
    """
    longest = _settings().max_question_characters
    return _chat_page(request.args.get("q", "").strip()[:longest], None)


@blueprint.post("/")
def chat_without_script() -> Response:
    """Answer the form of a page without JavaScript: one question, the whole answer at once."""
    words, language = WORDS[page_language(request)], page_language(request)
    typed = request.form.get("q", "")
    try:
        question = read_text(typed, "q", _settings().max_question_characters)
        filters = read_filters({name: request.form.get(name) for name in FILTER_FIELDS})
        with closing(Asking.of_app().events(question, (), _settings().passages, filters)) as events:
            turn = shown_turn(last_answer(events), question, words, language, page_locale(request))
    except Exception as error:  # the outermost edge of a page: whatever failed, the reader gets the page back
        fault = fault_of(error, g.request_id)
        problem = words["question_empty"] if not typed.strip() else words[f"error_{fault.code}"]
        response = _chat_page(typed.strip(), failed_turn(typed.strip(), problem))
        response.status_code = fault.status
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response
    return _chat_page("", turn)


@blueprint.get("/articles/<path:article_id>")
def article(article_id: str) -> Response:
    """Show one article, with the characters start..end (and each span=start-end) highlighted."""
    found = the_index().article(article_id)
    if found is None:
        raise NotFound("There is no article with this id.")
    asked = list(_asked_spans())
    quoted = usable_spans(asked, len(found.text))
    anchor = next((start for start, end in asked if 0 <= start < end <= len(found.text)), None)
    return _page(
        "article.html",
        article=found,
        blocks=cut_article(found.text, quoted, anchor),
        quoted=bool(quoted),
        link=safe_link(found.url),
    )


def fault_page(fault: Fault) -> Response:
    """Make the page that says what went wrong."""
    response = _page("fault.html", code=fault.code)
    response.status_code = fault.status
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _chat_page(question: str, turn: Turn | None) -> Response:
    ready = Ready.of(current_app)
    index: Index | None = ready.pair[1] if ready.is_filled else None
    settings = _settings()
    language = page_language(request)
    given = request.form if request.method == "POST" else request.args
    filtered = {name: value[:LONGEST_FILTER] for name in FILTER_FIELDS if (value := given.get(name))}
    return _page(
        "chat.html",
        question=question,
        turn=turn,
        scripts=_scripts(),
        suggestions=Suggested.of_app().questions(index, language) if index and not turn else [],
        ready=index is not None,
        filtered=filtered,
        sources=_choices(index.sources(MOST_SOURCES) if index else [], filtered.get("source")),
        languages=[
            (code, language_name(code, language))
            for code in _choices(sorted(index.manifest.languages) if index else [], filtered.get("language"))
        ],
        latest=index.articles(0, LATEST_ARTICLES) if index and not turn else [],
        article_count=index.manifest.articles if index else 0,
        settings=settings,
        limits={
            "question": settings.max_question_characters,
            "turns": settings.max_history_turns,
            "turn": settings.max_turn_characters,
        },
    )


def _choices(known: Sequence[str], chosen: str | None) -> list[str]:
    """What a select offers: what a link chose is among it, though no article has it any more."""
    return [*known, chosen] if chosen and chosen not in known else list(known)


@cache
def _scripts() -> list[str]:
    """The page's modules: named in its head, they are fetched side by side rather than one after the other."""
    return sorted(path.name for path in (Path(__file__).parent / "static").glob("*.js"))


def _page(template: str, **values: Any) -> Response:
    language = page_language(request)
    words = WORDS[language]
    html = render_template(
        template,
        **values,
        words=words,
        language=language,
        article_path=article_path,
        unbroken=unbroken,
        long_date=lambda day: long_date(day, page_locale(request)),
        counted=lambda key, count: counted(words, key, count),
    )
    response = make_response(html)
    response.headers["Vary"] = "Accept-Language"
    response.headers["Content-Language"] = language
    return response


def _asked_spans() -> Iterator[tuple[int, int]]:
    """Read the spans in the address, the one to scroll to first; what is not a span is passed over."""
    pairs = [(request.args.get("start", ""), request.args.get("end", ""))]
    for text in request.args.getlist("span")[:MOST_SPANS]:
        start, _, end = text.partition("-")
        pairs.append((start, end))
    for start, end in pairs:
        if re.fullmatch("[0-9]{1,9}", start) and re.fullmatch("[0-9]{1,9}", end):
            yield int(start), int(end)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["sourcier-settings"]
    return settings
