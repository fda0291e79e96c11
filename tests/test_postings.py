"""BM25 over postings on disk, against the formula written out (tests/test_search.py has it against SQLite's)."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from index.errors import BrokenIndex
from index.storage import postings as module
from index.storage.postings import Postings
from index.storage.word_counts import WordCounts
from tests.test_search import bm25

WORDS = [f"w{number}" for number in range(40)]


@pytest.fixture
def passages(tmp_path: Path) -> list[list[str]]:
    dice = random.Random(7)
    weights = [1 / rank for rank in range(1, len(WORDS) + 1)]
    passages = [dice.choices(WORDS, weights, k=dice.randrange(0, 20)) for _ in range(300)]
    counts = WordCounts()
    for words in passages:
        counts.add(words)
    assert counts.write(tmp_path) == sorted(WORDS)
    return passages


def numbers(words: list[str]) -> list[int]:
    return [sorted(WORDS).index(word) for word in words]


def test_scores_are_those_of_the_formula(tmp_path: Path, passages: list[list[str]]) -> None:
    postings = Postings.open(tmp_path)
    held = {word: sum(word in words for words in passages) for word in WORDS}
    assert postings.holding().tolist() == [held[word] for word in sorted(WORDS)]
    assert 2 * held["w0"] >= len(passages)  # says nothing
    for asked in (["w39"], ["w3", "w20", "w31"], ["w0", "w5"], ["w0"], []):
        saying = [word for word in asked if 2 * held[word] < len(passages)]
        assert postings.bm25(numbers(asked)).of_all() == pytest.approx(bm25(passages, saying), abs=1e-9)


def test_common_words_are_counted_for_candidates_alone(
    tmp_path: Path, passages: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMON", 40)
    postings = Postings.open(tmp_path)
    held = {word: sum(word in words for words in passages) for word in WORDS}
    asked = ["w1", "w4", "w20", "w31"]
    rare = [word for word in asked if held[word] <= 40]
    assert rare
    assert len(rare) < len(asked)
    scores = postings.bm25(numbers(asked))
    assert scores.of_all() == pytest.approx(bm25(passages, rare), abs=1e-9)
    among = np.array([0, 3, 17, 200, 299])
    whole = np.array(bm25(passages, [word for word in asked if 2 * held[word] < len(passages)]))
    assert scores.of_all()[among] + scores.of_common(among) == pytest.approx(whole[among], abs=1e-9)
    assert scores.of_common(np.empty(0, np.int64)).tolist() == []


def test_files_that_do_not_fit_are_named(tmp_path: Path, passages: list[list[str]]) -> None:
    path = tmp_path / "words-counts.npy"
    np.save(path, np.ones(3, np.uint16))
    with pytest.raises(BrokenIndex, match="words-"):
        Postings.open(tmp_path)
    path.write_bytes(b"not an array")
    with pytest.raises(BrokenIndex):
        Postings.open(tmp_path)
    path.unlink()
    with pytest.raises(BrokenIndex):
        Postings.open(tmp_path)
