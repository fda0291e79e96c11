"""Hybrid search: the cosine of a passage's best sentence plus a little BM25, fused into hits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.articles import Article
from index.embedder import Embedder, Vectors
from index.errors import BadQuery, IndexProblem
from index.generation import CURRENT_FILE, Generation, Manifest, current_folder, index_folder
from index.languages import detect_language, stem_words
from index.passages import Passage, Span

# Weight of BM25 (divided by the highest of the search) against the cosine: R@1 .839 on 1,000 PIAF questions against
# .829 without; z-scores and reciprocal rank fusion gave less or the same.
KEYWORD_WEIGHT = 0.1
# Sentences and passages looked at before fusion. A passage outside both lists cannot be among the first few.
SENTENCE_CANDIDATES = 300
KEYWORD_CANDIDATES = 500
MAX_QUERY_CHARACTERS = 4000
MAX_K = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found for a query.

    `sentence` is the passage's best sentence, as a span of `article.text`. `score` = `vector` + 0.1 x `keyword`; higher
    is better. `vector` is the cosine of that sentence with the query, in -1..1; `keyword` is BM25 divided by the
    highest BM25 of this search, in 0..1. `rank` counts from 1 without gaps; equal scores keep the corpus order.
    """

    article: Article
    passage: Passage
    sentence: Span
    score: float
    vector: float
    keyword: float
    rank: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    passage: int
    sentence: int
    vector: float
    keyword: float

    @property
    def score(self) -> float:
        return self.vector + KEYWORD_WEIGHT * self.keyword


class Index:
    """The index under a home folder, always the generation that CURRENT names; safe to search from many threads."""

    def __init__(self, home: Path, embedder: Embedder) -> None:
        self._home = home
        self._embedder = embedder
        self._switching = threading.Lock()
        self._generation = self._open()

    @property
    def manifest(self) -> Manifest:
        return self._generation.manifest

    def article(self, article_id: str) -> Article | None:
        with self._current() as generation:
            return generation.article(article_id)

    def articles(self, offset: int, limit: int) -> list[Article]:
        """Newest first."""
        with self._current() as generation:
            return generation.articles(offset, limit)

    def search(self, query: str, k: int) -> list[Hit]:
        """The k best passages, best first; fewer when the index holds fewer. Raises BadQuery."""
        if not query.strip():
            raise BadQuery("The question is empty. Type a few words.")
        if len(query) > MAX_QUERY_CHARACTERS:
            raise BadQuery(f"The question has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} can be searched.")
        if not 1 <= k <= MAX_K:
            raise BadQuery(f"k is {k}; it must be from 1 to {MAX_K}.")
        vector = self._embedder.embed_query(query)
        with self._current() as generation:
            candidates = _candidates(generation, query, vector)
            best = sorted(candidates, key=lambda found: (-found.score, found.passage))[:k]
            return [_hit(generation, found, rank) for rank, found in enumerate(best, start=1)]

    # -- which generation ----------------------------------------------------------------------------------------------

    def _open(self) -> Generation:
        generation = Generation(current_folder(self._home))
        if generation.manifest.embedder_digest != self._embedder.digest:
            raise IndexProblem(
                f"The index was built with {generation.manifest.embedder} (another model, or another version of it). "
                "Rebuild it with: sourcier build"
            )
        return generation

    @contextmanager
    def _current(self) -> Iterator[Generation]:
        """The generation to read; a newer one is taken over first, and who reads the old one finishes undisturbed."""
        with self._switching:
            name = (index_folder(self._home) / CURRENT_FILE).read_text(encoding="utf-8").strip()
            if name != self._generation.folder.name:
                old, self._generation = self._generation, self._open()
                old.retire()
            using = self._generation.in_use()
            generation = using.__enter__()
        try:
            yield generation
        finally:
            using.__exit__(None, None, None)

    def close(self) -> None:
        self._generation.retire()


def _candidates(generation: Generation, query: str, vector: Vectors) -> list[_Candidate]:
    """Passages near by meaning or by words, each with its best sentence."""
    keyword = _keyword_scores(generation, query)
    best = _nearest_sentences(generation, vector)
    missing = [passage for passage in keyword if passage not in best]
    best.update(_best_sentences(generation, vector, missing))
    return [
        _Candidate(passage, sentence, cosine, keyword.get(passage, 0.0))
        for passage, (sentence, cosine) in best.items()
    ]


def _nearest_sentences(generation: Generation, vector: Vectors) -> dict[int, tuple[int, float]]:
    """Passage number -> (sentence number, cosine) of its best sentence, for the passages of the nearest sentences."""
    count = min(SENTENCE_CANDIDATES, generation.manifest.sentences)
    cosines, numbers = generation.vectors.search(vector[np.newaxis], count)
    # FAISS fills up with -1 when it finds fewer than asked for.
    near = [(int(n), float(c)) for n, c in zip(numbers[0], cosines[0], strict=True) if n >= 0]
    marks = ",".join("?" * len(near))
    rows = generation.rows(f"SELECT number, passage FROM sentences WHERE number IN ({marks})", [n for n, _ in near])  # noqa: S608 - only "?"
    passage_of = {row["number"]: row["passage"] for row in rows}
    best: dict[int, tuple[int, float]] = {}
    for number, cosine in sorted(near, key=lambda pair: (-pair[1], pair[0])):
        best.setdefault(passage_of[number], (number, cosine))
    return best


def _best_sentences(generation: Generation, vector: Vectors, passages: list[int]) -> dict[int, tuple[int, float]]:
    """The same for passages that were found by their words only."""
    marks = ",".join("?" * len(passages))
    rows = generation.rows(
        f"SELECT passage, MIN(number) AS first, COUNT(*) AS count FROM sentences WHERE passage IN ({marks}) "  # noqa: S608 - only "?"
        "GROUP BY passage",
        passages,
    )
    best: dict[int, tuple[int, float]] = {}
    for row in rows:
        cosines = generation.sentence_vectors(row["first"], row["count"]) @ vector
        position = int(np.argmax(cosines))
        best[row["passage"]] = (row["first"] + position, float(cosines[position]))
    return best


def _keyword_scores(generation: Generation, query: str) -> dict[int, float]:
    """Passage number -> BM25 divided by the highest, for the passages that share a word with the query.

    The words are stemmed in the query's language and in every language of the corpus: an article's words were stemmed
    in its own, and a name or a figure is the same in all.
    """
    languages = dict.fromkeys((*generation.manifest.languages, detect_language(query)))
    words = dict.fromkeys(word for language in languages for word in stem_words(query, language))
    if not words:
        return {}
    match = " OR ".join(f'"{word}"' for word in words)
    rows = generation.rows(
        "SELECT rowid, -bm25(words) AS score FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid LIMIT ?",
        (match, KEYWORD_CANDIDATES),
    )
    highest = max((row["score"] for row in rows), default=0.0)
    if highest <= 0.0:
        return {}
    return {row["rowid"]: row["score"] / highest for row in rows}


def _hit(generation: Generation, found: _Candidate, rank: int) -> Hit:
    article, passage = generation.passage(found.passage)
    span = generation.rows('SELECT start, "end" FROM sentences WHERE number = ?', (found.sentence,))[0]
    return Hit(
        article=article,
        passage=passage,
        sentence=Span(span["start"], span["end"]),
        score=found.score,
        vector=found.vector,
        keyword=found.keyword,
        rank=rank,
    )
