"""Who asks too often is told when to come back, and keeps nobody else from asking."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from web_fixtures import bridge_script, make_app

from web.service.api_keys import make_key
from web.settings import Settings


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    settings = Settings(
        home=tmp_path,
        questions_per_address="2 per minute",
        requests_per_address="4 per minute; 100 per day",
        questions_per_key="3 per minute",
        requests_per_key="none",
    )
    return make_app(*[bridge_script()] * 20, settings=settings)[0]


def ask(client: FlaskClient, address: str = "203.0.113.1", **headers: str) -> int:
    response = client.post(
        "/api/ask", json={"question": "Quand ?"}, headers=headers, environ_base={"REMOTE_ADDR": address}
    )
    return response.status_code


def test_questions_are_limited_by_address(app: Flask) -> None:
    client = app.test_client()
    assert [ask(client) for _ in range(3)] == [200, 200, 429]
    assert ask(client, "203.0.113.2") == 200


def test_a_subscriber_of_ipv6_is_one_address(app: Flask) -> None:
    client = app.test_client()
    assert [ask(client, f"2001:db8:1:2::{number}") for number in range(3)] == [200, 200, 429]
    assert ask(client, "2001:db8:1:3::1") == 200


def test_a_refusal_says_when_to_come_back(app: Flask) -> None:
    client = app.test_client()
    for _ in range(2):
        ask(client, "127.0.0.1")
    response = client.post("/api/ask", json={"question": "Quand ?"})
    assert response.status_code == 429
    assert response.get_json()["error"]["code"] == "rate_limited"
    assert "at most 2 per 1 minute" in response.get_json()["error"]["message"]
    assert 55 <= int(response.headers["Retry-After"]) <= 61


def test_the_form_of_the_page_counts_as_a_question_and_is_answered_as_a_page(app: Flask) -> None:
    client = app.test_client()
    assert [client.post("/", data={"q": "Quand ?"}).status_code for _ in range(3)] == [200, 200, 429]
    response = client.post("/", data={"q": "Quand ?"}, headers={"Accept-Language": "en"})
    assert "Too many questions in a short time" in response.text
    assert int(response.headers["Retry-After"]) > 0


def test_requests_have_a_limit_of_their_own(app: Flask) -> None:
    client = app.test_client()
    assert [client.get("/api/articles").status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert ask(client, "127.0.0.1") == 200


def test_health_metrics_and_static_files_are_not_limited(app: Flask) -> None:
    client = app.test_client()
    for path in ("/healthz", "/readyz", "/metrics", "/static/style.css"):
        for _ in range(6):
            with client.get(path) as response:
                assert response.status_code == 200
    assert [client.options("/api/ask").status_code for _ in range(6)] == [200] * 6


def test_a_key_has_its_own_limit_wherever_it_is_used(app: Flask, tmp_path: Path) -> None:
    one, two = (f"Bearer {make_key(tmp_path, name)}" for name in ("one", "two"))
    client = app.test_client()
    assert [ask(client, f"203.0.113.{number}", Authorization=one) for number in range(4)] == [200, 200, 200, 429]
    assert ask(client, "203.0.113.1", Authorization=two) == 200
    assert ask(client, "203.0.113.1", **{"Sec-Fetch-Site": "same-origin"}) == 200  # a reader of the same house
    assert {client.get("/api/articles", headers={"Authorization": one}).status_code for _ in range(9)} == {200}


def test_who_has_no_key_uses_up_nobodys_limit(app: Flask, tmp_path: Path) -> None:
    make_key(tmp_path, "one")
    client = app.test_client()
    assert [ask(client) for _ in range(4)] == [401] * 4
    assert ask(client, **{"Sec-Fetch-Site": "same-origin"}) == 200
