"""The rows of the generation before the one being built, for what did not change: no article is split twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.articles import Article
from index.manifest import ARTICLES_FILE
from index.storage.postings import Postings
from index.storage.tables import as_article, uri_of
from index.storage.vector_blocks import Keys, as_keys


@dataclass(frozen=True, slots=True)
class EarlierArticle:
    """Where the rows of an article begin, how many there are, and the digest of all that was made of it."""

    number: int
    digest: bytes
    language: str
    passage: int
    passages: int
    sentence: int
    sentences: int


class EarlierArticles:
    """What lies in the folder of a generation, read while the next one is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ARTICLES_FILE
        self._database = sqlite3.connect(uri_of(self.path), uri=True)
        self._database.row_factory = sqlite3.Row
        rows = self._database.execute("SELECT number, id, digest, language, passage, sentence FROM articles").fetchall()
        passages, sentences = self._database.execute(
            "SELECT (SELECT COUNT(*) FROM passages), (SELECT COUNT(*) FROM sentences)"
        ).fetchone()
        after = [(row["passage"], row["sentence"]) for row in rows[1:]] + [(passages, sentences)]
        self._articles: list[EarlierArticle] = [
            EarlierArticle(
                row["number"],
                row["digest"],
                row["language"],
                row["passage"],
                next_passage - row["passage"],
                row["sentence"],
                next_sentence - row["sentence"],
            )
            for row, (next_passage, next_sentence) in zip(rows, after, strict=True)
        ]
        self._read: dict[int, Article] = {}
        self._numbers: dict[str, int] = {row["id"]: row["number"] for row in rows}

    def __iter__(self) -> Iterator[EarlierArticle]:
        """In corpus order."""
        return iter(self._articles)

    @property
    def ids(self) -> list[str]:
        """In corpus order."""
        return list(self._numbers)

    def number(self, article_id: str) -> int | None:
        return self._numbers.get(article_id)

    def same(self, article: Article) -> EarlierArticle | None:
        """What was made of an article that was then exactly as it is now, in every field."""
        number = self._numbers.get(article.id)
        if number is None or (self._read.get(number) or self.article(number)) != article:
            return None
        return self._articles[number]

    def read(self, first: int, count: int) -> list[Article]:
        """Neighbouring articles; `same` has them at hand until others are read."""
        rows = self.rows("SELECT * FROM articles WHERE number BETWEEN ? AND ?", first, first + count - 1)
        self._read = {row["number"]: as_article(row) for row in rows}
        return list(self._read.values())

    def article(self, number: int) -> Article:
        return as_article(self.rows("SELECT * FROM articles WHERE number = ?", number)[0])

    def vocabulary(self) -> list[str]:
        """Every word, in the order of their numbers."""
        return [row["word"] for row in self.rows("SELECT word FROM words ORDER BY number")]

    def postings(self) -> Postings:
        return Postings.open(self.folder)

    def sentence_keys(self) -> Keys:
        """The key of each sentence, in order."""
        return as_keys([row["key"] for row in self.rows("SELECT key FROM sentences ORDER BY number")])

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        return self._database.execute(sql, parameters).fetchall()

    def close(self) -> None:
        self._database.close()


def passage_texts(folder: Path) -> Iterator[tuple[Article, str]]:
    """Every passage of a generation with its article, newest first, without the vectors being read."""
    with closing(sqlite3.connect(uri_of(folder / ARTICLES_FILE), uri=True)) as base:
        spans: dict[int, list[tuple[int, int]]] = {}
        for number, start, end in base.execute('SELECT article, start, "end" FROM passages ORDER BY number'):
            spans.setdefault(number, []).append((start, end))
        base.row_factory = sqlite3.Row
        for row in base.execute("SELECT * FROM articles ORDER BY published DESC, number"):
            article = as_article(row)
            for start, end in spans[row["number"]]:
                yield article, article.text[start:end]


def article_in(folder: Path, article_id: str) -> Article | None:
    """One article of a generation, without anything else being read; None where it has none of this id.

    Raises sqlite3.Error where the generation was taken away meanwhile.
    """
    with closing(sqlite3.connect(uri_of(folder / ARTICLES_FILE), uri=True)) as base:
        base.row_factory = sqlite3.Row
        row = base.execute("SELECT * FROM articles WHERE id = ?", (article_id,)).fetchone()
        return as_article(row) if row else None
