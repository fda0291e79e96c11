"""What Prometheus reads, parsed by its own parser: requests, questions, the model's work, the index."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from web_fixtures import WITHOUT_LIMITS, FakeIndex, bridge_script, declined, found_bridge, make_app

from index.errors import BrokenIndex
from qa.decoding.decode_loop import Work
from qa.errors import Busy
from qa.prefill_cache import CacheSizes
from web import create_app
from web.ready import Ready


def read(app: Flask) -> dict[tuple[str, ...], float]:
    """Sample by its name and its labels' values."""
    response = app.test_client().get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]
    return {(one.name, *one.labels.values()): one.value for one in samples}


def ask(app: Flask, **body: object) -> None:
    app.test_client().post("/api/ask", json={"question": "Quand ?", **body}, buffered=True)


def test_requests_are_counted_by_route_and_status() -> None:
    app, _ = make_app()
    client = app.test_client()
    for path in (
        "/api/articles",
        "/api/articles?limit=0",
        "/api/articles/none",
        "/wp-login.php",
        "/a",
        "/api/articles",
    ):
        client.get(path, buffered=True)
    counts = read(app)
    assert counts["sourcier_requests_total", "GET", "/api/articles", "200"] == 2
    assert counts["sourcier_requests_total", "GET", "/api/articles", "400"] == 1
    assert counts["sourcier_requests_total", "GET", "/api/articles/<path:article_id>", "404"] == 1
    assert counts["sourcier_requests_total", "GET", "none", "404"] == 2
    assert counts["sourcier_request_seconds_count", "/api/articles"] == 3
    assert not [key for key in counts if "wp-login" in str(key)]


def test_questions_are_counted_by_how_they_ended() -> None:
    app, _ = make_app(bridge_script(), [found_bridge(), declined()], [Busy(1.0)], [found_bridge(), ZeroDivisionError()])
    for _ in range(4):
        ask(app, stream=True)
    counts = read(app)
    for outcome in ("answered", "declined", "busy", "failed"):
        assert counts["sourcier_answers_total", outcome] == 1
    assert counts["sourcier_withheld_sentences_total",] == 1
    assert counts["sourcier_search_seconds_count",] == 2
    assert counts["sourcier_search_seconds_sum",] == pytest.approx(0.084)
    assert counts["sourcier_first_word_seconds_bucket", "1.0"] == 2
    assert counts["sourcier_first_word_seconds_bucket", "0.7"] == 0
    assert counts["sourcier_first_sentence_seconds_count",] == 1  # what is declined has none
    assert counts["sourcier_answer_seconds_sum",] == pytest.approx(2 * 3.456)
    assert counts["sourcier_questions_under_way",] == 0


def test_a_search_is_counted() -> None:
    app, _ = make_app()
    app.test_client().post("/api/search", json={"query": "pont"})
    assert read(app)["sourcier_search_seconds_count",] == 1


def test_questions_under_way_are_counted() -> None:
    app, _ = make_app(bridge_script())
    response = app.test_client().post("/api/ask", json={"question": "Quand ?", "stream": True}, buffered=False)
    assert read(app)["sourcier_questions_under_way",] == 1
    response.close()
    assert read(app)["sourcier_questions_under_way",] == 0


def test_the_index_is_told_when_it_is_there() -> None:
    app, answerer = make_app()
    counts = read(app)
    assert counts["sourcier_ready",] == 1
    assert counts["sourcier_index_generation",] == 7
    assert counts["sourcier_index_articles",] == 4
    assert counts["sourcier_index_passages",] == 9
    empty = create_app(WITHOUT_LIMITS, None, None)
    counts = read(empty)
    assert counts["sourcier_ready",] == 0
    assert ("sourcier_index_articles",) not in counts
    Ready.of(empty).fill(answerer, FakeIndex())
    assert read(empty)["sourcier_index_articles",] == 4


def test_a_broken_index_does_not_hide_the_rest(tmp_path: Any) -> None:
    class Broken(FakeIndex):
        @property
        def manifest(self) -> Any:
            raise BrokenIndex(tmp_path, "gone")

    app = create_app(WITHOUT_LIMITS, make_app()[1], Broken())
    assert read(app)["sourcier_ready",] == 1


@dataclass
class FakeModel:
    work = Work(tokens_read=1200, tokens_written=34, running=2, waiting=1)

    @property
    def states(self) -> FakeModel:
        return self

    def sizes(self) -> CacheSizes:
        return CacheSizes(3, 18_000_000, 40, 240_000_000)


def test_the_models_work_is_told() -> None:
    app, _ = make_app()
    assert ("sourcier_tokens_read_total",) not in read(app)
    app.extensions["sourcier-metrics"].model = FakeModel()
    counts = read(app)
    assert counts["sourcier_tokens_read_total",] == 1200
    assert counts["sourcier_tokens_written_total",] == 34
    assert counts["sourcier_model_requests_running",] == 2
    assert counts["sourcier_model_requests_waiting",] == 1
    assert counts["sourcier_states", "disk"] == 40
    assert counts["sourcier_states_bytes", "memory"] == 18_000_000


@pytest.mark.parametrize(
    ("networks", "address", "headers", "status"),
    [
        (None, "127.0.0.1", {}, 200),
        (None, "::1", {}, 200),
        (None, "203.0.113.9", {}, 404),
        (None, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),  # a proxy that is not known to be one
        (("10.0.0.0/8",), "10.2.3.4", {}, 200),
        (("10.0.0.0/8",), "127.0.0.1", {}, 404),
        ((), "127.0.0.1", {}, 404),
        (("0.0.0.0/0",), "", {}, 404),
    ],
)
def test_only_those_networks_that_the_settings_name_may_read_them(
    networks: tuple[str, ...] | None, address: str, headers: dict[str, str], status: int
) -> None:
    settings = WITHOUT_LIMITS if networks is None else replace(WITHOUT_LIMITS, metrics_from=networks)
    client = make_app(settings=settings)[0].test_client()
    response = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})
    assert response.status_code == status
