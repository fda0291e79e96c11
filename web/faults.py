"""Every way a request can end badly, as the status, the code and the one line that the client gets."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flask import Response, jsonify
from werkzeug.exceptions import HTTPException

from index.errors import BadQuery, IndexProblem, SourcierError
from qa.errors import Busy, QuestionTooLong
from web.ready import NotReady

log = logging.getLogger(__name__)

Code = Literal["bad_request", "not_found", "too_large", "method_not_allowed", "busy", "not_ready", "internal"]

LOADING_RETRY_S = 5  # loading the models takes 5 to 30 s; asking more often than this is only noise
FULL_RETRY_S = 3_600  # until somebody has moved a full file away

_CODES: dict[int, Code] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "busy",
    503: "busy",
}


class BadRequest(Exception):
    """The request is not what the contract says; the message names the field."""


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
    """What the client is told. `retry_after` is in whole seconds."""

    status: int
    code: Code
    message: str
    retry_after: int | None = None

    @property
    def body(self) -> dict[str, dict[str, str]]:
        return {"error": {"code": self.code, "message": self.message}}


def fault_of(error: BaseException, request_id: str) -> Fault:
    """Translate any error for the client; what nobody foresaw is logged with `request_id` and told as internal."""
    if isinstance(error, HTTPException):
        return _http_fault(error)
    if isinstance(error, (BadRequest, BadQuery, QuestionTooLong)):
        return Fault(400, "bad_request", str(error))
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
    return Fault(status, code, message, LOADING_RETRY_S if status in (429, 503) else None)


def json_fault(fault: Fault) -> Response:
    """Make the JSON answer of a fault."""
    response = jsonify(fault.body)
    response.status_code = fault.status
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response
