"""The readable page of the API: all of the document is on it, every link leads somewhere, and nothing runs."""

from __future__ import annotations

import re
import shlex
from html import unescape

import pytest
from web_fixtures import make_app

from web.contract.docs import Piece, kind_of, prose


def page() -> str:
    app, _ = make_app()
    response = app.test_client().get("/docs")
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    return response.text


def test_every_endpoint_schema_field_code_and_header_is_on_it() -> None:
    app, _ = make_app()
    document = app.test_client().get("/openapi.json").get_json()
    text = unescape(page())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"<code>{method.upper()} {path}</code>" in text
            assert f'id="op-{operation["operationId"]}"' in text
    for name, schema in document["components"]["schemas"].items():
        section = text.split(f'id="schema-{name}"')[1].split("</section>")[0]
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in section
    for code in document["info"]["x-error-codes"]:
        assert f"<code>{code}</code>" in text
    for header in document["components"]["headers"]:
        assert f"<code>{header}</code>" in text


def test_every_link_leads_somewhere_on_this_host_and_no_id_is_there_twice() -> None:
    html = page()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'\b(?:href|src)="([^"]+)"', html):
        assert target.startswith("/") or target.removeprefix("#") in ids
    assert "<script" not in html
    assert " style=" not in html


def test_it_is_light() -> None:
    assert len(page().encode()) < 80_000


def test_the_example_is_a_command_that_a_shell_takes_whoever_is_asked_for() -> None:
    app, _ = make_app()
    html = app.test_client().get("/docs", headers={"Host": 'x"><script>alert(1)</script>'}).text
    assert "<script>alert" not in html
    lines = [unescape(line) for line in re.findall(r"<pre[^>]*><code>(.+?)</code>", page())]
    assert [shlex.split(line)[2].split("/", 3)[3] for line in lines] == [
        "api/ask",
        "api/search",
        "api/feedback",
        "v1/chat/completions",
    ]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 20, "default": 5}, "whole number from 1 to 20 (default 5)"),
        ({"type": "number", "minimum": 0}, "number, at least 0"),
        ({"type": ["string", "null"], "maxLength": 9}, "text, at most 9 characters, or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Hit"}, "maxItems": 3}, "list of Hit, at most 3"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]}, 'day (2025-10-07) or ""'),
        ({"enum": [None, "a"]}, 'null or "a"'),
    ],
)  # fmt: skip
def test_what_a_value_may_be_is_said_in_words(schema: dict[str, object], words: str) -> None:
    assert "".join(piece.text for piece in kind_of(schema)) == words


def test_code_in_prose_is_told_apart() -> None:
    assert prose("The article's `a'b`.") == [Piece("The article’s "), Piece("a'b", code=True), Piece(".")]
