"""An inverted file over sentence vectors: it finds what a look at every vector finds, and grows from the one before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from index import new_generation
from index.build import build
from index.deletion import delete
from index.embedder import Vectors
from index.errors import BrokenIndex
from index.filters import Filters
from index.generation import current_folder
from index.manifest import Approximation, Manifest
from index.search import Hit, Index
from index.storage import inverted_file
from index.storage.inverted_file import (
    LEAST_RECALL,
    EarlierFile,
    Rows,
    lists_for,
    nearest,
    read_inverted_file,
    write_inverted_file,
)
from index.storage.vector_blocks import Block, as_keys
from tests.fakes import FakeEmbedder, some_articles, write_articles
from web.commands import sourcier

DIM = 32


def some_vectors(count: int, seed: int = 0) -> Vectors:
    """Around a few centres, as texts on a few subjects are."""
    dice = np.random.default_rng(seed)
    vectors = dice.standard_normal((40, DIM))[dice.integers(0, 40, count)] + 0.6 * dice.standard_normal((count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def rows_of(folder: Path, vectors: Vectors) -> Rows:
    folder.mkdir(exist_ok=True)
    keys = as_keys([number.to_bytes(32, "little") for number in range(1, len(vectors) + 1)])
    path = folder / "vectors-0.block"
    path.write_bytes(keys.tobytes() + vectors.tobytes())
    return Rows(np.arange(len(vectors)), [Block.open(path, DIM)], DIM)


def found(folder: Path, queries: Vectors, probes: int) -> list[list[int]]:
    index = read_inverted_file(folder / "sentences.ivf")
    return [nearest(index, query, 10, probes, None).tolist() for query in queries]


def test_the_recall_it_states_is_the_recall_it_has(tmp_path: Path) -> None:
    vectors = some_vectors(6000)
    steps: list[tuple[int, int]] = []
    stated = write_inverted_file(tmp_path, rows_of(tmp_path, vectors), None, lambda *step: steps.append(step))
    assert (stated.index, stated.lists, stated.later, steps[-1]) == ("IVF128,SQ8", 128, 0, (6000, 6000))
    assert stated.recall >= LEAST_RECALL
    dice = np.random.default_rng(5)
    queries = vectors[dice.integers(0, 6000, (300, 4))].sum(axis=1)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    exact = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    both = zip(exact.tolist(), found_among_thirty(tmp_path, queries, stated.probes), strict=True)
    recall = np.mean([len(set(one) & set(other)) / 10 for one, other in both])
    assert recall == pytest.approx(stated.recall, abs=0.02)


def found_among_thirty(folder: Path, queries: Vectors, probes: int) -> list[list[int]]:
    index = read_inverted_file(folder / "sentences.ivf")
    return [nearest(index, query, 30, probes, None).tolist() for query in queries]


def test_only_what_passes_is_found(tmp_path: Path) -> None:
    vectors = some_vectors(3000)
    stated = write_inverted_file(tmp_path, rows_of(tmp_path, vectors), None, lambda *_: None)
    index = read_inverted_file(tmp_path / "sentences.ivf")
    passing = np.zeros(3000, bool)
    passing[7::50] = True
    for query in some_vectors(20, seed=3):
        numbers = nearest(index, query, 10, stated.lists, passing)
        best = np.flatnonzero(passing)[np.argsort(-vectors[passing] @ query)[:8]]
        assert passing[numbers].all()
        assert set(best) <= set(numbers)


def test_it_grows_from_the_one_before(tmp_path: Path) -> None:
    """Sentences that go, come and move: the codes of those that stay are as they were, and no training is done."""
    vectors = some_vectors(3000)
    before = write_inverted_file(tmp_path / "1", rows_of(tmp_path / "1", vectors), None, lambda *_: None)
    order = np.random.default_rng(1).permutation(3000)[:2900]
    same = np.concatenate([order[:1000], np.full(300, -1), order[1000:]])
    now = np.concatenate([vectors[order[:1000]], some_vectors(300, seed=9), vectors[order[1000:]]])
    earlier = EarlierFile(tmp_path / "1" / "sentences.ivf", before, same)
    after = write_inverted_file(tmp_path / "2", rows_of(tmp_path / "2", now), earlier, lambda *_: None)
    assert after == Approximation(before.index, before.lists, before.probes, before.recall, before.queries, 300)
    # As if all of them had been put into the lists of the one before, in this order.
    afresh = EarlierFile(earlier.path, before, np.full(len(now), -1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inverted_file, "_OUTGROWN", 1.0)
        write_inverted_file(tmp_path / "3", rows_of(tmp_path / "3", now), afresh, lambda *_: None)
    ones, others = (found(tmp_path / name, now[::50], before.lists) for name in "23")
    assert ones == others
    assert all(number in some for number, some in zip(range(0, len(now), 50), ones, strict=True))


def test_it_is_trained_again_when_a_quarter_is_new(tmp_path: Path) -> None:
    vectors = some_vectors(3000)
    before = write_inverted_file(tmp_path / "1", rows_of(tmp_path / "1", vectors), None, lambda *_: None)
    same = np.where(np.arange(3000) < 2000, np.arange(3000), -1)
    earlier = EarlierFile(tmp_path / "1" / "sentences.ivf", before, same)
    after = write_inverted_file(tmp_path / "2", rows_of(tmp_path / "2", vectors), earlier, lambda *_: None)
    assert after.later == 0
    assert (tmp_path / "2" / "sentences.ivf").read_bytes() == (tmp_path / "1" / "sentences.ivf").read_bytes()


def test_how_many_lists() -> None:
    assert [lists_for(count) for count in (50_000, 100_000, 275_000, 4_000_000)] == [512, 512, 1024, 4096]


def test_a_file_that_faiss_cannot_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sentences.ivf"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(BrokenIndex, match="FAISS cannot read it"):
        read_inverted_file(path)


# -- in an index -------------------------------------------------------------------------------------------------------

ARTICLES = some_articles(300, seed=4)
QUERIES = ("mota ca fu", "ronde", "titre", "3", "la le", "dernières nouvelles de mota")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few sentences are many, so that no long test is needed."""
    monkeypatch.setattr(new_generation, "EXACT_UP_TO", 100)


def hits(home: Path, filters: Sequence[Filters] = (Filters(),)) -> list[list[Hit]]:
    index = Index(home, FakeEmbedder())
    found = [index.search(query, 20, some) for query in QUERIES for some in filters]
    index.close()
    return found


def test_an_index_of_many_sentences_finds_what_an_exact_one_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_articles(tmp_path / "a.jsonl", ARTICLES)
    build([path], tmp_path / "exact", FakeEmbedder(), "fake")
    monkeypatch.setattr(new_generation, "EXACT_UP_TO", 100)
    build([path], tmp_path / "home", FakeEmbedder(), "fake")
    manifest = Manifest.read(current_folder(tmp_path / "home"))
    assert manifest.approximation is not None
    assert manifest.approximation.recall >= LEAST_RECALL
    said = CliRunner().invoke(sourcier, ["info", "--home", str(tmp_path / "home")]).stdout
    assert f"IVF{manifest.approximation.lists},SQ8: the {manifest.approximation.probes} lists nearest" in said
    assert "exact" in CliRunner().invoke(sourcier, ["info", "--home", str(tmp_path / "exact")]).stdout
    ids = tuple(ARTICLES)
    filters = [Filters(), Filters(article_id=ids[:3]), Filters(article_id=ids[::2]), Filters(article_id=("nobody",))]
    for exact, approximate in zip(hits(tmp_path / "exact", filters), hits(tmp_path / "home", filters), strict=True):
        assert [hit.passage.id for hit in exact] == [hit.passage.id for hit in approximate]
        for one, other in zip(exact, approximate, strict=True):
            assert (one.sentence, one.rank) == (other.sentence, other.rank)
            assert other.vector == pytest.approx(one.vector, abs=1e-6)
            assert np.array_equal(one.vectors, other.vectors)


@pytest.mark.usefixtures("few")
def test_a_changed_and_a_deleted_article(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = write_articles(tmp_path / "a.jsonl", ARTICLES)
    build([path], home, FakeEmbedder(), "fake")
    first = Manifest.read(current_folder(home)).approximation
    one, *others = ARTICLES
    path = write_articles(tmp_path / "a.jsonl", {"new": "Une pelargoniste est venue."} | ARTICLES)
    build([path], home, FakeEmbedder(), "fake")
    second = Manifest.read(current_folder(home)).approximation
    assert first is not None
    assert second is not None
    assert (first.later, second.later, second.lists) == (0, 1, first.lists)
    index = Index(home, FakeEmbedder())
    assert index.search("Une pelargoniste est venue.", 1)[0].article.id == "new"
    delete(home, ["new", one])
    assert "new" not in {hit.article.id for hit in index.search("Une pelargoniste est venue.", 20)}
    index.close()
    fresh = tmp_path / "fresh"
    build([write_articles(tmp_path / "a.jsonl", {name: ARTICLES[name] for name in others})], fresh, FakeEmbedder(), "f")
    assert hits(home) == hits(fresh)


@pytest.mark.usefixtures("few")
def test_a_damaged_file_is_noticed_and_made_anew(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = write_articles(tmp_path / "a.jsonl", ARTICLES)
    build([path], home, FakeEmbedder(), "fake")
    damaged = current_folder(home) / "sentences.ivf"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(BrokenIndex, match=r"sentences\.ivf"):
        Index(home, FakeEmbedder())
    report = build([path], home, FakeEmbedder(), "fake")
    assert (report.unchanged, report.embedded) == (False, 0)
    Index(home, FakeEmbedder()).close()
