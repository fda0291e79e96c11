"""What an endpoint takes and gives, said beside its code: the OpenAPI document and /docs are made from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from flask import Flask
from pydantic import BaseModel
from werkzeug.routing import Rule

from web.faults import Code, Error

View = TypeVar("View", bound=Callable[..., Any])
Tag = Literal["Answers", "Articles", "Feedback", "OpenAI-compatible", "Operation"]

_ATTRIBUTE = "sourcier_operation"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `gives` and `error` are the bodies of `status` and of all others, TypedDicts.

    `faults` are the codes beside the usual ones: `not_ready` and `internal`, and where there is anything to get wrong
    `bad_request` and `too_large`.
    """

    tag: Tag
    gives: type
    takes: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, type] = field(default_factory=dict)
    faults: tuple[Code, ...] = ()
    needs_models: bool = True
    error: type = Error
    status: int = 200

    @property
    def codes(self) -> tuple[Code, ...]:
        """Every error code that it may answer with."""
        codes: list[Code] = [*self.faults, "internal"]
        if self.takes or self.query:
            codes.append("bad_request")
        if self.takes:
            codes.append("too_large")
        if self.needs_models:
            codes.append("not_ready")
        if self.tag != "Operation":
            codes += ["unauthorized", "rate_limited"]
        return tuple(dict.fromkeys(codes))


def operation(
    tag: Tag,
    *,
    gives: type,
    takes: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    path: Mapping[str, str] | None = None,
    events: Mapping[str, type] | None = None,
    faults: tuple[Code, ...] = (),
    needs_models: bool = True,
    error: type = Error,
    status: int = 200,
) -> Callable[[View], View]:
    """Describe a view. Its docstring is the rest of the description: the first line is the summary."""
    described = Operation(tag, gives, takes, query, path or {}, events or {}, faults, needs_models, error, status)

    def describe(view: View) -> View:
        vars(view)[_ATTRIBUTE] = described  # functools.wraps hands attributes on, so decorators above do no harm
        return view

    return describe


def operations_of(app: Flask) -> list[tuple[Rule, Callable[..., Any], Operation]]:
    """The described endpoints of an app, in the order in which they were registered."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        described = vars(view).get(_ATTRIBUTE) if hasattr(view, "__dict__") else None
        if isinstance(described, Operation):
            found.append((rule, view, described))
    return found
