"""The OpenAPI document, made from the endpoints as they are registered: their models, docstrings and error codes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from werkzeug.routing import Rule

from web.contract.operations import Operation, operations_of
from web.faults import MEANINGS, Code
from web.settings import Settings

# The version of the contract, not of the program. Fields and codes may be added to 1.x; none is renamed, taken away or
# used for something else before 2.0. It is in the document and in the header X-Api-Version of every response.
API_VERSION = "1.0"

Json = dict[str, Any]

_ABOUT = """Answers questions from a body of articles. Every sentence of an answer points to the exact characters of \
the article it was read in, and was checked against them before it was sent.

`start` and `end` count Unicode code points of an article's `text`: `text[start:end] == quote`, always.

Answers may gain fields and errors may gain codes within version 1; read what you know and pass over the rest."""

_HEADERS: Json = {
    "X-Request-Id": {"description": "Names this request in the server's log", "schema": {"type": "string"}},
    "X-Api-Version": {"description": "The version of this contract", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before trying again", "schema": {"type": "integer", "minimum": 1}},
}
_KEY: Json = {"type": "http", "scheme": "bearer", "description": "An API key, once the operator has made one"}

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Give the OpenAPI document of this server, with the limits it was set to."""
    return jsonify({**the_document(), "servers": [{"url": request.script_root or "/"}]})


def the_document() -> Json:
    """The document of the app that serves this request; made once."""
    extensions = current_app.extensions
    if "sourcier-openapi" not in extensions:
        extensions["sourcier-openapi"] = build_document(current_app, extensions["sourcier-settings"])
    document: Json = extensions["sourcier-openapi"]
    return document


def build_document(app: Flask, settings: Settings) -> Json:
    """Make the OpenAPI 3.1 document of the described endpoints of an app."""
    described = operations_of(app)
    schemas, definitions = _schemas(one for _, _, operation in described for one in _types(operation))
    paths: dict[str, Json] = {}
    for rule, view, operation in described:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            summary, _, description = (inspect.getdoc(view) or "").partition("\n\n")
            paths.setdefault(path, {})[method.lower()] = {
                "operationId": view.__name__,
                "tags": [operation.tag],
                "summary": summary,
                **({"description": " ".join(description.split())} if description else {}),
                **_taken(operation, rule, schemas),
                "responses": _responses(operation, schemas),
            }
    tags = dict.fromkeys(operation.tag for _, _, operation in described)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Sourcier",
            "version": API_VERSION,
            "description": _ABOUT,
            "x-error-codes": {
                code: {"status": one.status, "since": one.since, "meaning": one.text} for code, one in MEANINGS.items()
            },
        },
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        "security": [{}, {"key": []}],
        "components": {"schemas": definitions, "headers": _HEADERS, "securitySchemes": {"key": _KEY}},
    }
    filled: Json = _with_settings(document, settings)
    return filled


class _Schemas(GenerateJsonSchema):
    """Pydantic's JSON Schema without a title for each field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        # Defaults are Python's, () and NO_FILTERS among them; in JSON each of them is absence.
        default = schema.get("default")
        shown = self.generate_inner(schema["schema"])
        return {**shown, "default": default} if isinstance(default, (int, str)) else shown


def _schemas(types: Iterable[type]) -> tuple[dict[type, Json], Json]:
    """The reference to the schema of each type, and the schemas themselves by name."""
    adapters = {one: TypeAdapter[Any](one) for one in types}
    found, definitions = TypeAdapter.json_schemas(
        [(one, "validation", adapter) for one, adapter in adapters.items()],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schemas,
    )
    return {one: found[one, "validation"] for one in adapters}, definitions.get("$defs", {})


def _types(operation: Operation) -> Iterable[type]:
    yield operation.gives
    yield operation.error
    yield from operation.events.values()
    if operation.takes:
        yield operation.takes


def _taken(operation: Operation, rule: Rule, schemas: Mapping[type, Json]) -> Json:
    taken: Json = {}
    parameters = [
        {"name": name, "in": "path", "required": True, "description": operation.path[name],
         "schema": {"type": "string", "minLength": 1}}
        for name in sorted(rule.arguments)
    ]  # fmt: skip
    if operation.query:
        for name, schema in _properties(operation.query).items():
            description = schema.pop("description", "")
            parameters.append({"name": name, "in": "query", "description": description, "schema": schema})
    if parameters:
        taken["parameters"] = parameters
    if operation.takes:
        content = {"application/json": {"schema": schemas[operation.takes]}}
        taken["requestBody"] = {"required": True, "content": content}
    return taken


def _properties(model: type[BaseModel]) -> dict[str, Json]:
    properties: dict[str, Json] = model.model_json_schema(schema_generator=_Schemas)["properties"]
    return properties


def _responses(operation: Operation, schemas: Mapping[type, Json]) -> Json:
    always = ("X-Request-Id", "X-Api-Version")
    content: Json = {"application/json": {"schema": schemas[operation.gives]}}
    if operation.events:
        content["text/event-stream"] = {"schema": _stream(operation, schemas)}
    done = {"description": "Done.", "headers": _header_references(always), "content": content}
    responses: Json = {str(operation.status): done}
    by_status: dict[int, list[Code]] = {}
    for code in operation.codes:
        by_status.setdefault(MEANINGS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        headers = (*always, "Retry-After") if status in (429, 503) else always
        responses[str(status)] = {
            "description": " ".join(f"`{code}`: {MEANINGS[code].text}" for code in codes),
            "headers": _header_references(headers),
            "content": {"application/json": {"schema": schemas[operation.error]}},
        }
    return responses


def _stream(operation: Operation, schemas: Mapping[type, Json]) -> Json:
    """One event of a stream, which is how readers of OpenAPI take the schema of text/event-stream.

    "message" is the name of an event that has none.
    """
    unnamed = "message" in operation.events
    events = [*operation.events.items(), ("message" if unnamed else "error", operation.error)]
    kinds = []
    for name, body in events:
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schemas[body]}
        named: Json = {} if unnamed else {"event": {"const": name}}
        kinds.append({"type": "object", "required": [*named, "data"], "properties": {**named, "data": data}})
    about = "With `stream`: one event of the stream. The last one is `answer` or `error`."
    if unnamed:
        about = "With `stream`: one event of the stream. The last one has the data `[DONE]`, or is an error."
        kinds.append({"type": "object", "required": ["data"], "properties": {"data": {"const": "[DONE]"}}})
    return {"description": about, "anyOf": kinds}


def _header_references(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _with_settings(node: Any, settings: Settings) -> Any:
    """The same with each {"setting": name} replaced by what is set."""
    if isinstance(node, Mapping):
        if set(node) == {"setting"}:
            return getattr(settings, node["setting"])
        return {name: _with_settings(value, settings) for name, value in node.items()}
    if isinstance(node, list):
        return [_with_settings(value, settings) for value in node]
    return node
