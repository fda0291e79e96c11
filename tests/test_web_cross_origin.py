"""Pages of other sites: none may read the API unless the settings name their origin."""

from __future__ import annotations

import json

import pytest
from web_fixtures import bridge_script, make_app

from web.settings import BadSetting, Settings

ALLOWED = "https://www.journal.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, authorization"}
PATHS = ["/api/ask", "/v1/chat/completions"]


def allowing(origins: str) -> Settings:
    return Settings.from_environment({"SOURCIER_CORS_ORIGINS": origins})


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_allowed_by_default(path: str) -> None:
    app, _ = make_app(bridge_script())
    for response in (
        app.test_client().options(path, headers={"Origin": ALLOWED, **PREFLIGHT}),
        app.test_client().post(path, json={}, headers={"Origin": ALLOWED}),
    ):
        assert not [name for name in dict(response.headers) if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origins", [ALLOWED, f"http://[::1]:3000, {ALLOWED}"])
def test_a_named_origin_is_told_what_it_may_do(path: str, origins: str) -> None:
    app, _ = make_app(settings=allowing(origins))
    response = app.test_client().options(path, headers={"Origin": ALLOWED, **PREFLIGHT})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ALLOWED
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    "origin",
    ["https://www.journal.example.evil.example", "https://www.journal.example:8443", "http://www.journal.example",
     "https://wwwxjournal.example", "null", "", "https://www.journal.example/"],
)  # fmt: skip
def test_an_origin_that_only_looks_like_it_is_not_allowed(origin: str) -> None:
    app, _ = make_app(settings=allowing(ALLOWED))
    for response in (
        app.test_client().options("/api/ask", headers={"Origin": origin, **PREFLIGHT}),
        app.test_client().get("/api/articles", headers={"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in response.headers


def test_streams_errors_and_headers_can_be_read_by_an_allowed_page() -> None:
    app, _ = make_app(bridge_script(), [ZeroDivisionError()], settings=allowing(ALLOWED))
    client = app.test_client()
    body = json.dumps({"question": "Quand ?", "stream": True})
    stream, failed, none = (
        client.post("/api/ask", data=body, content_type="application/json", headers={"Origin": ALLOWED}),
        client.post("/api/ask", data=body, content_type="application/json", headers={"Origin": ALLOWED}),
        client.get("/api/none", headers={"Origin": ALLOWED}),
    )
    assert stream.mimetype == "text/event-stream"
    assert (failed.status_code, none.status_code) == (500, 404)
    for response in (stream, failed, none):
        assert response.headers["Access-Control-Allow-Origin"] == ALLOWED
        assert response.headers["Access-Control-Expose-Headers"] == "Retry-After, X-Api-Version, X-Request-Id"


def test_the_pages_themselves_are_not_opened() -> None:
    app, _ = make_app(settings=allowing("*"))
    for path in ("/", "/articles/pont-tanneurs-fermeture", "/healthz"):
        assert "Access-Control-Allow-Origin" not in app.test_client().get(path, headers={"Origin": ALLOWED}).headers


def test_a_star_allows_everybody_without_cookies() -> None:
    app, _ = make_app(settings=allowing("*"))
    response = app.test_client().get("/openapi.json", headers={"Origin": "https://anywhere.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("wrong", ["www.journal.example", "https://a.example/path", "https://*.a.example/", "ftp://a"])
def test_what_is_no_origin_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(BadSetting, match="SOURCIER_CORS_ORIGINS"):
        allowing(wrong)
