"""One article changed among ten thousand: what a build costs beyond embedding."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index.build import build
from index.deletion import delete
from index.embedder import SourceText, Vectors
from tests.fakes import FakeEmbedder

ARTICLES = 10_000
CHARACTERS = 3_000
# Of the processor time of a build from nothing: 4 s of 57 were measured, 4.6 of 57 for a deletion (2026-11-24).
SHARE = 0.1


class QuickEmbedder(FakeEmbedder):
    """Vectors as long as EmbeddingGemma's, one of a few for each text, at no cost."""

    _vectors = np.random.default_rng(0).standard_normal((512, 768)).astype(np.float32)
    _vectors /= np.linalg.norm(_vectors, axis=1, keepdims=True)

    def __init__(self) -> None:
        super().__init__(dim=768)

    def embed_texts(self, texts: Sequence[SourceText]) -> Vectors:
        vectors: Vectors = self._vectors[[zlib.crc32(text.text.encode()) % 512 for text in texts]]
        return vectors


def write_folder(folder: Path) -> None:
    dice = random.Random(1)
    letters = ("bcdflmnprst", "aeiou")
    words = ["".join(dice.choice(letters[at % 2]) for at in range(dice.randrange(2, 10))) for _ in range(20_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    for number in range(ARTICLES):
        below = folder / f"{number // 500:02d}"
        below.mkdir(parents=True, exist_ok=True)
        said: list[str] = []
        while sum(map(len, said)) < CHARACTERS:
            said.append(" ".join(dice.choices(words, weights, k=dice.randrange(8, 28))).capitalize() + ".")
        paragraphs = "\n\n".join(" ".join(said[at : at + 5]) for at in range(0, len(said), 5))
        head = f"---\nid: a{number}\ntitle: Le titre {number}\nlanguage: fr\npublished: 2025-01-01\n---"
        (below / f"{number:05d}.md").write_text(f"{head}\n\n{paragraphs}\n", encoding="utf-8")


@pytest.mark.slow
def test_one_article_changed_among_ten_thousand(tmp_path: Path) -> None:
    """In time of the processor, which other work on the machine does not lengthen much, and as a share of building it
    all: that holds on a slower machine too. Hashing takes both cores."""
    folder, home = tmp_path / "articles", tmp_path / "home"
    write_folder(folder)
    started = time.process_time()
    report = build([folder], home, QuickEmbedder(), "quick")
    most = SHARE * (time.process_time() - started)
    assert report.articles == ARTICLES
    assert report.sentences > 200_000
    path = folder / "10" / "05000.md"
    path.write_text(
        path.read_text(encoding="utf-8") + "\n\nUne phrase toute neuve. Une autre encore.\n", encoding="utf-8"
    )
    for what, sentences in (("changed", 2), ("as it was", 0)):
        started = time.process_time()
        report = build([folder], home, QuickEmbedder(), "quick")
        seconds = time.process_time() - started
        assert (report.embedded, report.unchanged) == (sentences, sentences == 0)
        print(f"{what}: {seconds:.1f} s; at most {most:.1f} s")
        assert seconds <= most, what
    started = time.process_time()
    assert delete(home, ["a5000"]).sentences > 20
    seconds = time.process_time() - started
    print(f"deleted: {seconds:.1f} s; at most {2 * most:.1f} s")
    assert seconds <= 2 * most
