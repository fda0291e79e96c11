"""Articles, passages, sentences and words on their way into a generation: what is new is split and stemmed, the rows of
the rest are copied from the generation before. Every row is as it would be in an index built from nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.articles import Article
from index.duplicates import clusters_of, signature_of
from index.earlier_articles import EarlierArticle, EarlierArticles
from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.languages import stem_words
from index.manifest import ARTICLES_FILE
from index.passages import PASSAGE_TOKENS, split_article
from index.storage.tables import SCHEMA, as_article, as_row, uri_of
from index.storage.word_counts import WordCounts

# Journals protect against nothing here: a generation that was not finished is thrown away. What is deleted must be gone
# from the file, not only from the tables.
_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;"


@dataclass(slots=True)
class _Run:
    """Neighbouring articles that are taken over: where they begin now, and their rows in the earlier generation."""

    first: EarlierArticle
    last: EarlierArticle
    number: int
    passage: int
    sentence: int


class Contents:
    """The rows of a generation being written; `articles`, `passages` and `sentences` count what will be in it.

    After `add` and `keep` for every article in corpus order, `digest` says whether anything has changed; `finish` then
    puts everything in its place. Nothing is durable before the caller has synced the file.
    """

    def __init__(self, folder: Path, embedder: Embedder | None, earlier: EarlierArticles | None = None) -> None:
        self._folder = folder
        self._embedder = embedder
        self._earlier = earlier
        self._words = WordCounts(earlier.vocabulary(), earlier.postings()) if earlier else WordCounts()
        self._digest = hashlib.sha256()
        self._languages: set[str] = set()
        self._runs: list[_Run] = []
        self.articles = self.passages = self.sentences = 0
        self._database = sqlite3.connect((folder / ARTICLES_FILE).resolve(), uri=True)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(_SETTINGS + SCHEMA)
        if earlier is not None:
            self._database.execute("ATTACH ? AS earlier", (uri_of(earlier.path),))

    # -- articles, in corpus order -------------------------------------------------------------------------------------

    def add(self, article: Article) -> None:
        """Store the article; its rows are taken over where it is what it was."""
        earlier = self._earlier.same(article) if self._earlier else None
        if earlier is not None:
            self.keep(earlier)
        else:
            self._split(article)

    def keep(self, earlier: EarlierArticle) -> None:
        """Take over what was made of an article."""
        if self._runs and self._runs[-1].last.number + 1 == earlier.number and self._end_of_run() == self.articles:
            self._runs[-1].last = earlier
        else:
            self._runs.append(_Run(earlier, earlier, self.articles, self.passages, self.sentences))
        self._words.take(earlier.passage, earlier.passages)
        self._count(earlier.digest, earlier.language, earlier.passages, earlier.sentences)

    def _end_of_run(self) -> int:
        run = self._runs[-1]
        return run.number + run.last.number - run.first.number + 1

    def _split(self, article: Article) -> None:
        if self._embedder is None:
            raise ValueError("Without an embedder nothing can be added, only kept.")
        made: list[object] = [as_row(article)]
        heading = heading_of(article)
        title = stem_words(article.title, article.language)
        passages = split_article(article, self._embedder.count_tokens, PASSAGE_TOKENS)
        sentence, words = self.sentences, list[str]()
        for number, passage in enumerate(passages, self.passages):
            stems = stem_words(passage.text, article.language)
            words += stems
            self._words.add([*title, *stems])
            self._insert("passages", number, self.articles, passage.start, passage.end)
            made += [passage.start, passage.end, title, stems]
            for span in passage.sentences:
                key = _key(self._embedder.digest, SourceText(heading, article.text[span.start : span.end]))
                self._insert("sentences", sentence, number, span.start, span.end, key)
                made += [span.start, span.end, key.hex()]
                sentence += 1
        digest = hashlib.sha256(json.dumps(made).encode()).digest()
        numbers = self.passages, self.sentences, signature_of(words), self.articles
        self._insert("articles", self.articles, *as_row(article), digest, *numbers)
        self._count(digest, article.language, len(passages), sentence - self.sentences)

    def _insert(self, table: str, *row: object) -> None:
        marks = ", ".join("?" * len(row))
        self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - table names of this file

    def _count(self, digest: bytes, language: str, passages: int, sentences: int) -> None:
        self._digest.update(digest)
        self._languages.add(language)
        self.articles += 1
        self.passages += passages
        self.sentences += sentences

    @property
    def digest(self) -> str:
        """SHA-256 of all articles: another article, order, way of splitting or of stemming gives another digest."""
        return self._digest.hexdigest()

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the articles, in alphabetical order."""
        return tuple(sorted(self._languages))

    # -- everything in its place ---------------------------------------------------------------------------------------

    def finish(self, files: dict[bytes, tuple[int, int]], detected: dict[bytes, str]) -> None:
        """Copy what is kept, write the words, note what was read."""
        for run in self._runs:
            self._copy(run)
        for number, word in enumerate(self._words.write(self._folder)):
            self._insert("words", word, number)
        self._cluster()
        for digest, (first, count) in files.items():
            self._insert("files", digest, first, count)
        for digest, language in detected.items():
            self._insert("detected_languages", digest, language)
        self._database.commit()

    def _cluster(self) -> None:
        """Note which articles say nearly the same: one that is new may link two that were there."""
        rows = self._database.execute("SELECT signature FROM main.articles ORDER BY number")
        for number, cluster in enumerate(clusters_of([row[0] for row in rows])):
            if cluster != number:
                self._database.execute("UPDATE main.articles SET cluster = ? WHERE number = ?", (cluster, number))

    def _copy(self, run: _Run) -> None:
        articles, passages = run.number - run.first.number, run.passage - run.first.passage
        sentences = run.sentence - run.first.sentence
        self._database.execute(
            "INSERT INTO main.articles SELECT number + ?, id, title, text, language, published, author, source, url, "
            "digest, passage + ?, sentence + ?, signature, number + ? FROM earlier.articles "
            "WHERE number BETWEEN ? AND ? ORDER BY number",
            (articles, passages, sentences, articles, run.first.number, run.last.number),
        )
        self._database.execute(
            'INSERT INTO main.passages SELECT number + ?, article + ?, start, "end" '
            "FROM earlier.passages WHERE number BETWEEN ? AND ? ORDER BY number",
            (passages, articles, run.first.passage, run.last.passage + run.last.passages - 1),
        )
        self._database.execute(
            'INSERT INTO main.sentences SELECT number + ?, passage + ?, start, "end", key '
            "FROM earlier.sentences WHERE number BETWEEN ? AND ? ORDER BY number",
            (sentences, passages, run.first.sentence, run.last.sentence + run.last.sentences - 1),
        )

    # -- after it ------------------------------------------------------------------------------------------------------

    def sentence_keys(self) -> list[bytes]:
        """The key of each sentence, in order."""
        return [row[0] for row in self._database.execute("SELECT key FROM main.sentences ORDER BY number")]

    def length(self, sentence: int) -> int:
        """Characters of it and its article's title, which are embedded together."""
        sql = (
            'SELECT sentences."end" - sentences.start + length(title) FROM main.sentences '
            "JOIN main.passages ON passages.number = sentences.passage "
            "JOIN main.articles ON articles.number = passages.article WHERE sentences.number = ?"
        )
        return int(self._database.execute(sql, (sentence,)).fetchone()[0])

    def sources(self, sentences: Sequence[int]) -> list[SourceText]:
        """What is embedded for each of these sentences, in the order given."""
        return [self._source(number) for number in sentences]

    def _source(self, sentence: int) -> SourceText:
        row = self._database.execute(
            'SELECT articles.*, sentences.start, sentences."end" FROM main.sentences '
            "JOIN main.passages ON passages.number = sentences.passage "
            "JOIN main.articles ON articles.number = passages.article WHERE sentences.number = ?",
            (sentence,),
        ).fetchone()
        article = as_article(row)
        return SourceText(heading_of(article), article.text[row["start"] : row["end"]])

    def close(self) -> None:
        self._database.close()


def _key(embedder_digest: str, source: SourceText) -> bytes:
    parts = "\0".join((embedder_digest, source.heading, source.text))
    return hashlib.sha256(parts.encode()).digest()
