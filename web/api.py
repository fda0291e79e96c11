"""REST: ask, search, and the articles, as JSON or as server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import partial

from flask import Blueprint, Response, current_app, jsonify, request, url_for

from qa.events import Checked, Draft, Event, Found
from web.asking import Asking, last_answer
from web.contract import bodies
from web.contract.event_stream import await_first, data_line, streamed
from web.contract.operations import operation
from web.contract.shapes import answer_json, article_json, checked_json, found_json, hits_json, listed_json
from web.contract.validation import AskRequest, PageQuery, SearchRequest, read_body, read_page
from web.faults import Fault, NotFound
from web.ready import the_answerer, the_index
from web.service.metrics import Metrics
from web.service.request_log import RequestRecord
from web.settings import Settings

blueprint = Blueprint("api", __name__, url_prefix="/api")

ASK_EVENTS = {"passages": bodies.Found, "sentence": bodies.Checked, "token": bodies.Draft, "answer": bodies.Answer}


@blueprint.post("/ask")
@operation("Answers", takes=AskRequest, gives=bodies.Answer, events=ASK_EVENTS, faults=("busy",))
def ask() -> Response:
    """Answer a question, whole or as it comes.

    Every sentence was checked against its source and points to it. What the articles do not say is declined, which is
    an answer too (`answered` is false). With `"stream": true` the answer comes as server-sent events: `passages` once,
    `sentence` for each sentence, and last `answer` (the same body as without streaming) or `error`.
    """
    the_answerer()  # not ready is told before anything else is judged
    asked = read_body(AskRequest, request, _settings())
    events = Asking.of_app().events(asked.question, asked.turns, asked.k or _settings().passages, asked.filters)
    if asked.stream:
        return streamed(events, partial(_written, draft=bool(asked.draft)), _written_fault)
    with closing(events):
        return jsonify(answer_json(last_answer(await_first(events))))


@blueprint.post("/search")
@operation("Answers", takes=SearchRequest, gives=bodies.Hits)
def search() -> Response:
    """Find passages without answering.

    Best first; a passage that several articles print nearly as it stands is one hit, and the others are in `also`.
    """
    index = the_index()
    index = the_index()
    wanted = read_body(SearchRequest, request, _settings())
    if _settings().log_questions:
        RequestRecord.of_request().more["query"] = wanted.query
    with Metrics.of_app().timed_search():
        hits = index.search(wanted.query, wanted.k or _settings().passages, wanted.filters)
    return jsonify(bodies.Hits(hits=hits_json(hits)))


@blueprint.get("/articles")
@operation("Articles", query=PageQuery, gives=bodies.ArticlePage)
def articles() -> Response:
    """List the articles, newest first, a page at a time."""
    index = the_index()
    page = read_page(request)
    listed = [listed_json(article) for article in index.articles(page.offset, page.limit)]
    total, after = index.manifest.articles, page.offset + page.limit
    more = url_for("api.articles", offset=after, limit=page.limit) if after < total else None
    return jsonify(bodies.ArticlePage(articles=listed, offset=page.offset, limit=page.limit, total=total, next=more))


@blueprint.get("/articles/<path:article_id>")
@operation("Articles", gives=bodies.Article, faults=("not_found",), path={"article_id": "id of an article"})
def article(article_id: str) -> Response:
    """Give one article with its text.

    Slashes in an id may be sent as they are or as `%2F`.
    """
    found = the_index().article(article_id)
    if found is None:
        raise NotFound("There is no article with this id.")
    return jsonify(article_json(found))


def _written(event: Event, *, draft: bool) -> str:
    if isinstance(event, Found):
        return _named("passages", found_json(event))
    if isinstance(event, Checked):
        return _named("sentence", checked_json(event))
    if isinstance(event, Draft):
        return _named("token", bodies.Draft(text=event.text)) if draft else ""
    return _named("answer", answer_json(event))


def _written_fault(fault: Fault) -> str:
    return _named("error", fault.body)


def _named(name: str, data: Mapping[str, object]) -> str:
    return f"event: {name}\n{data_line(data)}"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["sourcier-settings"]
    return settings
