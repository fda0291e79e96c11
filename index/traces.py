"""The proof that articles are gone: what was theirs alone, noted before they are deleted, searched for afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from index.earlier_articles import EarlierArticles
from index.errors import IndexProblem
from index.manifest import ARTICLES_FILE, Manifest
from index.storage.tables import uri_of
from index.storage.vector_blocks import BLOCK_NAME, Block, as_keys, find

# Anything shorter may stand in a file by chance, or in another article.
_LEAST_BYTES = 20


class Traces:
    """What nothing but these articles has brought into the index: text, words, and the keys of vectors."""

    def __init__(self, rows: EarlierArticles, gone: frozenset[int]) -> None:
        articles = [rows.article(number) for number in sorted(gone)]
        self._ids = [article.id for article in articles]
        self._texts = sorted({text for number in gone for text in _pieces(rows, number)})
        self._keys = as_keys(_keys_of_their_own(rows, gone))
        self.words = _words_of_their_own(rows, gone)

    def search(self, root: Path) -> int:
        """Search every file below `root`; how many there were. Raises IndexProblem where something is left."""
        files = sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            left = self._key_in(path) if path.match(BLOCK_NAME) else self._text_in(path)
            if left is None and path.name == ARTICLES_FILE:
                left = self._row_in(path)
            if left is not None:
                raise IndexProblem(
                    f"{path} still holds something of a deleted article: {left!r}. "
                    f"Remove {root} and build again without the article."
                )
        return len(files)

    def _key_in(self, path: Path) -> str | None:
        held = find(self._keys, Block.open(path, Manifest.read(path.parent).dim).keys) >= 0
        return str(bytes(self._keys[held][0]).hex()) if held.any() else None

    def _text_in(self, path: Path) -> str | None:
        """Bytes that nothing in the tables explains; those of other articles are there by right."""
        content = path.read_bytes()
        for text in self._texts:
            if text.encode() in content and not (path.name == ARTICLES_FILE and _is_shared(path, text)):
                return text
        return None

    def _row_in(self, path: Path) -> str | None:
        """An article's id, or a word of its own, that can still be found."""
        with closing(_opened(path)) as database:
            for sql, values in (
                ("SELECT 1 FROM articles WHERE id = ?", self._ids),
                ("SELECT 1 FROM words WHERE word = ?", self.words),
            ):
                for value in values:
                    if database.execute(sql, (value,)).fetchone():
                        return value
        return None


def _pieces(rows: EarlierArticles, number: int) -> Iterator[str]:
    """The title and the halves of every sentence: SQLite may have put a page's end into one half, not into both."""
    article = rows.article(number)
    spans = rows.rows(
        'SELECT sentences.start, sentences."end" FROM sentences JOIN passages ON passages.number = passage '
        "WHERE article = ?",
        number,
    )
    for text in (article.title, *(article.text[row["start"] : row["end"]] for row in spans)):
        half = len(text) // 2
        for piece in (text[:half], text[half:]) if len(text.encode()) >= 2 * _LEAST_BYTES else (text,):
            if len(piece.encode()) >= _LEAST_BYTES:
                yield piece


def _keys_of_their_own(rows: EarlierArticles, gone: frozenset[int]) -> list[bytes]:
    """The keys of their sentences, without those of sentences that another article has under the same heading."""
    held: dict[bytes, bool] = {}
    for row in rows.rows("SELECT key, article FROM sentences JOIN passages ON passages.number = passage"):
        held[row["key"]] = held.get(row["key"], True) and row["article"] in gone
    return [key for key, theirs in held.items() if theirs]


def _words_of_their_own(rows: EarlierArticles, gone: frozenset[int]) -> list[str]:
    """The words that no passage of another article has."""
    postings = rows.postings()
    theirs = np.zeros(len(postings.lengths), bool)
    for article in rows:
        theirs[article.passage : article.passage + article.passages] = article.number in gone
    with_word = np.repeat(np.arange(len(postings.starts) - 1), postings.holding())
    held = np.bincount(with_word[~theirs[postings.passages]], minlength=len(postings.starts) - 1)
    vocabulary = rows.vocabulary()
    return [vocabulary[number] for number in np.flatnonzero(held == 0)]


def _is_shared(path: Path, text: str) -> bool:
    with closing(_opened(path)) as database:
        sql = "SELECT 1 FROM articles WHERE instr(text, ?1) OR instr(title, ?1) OR instr(url, ?1) LIMIT 1"
        return database.execute(sql, (text,)).fetchone() is not None


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(uri_of(path), uri=True)
