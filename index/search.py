"""Hybrid search: the cosine of a passage's best sentence plus a little BM25, fused into hits."""

from __future__ import annotations

from dataclasses import dataclass

from index.articles import Article
from index.passages import Passage, Span


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
