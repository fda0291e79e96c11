"""What a client sent, checked field by field before anything is done with it."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, NoReturn, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from index.filters import NO_FILTERS, Filters
from qa.conversation import Turn
from web.contract.request_fields import AtMost, Closed, FilterField, PassageCount, Problem, Text, checked_text, sort_of
from web.faults import BadRequest
from web.settings import Settings

Body = TypeVar("Body", bound=BaseModel)

MAX_OFFSET = 100_000_000  # articles
LONGEST_PAGE = 100  # articles

Question = Annotated[str, Text("max_question_characters")]
PassagesWanted = Annotated[
    Annotated[int | None, PassageCount()], Field(description="How many passages to find; null: the server's default")
]
FiltersWanted = Annotated[Annotated[Filters, FilterField()], Field(description="Which articles are looked at")]


class HistoryTurn(Closed):
    """One exchange before this question."""

    question: Annotated[str, Text("max_turn_characters")]
    answer: Annotated[str, Text("max_turn_characters", may_be_blank=True)]


class AskRequest(Closed):
    """A question, with the conversation before it. The server keeps none."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "Quel est le montant de la facture du pont des Tanneurs ?"}]}
    )

    question: Question
    history: Annotated[
        tuple[HistoryTurn, ...],
        AtMost("max_history_turns", "turns"),
        Field(description="Earlier exchanges, oldest first; a follow-up is completed from them"),
    ] = ()
    k: PassagesWanted = None
    filters: FiltersWanted = NO_FILTERS
    stream: Annotated[bool | None, Field(description="Answer as server-sent events, each when it happens")] = None
    draft: Annotated[bool | None, Field(description="With `stream`: also events `token`, unchecked words")] = None

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(Turn(turn.question, turn.answer) for turn in self.history)


class SearchRequest(Closed):
    """Words to search passages for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "réouverture du pont", "k": 3}]})

    query: Question
    k: PassagesWanted = None
    filters: FiltersWanted = NO_FILTERS


class PageQuery(BaseModel):
    """Which page of a list is wanted."""

    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET, description="How many to leave out")] = 0
    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="How many to list at most")] = 20


def read_body(model: type[Body], request: Request, settings: Settings) -> Body:
    """Check the JSON body of a request. Raises BadRequest with one line that names the field."""
    try:
        return model.model_validate(_read_json(request), context=settings)
    except ValidationError as problems:
        _refuse(problems)


def read_page(request: Request) -> PageQuery:
    """Check the query string of a list. Raises BadRequest."""
    fields = PageQuery.model_fields
    given = {name: text for name in fields if (text := request.args.get(name)) is not None}
    for name, text in given.items():
        # Pydantic also takes "+3", " 3 " and other digits than ours for whole numbers.
        if not re.fullmatch("-?[0-9]{1,20}", text):
            raise BadRequest(f"'{name}' must be a whole number.", name)
    try:
        return PageQuery.model_validate(given)
    except ValidationError as problems:
        _refuse(problems)


def read_text(value: object, name: str, longest: int) -> str:
    """Check one text of a form and return it without the blanks around it. `longest` counts characters."""
    try:
        return checked_text(value.replace("\r\n", "\n").strip() if isinstance(value, str) else value, longest)
    except Problem as problem:
        raise BadRequest(f"'{name}' {problem}", name) from problem


def _read_json(request: Request) -> object:
    if request.mimetype != "application/json":
        raise BadRequest("Send JSON, with the header 'Content-Type: application/json'.")
    try:
        body = json.loads(request.get_data(cache=False), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # RecursionError: a body of thousands of open brackets
        raise BadRequest("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest(f"The body must be a JSON object, not {sort_of(body)}.")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse(problems: ValidationError) -> NoReturn:
    """Say the first problem in one line. Raises BadRequest."""
    first = problems.errors(include_url=False, include_input=True)[0]
    name = _path(first["loc"])
    raise BadRequest(_sentence(first, name), name or None) from problems


def _sentence(problem: ErrorDetails, name: str) -> str:
    context: dict[str, Any] = problem.get("ctx", {})
    given = sort_of(problem["input"])
    match problem["type"]:
        case "unknown_field":
            place = f" in '{name}'" if name else ""
            return f"Unknown field {context['name']}{place}. Known fields: {', '.join(context['known'])}."
        case "whole_message":
            return problem["msg"]
        case "behind_name":
            return f"'{name}' {problem['msg']}"
        case "missing":
            return f"'{name}' is missing."
        case "bool_type":
            return f"'{name}' must be true or false, not {given}."
        case "string_type":
            return f"'{name}' must be a string, not {given}."
    said = problem["msg"].replace(" after validation", "")
    return f"'{name}' is not accepted: {said[:1].lower()}{said[1:]}."


def _path(location: tuple[int | str, ...]) -> str:
    """The place of a field as people write it: history[0].answer."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path
