"""Who may ask: everybody until there is a key, then programs with one and readers of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from web_fixtures import WITHOUT_LIMITS, make_app

from web.admission import address_of
from web.service.api_keys import FILE_NAME, make_key, revoke_key

SAME_ORIGIN = (
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost"},
    {"Referer": "http://localhost/?q=pont"},
    {"Origin": "http://LOCALHOST", "Referer": "http://elsewhere.example/"},
)
OTHERS = (
    {},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "null"},
    {"Referer": "http://[/"},
    {"Authorization": "Basic cmVhZGVyOnNlY3JldA=="},
)


def app_in(home: Path, **settings: str) -> Flask:
    return make_app(settings=replace(WITHOUT_LIMITS, home=home, **settings))[0]


def status(app: Flask, path: str = "/api/articles", **headers: str) -> int:
    with app.test_client().get(path, headers=headers) as response:
        return response.status_code


def test_without_keys_everybody_may_ask(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    assert status(app) == 200
    # The openai client sends one always.
    assert status(app, Authorization="Bearer sk-anything") == 200


def test_from_the_first_key_on_programs_need_one_without_a_restart(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    assert status(app) == 200
    key = make_key(tmp_path, "newsletter")
    assert status(app) == 401
    assert status(app, Authorization=f"Bearer {key}") == 200
    assert status(app, Authorization=f"bearer {key}") == 200
    revoke_key(tmp_path, "newsletter")
    assert status(app, Authorization=f"Bearer {key}") == 401
    assert status(app) == 401  # not open again because the last one was revoked


@pytest.mark.parametrize("headers", SAME_ORIGIN, ids=str)
def test_the_page_of_this_server_needs_no_key(tmp_path: Path, headers: dict[str, str]) -> None:
    make_key(tmp_path, "newsletter")
    assert status(app_in(tmp_path), **headers) == 200


@pytest.mark.parametrize("headers", OTHERS, ids=str)
def test_other_pages_and_programs_need_one(tmp_path: Path, headers: dict[str, str]) -> None:
    make_key(tmp_path, "newsletter")
    assert status(app_in(tmp_path), **headers) == 401


def test_a_refusal_says_what_to_send(tmp_path: Path) -> None:
    make_key(tmp_path, "newsletter")
    response = app_in(tmp_path).test_client().get("/api/articles")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.get_json()["error"]["code"] == "unauthorized"
    assert "Authorization: Bearer KEY" in response.get_json()["error"]["message"]


def test_a_wrong_key_is_refused_even_from_the_page(tmp_path: Path) -> None:
    make_key(tmp_path, "newsletter")
    headers = {"Authorization": "Bearer sourcier_wrong", "Sec-Fetch-Site": "same-origin"}
    assert status(app_in(tmp_path), **headers) == 401


@pytest.mark.parametrize("path", ["/", "/articles/flood/river-notes", "/healthz", "/readyz", "/static/style.css"])
def test_the_page_and_health_are_open(tmp_path: Path, path: str) -> None:
    assert status(app_in(tmp_path, require_key="programs"), path) == 200


def test_programs_can_be_asked_for_a_key_before_there_is_one(tmp_path: Path) -> None:
    app = app_in(tmp_path, require_key="programs")
    assert status(app) == 401
    assert status(app, **{"Sec-Fetch-Site": "same-origin"}) == 200


def test_everyone_can_be_asked_for_a_key(tmp_path: Path) -> None:
    app = app_in(tmp_path, require_key="everyone")
    key = make_key(tmp_path, "proxy")
    for path in ("/", "/articles/flood/river-notes", "/api/articles"):
        assert status(app, path, **{"Sec-Fetch-Site": "same-origin"}) == 401
        assert status(app, path, Authorization=f"Bearer {key}") == 200
    assert app.test_client().post("/", data={"q": "Quand ?"}).status_code == 401
    for path in ("/healthz", "/readyz", "/static/style.css"):
        assert status(app, path) == 200


def test_a_browsers_preflight_carries_no_key(tmp_path: Path) -> None:
    make_key(tmp_path, "newsletter")
    assert app_in(tmp_path).test_client().options("/api/ask").status_code == 200


def test_a_damaged_file_of_keys_lets_nobody_in(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    key = make_key(tmp_path, "newsletter")
    (tmp_path / FILE_NAME).write_text("{")
    assert status(app) == status(app, Authorization=f"Bearer {key}") == 500
    assert status(app, "/healthz") == 200


def test_a_proxy_that_is_not_believed_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = app_in(tmp_path)
    for _ in range(2):
        status(app, **{"X-Forwarded-For": "203.0.113.9"})
    (record,) = [one for one in caplog.records if one.name == "web.admission"]
    assert "SOURCIER_TRUSTED_PROXY=127.0.0.1" in record.getMessage()


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("_hidden", "_hidden"),
        ("", ""),
    ],
)
def test_an_address_is_counted_as_its_subscriber(address: str, counted_as: str) -> None:
    assert address_of(address) == counted_as
