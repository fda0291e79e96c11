"""Every way a request can end badly, as the status, the code and the one line that the client gets."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from flask import Response, current_app, jsonify
from pydantic import Field
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException

from index.errors import BadQuery, IndexProblem, SourcierError
from qa.errors import Busy, QuestionTooLong
from web.ready import NotReady

log = logging.getLogger(__name__)

Code = Literal[
    "bad_request",
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "too_large",
    "rate_limited",
    "busy",
    "not_ready",
    "internal",
]


class ErrorDetail(TypedDict):
    """What went wrong."""

    code: Annotated[Code, Field(description="What a program goes by; a code keeps its meaning throughout version 1")]
    message: Annotated[str, Field(description="One line for people, in English")]


class Error(TypedDict):
    """The body of every status from 400 on."""

    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says to a program, the status it comes with, and the version of the API that brought it."""

    status: int
    text: str
    since: str = "1.0"


MEANINGS: dict[Code, Meaning] = {
    "bad_request": Meaning(400, "The request is not what the contract says. The message names the field."),
    "unauthorized": Meaning(401, "An API key is needed, or the one that came is unknown or was revoked."),
    "not_found": Meaning(404, "There is nothing at this address."),
    "method_not_allowed": Meaning(405, "The address takes other methods: see the header Allow."),
    "too_large": Meaning(413, "The body is larger than the server takes."),
    "rate_limited": Meaning(429, "More requests than one key or address may send. See Retry-After."),
    "internal": Meaning(500, "Something failed that should not have. The message holds the request id for the log."),
    "busy": Meaning(503, "As many questions as can be are being answered, or this one took too long. See Retry-After."),
    "not_ready": Meaning(503, "The server is starting, stopping, or without an index. See Retry-After."),
}

LOADING_RETRY_S = 5  # loading the models takes 5 to 30 s; asking more often than this is only noise
FULL_RETRY_S = 3_600  # until somebody has moved a full file away

_CODES: dict[int, Code] = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "rate_limited",
    503: "busy",
}


class BadRequest(Exception):
    """The request is not what the contract says; the message names the field, and `param` is its path alone."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class NotFound(Exception):
    """There is no article with this id."""


class TooSlow(Exception):
    """The answer was not there within Settings.answer_seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The answer took longer than {seconds:.0f} s. Try again, or ask something shorter.")


class ClientGone(Exception):
    """Nobody is left to read the answer."""


class FeedbackFull(Exception):
    """The file of readers' verdicts is as large as it may be."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is full: move it away, and verdicts are stored again.")


@dataclass(frozen=True, slots=True)
class Fault:
    """What the client is told. `retry_after` is in whole seconds; `param` is the field that is wrong."""

    status: int
    code: Code
    message: str
    retry_after: int | None = None
    param: str | None = None

    @property
    def body(self) -> Error:
        return {"error": {"code": self.code, "message": self.message}}


def fault_of(error: BaseException, request_id: str) -> Fault:
    """Translate any error for the client; what nobody foresaw is logged with `request_id` and told as internal."""
    if isinstance(error, HTTPException):
        return _http_fault(error)
    if isinstance(error, (BadRequest, BadQuery, QuestionTooLong)):
        return Fault(400, "bad_request", str(error), param=getattr(error, "param", None))
    if isinstance(error, NotFound):
        return Fault(404, "not_found", str(error))
    if isinstance(error, Busy):
        return Fault(503, "busy", str(error), max(1, math.ceil(error.retry_after)))
    if isinstance(error, TooSlow):
        return Fault(503, "busy", str(error), LOADING_RETRY_S)
    if isinstance(error, (NotReady, ClientGone)):
        return Fault(503, "not_ready", "Sourcier is starting or stopping. Try again in a few seconds.", LOADING_RETRY_S)
    if isinstance(error, IndexProblem):
        # Its own message names folders of this machine: for the log, not for the outside.
        log.error("request %s: %s", request_id, error)
        return Fault(503, "not_ready", "The index cannot be used at the moment.", LOADING_RETRY_S)
    if isinstance(error, FeedbackFull):
        log.error("request %s: %s", request_id, error)
        return Fault(503, "busy", "No more feedback can be stored at the moment.", FULL_RETRY_S)
    if isinstance(error, SourcierError):
        log.error("request %s: %s", request_id, error)
    else:
        log.error("request %s failed", request_id, exc_info=error)
    return Fault(500, "internal", f"Something went wrong here (request {request_id}).")


def _http_fault(error: HTTPException) -> Fault:
    status = error.code or 500
    code = _CODES.get(status, "bad_request" if 400 <= status < 500 else "internal")
    message = (error.description or error.name).split("\n")[0]
    if status == 413:
        message = f"The body is too large: {current_app.config['MAX_CONTENT_LENGTH']} bytes are taken."
    # TooManyRequests and ServiceUnavailable may know better, in whole seconds.
    retry_after = getattr(error, "retry_after", None) or (LOADING_RETRY_S if status in (429, 503) else None)
    return Fault(status, code, message, retry_after)


def json_fault(fault: Fault, body: Mapping[str, object] | None = None) -> Response:
    """Make the JSON answer of a fault; `body` instead of its own where another shape is expected."""
    response = jsonify(fault.body if body is None else body)
    response.status_code = fault.status
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response
