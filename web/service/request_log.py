"""One line in the log for each request: who, what, how it went, how long, how much; never what was asked, unless set.

It stands around the whole app as WSGI middleware, because a stream ends long after Flask has made its response.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import request

log = logging.getLogger(__name__)

_KEY = "sourcier.request"  # in the WSGI environment
_SANE_ID = re.compile(r"[\w.:/+=-]{1,100}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked so often, and of so little interest, that they are logged at the level DEBUG alone.
_CHATTER = ("/healthz", "/readyz", "/metrics", "/static/<path:filename>")


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request; filled in by whoever comes to know it. `seconds` end with the last byte."""

    id: str
    method: str
    route: str = ""  # the rule of the address, such as /api/articles/<path:article_id>; empty where there is none
    key: str = ""  # the name of the API key it came with
    status: int = 0
    bytes: int = 0  # of the body
    seconds: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)  # what the log should tell besides

    @classmethod
    def of_request(cls) -> RequestRecord:
        """The record of the request being served."""
        record = request.environ[_KEY]
        if not isinstance(record, cls):
            raise TypeError("this request did not come through RequestLog")
        return record


class Observer(Protocol):
    """Who counts requests."""

    def request_ended(self, record: RequestRecord) -> None: ...


class RequestLog:
    """WSGI middleware: gives each request its record, and tells of it when its last byte is out."""

    def __init__(self, app: Callable[..., Iterable[bytes]], observer: Observer) -> None:
        self._app = app
        self._observer = observer

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        method = environ.get("REQUEST_METHOD", "")
        record = RequestRecord(
            given if _SANE_ID.fullmatch(given) else secrets.token_hex(8), method if method in _METHODS else "other"
        )
        environ[_KEY] = record
        started = time.perf_counter()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            record.status = int(status[:3])
            return start_response(status, headers, exc_info)

        def ended() -> None:
            record.seconds = time.perf_counter() - started
            self._observer.request_ended(record)
            _tell(record)

        try:
            body = self._app(environ, start)
        except BaseException:
            record.status = 500
            ended()
            raise
        return _CountedBody(body, record, ended)


class _CountedBody:
    """A response's body on its way out."""

    def __init__(self, body: Iterable[bytes], record: RequestRecord, ended: Callable[[], None]) -> None:
        self._body = body
        self._record = record
        self._ended = ended

    def __iter__(self) -> Iterator[bytes]:
        for part in self._body:
            self._record.bytes += len(part)
            yield part

    def close(self) -> None:
        """Called once by every WSGI server, also when the client has gone."""
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            self._ended()


def _tell(record: RequestRecord) -> None:
    level = logging.DEBUG if record.route in _CHATTER and record.status != 500 else logging.INFO
    if not log.isEnabledFor(level):
        return
    facts = {
        "request_id": record.id,
        "method": record.method,
        "route": record.route or None,
        "status": record.status,
        "seconds": round(record.seconds, 4),
        "bytes": record.bytes,
        "key": record.key or None,
        **record.more,
    }
    log.log(level, "request", extra={name: value for name, value in facts.items() if value is not None})
