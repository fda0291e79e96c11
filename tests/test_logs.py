"""Lines for machines are JSON, one object a line, whatever is in them; on a terminal they are for people."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from web.service.logs import log_to


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    assert log_to(stream, "auto", "info") is True
    logging.getLogger("web.x").warning("la %s", "rivière\n\u2028", extra={"status": 200, "question": 'a"b\nc'})
    (line,) = stream.getvalue().strip("\n").split("\n")
    told = json.loads(line)
    assert abs(datetime.fromisoformat(told.pop("timestamp")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert told == {
        "level": "warning",
        "logger": "web.x",
        "event": "la rivière\n\u2028",
        "status": 200,
        "question": 'a"b\nc',
    }


def test_a_traceback_stays_in_its_line() -> None:
    stream = io.StringIO()
    log_to(stream, "json", "info")
    try:
        raise ZeroDivisionError("so")
    except ZeroDivisionError:
        logging.getLogger("web.x").exception("failed")
    (line,) = stream.getvalue().strip("\n").split("\n")
    assert "ZeroDivisionError: so" in json.loads(line)["exception"]


def test_on_a_terminal_it_is_text() -> None:
    stream = Terminal()
    assert log_to(stream, "auto", "info") is False
    logging.getLogger("web.x").info("request", extra={"status": 404})
    assert not stream.getvalue().startswith("{")
    assert "request" in stream.getvalue()
    assert "404" in stream.getvalue()


def test_on_a_terminal_a_text_cannot_pass_for_a_line() -> None:
    stream = Terminal()
    log_to(stream, "text", "info")
    logging.getLogger("web.x").info("request", extra={"question": "a\n2026-01-01 [error] forged \x1b[2J"})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[2J" not in stream.getvalue()


def test_the_level_is_kept() -> None:
    stream = io.StringIO()
    log_to(stream, "json", "warning")
    logging.getLogger("web.x").info("not this")
    logging.getLogger("web.x").warning("this")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["this"]


def test_warnings_are_lines_too() -> None:
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log_to(stream, "json", "info")
        warnings.warn("odd", UserWarning, stacklevel=1)
    assert "UserWarning: odd" in json.loads(stream.getvalue())["event"]
