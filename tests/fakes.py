"""An embedder without a model, and small corpora, for the tests of all rooms."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.embedder import SourceText, Vectors

DIM = 64


class FakeEmbedder:
    """An Embedder: a text's vector is the sum of one fixed random direction a word, at length 1.

    Texts that share words are near each other; equal texts have equal vectors on every machine and in every process.
    `embedded` lists every text that was embedded as a document. `seconds_a_text` slows it down, so that a kill can hit;
    `log` is a file that gets one JSON list of texts a call, written before the call returns, which outlives a kill.
    """

    def __init__(
        self, digest: str = "fake-1", dim: int = DIM, seconds_a_text: float = 0.0, log: Path | None = None
    ) -> None:
        self._digest = digest
        self._dim = dim
        self._seconds_a_text = seconds_a_text
        self._log = log
        self.embedded: list[str] = []

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def dim(self) -> int:
        return self._dim

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_query(self, query: str) -> Vectors:
        return self.vector(query)

    def embed_texts(self, texts: Sequence[SourceText]) -> Vectors:
        if not texts:
            raise AssertionError("nothing to embed: no model should be asked")
        time.sleep(self._seconds_a_text * len(texts))
        self.embedded += [text.text for text in texts]
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps([text.text for text in texts]) + "\n")
        return np.stack([self.vector(f"{text.heading} {text.text}") for text in texts])

    def vector(self, text: str) -> Vectors:
        """(dim,) float32 of length 1."""
        words = re.findall(r"\w+", text.lower()) or [""]
        total = sum(_direction(f"{self._digest} {word}", self._dim) for word in words)
        # The tiny constant keeps opposite directions from adding up to nothing.
        total = np.asarray(total, np.float64) + 1e-6
        return (total / np.linalg.norm(total)).astype(np.float32)


def _direction(seed: str, dim: int) -> Vectors:
    """(dim,) float32 in -1..1: two bytes of SHAKE-256 a number."""
    raw = hashlib.shake_256(seed.encode()).digest(2 * dim)
    return (np.frombuffer(raw, "<u2").astype(np.float32) - 32767.5) / 32767.5


def write_articles(path: Path, articles: dict[str, str], language: str = "fr", title: str | None = None) -> Path:
    """A .jsonl of articles, id -> text, each titled by its id unless they share a title; its path."""
    lines = [
        json.dumps({"id": own, "title": title or own, "text": text, "language": language}, ensure_ascii=False) + "\n"
        for own, text in articles.items()
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def some_articles(count: int, seed: int = 1, sentences: int = 12) -> dict[str, str]:
    """Articles of made-up French-looking sentences in paragraphs of four, the same for the same seed."""
    random = np.random.default_rng(seed)
    words = [
        "".join(random.choice(list("bcdflmnprst")) + random.choice(list("aeiou")) for _ in range(random.integers(1, 4)))
        for _ in range(150)
    ]
    # Few words come often and many seldom, as in a language.
    weights = 1 / np.arange(1, len(words) + 1)
    weights /= weights.sum()
    articles = {}
    for number in range(count):
        said = [
            " ".join(random.choice(words, size=random.integers(5, 14), p=weights)).capitalize() + "."
            for _ in range(sentences)
        ]
        paragraphs = [" ".join(said[at : at + 4]) for at in range(0, len(said), 4)]
        articles[f"article-{number:03d}"] = "\n\n".join(paragraphs)
    return articles
