"""What a client sent, checked field by field before anything is done with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Request

from index.errors import BadQuery
from index.filters import Filters, read_filters
from qa.conversation import Turn
from web.faults import BadRequest
from web.settings import Settings

# NUL and its kin break databases and logs, lone surrogates cannot be written as UTF-8; tab and newline are text.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A valid body of POST /api/ask."""

    question: str
    history: tuple[Turn, ...]
    k: int
    filters: Filters
    stream: bool
    draft: bool


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A valid body of POST /api/search."""

    query: str
    k: int
    filters: Filters


def read_ask(request: Request, settings: Settings) -> AskRequest:
    """Check the body of POST /api/ask. Raises BadRequest with one line that names the field."""
    body = _read_object(request, ("question", "history", "k", "filters", "stream", "draft"))
    return AskRequest(
        question=read_text(body.get("question"), "question", settings.max_question_characters),
        history=_read_history(body.get("history"), settings),
        k=_read_k(body.get("k"), settings),
        filters=_read_filters(body.get("filters")),
        stream=_read_flag(body.get("stream"), "stream"),
        draft=_read_flag(body.get("draft"), "draft"),
    )


def read_search(request: Request, settings: Settings) -> SearchRequest:
    """Check the body of POST /api/search. Raises BadRequest."""
    body = _read_object(request, ("query", "k", "filters"))
    return SearchRequest(
        query=read_text(body.get("query"), "query", settings.max_question_characters),
        k=_read_k(body.get("k"), settings),
        filters=_read_filters(body.get("filters")),
    )


def read_text(value: object, name: str, longest: int, *, may_be_empty: bool = False) -> str:
    """Check one text and return it without the blanks around it. `longest` counts characters."""
    if value is None:
        raise BadRequest(f"'{name}' is missing.")
    if not isinstance(value, str):
        raise BadRequest(f"'{name}' must be a string, not {_sort(value)}.")
    text = value.replace("\r\n", "\n").strip()
    if not text and not may_be_empty:
        raise BadRequest(f"'{name}' is empty.")
    if len(text) > longest:
        raise BadRequest(f"'{name}' has {len(text)} characters, at most {longest} are taken.")
    if _NOT_TEXT.search(text):
        raise BadRequest(f"'{name}' holds control characters or broken Unicode.")
    return text


def read_count(value: str | None, name: str, default: int, low: int, high: int) -> int:
    """Check a whole number of the query string. Raises BadRequest."""
    if value is None or value == "":
        return default
    # A bound on the length first: int() of a long run of digits is an error of its own.
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or not low <= int(value) <= high:
        raise BadRequest(f"'{name}' must be a whole number from {low} to {high}.")
    return int(value)


def _read_object(request: Request, known: tuple[str, ...]) -> Mapping[str, object]:
    if request.mimetype != "application/json":
        raise BadRequest("Send JSON, with the header 'Content-Type: application/json'.")
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:  # RecursionError: a body of thousands of open brackets
        raise BadRequest("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest(f"The body must be a JSON object, not {_sort(body)}.")
    for name in body:
        if name not in known:
            raise BadRequest(f"Unknown field {name[:40]!a}. Known fields: {', '.join(known)}.")
    return body


def _read_filters(value: object) -> Filters:
    if value is None:
        return read_filters({})
    if not isinstance(value, dict):
        raise BadRequest(f"'filters' must be an object, not {_sort(value)}.")
    try:
        return read_filters(value)
    except BadQuery as problem:
        raise BadRequest(str(problem)) from problem


def _read_history(value: object, settings: Settings) -> tuple[Turn, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadRequest(f"'history' must be a list of turns, not {_sort(value)}.")
    if len(value) > settings.max_history_turns:
        raise BadRequest(f"'history' has {len(value)} turns, at most {settings.max_history_turns} are taken.")
    turns = []
    for position, turn in enumerate(value):
        name = f"history[{position}]"
        if not isinstance(turn, dict):
            raise BadRequest(f"'{name}' must be an object with 'question' and 'answer', not {_sort(turn)}.")
        unknown = sorted(set(turn) - {"question", "answer"})
        if unknown:
            raise BadRequest(f"Unknown field {unknown[0][:40]!a} in '{name}'. Known fields: question, answer.")
        longest = settings.max_turn_characters
        question = read_text(turn.get("question"), f"{name}.question", longest)
        turns.append(Turn(question, read_text(turn.get("answer"), f"{name}.answer", longest, may_be_empty=True)))
    return tuple(turns)


def _read_k(value: object, settings: Settings) -> int:
    if value is None:
        return settings.passages
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= settings.max_k:
        raise BadRequest(f"'k' must be a whole number from 1 to {settings.max_k}.")
    return value


def _read_flag(value: object, name: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise BadRequest(f"'{name}' must be true or false, not {_sort(value)}.")
    return value


def _sort(value: object) -> str:
    names = {str: "a string", bool: "a boolean", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), "a number")
