"""What the model's verdict does to that of the other checks, and what needs none."""

from __future__ import annotations

import pytest

from index.articles import Article
from index.passages import Passage, Span
from index.sentences import split_sentences
from qa.grounding import (
    SAID_SUPPORTED,
    SAID_SURELY,
    Grounds,
    Support,
    graded,
    is_quoted,
    takes_up,
)

BAR = 0.4
SOURCE = "Le pont « des Tanneurs » a rouvert vendredi.  Les travaux de l’ouvrage ont coûté 618 000 euros."


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        ("supported", SAID_SUPPORTED, "supported"),
        ("supported", SAID_SUPPORTED - 0.01, "partial"),
        ("supported", BAR, "partial"),
        ("supported", BAR - 0.01, "unsupported"),
        ("partial", 0.99, "partial"),
        ("partial", 0.01, "unsupported"),
    ],
)
def test_a_verdict_only_ever_gets_worse(before: Support, said: float, after: Support) -> None:
    grounds = graded(Grounds(before, 0.8, (Span(0, 12),), ()), said, BAR)
    assert grounds.support == after
    assert grounds.score == said
    assert grounds.spans == (() if after == "unsupported" else (Span(0, 12),))


@pytest.mark.parametrize("bar", [0.0, BAR])
def test_what_needs_to_be_very_likely_is_not_shown_below_that_whatever_the_bar(bar: float) -> None:
    grounds = Grounds("partial", 0.8, (Span(0, 12),), ("Orlan",), SAID_SURELY)
    assert graded(grounds, SAID_SURELY, bar).support == "partial"
    assert graded(grounds, SAID_SURELY - 0.01, bar).support == "unsupported"


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


@pytest.mark.parametrize(
    ("question", "sentence", "language", "takes"),
    [
        ("What did the works on the bridge cost?", "The works on the bridge cost 618,000 euros.", "en", True),
        ("What did the works on the bridge cost?", "The bridge is eighty metres long.", "en", False),
        ("What did the works on the bridge cost?", "618,000 euros.", "en", False),
        ("Combien les travaux du pont ont-ils coûté ?", "Les travaux du pont ont coûté 618 000 euros.", "fr", True),
        ("Combien les travaux du pont ont-ils coûté ?", "Le pont mesure quatre-vingts mètres.", "fr", False),
        ("Qui est-ce ?", "C'est le maire.", "fr", True),
    ],
)
def test_a_sentence_takes_up_the_question_or_is_next_to_it(
    question: str, sentence: str, language: str, takes: bool
) -> None:
    assert takes_up(sentence, question, language, 0.75) == takes
