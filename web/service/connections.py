"""Open connections: those that dribble, idle or are too many are closed; what is no HTTP is refused in JSON.

Waitress reads requests in one thread without blocking, so a slow client holds no thread, only a connection. It counts a
connection as alive with every byte that comes, though, and simply stops accepting when there are too many: a client
that sends a byte a minute could keep everybody out.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Collection
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

log = logging.getLogger(__name__)

# How many of the allowed connections are kept free for newcomers, by closing those that have been idle longest.
_FREE_SHARE = 0.1


class _Task(WSGITask):  # type: ignore[misc]
    """A request answered by the app; the last one of its connection when the server is being stopped."""

    def build_response_header(self) -> bytes:
        if self.channel.is_stopping():
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class _Refusal(ErrorTask):  # type: ignore[misc]
    """What was no HTTP request, or too large to be read, refused as the app refuses."""

    def execute(self) -> None:
        error = self.request.error
        request_id = secrets.token_hex(8)
        code = "too_large" if error.code in (413, 431) else "bad_request" if error.code < 500 else "internal"
        message = (
            f"{error.reason}: {error.body}" if error.code < 500 else f"Something went wrong (request {request_id})."
        )
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", "application/json"), ("X-Request-Id", request_id)]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        log.info("refused what was sent", extra={"request_id": request_id, "status": error.code, "reason": message})


class Connection(HTTPChannel):  # type: ignore[misc]
    """One connection, which knows since when it has been waiting for the rest of a request."""

    task_class = _Task
    error_task_class = _Refusal

    def __init__(self, is_stopping: Callable[[], bool], *channel: Any, **more: Any) -> None:
        self.is_stopping = is_stopping
        self.begun: float | None = None  # when the first byte of an unfinished request came
        super().__init__(*channel, **more)

    def received(self, data: bytes) -> bool:
        before = self.request
        taken: bool = super().received(data)
        if self.request is not before:
            self.begun = time.time() if self.request is not None else None
        return taken

    @property
    def is_idle(self) -> bool:
        """Whether the server owes it nothing."""
        return not (self.requests or self.total_outbufs_len or self.will_close)

    @property
    def idle_since(self) -> float:
        """When it last was of use: what dribbles in is none."""
        return self.begun or self.last_activity


def close_useless(connections: Collection[Connection], most: int, request_seconds: float, idle_seconds: float) -> None:
    """Close those whose request does not come to an end, those that idle, and the idlest when there are too many."""
    now = time.time()
    idle = sorted((one for one in connections if one.is_idle), key=lambda one: one.idle_since)
    too_many = len(connections) - int(most * (1 - _FREE_SHARE))
    for place, one in enumerate(idle):
        patience = request_seconds if one.begun else idle_seconds
        if place < too_many or now - one.idle_since > patience:
            one.will_close = True
