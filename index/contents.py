"""articles.sqlite on its way: articles, passages, sentences and words of the next generation, numbered as they come."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from index.articles import Article
from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.languages import stem_words
from index.passages import PASSAGE_TOKENS, Passage, split_article
from index.tables import SCHEMA, as_article, as_row


class Contents:
    """The database of a generation being written; `articles`, `passages` and `sentences` count what is in it.

    Nothing in it is durable before the caller has synced the file: a generation that was not finished is thrown away.
    """

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self._embedder = embedder
        self._digest = hashlib.sha256()
        self._languages: set[str] = set()
        self.articles = self.passages = self.sentences = 0
        self._database = sqlite3.connect(path)
        self._database.row_factory = sqlite3.Row
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)

    def add(self, article: Article) -> None:
        """Split the article and store it; raises sqlite3.IntegrityError when its id is there already."""
        self._insert("articles", self.articles, *as_row(article))
        heading = heading_of(article)
        title_words = " ".join(stem_words(article.title, article.language))
        for passage in split_article(article, self._embedder.count_tokens, PASSAGE_TOKENS):
            self._add_passage(article, passage, heading, title_words)
        self._languages.add(article.language)
        self.articles += 1

    def _add_passage(self, article: Article, passage: Passage, heading: str, title_words: str) -> None:
        self._insert("passages", self.passages, self.articles, passage.start, passage.end)
        body = " ".join(stem_words(passage.text, article.language))
        self._insert("words (rowid, title, body)", self.passages, title_words, body)
        for span in passage.sentences:
            key = _key(self._embedder.digest, SourceText(heading, article.text[span.start : span.end]))
            self._insert("sentences", self.sentences, self.passages, span.start, span.end, key)
            self.sentences += 1
        self.passages += 1

    def _insert(self, table: str, *row: object) -> None:
        said = [value.hex() if isinstance(value, bytes) else value for value in (table, *row)]
        self._digest.update(json.dumps(said).encode() + b"\n")
        marks = ", ".join("?" * len(row))
        self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - table names of this file

    @property
    def digest(self) -> str:
        """SHA-256 of every row: another article, another way of splitting or of stemming gives another digest."""
        return self._digest.hexdigest()

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the articles, in alphabetical order."""
        return tuple(sorted(self._languages))

    def sentence_keys(self) -> Iterator[tuple[int, bytes, int]]:
        """Number, key and length in characters of each sentence, in order."""
        for row in self._database.execute('SELECT number, key, "end" - start FROM sentences ORDER BY number'):
            yield row[0], row[1], row[2]

    def sources(self, sentences: Sequence[int]) -> list[SourceText]:
        """What is embedded for each of these sentences, in the order given."""
        return [self._source(number) for number in sentences]

    def _source(self, sentence: int) -> SourceText:
        row = self._database.execute(
            'SELECT articles.*, sentences.start, sentences."end" FROM sentences '
            "JOIN passages ON passages.number = passage JOIN articles ON articles.number = article "
            "WHERE sentences.number = ?",
            (sentence,),
        ).fetchone()
        article = as_article(row)
        return SourceText(heading_of(article), article.text[row["start"] : row["end"]])

    def finish(self) -> None:
        """Note the common words, and make the word index one segment, which is searched fastest.

        No VACUUM: it saves an eighth of the file and needs as much room again while it works.
        """
        self._database.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._database.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, words, row)")
        self._database.execute(
            "INSERT INTO common_words SELECT term FROM vocabulary WHERE 2 * doc >= ?", (self.passages,)
        )
        self._database.commit()

    def close(self) -> None:
        self._database.close()


def _key(embedder_digest: str, source: SourceText) -> bytes:
    parts = "\0".join((embedder_digest, source.heading, source.text))
    return hashlib.sha256(parts.encode()).digest()
