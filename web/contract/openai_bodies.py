"""What the OpenAI-compatible endpoints answer with: OpenAI's own shapes, and what Sourcier adds to them."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from web.contract.bodies import Citation
from web.faults import Code, Fault

Citations = Annotated[
    list[Citation], Field(description="What [1] in the content refers to; not part of OpenAI's shape")
]
Answered = Annotated[bool, Field(description="False when the question was declined; not part of OpenAI's shape")]
Created = Annotated[int, Field(description="Seconds since 1970")]
Fingerprint = Annotated[str, Field(description="Which generation of the index answered")]


class AssistantMessage(TypedDict):
    """The answer with marks such as [1], and the list of its sources below."""

    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(TypedDict):
    """The only answer there is."""

    index: Literal[0]
    message: AssistantMessage
    logprobs: None
    finish_reason: Literal["stop"]


class ChatCompletion(TypedDict):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: Created
    model: str
    system_fingerprint: Fingerprint
    choices: list[Choice]
    citations: Citations
    answered: Answered


class Delta(TypedDict, total=False):
    """What a chunk adds: the role first, then a checked sentence each, then the list of sources."""

    role: Literal["assistant"]
    content: str


class ChunkChoice(TypedDict):
    """The only answer there is, a piece of it."""

    index: Literal[0]
    delta: Delta
    logprobs: None
    finish_reason: Literal["stop"] | None


class ChatCompletionChunk(TypedDict):
    """A piece of an answer. The last one has `citations` and `answered`; `data: [DONE]` follows it."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: Created
    model: str
    system_fingerprint: Fingerprint
    choices: list[ChunkChoice]
    citations: NotRequired[Citations]
    answered: NotRequired[Answered]


class Model(TypedDict):
    """Sourcier, as a model among models."""

    id: str
    object: Literal["model"]
    created: Annotated[int, Field(description="When the index was built, in seconds since 1970")]
    owned_by: str


class ModelList(TypedDict):
    """The only model there is."""

    object: Literal["list"]
    data: list[Model]


class OpenAIErrorDetail(TypedDict):
    """What went wrong."""

    message: str
    type: str
    param: Annotated[str | None, Field(description="The field that is wrong")]
    code: Annotated[Code, Field(description="The same codes as everywhere else in this API")]


class OpenAIError(TypedDict):
    """The body of every status from 400 on, as OpenAI's clients read it."""

    error: OpenAIErrorDetail


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def openai_error(fault: Fault) -> OpenAIError:
    """A fault in OpenAI's shape."""
    kind = _TYPES.get(fault.status, "invalid_request_error" if fault.status < 500 else "server_error")
    return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": fault.code}}
