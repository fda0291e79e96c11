"""One immutable index on disk: manifest.json, articles.sqlite (articles, passages, sentences, words), vectors.faiss.

    .sourcier/index/CURRENT         name of the generation that is served, replaced in one step
    .sourcier/index/000007/         the folder it names; its manifest was written last and holds checksums of the rest
    .sourcier/index/000006/         the previous one, for rollback

Row i of vectors.faiss is the sentence with number i; the sentences of a passage are consecutive, and so are the passages
of an article.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.articles import Article
from index.embedder import Vectors
from index.errors import BrokenIndex, NoIndex
from index.passages import Passage, Span

# Raised whenever a file of a generation changes its meaning; a generation of another format is refused, not guessed at.
FORMAT_VERSION = 1
ARTICLES_FILE = "articles.sqlite"
VECTORS_FILE = "vectors.faiss"
MANIFEST_FILE = "manifest.json"
CURRENT_FILE = "CURRENT"

SCHEMA = """
CREATE TABLE articles (
    number INTEGER PRIMARY KEY,      -- corpus order, from 0
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, text TEXT NOT NULL, language TEXT NOT NULL,
    published TEXT,                  -- ISO 8601 date or date-time
    author TEXT, source TEXT, url TEXT
);
CREATE INDEX articles_by_date ON articles (published DESC, number);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY,      -- from 0; rowid of `words`
    article INTEGER NOT NULL REFERENCES articles (number),
    start INTEGER NOT NULL, "end" INTEGER NOT NULL
);
CREATE TABLE sentences (
    number INTEGER PRIMARY KEY,      -- from 0; row of vectors.faiss
    passage INTEGER NOT NULL REFERENCES passages (number),
    start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    key BLOB NOT NULL                -- digest of embedder, heading and text: an unchanged sentence keeps its vector
);
CREATE INDEX sentences_by_passage ON sentences (passage, number);
CREATE VIRTUAL TABLE words USING fts5 (title, body, content='', tokenize="unicode61 remove_diacritics 0");
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation says of itself. `checksums` maps file name to SHA-256; `built_at` is ISO 8601 in UTC."""

    format_version: int
    generation: str
    embedder: str
    embedder_digest: str
    dim: int
    passage_tokens: int
    articles: int
    passages: int
    sentences: int
    languages: tuple[str, ...]
    corpus_digest: str
    checksums: dict[str, str]
    built_at: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises BrokenIndex when there is none, when it is damaged, or when it is of another format."""
        path = folder / MANIFEST_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format_version"] != FORMAT_VERSION:
                raise BrokenIndex(path, f"format {content['format_version']}, this Sourcier reads {FORMAT_VERSION}")
            return cls(**{**content, "languages": tuple(content["languages"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BrokenIndex(path, f"not a readable manifest ({error})") from error


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def index_folder(home: Path) -> Path:
    return home / "index"


def current_folder(home: Path) -> Path:
    """The folder of the generation that is served. Raises NoIndex."""
    pointer = index_folder(home) / CURRENT_FILE
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise NoIndex(home) from None
    if not name or Path(name).name != name:
        raise BrokenIndex(pointer, f"names {name!r}, which is not a generation")
    return index_folder(home) / name


class Generation:
    """A generation opened for reading, from any number of threads.

    Opening checks every file against the manifest and raises BrokenIndex, naming the file, on any difference. Readers
    hold it with `with generation.in_use():`; `retire()` closes it when the last of them is done.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        for name, expected in self.manifest.checksums.items():
            path = folder / name
            if not path.is_file():
                raise BrokenIndex(path, "missing")
            if sha256_of(path) != expected:
                raise BrokenIndex(path, "differs from the manifest (damaged, or changed after it was built)")
        try:
            self.vectors = faiss.read_index(str(folder / VECTORS_FILE))
        except RuntimeError as error:
            raise BrokenIndex(folder / VECTORS_FILE, "FAISS cannot read it") from error
        if (self.vectors.ntotal, self.vectors.d) != (self.manifest.sentences, self.manifest.dim):
            raise BrokenIndex(folder / VECTORS_FILE, f"{self.vectors.ntotal} vectors for {self.manifest.sentences}")
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._readers = 0
        self._retired = False

    # -- who is reading ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def in_use(self) -> Iterator[Generation]:
        with self._lock:
            self._readers += 1
        try:
            yield self
        finally:
            with self._lock:
                self._readers -= 1
                self._close_if_done()

    def retire(self) -> None:
        """No new readers will come; close when the last one leaves."""
        with self._lock:
            self._retired = True
            self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and self._readers == 0:
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own: SQLite connections are cheap to keep and not safe to share."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            uri = f"{(self.folder / ARTICLES_FILE).resolve().as_uri()}?mode=ro&immutable=1"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            with self._lock:
                if self._retired and self._readers == 0:
                    connection.close()
                else:
                    self._idle.append(connection)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of one read-only query."""
        with self._database() as database:
            return database.execute(sql, parameters).fetchall()

    # -- records -------------------------------------------------------------------------------------------------------

    def article(self, article_id: str) -> Article | None:
        rows = self.rows("SELECT * FROM articles WHERE id = ?", (article_id,))
        return _as_article(rows[0]) if rows else None

    def articles(self, offset: int, limit: int) -> list[Article]:
        """Newest first; those without a date last."""
        return [
            _as_article(row)
            for row in self.rows(
                "SELECT * FROM articles ORDER BY published DESC, number LIMIT ? OFFSET ?", (limit, offset)
            )
        ]

    def passage(self, number: int) -> tuple[Article, Passage]:
        """Passage `number` with its article."""
        where = self.rows("SELECT * FROM passages WHERE number = ?", (number,))[0]
        article = _as_article(self.rows("SELECT * FROM articles WHERE number = ?", (where["article"],))[0])
        spans = self.rows('SELECT start, "end" FROM sentences WHERE passage = ? ORDER BY number', (number,))
        start, end = int(where["start"]), int(where["end"])
        sentences = tuple(Span(int(row["start"]), int(row["end"])) for row in spans)
        return article, Passage(
            f"{article.id}:{start}-{end}", article.id, start, end, article.text[start:end], sentences
        )

    def sentence_vectors(self, first: int, count: int) -> Vectors:
        """(count, dim) float32: vectors of the sentences first .. first+count-1."""
        vectors: Vectors = self.vectors.reconstruct_n(first, count)
        return vectors.astype(np.float32, copy=False)


def _as_article(row: sqlite3.Row) -> Article:
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
