"""REST: ask, search, and the articles, as JSON or as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain, islice

from flask import Blueprint, Response, current_app, g, jsonify, request

from qa.answers import Answer, Checked, Draft, Event, Found
from web.asking import Asking, Unfinished, last_answer
from web.faults import NotFound, fault_of
from web.metrics import Metrics
from web.ready import the_answerer, the_index
from web.request_log import RequestRecord
from web.settings import Settings
from web.shapes import Json, answer_json, article_json, checked_json, found_json, hits_json, listed_json
from web.validation import read_ask, read_count, read_search

KEEP_ALIVE_S = 10.0  # proxies commonly cut a connection that is silent for 30 to 60 s
FIRST_TICKS = 10  # x TICK_S = 5 s for the first event, then the stream is opened without it
LONGEST_PAGE = 100  # articles

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.post("/ask")
def ask() -> Response:
    """Answer a question, whole or as it comes."""
    the_answerer()  # not ready is told before anything else is judged
    asked = read_ask(request, _settings())
    events = Asking.of_app().events(asked.question, asked.history, asked.k, asked.filters)
    # What fails before the evidence is there (busy, above all) is still a plain HTTP error.
    first = next((event for event in islice(events, FIRST_TICKS) if event is not None), None)
    if asked.stream:
        return _streamed(first, events, draft=asked.draft)
    with closing(events):
        return jsonify(answer_json(last_answer(chain((first,), events))))


@blueprint.post("/search")
def search() -> Response:
    """Find passages without answering."""
    index = the_index()
    wanted = read_search(request, _settings())
    if _settings().log_questions:
        RequestRecord.of_request().more["query"] = wanted.query
    with Metrics.of_app().timed_search():
        hits = index.search(wanted.query, wanted.k, wanted.filters)
    return jsonify({"hits": hits_json(hits)})


@blueprint.get("/articles")
def articles() -> Response:
    """List the articles, newest first, a page at a time."""
    index = the_index()
    offset = read_count(request.args.get("offset"), "offset", 0, 0, 100_000_000)
    limit = read_count(request.args.get("limit"), "limit", 20, 1, LONGEST_PAGE)
    page = [listed_json(article) for article in index.articles(offset, limit)]
    return jsonify({"articles": page, "offset": offset, "limit": limit, "total": index.manifest.articles})


@blueprint.get("/articles/<path:article_id>")
def article(article_id: str) -> Response:
    """Give one article with its text."""
    found = the_index().article(article_id)
    if found is None:
        raise NotFound("There is no article with this id.")
    return jsonify(article_json(found))


def _streamed(first: Event | None, events: Generator[Event | None, None, None], *, draft: bool) -> Response:
    body = _event_stream(chain((first,), events), g.request_id, draft=draft)
    response = Response(body, mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    # A body that was never started does not run its own `finally`.
    response.call_on_close(events.close)
    return response


def _event_stream(events: Iterator[Event | None], request_id: str, *, draft: bool) -> Iterator[str]:
    spoke = time.monotonic()
    finished = False
    try:
        for event in events:
            written = "" if event is None else _written(event, draft=draft)
            finished = finished or isinstance(event, Answer)
            if not written and time.monotonic() - spoke >= KEEP_ALIVE_S:
                written = ": keep-alive\n\n"
            if written:
                spoke = time.monotonic()
                yield written
        if not finished:
            raise Unfinished
    except Exception as error:  # the outermost edge: the status line has long been sent
        yield _sse("error", fault_of(error, request_id).body)


def _written(event: Event, *, draft: bool) -> str:
    if isinstance(event, Found):
        return _sse("passages", found_json(event))
    if isinstance(event, Checked):
        return _sse("sentence", checked_json(event))
    if isinstance(event, Draft):
        return _sse("token", {"text": event.text}) if draft else ""
    return _sse("answer", answer_json(event))


def _sse(name: str, data: Json) -> str:
    # json.dumps leaves no newline, so one data line always holds the whole object.
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["sourcier-settings"]
    return settings
