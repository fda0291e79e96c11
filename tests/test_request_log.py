"""One line a request, when its last byte is out; no question in it, unless the settings say so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from web_fixtures import WITHOUT_LIMITS, UntilCancelled, bridge_script, declined, found_bridge, make_app

from qa.errors import Busy
from web.service.api_keys import make_key
from web.service.request_log import log

SECRET = "Quand rouvre le pont secret ?"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    told: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", told.append)
    monkeypatch.setattr(log, "handlers", [handler])
    level = log.level
    log.setLevel(logging.DEBUG)  # setting the attribute would leave what the logger remembers of its level
    yield told
    log.setLevel(level)


def facts(record: logging.LogRecord) -> dict[str, Any]:
    usual = logging.LogRecord("", 0, "", 0, "", None, None).__dict__
    return {name: value for name, value in record.__dict__.items() if name not in (*usual, "message", "asctime")}


def ask(app: Flask, **body: object) -> Any:
    return app.test_client().post("/api/ask", json={"question": SECRET, **body}, buffered=True)


def test_a_line_tells_what_happened_and_not_what_was_asked(lines: list[logging.LogRecord]) -> None:
    app, _ = make_app(bridge_script())
    response = ask(app)
    (line,) = lines
    told = facts(line)
    assert line.levelno == logging.INFO
    assert told.pop("seconds") >= 0
    assert told == {
        "request_id": response.headers["X-Request-Id"],
        "method": "POST",
        "route": "/api/ask",
        "status": 200,
        "bytes": len(response.data),
        "outcome": "answered",
    }
    app.test_client().get("/", query_string={"q": SECRET}, buffered=True)
    app.test_client().post("/api/search", json={"query": SECRET}, buffered=True)
    assert len(lines) == 3
    assert all("secret" not in str(line.__dict__) for line in lines)


def test_questions_and_addresses_are_told_when_the_settings_say_so(lines: list[logging.LogRecord]) -> None:
    app, _ = make_app(bridge_script(), settings=replace(WITHOUT_LIMITS, log_questions=True, log_addresses=True))
    ask(app)
    app.test_client().post("/api/search", json={"query": SECRET}, buffered=True)
    assert facts(lines[0])["question"] == facts(lines[1])["query"] == SECRET
    assert facts(lines[0])["address"] == "127.0.0.1"


def test_a_stream_is_told_at_its_end_with_all_its_bytes(lines: list[logging.LogRecord]) -> None:
    app, _ = make_app([found_bridge(), 0.05, declined()])
    response = app.test_client().post("/api/ask", json={"question": SECRET, "stream": True}, buffered=False)
    assert lines == []
    body = b"".join(response.response)
    response.close()
    (line,) = lines
    assert facts(line)["bytes"] == len(body)
    assert facts(line)["seconds"] > 0.04
    assert facts(line)["outcome"] == "declined"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([Busy(2.0)], "busy"),
        ([found_bridge(), ZeroDivisionError()], "failed"),
        ([found_bridge()], "failed"),
        ([found_bridge(), UntilCancelled()], "too_slow"),
    ],
)
def test_how_a_question_ended_is_told_also_where_the_status_cannot(
    script: list[Any], outcome: str, lines: list[logging.LogRecord]
) -> None:
    app, _ = make_app(script, settings=replace(WITHOUT_LIMITS, answer_seconds=0.2))
    ask(app, stream=True)
    (line,) = lines
    assert facts(line)["outcome"] == outcome


def test_a_reader_who_leaves_is_told(lines: list[logging.LogRecord]) -> None:
    app, answerer = make_app([found_bridge(), UntilCancelled()])
    response = app.test_client().post("/api/ask", json={"question": SECRET, "stream": True}, buffered=False)
    next(iter(response.response))
    response.close()
    assert answerer.closed.wait(5)
    assert facts(lines[-1])["outcome"] == "left"


def test_the_name_of_the_key_is_told(lines: list[logging.LogRecord], tmp_path: Path) -> None:
    key = make_key(tmp_path, "newsletter")
    app, _ = make_app(settings=replace(WITHOUT_LIMITS, home=tmp_path))
    app.test_client().get("/api/articles", headers={"Authorization": f"Bearer {key}"}, buffered=True)
    app.test_client().get("/api/articles", headers={"Authorization": "Bearer wrong"}, buffered=True)
    assert facts(lines[0])["key"] == "newsletter"
    assert "key" not in facts(lines[1])
    assert facts(lines[1])["status"] == 401
    assert key not in str([line.__dict__ for line in lines])


@pytest.mark.parametrize(
    "given", ["3f2a", "0b5c1e9a-7d1f-4b8e-9a3c-1f2e3d4c5b6a", "Root=1-67891233-abcdef012345678912345678"]
)
def test_a_sane_request_id_is_taken_over(given: str, lines: list[logging.LogRecord]) -> None:
    app, _ = make_app([ZeroDivisionError()])
    response = app.test_client().post(
        "/api/ask", json={"question": "Quand ?"}, headers={"X-Request-Id": given}, buffered=True
    )
    assert response.headers["X-Request-Id"] == given
    assert given in response.get_json()["error"]["message"]
    assert facts(lines[-1])["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 101, "a b", "é", '"}', "a\tb"])
def test_any_other_is_replaced(given: str) -> None:
    app, _ = make_app()
    response = app.test_client().get("/healthz", headers={"X-Request-Id": given})
    assert response.headers["X-Request-Id"] != given
    assert len(response.headers["X-Request-Id"]) == 16


def test_unknown_addresses_and_methods_are_not_told(lines: list[logging.LogRecord]) -> None:
    app, _ = make_app()
    app.test_client().open("/wp-login.php?q=secret", method="BREW", buffered=True)
    told = facts(lines[0])
    assert (told["status"], told["method"]) == (404, "other")
    assert "route" not in told
    assert "wp-login" not in str(lines[0].__dict__)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/style.css"])
def test_chatter_is_for_debugging(path: str, lines: list[logging.LogRecord]) -> None:
    with make_app()[0].test_client().get(path, buffered=True):
        pass
    assert [line.levelno for line in lines] == [logging.DEBUG]


def test_what_breaks_the_app_itself_is_told_too(
    lines: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = make_app()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app.wsgi_app, "_app", broken)
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/")
    assert facts(lines[0])["status"] == 500
