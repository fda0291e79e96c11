"""One immutable index on disk: manifest.json, articles.sqlite (articles, passages, sentences), postings, vectors.

    .sourcier/index/CURRENT         name of the generation that is served and of the one before it, replaced in one step
    .sourcier/index/000007/         the folder it names; its manifest was written last and holds checksums of the rest
    .sourcier/index/000006/         the previous one, for rollback

The vectors lie in blocks (index/storage/vector_blocks.py), which may be the same files in several generations. The
sentences of a passage are consecutive, and so are the passages of an article.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.articles import Article
from index.errors import BrokenIndex, NoIndex
from index.filters import Filters, condition
from index.manifest import ARTICLES_FILE, sha256_of
from index.manifest import Manifest as Manifest
from index.passages import Passage, Span
from index.storage.postings import BM25, Postings
from index.storage.sentence_vectors import read_vectors
from index.storage.tables import as_article, uri_of
from index.storage.vector_blocks import Keys, as_keys

CURRENT_FILE = "CURRENT"
# Connections opened at once, while the files still have names: a generation that was removed can be read to the end.
# A query takes milliseconds, so a reader seldom waits for one.
CONNECTIONS = 4
# Filters whose passages are remembered: a byte a passage each.
FILTERS_KEPT = 16


def index_folder(home: Path) -> Path:
    return home / "index"


def served_names(home: Path) -> list[str]:
    """The generation that is served, then the one served before it, if any. Raises NoIndex, BrokenIndex."""
    pointer = index_folder(home) / CURRENT_FILE
    try:
        names = pointer.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise NoIndex(home) from None
    except (OSError, ValueError) as error:
        raise BrokenIndex(pointer, f"cannot be read ({error})") from error
    names = names[:-1] if names[-1] == "" else names
    for name in names or [""]:
        if not re.fullmatch("[0-9]{6,}", name):
            raise BrokenIndex(pointer, f"names {name[:40]!r}, which is not a generation")
    return names


def current_folder(home: Path) -> Path:
    """The folder of the generation that is served. Raises NoIndex, BrokenIndex."""
    return index_folder(home) / served_names(home)[0]


Numbers = npt.NDArray[np.int64]


class Generation:
    """A generation opened for reading, from any number of threads.

    Opening checks every file against the manifest and raises BrokenIndex, naming the file, on any difference. Readers
    hold it with `with generation.in_use():`; `retire()` closes it when the last of them is done. Once open it does not
    need its files to have names any more: all of them are in memory, mapped, or held open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        with ThreadPoolExecutor(max_workers=2) as pool:  # SHA-256 lets other threads run
            paths = (folder / name for name in self.manifest.checksums)
            list(pool.map(check_file, paths, self.manifest.checksums.values()))
        self._lock = threading.Lock()
        self._readers = 0
        self._retired = False
        self._passing: dict[Filters, npt.NDArray[np.bool_]] = {}
        self._connections: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        try:
            for _ in range(CONNECTIONS):
                self._connections.put(_connect(folder / ARTICLES_FILE))
            self.first_sentences = self._first_sentences()
            keys = self._keys()
            self._articles_of_passages = self._column("SELECT article FROM passages ORDER BY number")
            self._clusters = self._column("SELECT cluster FROM articles ORDER BY number")
            self._in_clusters = np.bincount(self._clusters)[self._clusters] > 1
        except sqlite3.Error as error:
            self._close()
            raise BrokenIndex(folder / ARTICLES_FILE, f"SQLite cannot read it ({error})") from error
        try:
            self.sentences = read_vectors(folder, self.manifest, keys)
            self._postings = Postings.open(folder)
        except BrokenIndex:
            self._close()
            raise

    def _first_sentences(self) -> npt.NDArray[np.int64]:
        """(passages,): number of the first sentence of each passage, rising."""
        return self._column("SELECT MIN(number) FROM sentences GROUP BY passage ORDER BY passage")

    def _column(self, sql: str) -> npt.NDArray[np.int64]:
        with self._connection() as connection:
            return np.fromiter((row[0] for row in connection.execute(sql)), np.int64)

    def _keys(self) -> Keys:
        with self._connection() as connection:
            return as_keys(row[0] for row in connection.execute("SELECT key FROM sentences ORDER BY number"))

    # -- who is reading ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def in_use(self) -> Iterator[Generation]:
        """Keep it open while reading. Raises ValueError when it is retired."""
        with self._lock:
            if self._retired:
                raise ValueError(f"generation {self.manifest.generation} is closed")
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
            self._close()

    def _close(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._connections.get_nowait().close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of one read-only query. Only while it is not retired, or within `in_use`."""
        with self._connection() as connection:
            return connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = self._connections.get()
        try:
            yield connection
        finally:
            self._connections.put(connection)

    # -- filters -------------------------------------------------------------------------------------------------------

    def passing(self, filters: Filters) -> npt.NDArray[np.bool_]:
        """(passages,): whether the article of each passage passes the filters."""
        with self._lock:
            known = self._passing.get(filters)
        if known is not None:
            return known
        where, parameters = condition(filters, self._distinct)
        sql = "SELECT number FROM articles" + (f" WHERE {where}" if where else "")  # noqa: S608 - index.filters' own text
        articles = np.zeros(self.manifest.articles, np.bool_)
        articles[[row[0] for row in self.rows(sql, parameters)]] = True
        passing = articles[self._articles_of_passages]
        with self._lock:
            while len(self._passing) >= FILTERS_KEPT:
                del self._passing[next(iter(self._passing))]
            self._passing[filters] = passing
        return passing

    def _distinct(self, column: str) -> list[str]:
        return [row[0] for row in self.rows(f"SELECT DISTINCT {column} FROM articles WHERE {column} IS NOT NULL")]  # noqa: S608 - index.filters' own names

    # -- records -------------------------------------------------------------------------------------------------------

    def article(self, article_id: str) -> Article | None:
        rows = self.rows("SELECT * FROM articles WHERE id = ?", (article_id,))
        return as_article(rows[0]) if rows else None

    def articles(self, offset: int, limit: int) -> list[Article]:
        """Newest first; those without a date last."""
        sql = "SELECT * FROM articles ORDER BY published DESC, number LIMIT ? OFFSET ?"
        return [as_article(row) for row in self.rows(sql, (limit, offset))]

    def passage(self, number: int) -> tuple[Article, Passage]:
        """Passage `number` with its article."""
        where = self.rows("SELECT * FROM passages WHERE number = ?", (number,))[0]
        article = as_article(self.rows("SELECT * FROM articles WHERE number = ?", (where["article"],))[0])
        spans = self.rows('SELECT start, "end" FROM sentences WHERE passage = ? ORDER BY number', (number,))
        start, end = int(where["start"]), int(where["end"])
        sentences = tuple(Span(int(row["start"]), int(row["end"])) for row in spans)
        return article, Passage(
            f"{article.id}:{start}-{end}", article.id, start, end, article.text[start:end], sentences
        )

    def sources(self, limit: int) -> list[str]:
        """Those with the most articles first."""
        known = "SELECT source, COUNT(*) AS times FROM articles WHERE source IS NOT NULL GROUP BY source"
        sql = f"SELECT source FROM ({known}) ORDER BY times DESC, source LIMIT ?"  # noqa: S608 - the line above
        return [row[0] for row in self.rows(sql, (limit,))]

    def cluster(self, passage: int) -> int | None:
        """The cluster that the article of a passage shares with others (index/duplicates.py); None without one."""
        article = self._articles_of_passages[passage]
        return int(self._clusters[article]) if self._in_clusters[article] else None

    def days(self, passages: Numbers) -> list[str | None]:
        """When the article of each of these passages was published, as ISO 8601; None where it does not say."""
        articles = [int(number) for number in self._articles_of_passages[passages]]
        rows = self.rows(
            "SELECT number, published FROM articles WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(articles),),
        )
        published = {row["number"]: row["published"] for row in rows}
        return [published[number] for number in articles]

    def passages(self, offset: int, limit: int) -> list[tuple[Article, Passage]]:
        """Passages with their articles, those of the newest article first, those without a date last."""
        return [self.passage(int(number)) for number in self._newest_first[offset : offset + limit]]

    @cached_property
    def _newest_first(self) -> npt.NDArray[np.int64]:
        """(passages,): their numbers. Kept, for a reader of page after page would have all of them sorted each time."""
        sql = (
            "SELECT passages.number FROM passages JOIN articles ON articles.number = passages.article "
            "ORDER BY articles.published DESC, passages.number"
        )
        return np.array([row[0] for row in self.rows(sql)], np.int64)

    # -- passages and their sentences ----------------------------------------------------------------------------------

    def passages_of(self, sentences: Numbers) -> Numbers:
        """(len(sentences),): the passage of each."""
        return np.searchsorted(self.first_sentences, sentences, side="right") - 1

    def sentences_of(self, passages: Numbers) -> tuple[Numbers, Numbers]:
        """Their sentences, passage after passage, and (len(passages),) where those of each begin among them."""
        ends = np.append(self.first_sentences[1:], self.manifest.sentences)
        counts = ends[passages] - self.first_sentences[passages]
        starts = np.cumsum(counts) - counts
        return np.repeat(self.first_sentences[passages] - starts, counts) + np.arange(counts.sum()), starts

    def sentences_passing(self, passing: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
        """(sentences,): whether the passage of each passes."""
        if passing is None:
            return None
        return np.repeat(passing, np.diff(self.first_sentences, append=self.manifest.sentences))

    # -- words ---------------------------------------------------------------------------------------------------------

    def bm25(self, words: Iterable[str]) -> BM25:
        """What these words, stemmed, say of passages."""
        sql = "SELECT number FROM words WHERE word IN (SELECT value FROM json_each(?)) ORDER BY number"
        return self._postings.bm25([row[0] for row in self.rows(sql, (json.dumps([*words]),))])


def check_file(path: Path, expected: str) -> None:
    """Raises BrokenIndex where the file is not, byte for byte, the one of this SHA-256."""
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        raise BrokenIndex(path, "missing") from None
    except OSError as error:
        raise BrokenIndex(path, f"cannot be read ({error.strerror})") from error
    if found != expected:
        raise BrokenIndex(path, "differs from the manifest (damaged, or changed after it was built)")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(uri_of(path), uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection
