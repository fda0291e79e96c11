"""Which source sentence supports a sentence of the answer, and how well.

A sentence stands on three checks against the passage that the model read, each one able to stop it:
its numbers occur there, its names occur there, and one sentence there is close enough in meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from index.articles import Article
from index.build import heading_of
from index.embedder import Embedder, SourceText
from index.languages import stem_words
from index.passages import Passage, Span
from qa.names import missing_names, names_in
from qa.numbers import numbers_claimed, numbers_in

Support = Literal["supported", "partial", "unsupported"]

# Cosine with the closest source sentence, both embedded under the article's heading. Below the lower bar the sentence
# says something else; between the two it must share most of its words with the source.
MEANING_SUPPORTED = 0.80
MEANING_PARTIAL = 0.65
SHARED_WORDS = 0.6
MAX_SPANS = 3


@dataclass(frozen=True, slots=True)
class Citation:
    """The characters of an article that a sentence was read in: `article.text[start:end] == quote`.

    Made by code from the article, never from the model's words. `number` is what the reader sees, from 1.
    """

    number: int
    article: Article
    start: int
    end: int

    @property
    def quote(self) -> str:
        return self.article.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Grounds:
    """The verdict on one sentence. `spans` are whole sentences of the article, best first, empty when unsupported.

    `score` is the cosine with the closest one, in 0..1. `missing` are the numbers and names that the source lacks.
    """

    support: Support
    score: float
    spans: tuple[Span, ...]
    missing: tuple[str, ...]


def check_sentence(sentence: str, language: str, article: Article, passage: Passage, embedder: Embedder) -> Grounds:
    """Hold a sentence of the answer against the passage it was read in."""
    heading = heading_of(article)
    source = f"{heading}\n{passage.text}"
    texts = [article.text[span.start : span.end] for span in passage.sentences]
    vectors = embedder.embed_texts([SourceText(heading, text) for text in (*texts, sentence)])
    cosines = vectors[:-1] @ vectors[-1]
    best = int(np.argmax(cosines))
    score = float(np.clip(cosines[best], 0.0, 1.0))
    missing = (
        *sorted(numbers_claimed(sentence, language) - numbers_in(source, article.language)),
        *missing_names(sentence, language, source, article.language),
    )
    support = _verdict(score, _shared_words(sentence, language, source, article.language), bool(missing))
    if support == "unsupported":
        return Grounds(support, score, (), missing)
    chosen = _spans_needed(sentence, language, article, texts, cosines)
    return Grounds(support, score, tuple(passage.sentences[number] for number in chosen), missing)


def _verdict(score: float, shared: float | None, anything_missing: bool) -> Support:
    if anything_missing or score < MEANING_PARTIAL:
        return "unsupported"
    if score >= MEANING_SUPPORTED and (shared is None or shared >= SHARED_WORDS):
        return "supported"
    return "partial" if shared is None or shared >= SHARED_WORDS else "unsupported"


def _shared_words(sentence: str, language: str, source: str, source_language: str) -> float | None:
    """Share of the sentence's words that the source has, in 0..1; None across languages, where it says nothing."""
    if language != source_language:
        return None
    words = stem_words(sentence, language)
    if not words:
        return 0.0
    known = set(stem_words(source, language))
    return sum(word in known for word in words) / len(words)


def _spans_needed(
    sentence: str, language: str, article: Article, texts: Sequence[str], cosines: np.ndarray
) -> list[int]:
    """The closest source sentence, and those that hold the numbers and names which it lacks; as few as possible."""
    chosen = [int(np.argmax(cosines))]
    wanted = _facts(sentence, language)
    while len(chosen) < MAX_SPANS:
        have = " ".join(texts[number] for number in chosen)
        left = wanted - _facts_found(wanted, have, language, article.language)
        gains = [
            (len(_facts_found(left, text, language, article.language)), float(cosines[number]), -number)
            for number, text in enumerate(texts)
        ]
        gain, _, negative = max(gains)
        if not left or gain == 0:
            break
        chosen.append(-negative)
    return chosen


def _facts(sentence: str, language: str) -> frozenset[str]:
    return numbers_claimed(sentence, language) | frozenset(names_in(sentence))


def _facts_found(facts: frozenset[str], source: str, language: str, source_language: str) -> frozenset[str]:
    numbers = numbers_in(source, source_language)
    return frozenset(
        fact
        for fact in facts
        if (fact in numbers if fact[0].isdigit() else not missing_names(f"x {fact}", language, source, source_language))
    )
