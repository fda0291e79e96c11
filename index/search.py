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
# Of more sentences than can all be compared (index/storage/sentence_vectors.py), about so many of the nearest are.
REACH = 300
MAX_QUERY_CHARACTERS = 4000
MAX_K = 100

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found for a query.

    `sentence` is the passage's best sentence, as a span of `article.text`. `score` = `vector` + 0.1 x `keyword` +
    0.1 x `recency`; higher is better. `vector` is the cosine of that sentence with the query, in -1..1; `keyword` is
    BM25 divided by the highest BM25 of this search, in 0..1; `recency` is 0 unless the query asks for the latest
    (index/recency.py). `rank` counts from 1 without gaps; equal scores keep the corpus order. `vectors` (sentences of
    the passage, dim) float32: those of the passage's sentences under the article's heading. `also` are other articles
    that print nearly the same passage. `cluster` is None where no article says nearly the same as this one.
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
    cluster: int | None = None

    @property
    def origin(self) -> str:
        """The same for articles that say nearly the same (index/duplicates.py): they are one source."""
        return self.article.id if self.cluster is None else f"cluster {self.cluster}"


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


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Passages that are scored: `passages` (n,), rising, and of each its best cosine and its BM25, the highest 1.

    Its sentences' cosines begin at `starts` (n,) of `cosines`.
    """

    passages: Numbers
    nearest: Floats
    keyword: Floats
    starts: Numbers
    cosines: Vectors


def _best_hits(generation: Generation, query: str, vector: Vectors, k: int, filters: Filters) -> list[Hit]:
    """Score passages by their best sentences and their words, and give the k best of those that pass."""
    passing = generation.passing(filters) if filters else None
    found = _candidates(generation, query, vector, k * COPIES, passing)
    scores = found.nearest + KEYWORD_WEIGHT * found.keyword
    recency = np.zeros(len(scores), np.float64)
    if len(scores) and asks_for_latest(query):
        fitting = _highest(scores, CANDIDATES)
        recency[fitting] = recency_of(generation.days(found.passages[fitting]))
    scores += RECENCY_WEIGHT * recency
    hits = []
    likeliest = found.passages[_highest(scores, k * COPIES)]
    for number, copies in without_copies(generation, likeliest.tolist(), k):
        at = int(np.searchsorted(found.passages, number))
        article, passage = generation.passage(number)
        numbers = generation.first_sentences[number] + np.arange(len(passage.sentences))
        best = int(np.argmax(found.cosines[found.starts[at] :][: len(numbers)]))
        hits.append(
            Hit(
                article=article,
                passage=passage,
                sentence=_stating(article, passage, best),
                score=float(scores[at]),
                vector=float(found.nearest[at]),
                keyword=float(found.keyword[at]),
                rank=0,
                vectors=generation.sentences.vectors(numbers),
                recency=float(recency[at]),
                also=copies,
                cluster=generation.cluster(number),
            )
        )
    hits.sort(key=lambda hit: -hit.score)  # of copies the newest stands for all, and may fit a little less
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]


def _candidates(
    generation: Generation, query: str, vector: Vectors, wanted: int, passing: npt.NDArray[np.bool_] | None
) -> _Candidates:
    """Every passage that passes, of not too many sentences; else those of the nearest, and those with the words."""
    words = generation.bm25(_words(generation, query))
    keyword = words.of_all()
    if passing is not None:
        keyword[~passing] = 0
    near = generation.sentences.nearest(vector, max(REACH, 3 * wanted), generation.sentences_passing(passing))
    if near is None:
        passages = np.arange(len(keyword)) if passing is None else np.flatnonzero(passing)
        starts, cosines = generation.first_sentences, generation.sentences.cosines(vector, None)
        nearest = np.maximum.reduceat(cosines, starts)[passages]
        starts = starts[passages]
    else:
        likely = [number for number in _highest(keyword, max(REACH // 3, wanted)) if keyword[number]]
        passages = np.union1d(generation.passages_of(near), np.array(likely, np.int64))
        numbers, starts = generation.sentences_of(passages)
        cosines = generation.sentences.cosines(vector, numbers)
        nearest = np.maximum.reduceat(cosines, starts) if len(starts) else np.empty(0, np.float32)
    keyword = keyword[passages] + words.of_common(passages)
    highest = keyword.max(initial=0)
    return _Candidates(
        passages, nearest.astype(np.float64), keyword / highest if highest > 0 else keyword, starts, cosines
    )


def _words(generation: Generation, query: str) -> set[str]:
    """The words of the query, stemmed in its language and in every language of the corpus: an article's words were
    stemmed in its own, and a name or a figure is the same in all."""
    languages = dict.fromkeys((*generation.manifest.languages, detect_language(query)))
    return {word for language in languages for word in stem_words(query, language)}


def _stating(article: Article, passage: Passage, best: int) -> Span:
    """The sentence to show: a heading may match best, but it is the sentence below it that says something."""
    after = passage.sentences[best + 1 :]
    if after and is_heading(article.text, passage.sentences[best]):
        return after[0]
    return passage.sentences[best]


def _highest(scores: Floats, k: int) -> Numbers:
    """Positions of the k highest scores, highest first, equal ones in their order; sorts no more than it must."""
    k = min(k, len(scores))
    if k == 0:
        return np.empty(0, np.int64)
    least = np.partition(scores, -k)[-k]
    enough = np.flatnonzero(scores >= least)
    highest: Numbers = enough[np.argsort(-scores[enough], kind="stable")][:k]
    return highest
