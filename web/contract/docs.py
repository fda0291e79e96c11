"""The readable page of the API, in English, made from the OpenAPI document; it needs no JavaScript."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request

from web.contract.openapi import Json, the_document
from web.words import WORDS

_PREFIX = "#/components/schemas/"
_NAMES = {
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
    "number": "number",
    "null": "null",
}

blueprint = Blueprint("docs", __name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a description; `schema` is the schema that they name and link to."""

    text: str
    schema: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A field of an object, or a parameter."""

    name: str
    required: bool
    kind: list[Piece]
    about: list[Piece]


@dataclass(frozen=True, slots=True)
class Shown:
    """An operation. `answers` are status, content type and schema; `events` are names and schemas."""

    method: str
    path: str
    name: str
    summary: list[Piece]
    description: list[Piece]
    parameters: list[Row]
    body: str | None
    answers: list[tuple[str, list[Piece], list[Piece]]]
    events: list[tuple[str, list[Piece]]]
    stream: list[Piece]
    example: str


@blueprint.get("/docs")
def docs() -> str:
    """Show what the API takes and gives."""
    document = the_document()
    schemas = document["components"]["schemas"]
    return render_template(
        "docs.html",
        words=WORDS["en"],
        language="en",
        info=document["info"],
        about=[prose(part) for part in document["info"]["description"].split("\n\n")],
        groups=[(tag["name"], list(_operations(document, tag["name"]))) for tag in document["tags"]],
        schemas=[
            (name, prose(one.get("description", "")), list(rows_of(one))) for name, one in sorted(schemas.items())
        ],
        headers={name: prose(one["description"]) for name, one in document["components"]["headers"].items()},
    )


def rows_of(schema: Json) -> Iterator[Row]:
    """The fields of an object schema."""
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        yield Row(name, name in required, kind_of(one), prose(one.get("description", "")))


def kind_of(schema: Json) -> list[Piece]:
    """What a value may be, in words: "text, at most 1000 characters, or null"."""
    if "$ref" in schema:
        return [Piece(schema["$ref"].removeprefix(_PREFIX), schema=True)]
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return _joined([[Piece(json.dumps(value, ensure_ascii=False), code=True)] for value in values])
    if "anyOf" in schema:
        return _joined([kind_of(one) for one in schema["anyOf"]])
    kinds = schema.get("type", "anything")
    return _joined([_plain(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds])])


def prose(text: str) -> list[Piece]:
    """Text with `code` in it, cut into its pieces."""
    parts = re.split(r"`([^`]*)`", text)
    return [
        Piece(part, code=True) if position % 2 else Piece(part.replace("'", "’"))
        for position, part in enumerate(parts)
        if part
    ]


def _plain(kind: str, schema: Json) -> list[Piece]:
    if kind == "array" and "items" in schema:
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return [Piece("list of "), *kind_of(schema["items"]), *([Piece(most)] if most else [])]
    text = "day (2025-10-07)" if schema.get("format") == "date" else _NAMES.get(kind, kind)
    if kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        if high is not None:
            text += f" from {low} to {high}"
        elif low is not None:
            text += f", at least {low}"
        if "default" in schema:
            text += f" (default {schema['default']})"
    if kind == "string" and "maxLength" in schema:
        text += f", at most {schema['maxLength']} characters"
    return [Piece(text)]


def _joined(choices: list[list[Piece]]) -> list[Piece]:
    pieces: list[Piece] = []
    for position, choice in enumerate(choices):
        pieces += [Piece(" or " if choice[0].code else ", or "), *choice] if position else choice
    return pieces


def _operations(document: Json, tag: str) -> Iterator[Shown]:
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            if tag in one["tags"]:
                yield _shown(document, path, method, one)


def _shown(document: Json, path: str, method: str, operation: Json) -> Shown:
    done = next(answer for status, answer in operation["responses"].items() if status < "300")["content"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = body["$ref"].removeprefix(_PREFIX) if body else None
    answers = [
        (status, prose(response["description"]), kind_of(response["content"]["application/json"]["schema"]))
        for status, response in operation["responses"].items()
    ]
    stream = done.get("text/event-stream", {}).get("schema", {})
    events = [_event(one["properties"]) for one in stream.get("anyOf", ())]
    parameters = [
        Row(one["name"], one.get("required", False), kind_of(one["schema"]), prose(one.get("description", "")))
        for one in operation.get("parameters", ())
    ]
    examples = document["components"]["schemas"][name].get("examples") if name else None
    return Shown(
        method.upper(),
        path,
        operation["operationId"],
        prose(operation["summary"]),
        prose(operation.get("description", "")),
        parameters,
        name,
        answers,
        events,
        prose(stream.get("description", "")),
        _curl(path, examples[0]) if examples else "",
    )


def _event(properties: Json) -> tuple[str, list[Piece]]:
    data = properties["data"]
    return properties.get("event", {}).get("const", "data"), kind_of(data.get("contentSchema", data))


def _curl(path: str, body: Mapping[str, Any]) -> str:
    data = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f"curl -s {request.host_url.rstrip('/')}{path} -H 'Content-Type: application/json' -d {data}"
