"""Hybrid search: the cosine of a passage's best sentence plus a little BM25, fused into hits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.articles import Article
from index.copies import COPIES, without_copies
from index.embedder import Embedder, Vectors
from index.errors import BadQuery, IndexProblem
from index.filters import NO_FILTERS, Filters
from index.generation import CURRENT_FILE, Generation, current_folder, index_folder
from index.languages import detect_language, stem_words
from index.manifest import Manifest
from index.passages import Passage, Span
from index.recency import CANDIDATES, RECENCY_WEIGHT, asks_for_latest, recency_of
from index.sentences import is_heading

# Weight of BM25 (divided by the highest of the search) against the cosine: R@1 .839 on 1,000 PIAF questions against
# .829 without; z-scores and reciprocal rank fusion gave less or the same.
KEYWORD_WEIGHT = 0.1
MAX_QUERY_CHARACTERS = 4000
MAX_K = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found for a query.

    `sentence` is the passage's best sentence, as a span of `article.text`. `score` = `vector` + 0.1 x `keyword` +
    0.1 x `recency`; higher is better. `vector` is the cosine of that sentence with the query, in -1..1; `keyword` is
    BM25 divided by the highest BM25 of this search, in 0..1; `recency` is 0 unless the query asks for the latest
    (index/recency.py). `rank` counts from 1 without gaps; equal scores keep the corpus order. `vectors` (sentences of
    the passage, dim) float32: those of the passage's sentences under the article's heading. `also` are other articles
    that print nearly the same passage.
    """

    article: Article
    passage: Passage
    sentence: Span
    score: float
    vector: float
    keyword: float
    rank: int
    vectors: Vectors = field(repr=False, compare=False)
    recency: float = 0.0
    also: tuple[Article, ...] = ()


class Index:
    """The index under a home folder, always the generation that CURRENT names; safe to search from many threads.

    A newer generation is taken over by the first call that sees it, while the others read on in the old one. One that
    cannot be opened, or that another embedder built, is logged and the old one goes on serving.
    """

    def __init__(self, home: Path, embedder: Embedder) -> None:
        self._home = home
        self._embedder = embedder
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._seen = self._pointer()
        self._generation = self._open()

    @property
    def manifest(self) -> Manifest:
        with self._current() as generation:
            return generation.manifest

    def article(self, article_id: str) -> Article | None:
        with self._current() as generation:
            return generation.article(article_id)

    def articles(self, offset: int, limit: int) -> list[Article]:
        """Newest first."""
        with self._current() as generation:
            return generation.articles(offset, limit)

    def sources(self, limit: int) -> list[str]:
        """The papers of the articles, those with the most first."""
        with self._current() as generation:
            return generation.sources(limit)

    def passages(self, offset: int, limit: int) -> list[tuple[Article, Passage]]:
        """Those of the newest article first."""
        with self._current() as generation:
            return generation.passages(offset, limit)

    def generation_name(self) -> str:
        """Changes with what is searched."""
        return self.manifest.generation

    def search(self, query: str, k: int, filters: Filters = NO_FILTERS) -> list[Hit]:
        """The k best passages that pass the filters, best first; fewer when there are fewer. Raises BadQuery."""
        if len(query) > MAX_QUERY_CHARACTERS:
            raise BadQuery(f"The question has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} can be searched.")
        if not 1 <= k <= MAX_K:
            raise BadQuery(f"k is {k}; it must be from 1 to {MAX_K}.")
        # Halves of surrogate pairs come out of JSON and command lines; neither the model nor SQLite takes them.
        query = query.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
        if not query.strip():
            raise BadQuery("The question is empty. Type a few words.")
        vector = self._embedder.embed_query(query)
        if not np.isfinite(vector).all():
            raise BadQuery("The question cannot be embedded (the model returned no finite vector). Rephrase it.")
        with self._current() as generation:
            return _best_hits(generation, query, vector, k, filters)

    def close(self) -> None:
        """Let go of the files; who is reading finishes undisturbed."""
        self._generation.retire()

    # -- which generation ----------------------------------------------------------------------------------------------

    @contextmanager
    def _current(self) -> Iterator[Generation]:
        """The generation to read."""
        self._take_over()
        with self._lock:
            using = self._generation.in_use()
            generation = using.__enter__()
        try:
            yield generation
        finally:
            using.__exit__(None, None, None)

    def _take_over(self) -> None:
        """Open what CURRENT names, if it was replaced since the last look and no other thread is at it."""
        pointer = self._pointer()
        if pointer in (None, self._seen) or not self._opening.acquire(blocking=False):
            return
        try:
            self._seen = pointer
            new = self._open()
            with self._lock:
                old, self._generation = self._generation, new
            old.retire()
        except IndexProblem as problem:
            if self._pointer() != pointer:
                return  # it was replaced, and may be gone already: the next call opens the one after it
            _log.error("Generation %s goes on serving: %s", self._generation.manifest.generation, problem)
        finally:
            self._opening.release()

    def _pointer(self) -> tuple[int, int] | None:
        """What tells one content of CURRENT from the next, at the cost of one stat; None when it is not there."""
        try:
            status = (index_folder(self._home) / CURRENT_FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _open(self) -> Generation:
        generation = Generation(current_folder(self._home))
        if generation.manifest.embedder_digest != self._embedder.digest:
            generation.retire()
            raise IndexProblem(
                f"The index was built with {generation.manifest.embedder} (another model, or another version of it). "
                "Rebuild it with: sourcier build"
            )
        return generation


def _best_hits(generation: Generation, query: str, vector: Vectors, k: int, filters: Filters) -> list[Hit]:
    """Score every passage by its best sentence and its words, and give the k best of those that pass."""
    passing = generation.passing(filters) if filters else None
    first = generation.first_sentences
    cosines = generation.cosines(vector)
    nearest = np.maximum.reduceat(cosines, first).astype(np.float64)
    keyword = _keyword_scores(generation, query, passing)
    scores = nearest + KEYWORD_WEIGHT * keyword
    count = len(scores) if passing is None else int(passing.sum())
    if passing is not None:
        scores[~passing] = -np.inf
    recency = _recency(generation, query, scores, count)
    scores += RECENCY_WEIGHT * recency
    hits = []
    for number, copies in without_copies(generation, _highest(scores, min(k * COPIES, count)), k):
        article, passage = generation.passage(number)
        numbers = np.arange(first[number], first[number] + len(passage.sentences))
        best = int(np.argmax(cosines[numbers]))
        hits.append(
            Hit(
                article=article,
                passage=passage,
                sentence=_stating(article, passage, best),
                score=float(scores[number]),
                vector=float(nearest[number]),
                keyword=float(keyword[number]),
                rank=0,
                vectors=generation.vectors(numbers),
                recency=float(recency[number]),
                also=copies,
            )
        )
    hits.sort(key=lambda hit: -hit.score)  # of copies the newest stands for all, and may fit a little less
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]


def _recency(
    generation: Generation, query: str, scores: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """(passages,) in 0..1: how new those are that fit best, of the `count` that pass, if the query asks for that."""
    recency = np.zeros(len(scores), np.float64)
    if count and asks_for_latest(query):
        fitting = _highest(scores, min(CANDIDATES, count))
        recency[fitting] = recency_of(generation.days(fitting))
    return recency


def _stating(article: Article, passage: Passage, best: int) -> Span:
    """The sentence to show: a heading may match best, but it is the sentence below it that says something."""
    after = passage.sentences[best + 1 :]
    if after and is_heading(article.text, passage.sentences[best]):
        return after[0]
    return passage.sentences[best]


def _highest(scores: npt.NDArray[np.float64], k: int) -> list[int]:
    """Positions of the k highest scores, highest first, equal ones in their order; sorts no more than it must."""
    k = min(k, len(scores))
    if k == 0:
        return []
    least = np.partition(scores, -k)[-k]
    enough = np.flatnonzero(scores >= least)
    return [int(number) for number in enough[np.argsort(-scores[enough], kind="stable")][:k]]


def _keyword_scores(
    generation: Generation, query: str, passing: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.float64]:
    """(passages,): BM25 divided by the highest of those that pass, 0 for the others and where no word is shared.

    The words are stemmed in the query's language and in every language of the corpus: an article's words were stemmed
    in its own, and a name or a figure is the same in all. Words of half the passages are left out: BM25 gives them no
    weight, and they cost most of the time.
    """
    scores = np.zeros(generation.manifest.passages, np.float64)
    by_slot = np.zeros(generation.slots.max() + 1, np.float64)
    languages = dict.fromkeys((*generation.manifest.languages, detect_language(query)))
    words = {word for language in languages for word in stem_words(query, language)} - generation.common_words
    if not words:
        return scores
    match = " OR ".join(f'"{word}"' for word in sorted(words))
    for row in generation.rows("SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?", (match,)):
        by_slot[row[0]] = row[1]
    scores = by_slot[generation.slots]
    if passing is not None:
        scores[~passing] = 0
    highest = scores.max()
    return scores / highest if highest > 0 else scores
