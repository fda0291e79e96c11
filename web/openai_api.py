"""The OpenAI-compatible API: what clients of that API send is a question, and a cited answer is what they get."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime

from flask import Blueprint, Response, current_app, g, jsonify, request

from qa.events import Answer, Checked, Event, Found
from web.asking import Asking, last_answer
from web.contract.cited_text import marked_sentence, source_list
from web.contract.event_stream import await_first, data_line, streamed
from web.contract.openai_bodies import (
    ChatCompletion,
    ChatCompletionChunk,
    Delta,
    Model,
    ModelList,
    OpenAIError,
    openai_error,
)
from web.contract.openai_request import MODEL, ChatRequest, read_conversation
from web.contract.operations import operation
from web.contract.shapes import citation_json
from web.contract.validation import read_body
from web.faults import NotFound
from web.ready import the_answerer, the_index
from web.settings import Settings

blueprint = Blueprint("openai", __name__, url_prefix="/v1")

DONE = "data: [DONE]\n\n"


@blueprint.post("/chat/completions")
@operation(
    "OpenAI-compatible",
    takes=ChatRequest,
    gives=ChatCompletion,
    events={"message": ChatCompletionChunk},
    faults=("busy", "not_found"),
    error=OpenAIError,
)
def chat_completions() -> Response:
    """Answer the last message of a conversation, with marks such as [1] and the list of sources below.

    For clients of OpenAI's API, with the base URL `/v1`. A declined question is an ordinary answer. Chunks hold checked
    sentences, never words that were not checked. Token counts are not told. Fields that are not listed are passed over.
    """
    the_answerer()  # not ready is told before anything else is judged
    settings: Settings = current_app.extensions["sourcier-settings"]
    wanted = read_body(ChatRequest, request, settings)
    if wanted.model != MODEL:
        raise NotFound(f"There is no model {wanted.model[:80]!a} here. Use '{MODEL}'.")
    question, turns = read_conversation(wanted.messages, settings)
    events = Asking.of_app().events(question, turns, wanted.k or settings.passages, wanted.filters)
    if wanted.stream:
        return streamed(events, _Chunks().write, lambda fault: data_line(openai_error(fault)))
    with closing(events):
        return jsonify(_completion(last_answer(await_first(events))))


@blueprint.get("/models")
@operation("OpenAI-compatible", gives=ModelList, error=OpenAIError)
def models() -> Response:
    """List the only model there is."""
    return jsonify(ModelList(object="list", data=[_model()]))


@blueprint.get("/models/<model_id>")
@operation("OpenAI-compatible", gives=Model, error=OpenAIError, faults=("not_found",), path={"model_id": f'"{MODEL}"'})
def model(model_id: str) -> Response:
    """Describe the only model there is."""
    the_index()
    if model_id != MODEL:
        raise NotFound(f"There is no model {model_id[:80]!a} here. Use '{MODEL}'.")
    return jsonify(_model())


def _model() -> Model:
    built = int(datetime.fromisoformat(the_index().manifest.built_at).timestamp())
    return Model(id=MODEL, object="model", created=built, owned_by="sourcier")


def _completion(answer: Answer) -> ChatCompletion:
    return {
        "id": f"chatcmpl-{g.request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "system_fingerprint": _fingerprint(),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _content(answer), "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "citations": [citation_json(citation) for citation in answer.citations],
        "answered": answer.answered,
    }


def _content(answer: Answer) -> str:
    sentences = [text for one in answer.sentences if (text := marked_sentence(one, answer.language))]
    if not (answer.answered and sentences):
        return answer.text
    return " ".join(sentences) + source_list(answer.citations, answer.language)


def _fingerprint() -> str:
    return f"generation-{the_index().manifest.generation}"


class _Chunks:
    """Writes the events of one answer as chunks; together their contents are the content of the whole answer."""

    def __init__(self) -> None:
        self._id = f"chatcmpl-{g.request_id}"
        self._created = int(time.time())
        self._fingerprint = _fingerprint()
        self._language = ""
        self._spoken = False

    def write(self, event: Event) -> str:
        if isinstance(event, Found):
            self._language = event.language
            return data_line(self._chunk({"role": "assistant", "content": ""}))
        if isinstance(event, Checked):
            return self._say(marked_sentence(event.sentence, self._language))
        if isinstance(event, Answer):
            return self._end(event)
        return ""

    def _say(self, sentence: str) -> str:
        if not sentence:
            return ""
        separator = " " if self._spoken else ""
        self._spoken = True
        return data_line(self._chunk({"content": f"{separator}{sentence}"}))

    def _end(self, answer: Answer) -> str:
        rest = source_list(answer.citations, answer.language) if self._spoken else _content(answer)
        last = self._chunk({}, finished=True)
        last["citations"] = [citation_json(citation) for citation in answer.citations]
        last["answered"] = answer.answered
        return (data_line(self._chunk({"content": rest})) if rest else "") + data_line(last) + DONE

    def _chunk(self, delta: Delta, *, finished: bool = False) -> ChatCompletionChunk:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": MODEL,
            "system_fingerprint": self._fingerprint,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": "stop" if finished else None}],
        }
