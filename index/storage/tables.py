"""The tables of articles.sqlite, and how an article goes in and comes out."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from pathlib import Path

from index.articles import Article

SCHEMA = """
CREATE TABLE articles (
    number INTEGER PRIMARY KEY,      -- corpus order, from 0
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, text TEXT NOT NULL, language TEXT NOT NULL,
    published TEXT,                  -- ISO 8601 date or date-time
    author TEXT, source TEXT, url TEXT,
    digest BLOB NOT NULL,            -- of all that was made of it: its fields, passages, words and sentences
    passage INTEGER NOT NULL, sentence INTEGER NOT NULL, -- numbers of its first ones
    signature BLOB NOT NULL,         -- of its words (index/duplicates.py)
    cluster INTEGER NOT NULL         -- the first article that says nearly the same; its own number where none does
);
CREATE INDEX articles_by_date ON articles (published DESC, number);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY,      -- from 0, article after article
    article INTEGER NOT NULL REFERENCES articles (number),
    start INTEGER NOT NULL, "end" INTEGER NOT NULL
);
CREATE TABLE sentences (
    number INTEGER PRIMARY KEY,      -- from 0, passage after passage
    passage INTEGER NOT NULL REFERENCES passages (number),
    start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    key BLOB NOT NULL                -- digest of embedder, heading and text: an unchanged sentence keeps its vector
);
CREATE INDEX sentences_by_passage ON sentences (passage, number);
CREATE TABLE words (                 -- stemmed; who has them: index/storage/postings.py
    word TEXT PRIMARY KEY,
    number INTEGER NOT NULL          -- from 0, in the order of the words
) WITHOUT ROWID;
CREATE TABLE files (                 -- what was read without an error, so that it is not read again
    digest BLOB PRIMARY KEY,         -- of name, place and content
    first INTEGER NOT NULL, count INTEGER NOT NULL  -- its articles
) WITHOUT ROWID;
CREATE TABLE detected_languages (
    digest BLOB PRIMARY KEY,         -- of the text that a language was detected in
    language TEXT NOT NULL
) WITHOUT ROWID;
"""


def uri_of(path: Path) -> str:
    """Return the address under which SQLite opens an articles.sqlite that nobody writes any more.

    `immutable` spares it locks, and the look for a journal: neither a read-only disk nor an unlinked file disturbs it.
    """
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"


def as_row(article: Article) -> tuple[str | None, ...]:
    """The columns of `articles` after its number."""
    published = article.published.isoformat() if article.published else None
    return (
        article.id,
        article.title,
        article.text,
        article.language,
        published,
        article.author,
        article.source,
        article.url,
    )


def as_article(row: sqlite3.Row) -> Article:
    """The article of a row that holds all columns of `articles`."""
    return Article(
        id=row["id"],
        title=row["title"],
        text=row["text"],
        language=row["language"],
        published=_as_date(row["published"]),
        author=row["author"],
        source=row["source"],
        url=row["url"],
    )


def _as_date(text: str | None) -> date | datetime | None:
    if text is None:
        return None
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
