"""Fields of request bodies: each one checks what came, and describes itself in the OpenAPI document.

A limit that is a setting is described as {"setting": its name}; web/contract/openapi.py puts the number in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic import ValidationInfo as Info
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from typing_extensions import TypedDict

from index.errors import BadQuery
from index.filters import MAX_VALUE_CHARACTERS, MAX_VALUES, NO_FILTERS, Filters, read_filters
from web.settings import Settings

JsonSchema = dict[str, Any]

# NUL and its kin break databases and logs; tab and newline are text.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
# What str.strip() takes away, without and with the control characters among it.
_BLANK = r"\t\n\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_STRIPPED = rf"\x0b\x0c\x1c-\x1f{_BLANK}"
# Lone surrogates cannot be written as UTF-8. JSON can only bring them as escapes, and patterns need not tell of them.
_NOT_TEXT = re.compile(f"[{_CONTROL}\ud800-\udfff]")


class Problem(Exception):
    """A value is not what it should be; the message goes on behind the name of the field."""


class Closed(BaseModel):
    """A JSON object that refuses fields it does not know, so that a slip in a name is not silently nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, value: object) -> object:
        known = list(cls.model_fields)
        if not isinstance(value, dict):
            raise failure(f"must be an object with {' and '.join(map(repr, known))}, not {sort_of(value)}.")
        for name in value:
            if name not in known:
                raise PydanticCustomError("unknown_field", "{name}", {"name": f"{name[:40]!a}", "known": known})
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A text without control characters; the blanks around it are cut. `longest`: characters, or a setting's name."""

    longest: str | int
    may_be_blank: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        start = "" if self.may_be_blank else f"[{_BLANK}]*[^{_BLANK}{_CONTROL}]"
        pattern = f"^{start}[^{_CONTROL}]*$"
        return {"type": "string", "maxLength": _described(self.longest), "pattern": pattern}

    def _read(self, value: object, info: Info) -> str:
        try:
            return checked_text(value, _limit(self.longest, info), may_be_blank=self.may_be_blank)
        except Problem as problem:
            raise failure(str(problem)) from problem


@dataclass(frozen=True, slots=True)
class AtMost:
    """A list that may not be longer than `most`: a number, or the name of a setting. `of` is what it is a list of."""

    most: str | int
    of: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {**handler(schema), "type": ["array", "null"], "maxItems": _described(self.most)}

    def _check(self, value: object, info: Info) -> object:
        most = _limit(self.most, info)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise failure(f"must be a list of {self.of}, not {sort_of(value)}.")
        if len(value) > most:
            raise failure(f"has {len(value)} {self.of}, at most {most} are taken.")
        return tuple(value)


class PassageCount:
    """How many passages to find; None leaves it to the settings."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": {"setting": "max_k"},
            "default": {"setting": "passages"},
        }

    def _read(self, value: object, info: Info) -> int | None:
        highest = _settings(info).max_k
        if value is None:
            return None
        # JSON has one kind of number: 2.0 is a whole one.
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value not in range(1, highest + 1):
            raise failure(f"must be a whole number from 1 to {highest}.")
        return int(value)


FilterText = Annotated[str, Field(max_length=MAX_VALUE_CHARACTERS)]
FilterTexts = FilterText | Annotated[list[FilterText], Field(max_length=MAX_VALUES)] | None
LanguageCode = Annotated[str, Field(pattern=f"^[{_STRIPPED}]*([A-Za-z]{{2,3}})?[{_STRIPPED}]*$")]
FilterDay = Annotated[str, Field(json_schema_extra={"format": "date"})] | Literal[""] | None


class ArticleFilters(TypedDict, total=False):
    """Which articles are looked at: those that pass each filter. A list is a list of alternatives."""

    since: Annotated[FilterDay, Field(description="First day of publication, included")]
    until: Annotated[FilterDay, Field(description="Last day of publication, included; not before `since`")]
    source: Annotated[FilterTexts, Field(description="Whole names; case and accents do not matter")]
    author: Annotated[FilterTexts, Field(description="Words of a name; case and accents do not matter")]
    language: Annotated[
        LanguageCode | Annotated[list[LanguageCode], Field(max_length=MAX_VALUES)] | None,
        Field(description="ISO 639 codes"),
    ]
    article_id: FilterTexts


class FilterField:
    """The filters of a request: read by the index's own reader, described by ArticleFilters."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        described = core_schema.nullable_schema(handler.generate_schema(ArticleFilters))
        return core_schema.no_info_plain_validator_function(self._read, json_schema_input_schema=described)

    def _read(self, value: object) -> Filters:
        if value is None:
            return NO_FILTERS
        if not isinstance(value, dict):
            raise failure(f"must be an object, not {sort_of(value)}.")
        try:
            return read_filters(value)
        except BadQuery as problem:
            raise PydanticCustomError("whole_message", "{said}", {"said": str(problem)}) from problem


def checked_text(value: object, longest: int, *, may_be_blank: bool = False) -> str:
    """Check one text and return it without the blanks around it. `longest` counts characters. Raises Problem."""
    if value is None:
        raise Problem("is missing.")
    if not isinstance(value, str):
        raise Problem(f"must be a string, not {sort_of(value)}.")
    if len(value) > longest:
        raise Problem(f"has {len(value)} characters, at most {longest} are taken.")
    if _NOT_TEXT.search(value):
        raise Problem("holds control characters or broken Unicode.")
    text = value.strip()
    if not text and not may_be_blank:
        raise Problem("is empty.")
    return text


def sort_of(value: object) -> str:
    """What JSON calls a value, with its article."""
    names = {str: "a string", bool: "a boolean", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), "a number")


def failure(words: str) -> PydanticCustomError:
    """An error that goes on behind the name of its field."""
    return PydanticCustomError("behind_name", "{words}", {"words": words})


def _limit(given: str | int, info: Info) -> int:
    limit: int = getattr(_settings(info), given) if isinstance(given, str) else given
    return limit


def _described(given: str | int) -> int | dict[str, str]:
    return {"setting": given} if isinstance(given, str) else given


def _settings(info: Info) -> Settings:
    if not isinstance(info.context, Settings):
        raise TypeError("validate with context=settings")
    return info.context
