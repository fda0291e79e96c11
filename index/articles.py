"""Articles: what they are, and how files of several formats are read into them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Article:
    """One article, as read. `text` is never changed again: every offset in the product counts its characters.

    `id` is unique in the corpus and stable across rebuilds. `language` is an ISO 639-1 code, or "und".
    """

    id: str
    title: str
    text: str
    language: str
    published: date | datetime | None = None
    author: str | None = None
    source: str | None = None
    url: str | None = None
