"""Search over many sentences: how long, how exact, how much memory. Prints a table; no pass or fail.

    .venv/bin/sourcier build my-articles/ --home seed
    .venv/bin/python tests/bench/scale.py make seed big --sentences 4000000
    .venv/bin/python tests/bench/scale.py ask big ../shared/data/piaf/piaf-v1.1.json

`make` multiplies a real index. Every copy has the same articles, but three of ten of a passage's words are others of
the corpus and one of a hundred is new; the vector of a sentence is a mixture of its own, of one of those that are near
it, and of the difference of two others, so that they lie as far from each other as real ones do (it prints how far).
`ask` searches with real questions, embedded beforehand: one after the other, and eight at once. 4,000,000 sentences of
768 dimensions take 17 GB of disk and half an hour.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from index.commands import load_embedder
from index.embedder import Vectors
from index.filters import NO_FILTERS, Filters
from index.generation import current_folder, index_folder
from index.generations import building_folder
from index.manifest import ARTICLES_FILE, Manifest
from index.new_generation import finish_generation, index_vectors
from index.search import REACH, Index
from index.storage.inverted_file import Rows, _exact
from index.storage.postings import Postings
from index.storage.sentence_vectors import read_vectors
from index.storage.tables import SCHEMA, uri_of
from index.storage.vector_blocks import Block, as_keys, find, keys_of, write_blocks
from qa.measuring.squad import read_squad

OTHER_WORDS, NEW_WORDS = 0.3, 0.01
NEAR = 50
AT_ONCE = 8


# -- make --------------------------------------------------------------------------------------------------------------


def make(seed: Path, home: Path, sentences: int) -> None:
    source = current_folder(seed)
    manifest = Manifest.read(source)
    copies = -(-sentences // manifest.sentences)
    root = index_folder(home)
    root.mkdir(parents=True, exist_ok=True)
    manifest = replace(
        manifest,
        generation="000001",
        articles=copies * manifest.articles,
        passages=copies * manifest.passages,
        sentences=copies * manifest.sentences,
        approximation=None,
        checksums={},
    )
    with building_folder(root) as folder:
        with timed("rows"):
            keys = as_keys(write_rows(source, folder, copies))
        with timed("words"):
            write_words(source, folder, copies)
        with timed("vectors"):
            vectors = many_vectors(real_vectors(source))
            written = write_blocks(folder, keys, [], lambda _: next(vectors), manifest.dim)
        with timed("inverted file"):
            manifest = replace(manifest, approximation=index_vectors(folder, keys, manifest, [], step))
        with timed("checksums"):
            finish_generation(folder, manifest, written, [], None)
    print(manifest.approximation)


def write_rows(source: Path, folder: Path, copies: int) -> list[bytes]:
    with closing(sqlite3.connect(folder / ARTICLES_FILE, uri=True)) as base:
        base.create_function("digest", 2, lambda *given: hashlib.sha256(repr(given).encode()).digest())
        base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)
        base.execute("ATTACH ? AS seed", (uri_of(source / ARTICLES_FILE),))
        articles, passages, sentences = (
            base.execute(f"SELECT COUNT(*) FROM seed.{table}").fetchone()[0]
            for table in ("articles", "passages", "sentences")
        )
        for copy in range(copies):
            base.execute(
                "INSERT INTO articles SELECT number + ?1, id || '-' || ?4, title, text, language, published, author, "
                "source, url, digest, passage + ?2, sentence + ?3, signature, number + ?1 FROM seed.articles",
                (copy * articles, copy * passages, copy * sentences, copy),
            )
            base.execute(
                'INSERT INTO passages SELECT number + ?, article + ?, start, "end" FROM seed.passages',
                (copy * passages, copy * articles),
            )
            base.execute(
                'INSERT INTO sentences SELECT number + ?1, passage + ?2, start, "end", digest(?1, number) '
                "FROM seed.sentences",
                (copy * sentences, copy * passages),
            )
        base.commit()
        return [row[0] for row in base.execute("SELECT key FROM sentences ORDER BY number")]


def write_words(source: Path, folder: Path, copies: int) -> None:
    postings, dice = Postings.open(source), np.random.default_rng(0)
    rows = postings.by_passage()
    real = rows.shape[1]
    fresh = int(NEW_WORDS * rows.nnz * copies / 5)  # each about five times
    parts = []
    for _ in range(copies):
        words = rows.indices.copy()
        chance = dice.random(len(words))
        others = chance < OTHER_WORDS
        words[others] = dice.choice(rows.indices, others.sum())
        new = chance > 1 - NEW_WORDS
        words[new] = real + dice.integers(0, fresh, new.sum())
        one = sparse.csr_matrix((rows.data, words, rows.indptr), (rows.shape[0], real + fresh), dtype=np.uint16)
        one.sum_duplicates()
        parts.append(one)
    by_word = sparse.vstack(parts, format="csr").tocsc()
    by_word.sort_indices()
    lengths = np.tile(np.asarray(postings.lengths), copies)
    Postings(
        by_word.indptr.astype(np.int64), by_word.indices.astype(np.int32, copy=False), by_word.data, lengths
    ).write(folder)
    with closing(sqlite3.connect(folder / ARTICLES_FILE)) as base:
        with closing(sqlite3.connect(uri_of(source / ARTICLES_FILE), uri=True)) as seed:
            base.executemany("INSERT INTO words VALUES (?, ?)", seed.execute("SELECT word, number FROM words"))
        base.executemany("INSERT INTO words VALUES (?, ?)", ((f"new-{n:09d}", real + n) for n in range(fresh)))
        base.commit()


def real_vectors(source: Path) -> Vectors:
    with closing(sqlite3.connect(uri_of(source / ARTICLES_FILE), uri=True)) as base:
        keys = as_keys(row[0] for row in base.execute("SELECT key FROM sentences ORDER BY number"))
    return read_vectors(source, Manifest.read(source), keys).vectors(np.arange(len(keys)))


def many_vectors(real: Vectors) -> Iterator[Vectors]:
    """One after the other, copy after copy."""
    dice = np.random.default_rng(0)
    near = np.concatenate(
        [np.argsort(-(real[at : at + 500] @ real.T), axis=1)[:, :NEAR] for at in range(0, len(real), 500)]
    )
    everyone = np.arange(len(real))
    first = True
    while True:
        neighbours = real[near[everyone, dice.integers(0, NEAR, len(real))]]
        shares = dice.random((len(real), 1)).astype(np.float32)
        others = real[dice.integers(0, len(real), len(real))] - real[dice.integers(0, len(real), len(real))]
        made = shares * real + (1 - shares) * neighbours + np.float32(0.5) * others
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        if first:
            for name, vectors in (("real", real), ("made", made)):
                print(f"{name}: of {len(real)}, cosine of the nearest, the 10th and the 100th: {spread(vectors)}")
        first = False
        yield from made


def spread(vectors: Vectors) -> str:
    some = np.random.default_rng(1).choice(len(vectors), 300, replace=False)
    cosines = -np.sort(-(vectors[some] @ vectors.T), axis=1)
    return ", ".join(f"{np.median(cosines[:, place]):.3f}" for place in (1, 10, 100))


# -- ask ---------------------------------------------------------------------------------------------------------------


class Prepared:
    """Gives the vectors of questions that were embedded beforehand."""

    def __init__(self, digest: str, vectors: dict[str, Vectors]) -> None:
        self.digest = digest
        self._vectors = vectors

    def embed_query(self, query: str) -> Vectors:
        return self._vectors[query]


def ask(home: Path, questions: Path, count: int) -> None:
    embedder, _ = load_embedder(None)
    chosen = random.Random(0).sample(read_squad(questions).questions, count)
    vectors = {asked.question: embedder.embed_query(asked.question) for asked in chosen}
    texts = list(vectors)
    before = memory()
    with timed("opening, every file checked"):
        index = Index(home, Prepared(embedder.digest, vectors))
    manifest = index.manifest
    for fact in (
        f"{manifest.articles} articles, {manifest.passages} passages",
        manifest.sentences,
        manifest.approximation,
    ):
        print(fact)
    for text in texts:
        index.search(text, 10)  # what is asked for is in memory afterwards
    some = Filters(source=(index.sources(1)[0],)) if index.sources(1) else NO_FILTERS
    for name, filters in (("no filter", NO_FILTERS), ("one source", some)):
        for threads in (1, AT_ONCE):
            print(f"{name}, {threads} at once: {times(index, texts, threads, filters)}")
    if manifest.approximation is not None:
        print(
            f"recall@10 against exact, over {len(texts)} questions: {recall(home, np.stack([*vectors.values()])):.4f}"
        )
    print("memory, MB: " + ", ".join(f"{kind} {now - before[kind]:.0f}" for kind, now in memory().items()))
    index.close()


def times(index: Index, texts: list[str], threads: int, filters: Filters) -> str:
    seconds: list[float] = []

    def search(own: list[str]) -> None:
        for text in own:
            started = time.perf_counter()
            index.search(text, 10, filters)
            seconds.append(time.perf_counter() - started)

    started = time.perf_counter()
    running = [threading.Thread(target=search, args=(texts[at::threads],)) for at in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    whole = time.perf_counter() - started
    p90 = statistics.quantiles(seconds, n=10)[-1]
    median = statistics.median(seconds)
    return f"median {1000 * median:.1f} ms, 90th percentile {1000 * p90:.1f} ms, {len(texts) / whole:.0f} a second"


def recall(home: Path, queries: Vectors) -> float:
    folder = current_folder(home)
    manifest = Manifest.read(folder)
    with closing(sqlite3.connect(uri_of(folder / ARTICLES_FILE), uri=True)) as base:
        keys = as_keys(row[0] for row in base.execute("SELECT key FROM sentences ORDER BY number"))
    blocks = [Block.open(folder / name, manifest.dim) for name in manifest.block_names]
    exact = _exact(Rows(find(keys, keys_of(blocks)), blocks, manifest.dim), queries)
    vectors = read_vectors(folder, manifest, keys)
    shares = []
    for query, wanted in zip(queries, exact, strict=True):
        near = vectors.nearest(query, REACH, None)
        assert near is not None
        best = near[np.argsort(-vectors.cosines(query, near))[: len(wanted)]]
        shares.append(len(np.intersect1d(best, wanted)) / len(wanted))
    return float(np.mean(shares))


def memory() -> dict[str, float]:
    """In MB: what is this process's own, and what it has mapped of files, which the system may take back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Rss")}
    return {"its own": sizes["RssAnon"], "mapped files": sizes["RssFile"]}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long a block took."""
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.1f} s", flush=True)


def step(done: int, total: int) -> None:
    print(f"\r{done} of {total}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.add_argument("seed", type=Path, help="home of a real index")
    making.add_argument("home", type=Path)
    making.add_argument("--sentences", type=int, default=100_000)
    making.set_defaults(run=lambda given: make(given.seed, given.home, given.sentences))
    asking = commands.add_parser("ask")
    asking.add_argument("home", type=Path)
    asking.add_argument("questions", type=Path, help="a file in SQuAD format")
    asking.add_argument("--count", type=int, default=200)
    asking.set_defaults(run=lambda given: ask(given.home, given.questions, given.count))
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
