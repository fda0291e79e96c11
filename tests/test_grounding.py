"""What the model's verdict does to that of the other checks, and what needs none."""

from __future__ import annotations

import pytest

from index.articles import Article
from index.passages import Passage, Span
from index.sentences import split_sentences
from qa.grounding import (
    RIGHT_PARTIAL,
    RIGHT_PARTIAL_ACROSS_LANGUAGES,
    RIGHT_SUPPORTED,
    Grounds,
    Support,
    graded,
    is_quoted,
)

SOURCE = "Le pont « des Tanneurs » a rouvert vendredi.  Les travaux de l’ouvrage ont coûté 618 000 euros."


@pytest.mark.parametrize(
    ("before", "entailed", "after"),
    [
        ("supported", RIGHT_SUPPORTED, "supported"),
        ("supported", RIGHT_SUPPORTED - 0.01, "partial"),
        ("supported", RIGHT_PARTIAL, "partial"),
        ("supported", RIGHT_PARTIAL - 0.01, "unsupported"),
        ("partial", 0.99, "partial"),
        ("partial", 0.01, "unsupported"),
    ],
)
def test_a_verdict_only_ever_gets_worse(before: Support, entailed: float, after: Support) -> None:
    grounds = graded(Grounds(before, 0.8, (Span(0, 12),), ()), entailed, across_languages=False)
    assert grounds.support == after
    assert grounds.score == entailed
    assert grounds.spans == (() if after == "unsupported" else (Span(0, 12),))


def test_across_languages_the_bar_is_lower() -> None:
    grounds = Grounds("supported", 0.8, (Span(0, 12),), ())
    assert graded(grounds, RIGHT_PARTIAL_ACROSS_LANGUAGES, across_languages=True).support == "partial"
    assert graded(grounds, RIGHT_PARTIAL_ACROSS_LANGUAGES, across_languages=False).support == "unsupported"
    assert graded(grounds, RIGHT_PARTIAL_ACROSS_LANGUAGES - 0.01, across_languages=True).support == "unsupported"


@pytest.mark.parametrize(
    ("sentence", "quoted"),
    [
        ("Les travaux de l'ouvrage ont coûté 618 000 euros.", True),
        ("les travaux de l’ouvrage ont coûté 618 000 euros", True),
        ("Le pont « des Tanneurs » a rouvert vendredi.", True),
        ("618 000 euros.", False),
        ("Les travaux de l'ouvrage ont coûté 518 000 euros.", False),
        ("Les travaux ont coûté 618 000 euros.", False),
    ],
)
def test_a_sentence_of_the_passage_is_known(sentence: str, quoted: bool) -> None:
    article = Article(id="a", title="", text=SOURCE, language="fr", source=None, published=None, author=None, url=None)
    spans = tuple(split_sentences(SOURCE, "fr"))
    assert is_quoted(sentence, Passage("p", "a", 0, len(SOURCE), SOURCE, spans), article) == quoted
