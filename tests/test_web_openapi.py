"""The OpenAPI document: valid, complete, true of what is set, and kept by the server for made-up requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import Case
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from web_fixtures import WITHOUT_LIMITS, FakeAnswerer, FakeIndex, bridge_script, declined, found_bridge, make_app

from index.filters import FILTER_NAMES, Filters
from qa.conversation import Turn
from qa.events import Event
from qa.language_model import Asker
from web import create_app
from web.contract.operations import operations_of
from web.contract.request_fields import ArticleFilters
from web.faults import MEANINGS, Code
from web.settings import Settings

PAGES = {"/", "/articles/<path:article_id>", "/docs", "/metrics", "/openapi.json", "/static/<path:filename>"}


class TirelessAnswerer(FakeAnswerer):
    """Answers every question about the bridge, and declines those of an odd length."""

    def ask(self, question: str, history: Sequence[Turn], k: int, asker: Asker, filters: Filters) -> Iterator[Event]:
        if len(question) % 2:
            yield from (found_bridge(question), declined(question))
        else:
            yield from (step for step in bridge_script(question) if isinstance(step, Event))


def tireless_app(limits: Settings | None = None) -> Flask:
    return create_app(limits or WITHOUT_LIMITS, TirelessAnswerer(), FakeIndex())


def document_of(app: Flask) -> dict[str, Any]:
    response = app.test_client().get("/openapi.json")
    assert response.mimetype == "application/json"
    document: dict[str, Any] = response.get_json()
    return document


def test_the_document_is_valid_and_says_its_version_as_every_response_does() -> None:
    app = tireless_app()
    document = document_of(app)
    validate(document)
    for path in ("/openapi.json", "/healthz", "/api/none", "/"):
        assert app.test_client().get(path).headers["X-Api-Version"] == document["info"]["version"]


def test_every_route_that_is_no_page_is_described() -> None:
    app = tireless_app()
    described = {rule.rule for rule, _, _ in operations_of(app)}
    assert described == {rule.rule for rule in app.url_map.iter_rules()} - PAGES


def test_it_says_the_limits_that_are_set() -> None:
    limits = Settings(max_k=7, passages=3, max_question_characters=99, max_turn_characters=55, max_history_turns=2)
    schemas = document_of(tireless_app(limits))["components"]["schemas"]
    asked = schemas["AskRequest"]["properties"]
    assert (asked["k"]["maximum"], asked["k"]["default"]) == (7, 3)
    assert asked["question"]["maxLength"] == 99
    assert asked["history"]["maxItems"] == 2
    assert schemas["HistoryTurn"]["properties"]["answer"]["maxLength"] == 55
    assert '"setting"' not in json.dumps(document_of(tireless_app()))


def test_every_error_code_has_its_meaning_and_every_filter_its_field() -> None:
    assert set(get_args(Code)) == set(MEANINGS)
    assert set(document_of(tireless_app())["info"]["x-error-codes"]) == set(MEANINGS)
    assert set(ArticleFilters.__annotations__) == set(FILTER_NAMES)


def test_it_names_the_place_where_it_is_served() -> None:
    client = tireless_app().test_client()
    assert client.get("/openapi.json").get_json()["servers"] == [{"url": "/"}]
    below = client.get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/sourcier"})
    assert below.get_json()["servers"] == [{"url": "/sourcier"}]


CHAT = {"messages": [{"role": "user", "content": "Quand ?!"}], "stream": True}
ASK = {"question": "Quand ?!", "stream": True, "draft": True}


@pytest.mark.parametrize(
    ("path", "body", "tail", "names"),
    [
        ("/api/ask", ASK, [], ["passages", "token", "token", "sentence", "token", "sentence", "answer"]),
        ("/api/ask", ASK, [ZeroDivisionError()], ["passages", "error"]),
        ("/v1/chat/completions", CHAT, [], ["message"] * 6),
        ("/v1/chat/completions", CHAT, [ZeroDivisionError()], ["message"] * 2),
    ],
)
def test_the_data_of_each_event_is_what_the_document_says(
    path: str, body: dict[str, object], tail: list[Exception], names: list[str]
) -> None:
    app, _ = make_app([found_bridge(), *tail] if tail else bridge_script())
    document = document_of(app)
    stream = document["paths"][path]["post"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    seen = []
    for block in app.test_client().post(path, json=body).text.split("\n\n"):
        event = dict(line.split(": ", 1) for line in block.splitlines())
        if not event:
            continue
        seen.append(event.get("event", "message"))
        schemas = [
            kind["properties"]["data"].get("contentSchema", kind["properties"]["data"])
            for kind in stream["anyOf"]
            if kind["properties"].get("event", {}).get("const", "message") == seen[-1]
        ]
        whole = {"anyOf": schemas, "components": document["components"]}
        Draft202012Validator(whole).validate("[DONE]" if event["data"] == "[DONE]" else json.loads(event["data"]))
    assert seen == names


@pytest.mark.parametrize("each", [6, pytest.param(500, marks=pytest.mark.slow)], ids=["some", "ten-thousand"])
def test_made_up_requests_are_answered_as_the_document_says(each: int) -> None:
    """Both those that keep to the document and those that break it; the slow one is more than 10,000 of them."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", tireless_app())
    asked: Counter[str] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        # What breaks no rule of a path without parameters is one request, and what breaks one is none.
        for mode in GenerationMode if operation.body or operation.query else [GenerationMode.POSITIVE]:
            examples = 3 * each if operation.body else each

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def answered_as_described(case: Case) -> None:
                response = case.call()
                asked[f"{case.operation.label} {response.status_code}"] += 1
                message = response.text if response.status_code == 400 else ""
                # Two rules that JSON Schema cannot say: the order of two days, and who speaks last in a conversation.
                unsayable = "is after 'until'" in message or case.operation.path == "/v1/chat/completions"
                excluded = [positive_data_acceptance] if unsayable else []
                if response.status_code == 413:  # whether or not it keeps to the rules; schemathesis does not know that
                    excluded = [positive_data_acceptance, negative_data_rejection]
                case.validate_response(response, excluded_checks=excluded)

            answered_as_described()
    print(sum(asked.values()), dict(asked))
    assert {label.rsplit(" ", 1)[0] for label in asked} == {one.ok().label for one in schema.get_all_operations()}
    assert asked["POST /api/ask 200"] > each / 4
    if each >= 500:
        assert sum(asked.values()) >= 10_000


def test_a_body_of_the_wrong_shape_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.api.answer_json", lambda answer: {"answer": answer.text})
    schema = schemathesis.openapi.from_wsgi("/openapi.json", tireless_app())
    case = schema["/api/ask"]["POST"].Case(body={"question": "Quand ?"})
    with pytest.raises(FailureGroup):
        case.call_and_validate()
