"""articles.sqlite on its way: what is new is split and stemmed, the rows of the rest are copied from the one before.

Every row is as it would be in an index built from nothing, but for the slots of passages in the word index: FTS5 cannot
renumber its rows, so a passage keeps its slot for as long as its article stays as it is.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from index.articles import Article
from index.duplicates import clusters_of, signature_of
from index.earlier_articles import EarlierArticle, EarlierArticles, Words
from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.languages import stem_words
from index.passages import PASSAGE_TOKENS, split_article
from index.tables import SCHEMA, as_article, as_row, uri_of

# Journals protect against nothing here: a generation that was not finished is thrown away. What is deleted must be gone
# from the file, not only from the tables.
_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;"
# Where FTS5 keeps `words`: ordinary tables, that hold the same in every database (sqlite.org/fts5.html, section 9).
_WORD_TABLES = ("words_data", "words_idx", "words_docsize", "words_config")


@dataclass(slots=True)
class _Run:
    """Neighbouring articles that are taken over: where they begin now, and their rows in the earlier generation."""

    first: EarlierArticle
    last: EarlierArticle
    number: int
    passage: int
    sentence: int


class Contents:
    """The database of a generation being written; `articles`, `passages` and `sentences` count what will be in it.

    After `add` and `keep` for every article in corpus order, `digest` says whether anything has changed; `finish` then
    puts everything in its place. Nothing is durable before the caller has synced the file.
    """

    def __init__(self, path: Path, embedder: Embedder | None, earlier: EarlierArticles | None = None) -> None:
        self._embedder = embedder
        self._earlier = earlier
        self._words_stay = earlier is not None and earlier.words_fit
        self._digest = hashlib.sha256()
        self._languages: set[str] = set()
        self._runs: list[_Run] = []
        self._kept: set[int] = set()
        self.articles = self.passages = self.sentences = 0
        _prepare(path, earlier.path if earlier and earlier.words_fit else None)
        self._database = sqlite3.connect(path.resolve(), uri=True)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(_SETTINGS)
        if earlier is not None:
            self._database.execute("ATTACH ? AS earlier", (uri_of(earlier.path),))
        # Words wait here until it is known which slots come free.
        self._waiting = path.with_name("waiting-words.sqlite")
        self._database.execute("ATTACH ? AS waiting", (str(self._waiting),))
        self._database.executescript(
            "PRAGMA waiting.journal_mode = OFF; PRAGMA waiting.synchronous = OFF;"
            "CREATE TABLE waiting.words (passage INTEGER PRIMARY KEY, title TEXT, body TEXT)"
        )

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
        self._kept.add(earlier.number)
        self._count(earlier.digest, earlier.language, earlier.passages, earlier.sentences)

    def _end_of_run(self) -> int:
        run = self._runs[-1]
        return run.number + run.last.number - run.first.number + 1

    def _split(self, article: Article) -> None:
        if self._embedder is None:
            raise ValueError("Without an embedder nothing can be added, only kept.")
        made: list[object] = [as_row(article)]
        heading = heading_of(article)
        title = " ".join(stem_words(article.title, article.language))
        passages = split_article(article, self._embedder.count_tokens, PASSAGE_TOKENS)
        sentence, words = self.sentences, list[str]()
        for number, passage in enumerate(passages, self.passages):
            stems = stem_words(passage.text, article.language)
            words += stems
            body = " ".join(stems)
            self._insert("passages", number, self.articles, passage.start, passage.end, None)
            self._insert("waiting.words", number, title, body)
            made += [passage.start, passage.end, title, body]
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
        """Copy what is kept, take out the words of what is gone, put in those of what is new; note what was read."""
        for run in self._runs:
            self._copy(run)
        free = self._take_out_words() if self._words_stay else []
        self._put_in_words(free)
        self._cluster()
        for digest, (first, count) in files.items():
            self._insert("files", digest, first, count)
        for digest, language in detected.items():
            self._insert("detected_languages", digest, language)
        # One segment is searched fastest, and only then is nothing left of the words that were taken out. No VACUUM: it
        # saves an eighth of the file and needs as much room again while it works.
        self._database.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._database.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, words, row)")
        self._database.execute(
            "INSERT INTO common_words SELECT term FROM vocabulary WHERE 2 * doc >= ?", (self.passages,)
        )
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
        last_passage = run.last.passage + run.last.passages - 1
        slot = "slot" if self._words_stay else "NULL"
        self._database.execute(
            f'INSERT INTO main.passages SELECT number + ?, article + ?, start, "end", {slot} '  # noqa: S608 - our own
            "FROM earlier.passages WHERE number BETWEEN ? AND ? ORDER BY number",
            (passages, articles, run.first.passage, last_passage),
        )
        self._database.execute(
            'INSERT INTO main.sentences SELECT number + ?, passage + ?, start, "end", key '
            "FROM earlier.sentences WHERE number BETWEEN ? AND ? ORDER BY number",
            (sentences, passages, run.first.sentence, run.last.sentence + run.last.sentences - 1),
        )
        if not self._words_stay and self._earlier is not None:
            for number in range(run.first.number, run.last.number + 1):
                for passage, words in enumerate(self._earlier.words(number), self._first_passage(number) + passages):
                    self._insert("waiting.words", passage, words.title, words.body)

    def _first_passage(self, earlier_number: int) -> int:
        sql = "SELECT passage FROM earlier.articles WHERE number = ?"
        return int(self._database.execute(sql, (earlier_number,)).fetchone()[0])

    def _take_out_words(self) -> list[int]:
        """Take the words of articles that are gone or changed out of the index; the slots that come free, as a heap."""
        free: list[int] = []
        for article in self._earlier or ():
            if article.number not in self._kept and self._earlier is not None:
                for gone in self._earlier.words(article.number):
                    self._forget(gone)
                    free.append(gone.slot)
        heapq.heapify(free)
        return free

    def _forget(self, words: Words) -> None:
        self._database.execute(
            "INSERT INTO main.words (words, rowid, title, body) VALUES ('delete', ?, ?, ?)", astuple(words)
        )

    def _put_in_words(self, free: list[int]) -> None:
        """Give each passage that waits the lowest free slot."""
        following = self._earlier.slots if self._earlier and self._words_stay else 0
        for number, title, body in self._database.execute("SELECT * FROM waiting.words ORDER BY passage"):
            if free:
                slot = heapq.heappop(free)
            else:
                slot, following = following, following + 1
            self._database.execute("INSERT INTO main.words (rowid, title, body) VALUES (?, ?, ?)", (slot, title, body))
            self._database.execute("UPDATE main.passages SET slot = ? WHERE number = ?", (slot, number))

    # -- after it ------------------------------------------------------------------------------------------------------

    def sentence_keys(self) -> list[bytes]:
        """The key of each sentence, in order."""
        return [row[0] for row in self._database.execute("SELECT key FROM main.sentences ORDER BY number")]

    def length(self, sentence: int) -> int:
        """In characters."""
        sql = 'SELECT "end" - start FROM main.sentences WHERE number = ?'
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
        self._waiting.unlink(missing_ok=True)


def _prepare(path: Path, earlier: Path | None) -> None:
    """Make the tables, with the word index of an earlier generation as it is.

    On a connection of its own: FTS5 looks into its tables only when it opens them.
    """
    database = sqlite3.connect(path.resolve(), uri=True)
    try:
        database.executescript(_SETTINGS + SCHEMA)
        if earlier is not None:
            database.execute("ATTACH ? AS earlier", (uri_of(earlier),))
            for table in _WORD_TABLES:
                database.execute(f"DELETE FROM main.{table}")  # noqa: S608 - our own names
                database.execute(f"INSERT INTO main.{table} SELECT * FROM earlier.{table}")  # noqa: S608 - the same
            database.commit()
    finally:
        database.close()


def _key(embedder_digest: str, source: SourceText) -> bytes:
    parts = "\0".join((embedder_digest, source.heading, source.text))
    return hashlib.sha256(parts.encode()).digest()
