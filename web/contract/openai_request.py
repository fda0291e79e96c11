"""What a client of OpenAI's API sends, read as a question and the conversation before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict

from index.filters import NO_FILTERS
from qa.conversation import Turn
from web.contract.cited_text import without_sources
from web.contract.request_fields import JsonSchema, Problem, checked_text, failure, sort_of
from web.contract.validation import FiltersWanted, PassagesWanted
from web.faults import BadRequest
from web.settings import Settings

MODEL = "sourcier"

NoEffect = Field(description="Taken without effect: an answer is as long as what the articles say")


class TextPart(TypedDict):
    """A part of a message's content. Only text is read."""

    type: Literal["text"]
    text: str


class Content:
    """The content of a message: a text, or parts that are text."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        described = handler.generate_schema(str | list[TextPart] | None)
        return core_schema.no_info_plain_validator_function(self._read, json_schema_input_schema=described)

    def _read(self, value: object) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        if not isinstance(value, list):
            raise failure(f"must be a string or a list of parts, not {sort_of(value)}.")
        for part in value:
            if not (isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)):
                raise failure("has a part that is not text. Only parts {'type': 'text', 'text': …} are read.")
        return "\n".join(part["text"] for part in value)


@dataclass(frozen=True, slots=True)
class Only:
    """A field of OpenAI's that would change what an answer is: it may be absent, null, or what Sourcier does anyway."""

    accepted: tuple[object, ...] = ()

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {"enum": [None, *self.accepted], "description": "Nothing else is supported"}

    def _read(self, value: object) -> None:
        # True == 1 in Python, not in JSON
        if value is not None and not any(value == one and sort_of(value) == sort_of(one) for one in self.accepted):
            raise failure("is not supported: answers come from the articles alone, one at a time, as text.")


class Message(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    role: Annotated[
        Literal["system", "developer", "user", "assistant"],
        Field(description="Instructions (system, developer) change nothing and are passed over"),
    ]
    content: Annotated[str, Content()] = ""


class ChatRequest(BaseModel):
    """A conversation whose last message is the question."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "model": MODEL,
                    "messages": [{"role": "user", "content": "Quand le pont des Tanneurs a-t-il rouvert ?"}],
                }
            ]
        },
    )

    messages: Annotated[list[Message], Field(min_length=1, description="The last message is the question, of the user")]
    model: Annotated[str, Field(description=f'"{MODEL}"; another is answered with 404')] = MODEL
    stream: Annotated[bool | None, Field(description="Answer in chunks, a checked sentence each")] = None
    k: PassagesWanted = None
    filters: FiltersWanted = NO_FILTERS
    max_tokens: Annotated[int | None, Field(ge=1), NoEffect] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1), NoEffect] = None
    temperature: Annotated[float | None, Field(ge=0, le=2), NoEffect] = None
    top_p: Annotated[float | None, Field(ge=0, le=1), NoEffect] = None
    n: Annotated[None, Only((1,))] = None
    stop: Annotated[None, Only(([],))] = None
    logprobs: Annotated[None, Only((False,))] = None
    response_format: Annotated[None, Only(({"type": "text"},))] = None
    modalities: Annotated[None, Only((["text"],))] = None
    audio: Annotated[None, Only()] = None
    tools: Annotated[None, Only(([],))] = None
    tool_choice: Annotated[None, Only(("none", "auto"))] = None
    functions: Annotated[None, Only(([],))] = None
    function_call: Annotated[None, Only(("none", "auto"))] = None


def read_conversation(messages: list[Message], settings: Settings) -> tuple[str, tuple[Turn, ...]]:
    """Give the question, and the turns before it that the settings leave room for, oldest first. Raises BadRequest.

    Messages of one speaker in a row are one. A conversation grows for ever, so what is old or long in it is cut.
    """
    last = len(messages) - 1
    if messages[last].role != "user":
        raise BadRequest("The last of 'messages' must be the user's question.", f"messages[{last}]")
    *before, (_, question) = _speeches(messages)
    turns = []
    for (asker, asked), (speaker, said) in pairwise(before):
        if (asker, speaker) == ("user", "assistant"):
            longest = settings.max_turn_characters
            turns.append(Turn(asked[:longest].strip(), without_sources(said)[:longest].strip()))
    turns = turns[-settings.max_history_turns :] if settings.max_history_turns else []
    return _checked(question, f"messages[{last}].content", settings.max_question_characters), tuple(turns)


def _speeches(messages: list[Message]) -> Iterator[tuple[str, str]]:
    """Who said what, user and assistant in turn; blank messages and instructions are left out."""
    speaker, words = "", ""
    for position, message in enumerate(messages):
        final = position == len(messages) - 1
        if message.role in ("system", "developer") or not (final or message.content.strip()):
            continue
        said = (
            message.content
            if final
            else _checked(message.content, f"messages[{position}].content", len(message.content))
        )
        if message.role == speaker:
            words += f"\n{said}"
            continue
        if speaker:
            yield speaker, words
        speaker, words = message.role, said
    yield speaker, words


def _checked(text: str, name: str, longest: int) -> str:
    try:
        return checked_text(text, longest)
    except Problem as problem:
        raise BadRequest(f"'{name}' {problem}", name) from problem
