"""The OpenAI-compatible API, by OpenAI's own client over a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from web_fixtures import (
    BRIDGE,
    FakeAnswerer,
    UntilCancelled,
    answer_bridge,
    bridge_script,
    checked_bridge,
    declined,
    found_bridge,
    make_app,
    running,
)

from index.filters import Filters
from qa.conversation import Turn
from qa.errors import Busy
from web import create_app
from web.settings import Settings

QUESTION = [{"role": "user", "content": "Quand rouvre le pont des Tanneurs ?"}]
CITED = (
    "Le pont des Tanneurs doit rouvrir le 15 mars 2026. [1] D’ici là, une navette gratuite passe toutes les dix "
    "minutes et les commerçants ne paient plus leur terrasse. [2][3] (appui incertain)\n\nSources\u00a0:\n- [1] Le pont"
)


@contextmanager
def client_of(app: Any) -> Iterator[openai.OpenAI]:
    with running(app) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def idle() -> Iterator[tuple[openai.OpenAI, FakeAnswerer]]:
    """A client of a server that never gets as far as answering."""
    app, answerer = make_app()
    with client_of(app) as client:
        yield client, answerer


def ask(client: openai.OpenAI, messages: Any = QUESTION, **others: Any) -> Any:
    return client.chat.completions.create(**{"model": "sourcier", "messages": messages, **others})


def test_an_answer_has_marks_a_list_of_sources_and_citations_beside_them() -> None:
    app, answerer = make_app(bridge_script())
    with client_of(app) as client:
        completion = ask(client, temperature=0.2, max_tokens=50, user="someone", extra_body={"k": 2})
    assert completion.object == "chat.completion"
    assert completion.model == "sourcier"
    assert completion.system_fingerprint == "generation-000007"
    choice = completion.choices[0]
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content.startswith(CITED)
    assert completion.answered is True
    assert [one["number"] for one in completion.citations] == [1, 2, 3]
    first = completion.citations[0]
    assert BRIDGE.text[first["start"] : first["end"]] == first["quote"]
    assert (answerer.asked[0].question, answerer.asked[0].k) == (QUESTION[0]["content"], 2)


def test_chunks_are_checked_sentences_and_together_the_whole_answer() -> None:
    app, _ = make_app(bridge_script(), bridge_script())
    with client_of(app) as client:
        whole = ask(client)
        chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    texts = [chunk.choices[0].delta.content for chunk in chunks]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert texts[1] == "Le pont des Tanneurs doit rouvrir le 15 mars 2026. [1]"
    assert texts[2].startswith(" D’ici là, une navette")
    assert "".join(text or "" for text in texts) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1].citations == whole.citations
    assert chunks[-1].answered is True
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_sentence_is_sent_before_the_next_one_is_written() -> None:
    gate = threading.Event()
    first, second = checked_bridge()
    app, _ = make_app([found_bridge(), first, gate, second, answer_bridge()])
    with client_of(app) as client:
        texts = (chunk.choices[0].delta.content for chunk in ask(client, stream=True))
        assert [next(texts), next(texts)] == ["", "Le pont des Tanneurs doit rouvrir le 15 mars 2026. [1]"]
        gate.set()
        assert "".join(text or "" for text in texts).startswith(" D’ici là")


def test_a_declined_question_is_an_ordinary_answer() -> None:
    app, _ = make_app([found_bridge(), declined()], [found_bridge(), declined()])
    with client_of(app) as client:
        completion = ask(client)
        chunks = list(ask(client, stream=True))
    assert completion.choices[0].message.content == declined().text
    assert (completion.answered, completion.citations) == (False, [])
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == declined().text
    assert (chunks[-1].answered, chunks[-1].citations) == (False, [])


def test_a_conversation_becomes_a_question_and_its_history() -> None:
    app, answerer = make_app(bridge_script(), bridge_script())
    with client_of(app) as client:
        said = ask(client).choices[0].message.content
        ask(
            client,
            [
                {"role": "system", "content": "Answer like a pirate."},
                {"role": "assistant", "content": "Bonjour !"},
                *QUESTION,
                {"role": "assistant", "content": said},
                {"role": "user", "content": "Bonjour."},
                {"role": "user", "content": [{"type": "text", "text": part} for part in ("Et la navette,", "où ?")]},
            ],
            extra_body={"filters": {"language": "fr"}},
        )
    asked = answerer.asked[1]
    assert asked.question == "Bonjour.\nEt la navette,\noù ?"
    assert asked.history == (Turn(QUESTION[0]["content"], answer_bridge().text),)
    assert asked.filters == Filters(language=("fr",))


def test_a_conversation_that_grows_for_ever_is_cut() -> None:
    app, answerer = make_app(bridge_script(), settings=Settings(max_history_turns=2, max_turn_characters=10))
    turns = [
        {"role": role, "content": f"{role} {number} {'x' * 50}"}
        for number in range(50)
        for role in ("user", "assistant")
    ]
    with client_of(app) as client:
        ask(client, [*turns, *QUESTION])
    assert answerer.asked[0].history == (Turn("user 48 xx", "assistant"), Turn("user 49 xx", "assistant"))


def test_the_model_can_be_listed_and_looked_up() -> None:
    app, _ = make_app()
    with client_of(app) as client:
        assert [model.id for model in client.models.list()] == ["sourcier"]
        assert client.models.retrieve("sourcier").created == 1763805600  # the generation's built_at
        with pytest.raises(openai.NotFoundError, match=r"There is no model 'gpt-5' here\. Use 'sourcier'\."):
            client.models.retrieve("gpt-5")


@pytest.mark.parametrize(
    ("wrong", "param", "message"),
    [
        ({"n": 2}, "n", "'n' is not supported"),
        ({"stop": ["."]}, "stop", "'stop' is not supported"),
        ({"logprobs": True}, "logprobs", "'logprobs' is not supported"),
        ({"response_format": {"type": "json_object"}}, "response_format", "'response_format' is not supported"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "'tools' is not supported"),
        ({"temperature": 3}, "temperature", "'temperature' is not accepted: input should be less than or equal to 2"),
        ({"max_tokens": 0}, "max_tokens", "'max_tokens' is not accepted"),
        ({"messages": []}, "messages", "'messages' is not accepted: list should have at least 1 item, not 0."),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content", "'messages[0].content' is empty."),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "'messages[0].content' is empty."),
        ({"messages": [{"role": "user", "content": "x" * 1001}]}, "messages[0].content", "has 1001 characters"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "must be a string or a list of parts"),
        ({"messages": [{"role": "user", "content": "a\0"}, *QUESTION]}, "messages[0].content", "control characters"),
        (
            {"messages": [*QUESTION, {"role": "assistant", "content": "?"}]},
            "messages[1]",
            "the user's question",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "?"}]}, "messages[0].role", "'system',"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content",
            "has a part that is not text",
        ),
        ({"extra_body": {"k": 99}}, "k", "'k' must be a whole number from 1 to 20."),
        ({"extra_body": {"filters": {"since": "x"}}}, "filters", "The filter 'since' takes a day"),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_shape_that_clients_read(
    idle: tuple[openai.OpenAI, FakeAnswerer], wrong: dict[str, Any], param: str, message: str
) -> None:
    client, answerer = idle
    with pytest.raises(openai.BadRequestError) as refusal:
        ask(client, **wrong)
    assert refusal.value.param == param
    assert (refusal.value.code, refusal.value.type) == ("bad_request", "invalid_request_error")
    assert message in refusal.value.message
    assert answerer.asked == []


def test_what_changes_nothing_is_taken() -> None:
    taken: list[dict[str, Any]] = [
        {"n": 1},
        {"stop": []},
        {"logprobs": False},
        {"tools": [], "tool_choice": "none"},
        {"response_format": {"type": "text"}},
        {"extra_body": {"chat_id": "anything"}},
    ]
    app, _ = make_app(*[bridge_script()] * len(taken))
    with client_of(app) as client:
        for given in taken:
            assert ask(client, **given).answered is True


def test_errors_are_told_by_status_and_code() -> None:
    app, _ = make_app([Busy(7)], [ZeroDivisionError("secret")], [found_bridge(), ZeroDivisionError("secret")])
    with client_of(app) as client:
        with pytest.raises(openai.NotFoundError, match="no model 'gpt-5'"):
            ask(client, model="gpt-5")
        with pytest.raises(openai.InternalServerError) as busy:
            ask(client)
        assert (busy.value.status_code, busy.value.code, busy.value.type) == (503, "busy", "server_error")
        assert busy.value.response.headers["Retry-After"] == "7"
        with pytest.raises(openai.InternalServerError) as failed:
            ask(client, stream=True)
        assert (failed.value.status_code, failed.value.code) == (500, "internal")
        with pytest.raises(openai.APIError, match="Something went wrong here") as broken:
            list(ask(client, stream=True))
        assert broken.value.code == "internal"
        assert "secret" not in str(broken.value.body)
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="sourcier", input="?")


def test_the_client_tries_again_when_the_server_was_busy() -> None:
    app, answerer = make_app([Busy(0.1)], bridge_script())
    with running(app) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=1) as client:
        assert ask(client).answered is True
    assert len(answerer.asked) == 2


def test_a_reader_who_leaves_cancels_the_answer() -> None:
    app, answerer = make_app([found_bridge(), UntilCancelled()])
    with client_of(app) as client:
        stream = ask(client, stream=True)
        assert next(stream).choices[0].delta.role == "assistant"
        stream.close()
        assert answerer.cancelled.wait(5)


def test_a_stream_ends_with_done_and_a_broken_one_does_not() -> None:
    app, _ = make_app(bridge_script(), [found_bridge(), ZeroDivisionError()])
    client = app.test_client()
    body = {"model": "sourcier", "messages": QUESTION, "stream": True}
    assert client.post("/v1/chat/completions", json=body).text.endswith("\n\ndata: [DONE]\n\n")
    broken = client.post("/v1/chat/completions", json=body).text
    assert "[DONE]" not in broken
    last = json.loads(broken.strip().split("\n\n")[-1].removeprefix("data: "))
    assert set(last["error"]) == {"message", "type", "param", "code"}


def test_nothing_is_answered_before_the_models_are_there() -> None:
    with client_of(create_app(Settings(), None, None)) as client:
        for call in (ask, lambda client: client.models.list(), lambda client: client.models.retrieve("sourcier")):
            with pytest.raises(openai.InternalServerError) as refusal:
                call(client)
            assert refusal.value.code == "not_ready"
