from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import build as build_module
from index import generations
from index.articles import Article, read_articles
from index.build import BuildReport, build, rollback
from index.embedder import SourceText, Vectors
from index.errors import BrokenIndex, BuildInProgress, IndexProblem, NoIndex
from index.generation import Generation, current_folder
from index.manifest import Manifest
from index.search import Index
from index.storage.postings import Postings
from tests.fakes import FakeEmbedder, some_articles, write_articles
from tests.index_comparison import database, vectors

ARTICLES = some_articles(8)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def make(tmp_path: Path, home: Path) -> Callable[..., tuple[BuildReport, FakeEmbedder]]:
    """Build these articles with a fresh embedder; the report, and the embedder with what it was asked."""

    def make(
        articles: dict[str, str], embedder: FakeEmbedder | None = None, language: str = "fr"
    ) -> tuple[BuildReport, FakeEmbedder]:
        embedder = embedder or FakeEmbedder()
        path = write_articles(tmp_path / "articles.jsonl", articles, language)
        return build([path], home, embedder, "fake"), embedder

    return make


Make = Callable[..., tuple[BuildReport, FakeEmbedder]]


def folders(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "index").iterdir() if path.is_dir())


def block_of(home: Path) -> Path:
    """The only block of vectors of a small index."""
    (block,) = current_folder(home).glob("vectors-*.block")
    return block


# -- what is stored ----------------------------------------------------------------------------------------------------


def test_every_stored_span_and_vector_is_that_of_the_article_as_read(home: Path) -> None:
    corpus = Path(__file__).parent.parent / "corpus"
    embedder = FakeEmbedder()
    report = build([corpus], home, embedder, "fake")
    read = [article for article in read_articles([corpus]) if isinstance(article, Article)]
    rows = (
        database(home).execute("SELECT id, text, title, published, language FROM articles ORDER BY number").fetchall()
    )
    assert [(row[0], row[1], row[2]) for row in rows] == [(a.id, a.text, a.title) for a in read]
    assert [row[3] for row in rows] == [a.published.isoformat() if a.published else None for a in read]
    generation = Generation(current_folder(home))
    assert [generation.article(article.id) for article in read] == read
    assert (report.articles, generation.manifest.articles) == (len(read), len(read))

    all_vectors = vectors(home)
    number = 0
    covered: dict[str, list[str]] = {article.id: [] for article in read}
    for passage_number in range(report.passages):
        article, passage = generation.passage(passage_number)
        assert article.text[passage.start : passage.end] == passage.text
        assert passage.article_id == article.id
        assert passage.sentences
        covered[article.id].append(passage.text)
        for span in passage.sentences:
            assert passage.start <= span.start < span.end <= passage.end
            day = f"{article.published:%Y-%m-%d}" if article.published else None
            origin = ", ".join(part for part in (article.source, day) if part)
            heading = f"{article.title} ({origin})" if origin else article.title
            expected = embedder.vector(f"{heading} {article.text[span.start : span.end]}")
            assert np.array_equal(all_vectors[number], expected)
            number += 1
    assert number == report.sentences == len(all_vectors)
    for article in read:
        assert "".join("".join(covered[article.id]).split()) == "".join(article.text.split())
    generation.retire()


def test_words_of_each_article_are_stemmed_in_its_own_language(tmp_path: Path, home: Path) -> None:
    french = write_articles(tmp_path / "fr.jsonl", {"fr": "Les chevaux couraient rapidement dans les prairies."})
    english = write_articles(tmp_path / "en.jsonl", {"en": "The horses were running quickly."}, language="en")
    build([french, english], home, FakeEmbedder(), "fake")
    assert Generation(current_folder(home)).manifest.languages == ("en", "fr")

    def found(word: str) -> list[int]:
        postings = Postings.open(current_folder(home))
        numbers = database(home).execute("SELECT number FROM words WHERE word = ?", (word,)).fetchall()
        return [passage for (at,) in numbers for passage in postings.by_passage()[:, [at]].nonzero()[0]]

    # The stems that snowballstem.org lists for French and English.
    assert found("cheval") == [0]
    assert found("prair") == [0]
    assert found("hors") == [1]
    assert found("run") == [1]
    assert found("running") == found("couraient") == []


def test_a_number_or_a_marked_word_is_not_found_by_its_pieces(make: Make, home: Path) -> None:
    make({"a": "Un taux de 3,5 % selon हिन्दी.", "b": "Un chat.", "c": "Un chien."})
    index = Index(home, FakeEmbedder())
    keyword = {query: index.search(query, 1)[0].keyword for query in ("3,5", "3", "5", "हिन्दी", "ह")}
    index.close()
    assert keyword == {"3,5": 1.0, "3": 0.0, "5": 0.0, "हिन्दी": 1.0, "ह": 0.0}


def test_the_report_counts_and_the_manifest_says_the_same(make: Make, home: Path) -> None:
    report, embedder = make(ARTICLES)
    manifest = Generation(current_folder(home)).manifest
    counts = [
        database(home).execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in ("articles", "passages", "sentences")
    ]
    assert counts == [report.articles, report.passages, report.sentences]
    assert counts == [manifest.articles, manifest.passages, manifest.sentences]
    assert (report.generation, manifest.generation) == ("000001", "000001")
    assert report.embedded == len(embedder.embedded) == 8 * 12
    assert manifest.dim == 64
    assert manifest.embedder == "fake"
    assert report.unreadable == []


def test_progress_reaches_its_total(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "CHECKPOINT", 40)
    told: list[tuple[str, int, int]] = []
    path = write_articles(tmp_path / "articles.jsonl", ARTICLES)
    build([path], home, FakeEmbedder(), "fake", lambda *note: told.append(note))
    assert [note for note in told if note[0] == "reading"] == [("reading", n, 0) for n in range(1, 9)]
    assert [note for note in told if note[0] == "embedding"] == [("embedding", n, 96) for n in (0, 40, 80, 96)]


# -- what is embedded --------------------------------------------------------------------------------------------------


def test_unchanged_articles_embed_nothing_and_make_no_generation(make: Make, home: Path) -> None:
    make(ARTICLES)
    before = {path: path.stat().st_mtime_ns for path in (home / "index").rglob("*") if path.name != "build.lock"}
    report, embedder = make(ARTICLES)
    after = {path: path.stat().st_mtime_ns for path in (home / "index").rglob("*") if path.name != "build.lock"}
    before.pop(home / "index", None)
    after.pop(home / "index", None)
    assert (report.unchanged, report.generation, report.articles) == (True, "000001", 8)
    assert embedder.embedded == []
    assert after == before


def test_only_what_changed_is_embedded(make: Make, home: Path) -> None:
    make(ARTICLES)
    changed = {**ARTICLES, "article-003": ARTICLES["article-003"] + " Une phrase toute neuve est venue."}
    changed["article-new"] = "Un article neuf. Il a deux phrases."
    report, embedder = make(changed)
    assert sorted(embedder.embedded) == ["Il a deux phrases.", "Un article neuf.", "Une phrase toute neuve est venue."]
    assert (report.embedded, report.generation, report.unchanged) == (3, "000002", False)
    fresh = home.parent / "fresh"
    build([home.parent / "articles.jsonl"], fresh, FakeEmbedder(), "fake")
    assert np.array_equal(vectors(home), vectors(fresh))


def test_the_same_articles_in_another_order_move_their_vectors(make: Make, home: Path) -> None:
    make(ARTICLES)
    report, embedder = make(dict(reversed(ARTICLES.items())))
    assert (embedder.embedded, report.generation) == ([], "000002")
    fresh = home.parent / "fresh"
    build([home.parent / "articles.jsonl"], fresh, FakeEmbedder(), "fake")
    assert np.array_equal(vectors(home), vectors(fresh))


def test_a_sentence_that_comes_twice_in_an_article_is_embedded_once(make: Make, home: Path) -> None:
    report, embedder = make({"a": "Il pleut. Il pleut. Il neige."})
    assert (report.sentences, sorted(embedder.embedded)) == (3, ["Il neige.", "Il pleut."])
    assert np.array_equal(vectors(home)[0], vectors(home)[1])


def test_another_embedder_embeds_everything_again(make: Make, home: Path) -> None:
    make(ARTICLES)
    report, embedder = make(ARTICLES, FakeEmbedder("fake-2"))
    assert (report.embedded, len(embedder.embedded)) == (96, 96)
    assert Generation(current_folder(home)).manifest.embedder_digest == "fake-2"
    report, embedder = make(ARTICLES, FakeEmbedder("fake-3", dim=32))
    assert (report.embedded, vectors(home).shape) == (96, (96, 32))


def test_another_way_of_splitting_makes_a_new_generation(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finer(FakeEmbedder):
        def count_tokens(self, texts: list[str]) -> list[int]:  # type: ignore[override]
            return [20 * len(text.split()) for text in texts]

    first, _ = make(ARTICLES)
    monkeypatch.setattr(build_module, "recipe", lambda: "as it is done after an update")
    report, embedder = make(ARTICLES, Finer())
    assert (report.unchanged, embedder.embedded) == (False, [])
    assert report.passages > first.passages


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_vectors_that_cannot_be_compared_are_refused(make: Make, home: Path, bad: float) -> None:
    class Bad(FakeEmbedder):
        def embed_texts(self, texts: list[SourceText]) -> Vectors:  # type: ignore[override]
            found = super().embed_texts(texts)
            found[-1] = bad
            return found

    make(ARTICLES)
    with pytest.raises(IndexProblem, match="of length"):
        make({"a": "Un texte."}, Bad())
    assert current_folder(home).name == "000001"
    assert make({"a": "Un texte."})[1].embedded == ["Un texte."]


def test_too_few_vectors_are_refused(make: Make) -> None:
    class Short(FakeEmbedder):
        def embed_texts(self, texts: list[SourceText]) -> Vectors:  # type: ignore[override]
            return super().embed_texts(texts)[:-1]

    with pytest.raises(IndexProblem, match=r"\(1, 64\) vectors for 2 of 64"):
        make({"a": "Un texte. Un autre."}, Short())


def test_the_longest_are_embedded_first(make: Make) -> None:
    """A memory shortage shows at once, and batches of one length waste no padding."""
    lengths = [len(text) for text in make(ARTICLES)[1].embedded]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) > 10


# -- what goes and what stays ------------------------------------------------------------------------------------------


def test_a_deleted_article_leaves_no_trace(make: Make, home: Path) -> None:
    secret = "Zorglubine est un mot qui ne vient nulle part ailleurs. Il partira avec son article."
    make({**ARTICLES, "zorglub-id": secret})
    embedder = FakeEmbedder()
    gone = [embedder.vector(f"zorglub-id {s}.") for s in secret.rstrip(".").split(". ")]
    assert all(any(np.array_equal(row, vector) for row in vectors(home)) for vector in gone)
    report, _ = make(ARTICLES)
    for path in current_folder(home).iterdir():
        content = path.read_bytes().lower()
        for trace in (b"zorglub", *(vector.tobytes() for vector in gone)):
            assert trace not in content, path
    assert (report.embedded, report.sentences) == (0, 96)
    assert not (home / "index" / "unfinished.vectors").exists()
    index = Index(home, FakeEmbedder())
    assert index.article("zorglub-id") is None
    assert "zorglub-id" not in {hit.article.id for hit in index.search("Zorglubine", 100)}
    index.close()
    # The generation before is kept for rollback; one more build, and the disk has none of it.
    make({**ARTICLES, "autre": "Un autre article."})
    for path in (home / "index").rglob("*"):
        assert path.is_dir() or b"zorglub" not in path.read_bytes().lower(), path


def test_an_unfinished_vector_of_a_deleted_article_goes_with_the_next_build(make: Make, home: Path) -> None:
    make(ARTICLES)
    (home / "index" / "unfinished.vectors").write_bytes(b"left by a kill")
    assert make(ARTICLES)[0].unchanged
    assert not (home / "index" / "unfinished.vectors").exists()


def test_the_previous_generation_is_kept_and_older_ones_go(make: Make, home: Path) -> None:
    for number in range(1, 5):
        make(dict(list(ARTICLES.items())[:number]))
    assert folders(home) == ["000003", "000004"]
    assert sorted(path.name for path in (home / "index").iterdir()) == ["000003", "000004", "CURRENT", "build.lock"]
    assert sorted(path.name for path in current_folder(home).iterdir()) == [
        "articles.sqlite",
        "manifest.json",
        block_of(home).name,
        "words-counts.npy",
        "words-lengths.npy",
        "words-passages.npy",
        "words-starts.npy",
    ]


def test_a_generation_of_the_format_before_gives_its_vectors(make: Make, home: Path) -> None:
    """Format 2 had its words in articles.sqlite, and the same blocks of vectors."""
    make(ARTICLES)
    folder = current_folder(home)
    manifest = Manifest.read(folder)
    checksums = {name: digest for name, digest in manifest.checksums.items() if not name.startswith("words-")}
    for path in folder.glob("words-*"):
        path.unlink()
    (folder / "manifest.json").write_text(replace(manifest, format_version=2, checksums=checksums).to_json())
    with pytest.raises(BrokenIndex, match="format 2, this Sourcier reads 3"):
        Index(home, FakeEmbedder())
    report, embedder = make(ARTICLES)
    assert (report.unchanged, report.generation, embedder.embedded) == (False, "000002", [])
    Index(home, FakeEmbedder()).close()


def test_files_that_cannot_be_read_are_counted_and_named(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    write_articles(folder / "good.jsonl", ARTICLES)
    (folder / "bad.jsonl").write_text('{"text": 3}\n{"id": "x", "text": "Un texte.", "language": "fr"}\n[]\n')
    (folder / "empty.md").write_text("  \n")
    report = build([folder, tmp_path / "missing"], home, FakeEmbedder(), "fake")
    assert report.articles == 9
    assert [Path(error.path).name for error in report.unreadable] == [
        "bad.jsonl:1",
        "bad.jsonl:3",
        "empty.md",
        "missing",
    ]


@pytest.mark.parametrize("content", ["", "   \n", "{"])
def test_nothing_to_read_is_refused_and_the_index_serves(tmp_path: Path, make: Make, home: Path, content: str) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text(content)
    with pytest.raises(IndexProblem, match=r"No article could be read from .*empty\.jsonl"):
        build([empty], home, FakeEmbedder(), "fake")
    with pytest.raises(NoIndex):
        Index(home, FakeEmbedder())
    make(ARTICLES)
    with pytest.raises(IndexProblem, match="The index is as it was"):
        build([empty], home, FakeEmbedder(), "fake")
    index = Index(home, FakeEmbedder())
    assert len(index.search("pont", 3)) == 3
    index.close()
    assert folders(home) == ["000001"]


# -- rollback ----------------------------------------------------------------------------------------------------------


def first_ids(home: Path) -> list[str]:
    index = Index(home, FakeEmbedder())
    found = [article.id for article in index.articles(0, 100)]
    index.close()
    return found


def test_rollback_serves_the_generation_before_and_then_there_is_none(make: Make, home: Path) -> None:
    make({"one": "Un."})
    make({"two": "Deux."})
    assert rollback(home) == "000001"
    assert first_ids(home) == ["one"]
    with pytest.raises(IndexProblem, match="No generation before 000001"):
        rollback(home)
    assert first_ids(home) == ["one"]


def test_a_build_after_a_rollback_goes_back_to_what_was_served(make: Make, home: Path) -> None:
    make({"one": "Un."})
    make({"two": "Deux."})
    rollback(home)
    report, _ = make({"three": "Trois."})
    assert (report.generation, folders(home)) == ("000002", ["000001", "000002"])
    assert rollback(home) == "000001"
    assert first_ids(home) == ["one"]


def test_rolling_back_to_what_the_articles_say_is_no_change(make: Make, home: Path) -> None:
    make({"one": "Un."})
    make({"two": "Deux."})
    rollback(home)
    assert make({"one": "Un."})[0].unchanged
    assert folders(home) == ["000001"]


@pytest.fixture
def with_an_orphan(make: Make, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """000002 is served, 000001 was before it; a build died when 000003 had its name and CURRENT did not say so."""
    make({"one": "Un."})
    make({"two": "Deux."})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(generations, "_serve", die)
        patched.setattr(build_module, "remove_unserved", lambda home: None)
        with pytest.raises(KeyboardInterrupt):
            make({"orphan": "Trois."})
    assert folders(home) == ["000001", "000002", "000003"]
    assert first_ids(home) == ["two"]


@pytest.mark.usefixtures("with_an_orphan")
def test_rollback_passes_over_a_generation_that_was_never_served(home: Path) -> None:
    assert rollback(home) == "000001"
    assert first_ids(home) == ["one"]


@pytest.mark.usefixtures("with_an_orphan")
def test_the_next_build_embeds_nothing_again_and_removes_the_orphan(make: Make, home: Path) -> None:
    report, embedder = make({"orphan": "Trois.", "four": "Quatre."})
    assert (report.generation, embedder.embedded, folders(home)) == ("000003", ["Quatre."], ["000002", "000003"])
    assert rollback(home) == "000002"
    assert first_ids(home) == ["two"]


def test_rollback_without_an_index(home: Path) -> None:
    with pytest.raises(NoIndex):
        rollback(home)
    home.mkdir()
    with pytest.raises(NoIndex):
        rollback(home)


def test_a_broken_generation_is_left_for_the_one_before(make: Make, home: Path) -> None:
    make({"one": "Un."})
    make({"one": "Un.", "two": "Deux."})
    (current_folder(home) / "articles.sqlite").write_bytes(b"")
    assert rollback(home) == "000001"
    assert first_ids(home) == ["one"]


def test_a_build_over_a_broken_generation_takes_vectors_from_the_one_before(make: Make, home: Path) -> None:
    make(ARTICLES)
    make({**ARTICLES, "two": "Deux."})
    (current_folder(home) / "manifest.json").write_text("{}")
    report, embedder = make({**ARTICLES, "two": "Deux."})
    assert (embedder.embedded, report.unchanged, report.generation) == (["Deux."], False, "000003")
    # The broken one is gone, and is nothing to go back to.
    assert folders(home) == ["000001", "000003"]
    assert rollback(home) == "000001"


def test_a_build_repairs_what_says_the_same_but_is_broken(make: Make, home: Path) -> None:
    make(ARTICLES)
    make({"one": "Un."})
    rollback(home)
    make({"one": "Un."})  # 000002 once more, before it 000001
    block_of(home).unlink()
    # 000001 is whole and says what the articles say now, but it is not what is served.
    report, _ = make(ARTICLES)
    assert (report.unchanged, report.generation) == (False, "000003")
    assert len(first_ids(home)) == 8


def test_a_build_over_a_current_that_names_nonsense(make: Make, home: Path) -> None:
    make(ARTICLES)
    (home / "index" / "CURRENT").write_text("../x\n")
    report, _ = make(ARTICLES)
    assert report.generation == "000002"
    assert len(first_ids(home)) == 8


# -- two builders ------------------------------------------------------------------------------------------------------


def test_a_second_builder_is_refused_and_the_first_goes_on(make: Make, home: Path) -> None:
    make({"one": "Un.", "zero": "Zéro."})
    make({"one": "Un."})
    embedding, go_on = threading.Event(), threading.Event()

    class Waiting(FakeEmbedder):
        def embed_texts(self, texts: list[SourceText]) -> Vectors:  # type: ignore[override]
            embedding.set()
            assert go_on.wait(10)
            return super().embed_texts(texts)

    reports: list[BuildReport] = []
    first = threading.Thread(target=lambda: reports.append(make({"two": "Deux."}, Waiting())[0]))
    first.start()
    assert embedding.wait(10)
    with pytest.raises(BuildInProgress, match=r"build\.lock"):
        make({"two": "Deux."})
    with pytest.raises(BuildInProgress):
        rollback(home)
    assert first_ids(home) == ["one"]
    go_on.set()
    first.join()
    assert reports[0].generation == "000003"
    assert first_ids(home) == ["two"]
    assert make({"three": "Trois."})[0].generation == "000004"


def test_an_interrupted_build_leaves_nothing_but_its_vectors(
    make: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(FakeEmbedder):
        def embed_texts(self, texts: list[SourceText]) -> Vectors:  # type: ignore[override]
            if len(self.embedded) >= 40:
                raise KeyboardInterrupt
            return super().embed_texts(texts)

    monkeypatch.setattr(build_module, "CHECKPOINT", 20)
    interrupted = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        make(ARTICLES, interrupted)
    assert sorted(path.name for path in (home / "index").iterdir()) == ["build.lock", "unfinished.vectors"]
    _, embedder = make(ARTICLES)
    assert len(embedder.embedded) == 56
    assert not set(embedder.embedded) & set(interrupted.embedded)
