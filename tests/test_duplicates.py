"""Clusters of near-identical articles, against the runs of words they really share."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from index.articles import Article, read_articles
from index.duplicates import FEWEST_RUNS, SHARED, clusters_of, signature_of
from index.languages import stem_words

ARTICLES = [one for one in read_articles([Path(__file__).parent.parent / "corpus"]) if isinstance(one, Article)]


def words_of(text: str, language: str = "fr") -> list[str]:
    return stem_words(text, language)


def clusters(*texts: str) -> list[int]:
    return clusters_of([signature_of(words_of(text)) for text in texts])


def some_words(count: int, seed: int) -> str:
    chosen = random.Random(seed)
    return " ".join(f"mot{chosen.randrange(5000)}" for _ in range(count))


def test_no_two_articles_of_the_sample_newspaper_are_the_same() -> None:
    signatures = [signature_of(words_of(one.text, one.language)) for one in ARTICLES]
    assert clusters_of(signatures) == list(range(len(ARTICLES)))


def test_a_reprint_an_update_a_cut_and_a_correction_belong_to_their_article() -> None:
    """Of each long article of the sample newspaper, in one heap with all the others."""
    texts, origins = [one.text for one in ARTICLES], list(range(len(ARTICLES)))
    for number, article in enumerate(ARTICLES):
        paragraphs = article.text.split("\n\n")
        if len(paragraphs) < 3 or len(article.text) < 900:
            continue
        texts += [
            "(Agence Corvance) " + article.text.replace("a déclaré", "a indiqué"),
            article.text + "\n\nMis à jour le lendemain : la mairie a confirmé que les travaux reprendront lundi.",
            "\n\n".join(paragraphs[:-1]),
            article.text.replace("2025", "2026").replace("12", "21").replace("mardi", "mercredi"),
        ]
        origins += [number] * 4
    assert len(origins) > len(ARTICLES) + 40
    assert clusters(*texts) == origins


def test_what_shares_little_stays_apart() -> None:
    first, second = some_words(400, 1), some_words(400, 2)
    third = " ".join([*first.split()[:80], *second.split()[80:]])  # a fifth of the first, four fifths of the second
    assert clusters(first, second) == [0, 1]
    assert clusters(first, third, second) == [0, 1, 1]


def test_articles_that_are_linked_by_a_third_are_one_cluster() -> None:
    words = some_words(600, 3).split()
    early, middle, late = (" ".join(words[start : start + 400]) for start in (0, 100, 200))
    assert clusters(early, late) == [0, 1]  # they share half
    assert clusters(early, late, middle) == [0, 0, 0]


def test_too_short_to_tell() -> None:
    line = some_words(FEWEST_RUNS + 2, 4)
    assert signature_of(words_of(line)) == b""
    assert clusters(line, line) == [0, 1]
    longer = some_words(FEWEST_RUNS + 3, 4)
    assert clusters(longer, longer) == [0, 0]
    assert clusters() == []


@pytest.mark.parametrize("share", [SHARED - 0.2, SHARED + 0.2])
def test_the_share_is_what_was_said(share: float) -> None:
    """A hundred pairs that share so much of their words: all of them or none, for the estimate is right to .1."""
    together = 0
    for seed in range(100):
        words = [f"m{seed}x{place}" for place in range(1000)]
        kept = int(500 * share)
        one, other = words[:500], words[500 - kept : 1000 - kept]
        together += clusters(" ".join(one), " ".join(other)) == [0, 0]
    assert together == (100 if share > SHARED else 0)
