"""The HTTP contract: shapes, refusals, events as they come, and a reader who leaves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient
from web_fixtures import (
    ARTICLES,
    BRIDGE,
    HOSTILE,
    FakeAnswerer,
    FakeIndex,
    UntilCancelled,
    answer_bridge,
    bridge_script,
    declined,
    found_bridge,
    make_app,
    running,
)
from werkzeug.test import TestResponse

from index.errors import BadQuery, BrokenIndex, SourcierError
from index.filters import Filters
from qa.conversation import Turn
from qa.errors import Busy, QuestionTooLong
from web import create_app
from web.ready import Ready
from web.service.server import PortProblem, Server
from web.settings import Settings

HIT_KEYS = {
    "rank", "score", "article_id", "title", "source", "url", "published", "language", "start", "end", "text",
    "sentence", "also",
}  # fmt: skip
CITATION_KEYS = {"number", "article_id", "title", "source", "url", "published", "start", "end", "quote"}
ANSWER_KEYS = {
    "answer", "answered", "language", "standalone_question", "sentences", "citations", "passages", "answerability",
    "withheld", "independent_sources", "timings",
}  # fmt: skip
TIMING_KEYS = {"search_ms", "first_token_ms", "first_sentence_ms", "total_ms"}


def ask(client: FlaskClient, **body: object) -> TestResponse:
    return client.post("/api/ask", data=json.dumps(body), content_type="application/json")


def read_events(text: str) -> list[tuple[str, dict[str, Any]]]:
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


def error_of(response: TestResponse) -> tuple[int, str, str]:
    body = response.get_json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert "Traceback" not in response.text
    return response.status_code, body["error"]["code"], body["error"]["message"]


def test_an_answer_has_the_shape_of_the_contract() -> None:
    app, answerer = make_app(bridge_script())
    response = ask(app.test_client(), question="  Quand rouvre le pont des Tanneurs ?\r\n", k=3)
    assert response.status_code == 200
    body = response.get_json()
    assert set(body) == ANSWER_KEYS
    assert body["answered"] is True
    assert body["answer"] == answer_bridge().text
    assert set(body["timings"]) == TIMING_KEYS
    assert [set(one) for one in body["sentences"]] == [{"text", "citations", "support", "score"}] * 2
    assert body["sentences"][1]["citations"] == [2, 3]
    for one in body["citations"]:
        assert set(one) == CITATION_KEYS
        article = next(article for article in ARTICLES if article.id == one["article_id"])
        assert article.text[one["start"] : one["end"]] == one["quote"]
    for position, one in enumerate(body["passages"], start=1):
        assert set(one) == HIT_KEYS
        assert one["rank"] == position
        article = next(article for article in ARTICLES if article.id == one["article_id"])
        assert article.text[one["start"] : one["end"]] == one["text"]
        assert one["start"] <= one["sentence"]["start"] < one["sentence"]["end"] <= one["end"]
    assert body["passages"][0]["published"] == "2025-10-14"
    assert answerer.asked[0].question == "Quand rouvre le pont des Tanneurs ?"
    assert answerer.asked[0].k == 3


def test_history_and_the_default_k_reach_the_answerer() -> None:
    app, answerer = make_app(bridge_script())
    ask(app.test_client(), question="Et après ?", history=[{"question": "Un ?", "answer": "Deux."}], filters={})
    assert answerer.asked[0].history == (Turn("Un ?", "Deux."),)
    assert answerer.asked[0].k == Settings().passages


def test_filters_reach_the_answerer_and_the_search() -> None:
    app, answerer = make_app(bridge_script())
    given = {"since": "2025-10-01", "source": "Le Courrier", "language": ["fr", "EN"]}
    wanted = Filters(since=date(2025, 10, 1), source=("Le Courrier",), language=("fr", "en"))
    ask(app.test_client(), question="Et après ?", filters=given)
    assert answerer.asked[0].filters == wanted
    index = FakeIndex()
    client = create_app(Settings(), answerer, index).test_client()
    assert client.post("/api/search", json={"query": "pont", "filters": given}).status_code == 200
    assert index.searched[0][2] == wanted


def test_a_declined_question_is_an_answer_too() -> None:
    app, _ = make_app([found_bridge(), declined()])
    body = ask(app.test_client(), question="Qui a gagné le match ?").get_json()
    assert body["answered"] is False
    assert body["sentences"] == body["citations"] == []
    assert len(body["passages"]) == 3
    assert body["timings"]["first_sentence_ms"] is None


def test_events_come_in_order_and_without_draft_words() -> None:
    app, answerer = make_app(bridge_script())
    response = ask(app.test_client(), question="Quand ?", stream=True)
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    events = read_events(response.text)
    assert [name for name, _ in events] == ["passages", "sentence", "sentence", "answer"]
    first = events[0][1]
    assert set(first) == {"passages", "standalone_question", "language", "timings"}
    assert first["timings"] == {"search_ms": 42}
    sentence = events[2][1]
    assert set(sentence) == {"sentence", "citations"}
    assert [one["number"] for one in sentence["citations"]] == sentence["sentence"]["citations"] == [2, 3]
    assert set(events[-1][1]) == ANSWER_KEYS
    assert "Draft" not in response.text
    assert answerer.closed.wait(5)


def test_draft_words_go_only_to_a_client_that_asks() -> None:
    app, _ = make_app(bridge_script())
    events = read_events(ask(app.test_client(), question="Quand ?", stream=True, draft=True).text)
    assert [data["text"] for name, data in events if name == "token"] == ["Le pont ", "doit", "D’ici"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "'question' is missing."),
        ({"question": None}, "'question' is missing."),
        ({"question": 3}, "'question' must be a string, not a number."),
        ({"question": " \n "}, "'question' is empty."),
        ({"question": "x" * 1001}, "'question' has 1001 characters, at most 1000 are taken."),
        ({"question": "a\0b"}, "'question' holds control characters or broken Unicode."),
        ({"question": "a\ud800b"}, "'question' holds control characters or broken Unicode."),
        ({"question": "a", "k": 0}, "'k' must be a whole number from 1 to 20."),
        ({"question": "a", "k": 21}, "'k' must be a whole number from 1 to 20."),
        ({"question": "a", "k": True}, "'k' must be a whole number from 1 to 20."),
        ({"question": "a", "k": 2.5}, "'k' must be a whole number from 1 to 20."),
        ({"question": "a", "filters": []}, "'filters' must be an object, not a list."),
        ({"question": "a", "filters": {"source": 3}}, "The filter 'source' takes a text or a list of texts."),
        ({"question": "a", "filters": {"since": "hier"}}, "The filter 'since' takes a day such as 2025-10-07."),
        ({"question": "a", "filters": {"year": "2025"}},
         "Unknown filter 'year'. Known filters: since, until, source, author, language, article_id."),
        ({"question": "a", "stream": "yes"}, "'stream' must be true or false, not a string."),
        ({"question": "a", "draft": 1}, "'draft' must be true or false, not a number."),
        ({"question": "a", "top": 1},
         "Unknown field 'top'. Known fields: question, history, k, filters, stream, draft."),
        ({"question": "a", "history": {}}, "'history' must be a list of turns, not an object."),
        ({"question": "a", "history": [{}] * 21}, "'history' has 21 turns, at most 20 are taken."),
        ({"question": "a", "history": ["x"]},
         "'history[0]' must be an object with 'question' and 'answer', not a string."),
        ({"question": "a", "history": [{"question": "q"}]}, "'history[0].answer' is missing."),
        ({"question": "a", "history": [{"question": "q", "answer": "y" * 4001}]},
         "'history[0].answer' has 4001 characters, at most 4000 are taken."),
        ({"question": "a", "history": [{"question": "q", "answer": "a", "role": "x"}]},
         "Unknown field 'role' in 'history[0]'. Known fields: question, answer."),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(body: dict[str, object], message: str) -> None:
    app, answerer = make_app()
    assert error_of(ask(app.test_client(), **body)) == (400, "bad_request", message)
    assert answerer.asked == []


@pytest.mark.parametrize(
    ("data", "content_type", "message"),
    [
        (b"{", "application/json", "The body is not valid JSON."),
        (b"\xff\xfe{", "application/json", "The body is not valid JSON."),
        (b"[" * 100_000, "application/json", "The body is not valid JSON."),
        (b'{"k": ' + b"9" * 5000 + b"}", "application/json", "The body is not valid JSON."),
        (b"[]", "application/json", "The body must be a JSON object, not a list."),
        (b'{"question": "a"}', "text/plain", "Send JSON, with the header 'Content-Type: application/json'."),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(data: bytes, content_type: str, message: str) -> None:
    app, _ = make_app()
    response = app.test_client().post("/api/ask", data=data, content_type=content_type)
    assert error_of(response) == (400, "bad_request", message)


def test_a_charset_in_the_content_type_is_fine() -> None:
    app, _ = make_app(bridge_script())
    response = app.test_client().post(
        "/api/ask", data='{"question": "Où ?"}'.encode(), content_type="application/json; charset=UTF-8"
    )
    assert response.status_code == 200


def test_a_body_too_large_is_413() -> None:
    app, _ = make_app(settings=Settings(max_body_bytes=2000))
    status, code, _ = error_of(ask(app.test_client(), question="x" * 3000))
    assert (status, code) == (413, "too_large")


def test_search_gives_hits() -> None:
    app, _ = make_app()
    client = app.test_client()
    body = client.post("/api/search", json={"query": "pont", "k": 2}).get_json()
    assert set(body) == {"hits"}
    assert [set(one) for one in body["hits"]] == [HIT_KEYS] * 2
    assert error_of(client.post("/api/search", json={"question": "pont"}))[2].startswith("Unknown field 'question'")


def test_articles_are_paged() -> None:
    app, _ = make_app()
    client = app.test_client()
    body = client.get("/api/articles?offset=1&limit=2").get_json()
    assert {key: body[key] for key in ("offset", "limit", "total")} == {"offset": 1, "limit": 2, "total": 4}
    assert [one["id"] for one in body["articles"]] == [BRIDGE.id, "flood/river-notes"]
    assert set(body["articles"][0]) == {"id", "title", "language", "published", "author", "source", "url"}
    assert client.get("/api/articles").get_json()["limit"] == 20
    assert body["next"] == "/api/articles?offset=3&limit=2"
    assert client.get(body["next"]).get_json()["next"] is None
    assert [one["id"] for one in client.get(body["next"]).get_json()["articles"]] == [HOSTILE.id]
    assert client.get("/api/articles?offset=9").get_json()["articles"] == []
    for query in (
        "limit=",
        "limit=%2B3",
        "limit=0",
        "limit=101",
        "offset=-1",
        "offset=x",
        "offset=" + "9" * 5000,
        "limit=٣",
    ):
        assert error_of(client.get(f"/api/articles?{query}"))[:2] == (400, "bad_request")


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.title[:12])
def test_an_article_comes_with_its_exact_text(article: Any) -> None:
    app, _ = make_app()
    body = app.test_client().get("/api/articles/" + quote(article.id)).get_json()
    assert body["text"] == article.text
    assert body["id"] == article.id


def test_unknown_things_are_404_and_405_in_json() -> None:
    app, _ = make_app()
    client = app.test_client()
    assert error_of(client.get("/api/articles/none"))[:2] == (404, "not_found")
    assert error_of(client.get("/api/none"))[:2] == (404, "not_found")
    response = client.get("/api/ask")
    assert error_of(response)[:2] == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Busy(2.3), 503, "busy"),
        (QuestionTooLong("The question has 900 tokens."), 400, "bad_request"),
        (BadQuery("Nothing to search."), 400, "bad_request"),
        (BrokenIndex(Path("/srv/secret"), "gone"), 503, "not_ready"),
        (SourcierError("model file /srv/secret"), 500, "internal"),
        (ZeroDivisionError("secret"), 500, "internal"),
    ],
)
def test_an_error_of_the_answerer_before_the_evidence_is_an_http_error(
    error: Exception, status: int, code: str
) -> None:
    for stream in (False, True):
        app, _ = make_app([error])
        response = ask(app.test_client(), question="Quand ?", stream=stream)
        assert error_of(response)[:2] == (status, code)
        assert "secret" not in response.text
        if code == "busy":
            assert response.headers["Retry-After"] == "3"


def test_an_internal_error_is_logged_with_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    app, _ = make_app([ZeroDivisionError("secret")])
    response = ask(app.test_client(), question="Quand ?")
    request_id = response.headers["X-Request-Id"]
    assert request_id in response.text
    assert request_id in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("tail", [[ZeroDivisionError("secret")], []])
def test_a_stream_that_breaks_ends_with_an_error_event(tail: list[Exception]) -> None:
    app, _ = make_app([found_bridge(), *tail])
    response = ask(app.test_client(), question="Quand ?", stream=True)
    events = read_events(response.text)
    assert [name for name, _ in events] == ["passages", "error"]
    assert events[-1][1]["error"]["code"] == "internal"
    assert "secret" not in response.text


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    app, answerer = make_app([found_bridge(), UntilCancelled()], settings=Settings(answer_seconds=0.2))
    events = read_events(ask(app.test_client(), question="Quand ?", stream=True).text)
    assert events[-1][1]["error"]["code"] == "busy"
    assert answerer.cancelled.wait(5)


def test_a_silent_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.contract.event_stream.KEEP_ALIVE_S", 0.05)
    monkeypatch.setattr("web.asking.TICK_S", 0.05)
    app, _ = make_app([found_bridge(), 0.4, declined()])
    text = ask(app.test_client(), question="Quand ?", stream=True).text
    assert ": keep-alive\n\n" in text
    assert [name for name, _ in read_events(text)] == ["passages", "answer"]


def test_not_ready_until_filled() -> None:
    app = create_app(Settings(), None, None)
    client = app.test_client()
    for response in (client.get("/readyz"), ask(client, question="a"), client.get("/api/articles")):
        assert error_of(response)[:2] == (503, "not_ready")
        assert int(response.headers["Retry-After"]) > 0
    assert client.get("/healthz").get_json() == {"status": "ok"}
    Ready.of(app).fill(FakeAnswerer(bridge_script()), FakeIndex())
    assert client.get("/readyz").get_json() == {
        "status": "ready",
        "generation": "000007",
        "built_at": "2025-11-22T10:00:00+00:00",
        "articles": 4,
        "passages": 9,
        "sentences": 31,
        "languages": ["en", "fr"],
    }
    assert ask(client, question="a").status_code == 200


@pytest.mark.parametrize("settings", [Settings(threads=4), Settings(queue_size=1)], ids=["threads", "queue"])
def test_a_third_reader_is_told_at_once_to_come_back(settings: Settings) -> None:
    release = threading.Event()
    app, answerer = make_app(*[[found_bridge(), release, declined()]] * 2, bridge_script(), settings=settings)
    threads = [threading.Thread(target=lambda: ask(app.test_client(), question="Quand ?")) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(answerer.asked) < 2:
        time.sleep(0.01)
    started = time.monotonic()
    response = ask(app.test_client(), question="Quand ?")
    assert time.monotonic() - started < 0.1
    assert error_of(response)[:2] == (503, "busy")
    assert response.headers["Retry-After"] == "5"
    release.set()
    for thread in threads:
        thread.join(10)
    assert ask(app.test_client(), question="Quand ?").status_code == 200


def test_every_response_is_guarded() -> None:
    app, _ = make_app()
    for path in ("/healthz", "/api/none", "/", "/nowhere", "/static/style.css"):
        with app.test_client().get(path) as response:
            headers = response.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def _open_stream(url: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    body = json.dumps({"question": "Quand ?", "stream": True})
    connection.request("POST", "/api/ask", body, {"Content-Type": "application/json"})
    return connection, connection.getresponse()


def test_over_a_real_server_the_evidence_comes_before_the_answer_is_written() -> None:
    gate = threading.Event()
    app, _ = make_app([found_bridge(), gate, *bridge_script()[1:]])
    with running(app) as url:
        connection, response = _open_stream(url)
        assert response.readline() == b"event: passages\n"
        gate.set()
        assert b"event: answer\n" in response.read()
        response.close()
        connection.close()


def test_a_reader_who_leaves_cancels_the_answer() -> None:
    app, answerer = make_app([found_bridge(), UntilCancelled()])
    with running(app) as url:
        connection, response = _open_stream(url)
        assert response.readline() == b"event: passages\n"
        assert not answerer.cancelled.is_set()
        response.close()
        connection.close()
        assert answerer.cancelled.wait(5)
        assert answerer.closed.wait(5)


def test_a_stop_ends_answers_under_way_with_an_error_event() -> None:
    app, answerer = make_app([found_bridge(), UntilCancelled()])
    server = Server(app, Settings(port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    connection, response = _open_stream(server.url)
    assert response.readline() == b"event: passages\n"
    server.stop(finish=False)
    assert b'event: error\ndata: {"error": {"code": "not_ready"' in response.read()
    response.close()
    connection.close()
    thread.join(10)
    assert not thread.is_alive()
    assert answerer.closed.is_set()


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortProblem, match=f"Cannot listen on 127.0.0.1:{port}: .*SOURCIER_PORT"):
            Server(make_app()[0], Settings(port=port))


SERVE = """
import sys, time
from web import create_app
from web.service.server import serve
from web.settings import Settings
from index.errors import SourcierError
def load():
    if sys.argv[1] == "fail":
        raise SourcierError("nothing to load")
    time.sleep(60)
settings = Settings(port=0)
try:
    serve(create_app(settings, None, None), settings, load, lambda url: print(url, flush=True))
except SourcierError as error:
    sys.exit(f"stopped: {error}")
print("stopped cleanly")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_opens_the_port_at_once_and_stops_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SERVE, "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd(), env={**os.environ}) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 503
        connection.close()
        process.send_signal(number)
        assert process.stdout.read() == "stopped cleanly\n"
        assert process.wait(10) == 0


def test_serve_ends_with_the_error_when_nothing_can_be_loaded() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SERVE, "fail"], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == "stopped: nothing to load\n"


def test_hostile_text_stays_data() -> None:
    app, _ = make_app()
    response = app.test_client().get("/api/articles/" + quote(HOSTILE.id))
    assert response.mimetype == "application/json"
    assert response.get_json()["title"] == HOSTILE.title
