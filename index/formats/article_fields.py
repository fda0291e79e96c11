"""The fields of an article, checked: keys as they come from JSON, front matter or a page's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from index.errors import ArticleError

# About 300 newspaper pages. Anything longer is a dump, not an article, and would hold up a build for hours.
MAX_TEXT_CHARS = 2_000_000
# The title goes before every sentence that is embedded.
MAX_FIELD_CHARS = 1_000
# Longer first lines are a first paragraph rather than a title.
_TITLE_LINE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Fields:
    """What one file, or a part of one, says about an article.

    `place` is where it was read, as errors name it. `part` tells the article apart in its file and stays the same
    while the article does: the number of a line, the name of a chapter; "" where the file is one article.
    """

    title: str
    text: str
    place: str
    id: str | None = None
    language: str | None = None
    published: date | datetime | None = None
    author: str | None = None
    source: str | None = None
    url: str | None = None
    part: str = ""


def check_fields(record: Mapping[str, object], text: str, place: str, stem: str, part: str = "") -> Fields:
    """Return the fields of a record, its other keys ignored. Raises ArticleError where one cannot be used.

    Without a title, the first heading or short first line of the text is the title, or else `stem`.
    """
    if not text.strip():
        raise ArticleError(place, "the text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise ArticleError(place, f"the text has {len(text)} characters; at most {MAX_TEXT_CHARS}")
    try:
        published = _string(record, "published") or _string(record, "date")
        return Fields(
            title=_string(record, "title") or _title_in(text) or stem,
            text=clean_text(text),
            place=place,
            id=_string(record, "id"),
            language=_language(_string(record, "language")),
            published=parse_date(published) if published else None,
            author=_string(record, "author"),
            source=_string(record, "source"),
            url=_url(_string(record, "url")),
            part=part,
        )
    except ValueError as error:
        raise ArticleError(place, str(error)) from error


def _string(record: Mapping[str, object], key: str) -> str | None:
    """The value on one line; none where it is missing, null or blank."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text, not {_KINDS.get(type(value), 'something else')}")
    value = " ".join(clean_text(value).split())
    if len(value) > MAX_FIELD_CHARS:
        raise ValueError(f"{key} has {len(value)} characters; at most {MAX_FIELD_CHARS}")
    return value or None


_KINDS: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _language(value: str | None) -> str | None:
    if value is None or value.lower() == "und":
        return None
    found = re.fullmatch(r"([A-Za-z]{2})(?:[-_][A-Za-z0-9_-]*)?", value)
    if found is None:
        raise ValueError(f"language must be a two-letter code such as fr, not {value[:40]!r}")
    return found[1].lower()


def _url(value: str | None) -> str | None:
    # The page makes a link of it: nothing but the web, so no javascript: either.
    if value is not None and not re.match(r"https?://[^\s/]", value, re.IGNORECASE):
        raise ValueError(f"url must start with http:// or https://, not {value[:40]!r}")
    return value


def parse_date(value: str) -> date | datetime:
    """Return a date, or a datetime where a time is given. Raises ValueError unless it is ISO 8601."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d|Z$)", "", value))
    except ValueError:
        raise ValueError(f"published must be an ISO 8601 date such as 2025-10-07, not {value[:40]!r}") from None


def _title_in(text: str) -> str | None:
    first = text.lstrip().split("\n", 1)[0].strip()
    heading = re.match(r"#{1,6}\s+(.+?)[\s#]*$", first)
    title = " ".join(clean_text(heading[1] if heading else first).split())
    return title if title and len(title) <= _TITLE_LINE_CHARS else None


# Other line ends become \n. Control characters of the C1 range are Windows-1252 read as Latin-1, as HTML 5 also takes
# them; the others, and halves of surrogate pairs, are no text and become U+FFFD, one for one.
_CLEANED = dict.fromkeys([*range(0x20), 0x7F, *range(0xD800, 0xE000)], "\ufffd")
_CLEANED |= {0x80 + at: char for at, char in enumerate(bytes(range(0x80, 0xA0)).decode("cp1252", "replace"))}
_CLEANED |= {ord("\t"): "\t", ord("\n"): "\n", ord("\r"): "\n", 0x0B: "\n", 0x0C: "\n"}


def clean_text(text: str) -> str:
    """Return the text with \\n line ends, and with nothing that cannot be stored or shown as UTF-8 text."""
    return text.replace("\r\n", "\n").translate(_CLEANED)
