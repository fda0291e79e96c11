"""Search against brute force: every passage scored by hand, BM25 by its published formula."""

from __future__ import annotations

import itertools
import json
import logging
import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from index.articles import Article, read_articles
from index.build import build, rollback
from index.embedder import Vectors
from index.errors import BadQuery, BrokenIndex, IndexProblem, NoIndex
from index.generation import Generation, current_folder
from index.headings import heading_of
from index.languages import detect_language, stem_words
from index.passages import Passage, split_article
from index.search import MAX_K, MAX_QUERY_CHARACTERS, Hit, Index
from tests.fakes import FakeEmbedder, some_articles, write_articles

CORPUS = some_articles(60)  # 720 sentences in about as many words
QUERIES = [
    " ".join(itertools.islice(CORPUS[f"article-{n:03d}"].split(), n % 7, n % 7 + 1 + n % 5)) for n in range(0, 60, 3)
]


@dataclass(frozen=True)
class Reference:
    """What a search should find, worked out from the articles alone."""

    article: str
    start: int
    sentence: tuple[int, int]
    vector: float
    keyword: float

    @property
    def score(self) -> float:
        return self.vector + 0.1 * self.keyword


def bm25(documents: Sequence[Sequence[str]], words: Sequence[str]) -> list[float]:
    """BM25 as SQLite documents it for FTS5: k1 1.2, b .75, and an idf that never falls below a millionth."""
    average = sum(map(len, documents)) / len(documents)
    counted = [Counter(document) for document in documents]
    scores = [0.0] * len(documents)
    for word in words:
        holding = sum(1 for counts in counted if word in counts)
        idf = math.log((len(documents) - holding + 0.5) / (holding + 0.5))
        idf = idf if idf > 0 else 1e-6
        for number, counts in enumerate(counted):
            count = counts[word]
            scores[number] += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(documents[number]) / average))
    return scores


def reference(paths: Sequence[Path], embedder: FakeEmbedder, query: str, languages: Sequence[str]) -> list[Reference]:
    """Every passage, best first, ties in corpus order."""
    pairs: list[tuple[Article, Passage]] = []
    for article in read_articles(paths):
        assert isinstance(article, Article)
        pairs += [(article, passage) for passage in split_article(article, embedder.count_tokens)]
    documents = [stem_words(a.title, a.language) + stem_words(p.text, a.language) for a, p in pairs]
    words = sorted({word for language in languages for word in stem_words(query, language)})
    # Where a word is in half of the passages, BM25's idf is not positive, and the word says nothing.
    words = [word for word in words if 2 * sum(word in document for document in documents) < len(documents)]
    keyword = bm25(documents, words)
    highest = max(keyword)
    found = []
    for (article, passage), score in zip(pairs, keyword, strict=True):
        cosines = [
            float(embedder.vector(f"{heading_of(article)} {article.text[s.start : s.end]}") @ embedder.vector(query))
            for s in passage.sentences
        ]
        best = max(range(len(cosines)), key=lambda at: cosines[at])
        span = passage.sentences[best]
        relative = score / highest if highest > 0 else 0.0
        found.append(Reference(article.id, passage.start, (span.start, span.end), cosines[best], relative))
    return sorted(found, key=lambda one: -one.score)


def assert_same(hits: Sequence[Hit], expected: Sequence[Reference]) -> None:
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert len(hits) == len(expected)
    for hit, one in zip(hits, expected, strict=True):
        assert (hit.article.id, hit.passage.start) == (one.article, one.start)
        assert (hit.sentence.start, hit.sentence.end) == one.sentence
        assert hit.vector == pytest.approx(one.vector, abs=1e-5)
        assert hit.keyword == pytest.approx(one.keyword, abs=1e-6)
        assert hit.score == pytest.approx(one.score, abs=1e-5)
        assert hit.article.text[hit.passage.start : hit.passage.end] == hit.passage.text


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_articles(tmp_path_factory.mktemp("corpus") / "articles.jsonl", CORPUS)


class Finer(FakeEmbedder):
    """Counts more tokens a word, so that passages are short and many."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [6 * len(text.split()) for text in texts]


@pytest.fixture(scope="module")
def index(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    home = tmp_path_factory.mktemp("home")
    build([corpus], home, Finer(), "fake")
    index = Index(home, Finer())
    assert index.manifest.passages > MAX_K
    yield index
    index.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def open_index(tmp_path: Path, home: Path) -> Iterator[Callable[..., Index]]:
    """Build these articles and open the index; closed after the test."""
    opened: list[Index] = []

    def open_index(articles: dict[str, str], embedder: FakeEmbedder | None = None) -> Index:
        build([write_articles(tmp_path / "articles.jsonl", articles)], home, FakeEmbedder(), "fake")
        opened.append(Index(home, embedder or FakeEmbedder()))
        return opened[-1]

    yield open_index
    for index in opened:
        index.close()


# -- what is found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", QUERIES)
def test_finds_what_brute_force_finds(index: Index, corpus: Path, query: str) -> None:
    expected = reference([corpus], Finer(), query, ["fr", detect_language(query)])
    # Sums in another order may swap passages that are a rounding apart; none of these are.
    assert min(a.score - b.score for a, b in itertools.pairwise(expected[:MAX_K])) > 1e-6
    assert_same(index.search(query, MAX_K), expected[:MAX_K])
    assert_same(index.search(query, 3), expected[:3])


def test_our_bm25_is_that_of_fts5() -> None:
    """The reference against a plain FTS5 table, on words that need no stemming."""
    documents = ["a b c", "a a d e f", "b", "g h i j k l m n o a", "c c c c", "z a"]
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5 (body)")
    database.executemany("INSERT INTO t VALUES (?)", [(document,) for document in documents])
    for words in (["a"], ["b", "c"], ["z", "a", "m"], ["c", "nowhere"]):
        found = dict.fromkeys(range(len(documents)), 0.0)
        match = " OR ".join(f'"{word}"' for word in words)
        found |= {
            row[0] - 1: -row[1] for row in database.execute("SELECT rowid, bm25(t) FROM t WHERE t MATCH ?", (match,))
        }
        assert bm25([document.split() for document in documents], words) == pytest.approx(
            list(found.values()), abs=1e-9
        )
    database.close()


def test_several_languages_are_found_by_their_own_stems(tmp_path: Path, home: Path) -> None:
    paths = [
        write_articles(tmp_path / "fr.jsonl", {"fr": "Les chevaux galopent.", "fr2": "Le pont est fermé."}),
        write_articles(tmp_path / "en.jsonl", {"en": "The horses are galloping.", "en2": "A bridge."}, "en"),
        write_articles(tmp_path / "de.jsonl", {"de": "Die Pferde galoppierten.", "de2": "Eine Brücke."}, "de"),
    ]
    build(paths, home, FakeEmbedder(), "fake")
    index = Index(home, FakeEmbedder())
    for query, found in (("cheval", "fr"), ("horse", "en"), ("Pferd", "de"), ("Brücken", "de2"), ("ponts", "fr2")):
        best = max(index.search(query, 10), key=lambda hit: hit.keyword)
        assert (best.article.id, best.keyword) == (found, 1.0)
    # A question in a language that no article is in: still every passage, by meaning.
    assert len(index.search("¿Cuándo volverá a abrir el puente?", 10)) == 6
    assert len(index.search("橋はいつ再開しますか", 10)) == 6
    index.close()


def test_equal_passages_keep_the_corpus_order(tmp_path: Path, home: Path) -> None:
    texts = dict.fromkeys("dbcaefgh", "Il pleut sur le quai. Le vent souffle.")
    paths = [
        write_articles(tmp_path / "1.jsonl", some_articles(30)),
        write_articles(tmp_path / "2.jsonl", texts, title="Pluie"),
    ]
    build(paths, home, FakeEmbedder(), "fake")
    index = Index(home, FakeEmbedder())
    for k in (8, 3, 20):
        hits = index.search("Il pleut", k)
        assert [hit.article.id for hit in hits[:8]] == list("dbcaefgh")[:k]
        assert len({hit.score for hit in hits[:8]}) == 1
    index.close()


def test_k_beyond_the_index_gives_every_passage_once(open_index: Callable[..., Index]) -> None:
    index = open_index({name: f"Un texte sur {name}." for name in ("pont", "port", "poste")})
    hits = index.search("pont", MAX_K)
    assert sorted(hit.article.id for hit in hits) == ["pont", "port", "poste"]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].article.id == "pont"
    assert [len(index.search("pont", k)) for k in (1, 2, 3, 4)] == [1, 2, 3, 3]


def test_an_index_of_one_sentence(open_index: Callable[..., Index]) -> None:
    index = open_index({"seul": "Un pont."})
    (hit,) = index.search("pont", 5)
    assert (hit.passage.text, hit.sentence.start, hit.sentence.end, hit.rank) == ("Un pont.", 0, 8, 1)
    assert hit.keyword == 0.0  # a word of every passage tells none of them apart
    (hit,) = index.search("rien de tel", 5)
    assert (hit.article.id, hit.keyword) == ("seul", 0.0)


# -- what is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "?!… — « »",
        '"a" OR NEAR( *',
        "title: mot AND NOT (x",
        '""',
        "'; DROP TABLE articles; --",
        "nul\0nul",
        "moitié \ud83d de paire",
        "\ud800",
        "e\u0301te\u0301 \u202e renversé",
        "\u200b\u200d\ufeff",
        "^colonne + {a b} : c*",
        "🌉🌉",
        "mot " * 999,
        "".join(chr(0x4E00 + at) for at in range(MAX_QUERY_CHARACTERS)),
        " ".join(f"m{at}" for at in range(700)),
    ],
)
def test_any_text_can_be_asked(index: Index, query: str) -> None:
    hits = index.search(query, 3)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert all(np.isfinite([hit.score, hit.vector, hit.keyword]).all() for hit in hits)


def test_operators_are_words(open_index: Callable[..., Index]) -> None:
    index = open_index(
        {"a": "Chat or chien.", "b": "Chat.", "c": "Near est un mot anglais.", "d": "Loup.", "e": "Ours."}
    )
    found = {hit.article.id for hit in index.search('"chat" OR NEAR(', 4) if hit.keyword > 0}
    assert found == {"a", "b", "c"}


@pytest.mark.parametrize("query", ["", "   \n\t", "\u00a0", "\0"])
def test_an_empty_question_is_refused(index: Index, query: str) -> None:
    with pytest.raises(BadQuery, match="empty"):
        index.search(query, 3)


def test_a_long_question_is_refused(index: Index) -> None:
    with pytest.raises(BadQuery, match=r"10000 characters; at most 4000"):
        index.search("a" * 10_000, 3)
    assert len(index.search("a" * MAX_QUERY_CHARACTERS, 3)) == 3


@pytest.mark.parametrize("k", [0, -1, MAX_K + 1])
def test_k_out_of_range_is_refused(index: Index, k: int) -> None:
    with pytest.raises(BadQuery, match=f"k is {k}"):
        index.search("pont", k)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_query_vector_that_is_no_number_is_refused(open_index: Callable[..., Index], bad: float) -> None:
    class Bad(FakeEmbedder):
        def embed_query(self, query: str) -> Vectors:
            vector = self.vector(query)
            vector[3] = bad
            return vector

    index = open_index({"a": "Un texte."}, Bad())
    with pytest.raises(BadQuery, match="cannot be embedded"):
        index.search("texte", 3)


# -- articles ----------------------------------------------------------------------------------------------------------


def test_articles_newest_first_and_pages(tmp_path: Path, home: Path) -> None:
    dates = {"old": "2024-01-05", "none": None, "new": "2025-11-02T08:30:00+01:00", "middle": "2025-10-31"}
    path = tmp_path / "articles.jsonl"
    records = [{"id": i, "title": i, "text": "Un texte.", "language": "fr", "published": d} for i, d in dates.items()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    build([path], home, FakeEmbedder(), "fake")
    index = Index(home, FakeEmbedder())
    assert [article.id for article in index.articles(0, 10)] == ["new", "middle", "old", "none"]
    assert [article.id for article in index.articles(1, 2)] == ["middle", "old"]
    assert index.articles(4, 10) == []
    read = {article.id: article for article in read_articles([path]) if isinstance(article, Article)}
    assert {name: index.article(name) for name in dates} == read
    assert index.article("nowhere") is None
    index.close()


# -- which generation --------------------------------------------------------------------------------------------------


def generations_of(hits: Sequence[Hit]) -> set[str]:
    """The marks of the builds that these hits come from."""
    return {hit.article.text.split()[-1] for hit in hits}


def marked(mark: str) -> dict[str, str]:
    return {f"a{at}": f"Le pont numéro {at} est fermé. Version {mark}" for at in range(6)}


def test_a_new_build_and_a_rollback_are_picked_up(tmp_path: Path, home: Path, open_index: Callable[..., Index]) -> None:
    index = open_index(marked("eins"))
    assert (generations_of(index.search("pont", 9)), index.manifest.generation) == ({"eins"}, "000001")
    build([write_articles(tmp_path / "articles.jsonl", marked("zwei"))], home, FakeEmbedder(), "fake")
    assert index.manifest.generation == "000002"
    assert generations_of(index.search("pont", 9)) == {"zwei"}
    article = index.article("a3")
    assert article is not None
    assert article.text.endswith("zwei")
    rollback(home)
    assert generations_of(index.search("pont", 9)) == {"eins"}
    assert index.manifest.generation == "000001"


def test_an_index_built_anew_under_the_same_name_is_picked_up(
    tmp_path: Path, home: Path, open_index: Callable[..., Index]
) -> None:
    index = open_index(marked("eins"))
    (home / "index").rename(tmp_path / "away")
    assert generations_of(index.search("pont", 9)) == {"eins"}  # nothing there: what is open goes on serving
    build([write_articles(tmp_path / "articles.jsonl", marked("zwei"))], home, FakeEmbedder(), "fake")
    assert (generations_of(index.search("pont", 9)), index.manifest.generation) == ({"zwei"}, "000001")


def test_a_broken_new_generation_is_logged_once_and_the_old_one_serves(
    tmp_path: Path, home: Path, open_index: Callable[..., Index], caplog: pytest.LogCaptureFixture
) -> None:
    index = open_index(marked("eins"))
    path = write_articles(tmp_path / "articles.jsonl", marked("zwei"))
    build([path], home, FakeEmbedder(), "fake")
    (vectors,) = (home / "index" / "000002").glob("vectors-*.block")
    vectors.write_bytes(vectors.read_bytes()[:-1])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert generations_of(index.search("pont", 9)) == {"eins"}
    assert index.manifest.generation == "000001"
    (record,) = caplog.records
    assert "000001 goes on serving" in record.getMessage()
    assert str(vectors) in record.getMessage()
    with pytest.raises(BrokenIndex, match=r"vectors-.*\.block"):
        Index(home, FakeEmbedder())
    build([path], home, FakeEmbedder(), "fake")
    assert generations_of(index.search("pont", 9)) == {"zwei"}


def test_a_server_reads_on_while_another_embedder_builds_twice(
    tmp_path: Path, home: Path, open_index: Callable[..., Index], caplog: pytest.LogCaptureFixture
) -> None:
    """The generation it has open is removed from the disk by the second of these builds."""
    index = open_index(marked("eins"))
    for mark in ("zwei", "drei"):
        build([write_articles(tmp_path / "articles.jsonl", marked(mark))], home, FakeEmbedder("other"), "other")
        with caplog.at_level(logging.ERROR):
            assert generations_of(index.search("pont", 9)) == {"eins"}
    assert not (home / "index" / "000001").exists()
    assert "built with other" in caplog.text
    # More readers at once than there are connections, none of which can be opened any more.
    found: list[set[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(generations_of(index.search("pont", 9)))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"eins"}] * 20


def test_an_index_of_another_embedder_is_refused(home: Path, open_index: Callable[..., Index]) -> None:
    open_index(marked("eins"))
    with pytest.raises(IndexProblem, match=r"built with fake .* Rebuild it with: sourcier build"):
        Index(home, FakeEmbedder("fake-2"))


def test_no_index_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(NoIndex, match="Build it with: sourcier build"):
        Index(tmp_path, FakeEmbedder())


def test_a_closed_index_says_so(home: Path, open_index: Callable[..., Index]) -> None:
    index = open_index(marked("eins"))
    index.close()
    with pytest.raises(ValueError, match="closed"):
        index.search("pont", 3)


def test_readers_finish_in_the_generation_they_began_in(home: Path, open_index: Callable[..., Index]) -> None:
    open_index(marked("eins"))
    generation = Generation(current_folder(home))
    with generation.in_use():
        with generation.in_use():
            generation.retire()
        assert len(generation.articles(0, 9)) == 6
    with pytest.raises(ValueError, match="closed"):
        generation.in_use().__enter__()


def test_many_threads_search_while_generations_are_switched(
    tmp_path: Path, home: Path, open_index: Callable[..., Index]
) -> None:
    index = open_index(marked("eins"))
    stop = threading.Event()
    wrong: list[object] = []
    seen: list[str] = []

    def reader() -> None:
        while not stop.is_set():
            try:
                hits = index.search("pont fermé", 9)
                marks = generations_of(hits)
                if len(marks) != 1 or len(hits) != 6 or [hit.rank for hit in hits] != [1, 2, 3, 4, 5, 6]:
                    wrong.append(hits)
                seen.extend(marks)
                if not index.articles(0, 3):
                    wrong.append("no articles")
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=reader) for _ in range(8)]
    for thread in threads:
        thread.start()
    expected = ["eins"]
    for number in range(8):
        mark = f"mark{number}"
        build([write_articles(tmp_path / "articles.jsonl", marked(mark))], home, FakeEmbedder(), "fake")
        expected.append(mark)
        if number % 4 == 3:
            rollback(home)
    assert generations_of(index.search("pont", 9)) <= set(expected)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(set(seen)) >= 5  # the switches happened under the readers
    assert generations_of(index.search("pont", 9)) == {"mark6"}
