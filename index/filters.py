"""Filters: which articles a search looks at, by date, source, author, language and id."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from index.errors import BadQuery

# Values of one filter; a list of ids is the longest that anybody would send.
MAX_VALUES = 1_000
MAX_VALUE_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Filters:
    """An article passes when it passes each of them; an empty one lets everything pass.

    `since` and `until` are days, both included, as the article itself gives its date; an article without one passes
    neither. A source is compared whole, an author by words ("Martin" finds "Claire Martin"), both without regard to
    case and accents. `language` holds ISO 639-1 codes.
    """

    since: date | None = None
    until: date | None = None
    source: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    article_id: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NO_FILTERS


NO_FILTERS = Filters()
FILTER_NAMES = ("since", "until", "source", "author", "language", "article_id")


def read_filters(given: Mapping[str, object]) -> Filters:
    """Filters of JSON or command line: days as ISO 8601, the others a text or a list of texts. Raises BadQuery."""
    for name in given:
        if name not in FILTER_NAMES:
            raise BadQuery(f"Unknown filter {name[:40]!a}. Known filters: {', '.join(FILTER_NAMES)}.")
    filters = Filters(
        since=_day(given.get("since"), "since"),
        until=_day(given.get("until"), "until"),
        source=_texts(given.get("source"), "source"),
        author=_texts(given.get("author"), "author"),
        language=tuple(text.lower() for text in _texts(given.get("language"), "language")),
        article_id=_texts(given.get("article_id"), "article_id"),
    )
    for code in filters.language:
        if not re.fullmatch("[a-z]{2,3}", code):
            raise BadQuery(f"The filter 'language' takes codes such as fr, not {code[:40]!a}.")
    if filters.since and filters.until and filters.since > filters.until:
        raise BadQuery(f"The filter 'since' ({filters.since}) is after 'until' ({filters.until}).")
    return filters


def _day(value: object, name: str) -> date | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise BadQuery(f"The filter '{name}' takes a day such as 2025-10-07.")


def _texts(value: object, name: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if texts is None:
        return ()
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise BadQuery(f"The filter '{name}' takes a text or a list of texts.")
    if len(texts) > MAX_VALUES or any(len(text) > MAX_VALUE_CHARACTERS for text in texts):
        raise BadQuery(f"The filter '{name}' takes at most {MAX_VALUES} texts of {MAX_VALUE_CHARACTERS} characters.")
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


Distinct = Callable[[str], Iterable[str]]
"""Every value that a column of `articles` has."""


def condition(filters: Filters, distinct: Distinct) -> tuple[str, list[str]]:
    """The filters as an SQL condition over the columns of `articles`, and its parameters; "" where all pass.

    Sources and authors are compared here rather than in SQLite, which knows nothing of accents.
    """
    parts: list[str] = []
    parameters: list[str] = []

    def among(column: str, values: Iterable[str]) -> None:
        parts.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - column names of this file
        parameters.append(json.dumps(list(values)))

    for sign, day in ((">=", filters.since), ("<=", filters.until)):
        if day:
            parts.append(f"substr(published, 1, 10) {sign} ?")
            parameters.append(day.isoformat())
    if filters.source:
        wanted = {_folded(name) for name in filters.source}
        among("source", (value for value in distinct("source") if _folded(value) in wanted))
    if filters.author:
        names = [_words(name) for name in filters.author]
        among("author", (value for value in distinct("author") if _names_one(_words(value), names)))
    if filters.language:
        among("language", filters.language)
    if filters.article_id:
        among("id", filters.article_id)
    return " AND ".join(parts), parameters


def _names_one(words: Sequence[str], wanted: Iterable[Sequence[str]]) -> bool:
    """Whether the words of one of the wanted names stand in a row."""
    together = f" {' '.join(words)} "
    return any(name and f" {' '.join(name)} " in together for name in wanted)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", _folded(text))


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(char for char in apart if not unicodedata.combining(char)).split())
