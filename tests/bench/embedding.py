"""How fast a build embeds, against the bare model on the same sentences. Prints a table; no pass or fail.

    .venv/bin/python tests/bench/embedding.py corpus/
    .venv/bin/python tests/bench/embedding.py corpus/ --torch 200

The build and the bare calls take turns in one run. "Bare" is the encoder alone, given all sentences in one list, which
it sorts by length and takes in batches of the size that was fastest; --torch embeds so many of them with
sentence-transformers' `encode` besides, in full precision, as everybody does. Five minutes on two cores.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from index.build import build
from index.commands import load_embedder
from index.embedder import Embedder, SourceText, Vectors
from index.model_files import DEFAULT_EMBEDDER, NoProgress, obtain
from index.models.torch_encoder import TorchEncoder

T = TypeVar("T")


class Noting:
    """The embedder of a build, which notes what it was given."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.digest, self.dim = embedder.digest, embedder.dim
        self.count_tokens, self.embed_query = embedder.count_tokens, embedder.embed_query
        self.texts: list[SourceText] = []

    def embed_texts(self, texts: Sequence[SourceText]) -> Vectors:
        self.texts += texts
        return self._embedder.embed_texts(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("articles", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", type=int, default=0, help="sentences for sentence-transformers")
    given = parser.parse_args()
    embedder, name = load_embedder(None)
    embedder.embed_query("warm")
    texts: list[SourceText] = []
    for number in range(1, given.rounds + 1):
        built, texts = build_rate(given.articles, embedder, name)
        bare = rate(embedder.embed_texts, texts)
        print(
            f"{number}: {len(texts)} sentences, build {built:.1f} a second, bare {bare:.1f}, ratio {built / bare:.3f}"
        )
    if given.torch:
        some = random.Random(0).sample(texts, min(given.torch, len(texts)))
        encoder = TorchEncoder(obtain(DEFAULT_EMBEDDER, progress=NoProgress()))
        inputs = [as_document(encoder.document_prompt, text) for text in some]
        encoder.encode(inputs[:8])  # the first call is slower
        cosines = (embedder.embed_texts(some) * encoder.encode(inputs)).sum(1)
        print(f"sentence-transformers in torch: {rate(encoder.encode, inputs):.1f} a second, of {len(some)}")
        print(f"Sourcier, the same sentences: {rate(embedder.embed_texts, some):.1f} a second")
        print(f"cosine of both: mean {cosines.mean():.4f}, least {cosines.min():.4f}")


def build_rate(articles: Path, embedder: Embedder, name: str) -> tuple[float, list[SourceText]]:
    """Sentences a second between a build's first word about embedding and its last, and the sentences."""
    noting, times = Noting(embedder), []

    def progress(what: str, done: int, total: int) -> None:
        if what == "embedding":
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as home:
        build((articles,), Path(home), noting, name, progress)
    return len(noting.texts) / (times[-1] - times[0]), noting.texts


def as_document(prompt: str, source: SourceText) -> str:
    """What EmbeddingGemma reads of a sentence."""
    return prompt.replace("title: none", f"title: {source.heading or 'none'}") + source.text


def rate(embed: Callable[[list[T]], Vectors], texts: list[T]) -> float:
    """Texts a second."""
    started = time.perf_counter()
    embed(texts)
    return len(texts) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
