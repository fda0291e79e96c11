"""A deleted article is nowhere: not in words, vectors, states, files, nor in a generation to go back to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import index.commands
from index import build as build_module
from index import deletion
from index.build import build, rollback
from index.deletion import delete
from index.errors import BrokenIndex, BuildInProgress, IndexProblem, NoIndex, UnknownArticle
from index.generation import current_folder, index_folder
from index.generations import build_lock
from index.search import Index
from index.storage import vector_blocks
from index.storage.word_counts import WordCounts
from tests.fakes import FakeEmbedder, some_articles, write_articles
from tests.index_comparison import assert_same_index
from web.commands import sourcier

SHARED = "Une phrase que deux articles ont mot pour mot, sous leurs deux titres."
SECRET = f"Zorglubine est un mot qui ne vient nulle part ailleurs. {SHARED} Il partira avec son seul article."
ARTICLES = some_articles(6) | {"twin": f"{SHARED} Le reste est à lui."}
# What another article says under the same title has the same vector, which therefore stays.
NAMESAKES = {"namesake-1": "Il pleut sur la ville depuis hier.", "namesake-2": "Il pleut sur la ville depuis hier."}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Built twice, so that there is a generation before, with the secret in both of them."""
    home = tmp_path / "home"
    write_articles(tmp_path / "b.jsonl", NAMESAKES, title="Le temps")
    for articles in (ARTICLES, {**ARTICLES, "last": "Le dernier article. Il a deux phrases."}):
        write_articles(tmp_path / "a.jsonl", {"zorglub-id": SECRET, **articles})
        build([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], home, FakeEmbedder(), "fake")
    return home


def without(tmp_path: Path, *gone: str) -> Path:
    """An index built from nothing, from the articles that are left."""
    other = tmp_path / "without"
    left = {**ARTICLES, "last": "Le dernier article. Il a deux phrases."}
    write_articles(tmp_path / "a.jsonl", {name: text for name, text in left.items() if name not in gone})
    left = {name: text for name, text in NAMESAKES.items() if name not in gone}
    write_articles(tmp_path / "b.jsonl", left, title="Le temps")
    build([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], other, FakeEmbedder(), "fake")
    return other


def test_nothing_of_a_deleted_article_is_left(home: Path, tmp_path: Path) -> None:
    (home / "index" / "unfinished.vectors").write_bytes(b"left by a kill, and maybe of that article")
    vectors = [
        FakeEmbedder().vector(f"zorglub-id {sentence}").tobytes() for sentence in SECRET.replace(". ", ".|").split("|")
    ]
    assert all(any(vector in path.read_bytes() for path in home.rglob("*.block")) for vector in vectors)
    report = delete(home, ["zorglub-id"])
    assert (report.generation, report.articles, report.passages, report.sentences) == ("000003", ["zorglub-id"], 1, 3)
    assert report.words >= 2  # of the title and of the first sentence
    files = [path for path in (home / "index").rglob("*") if path.is_file()]
    assert report.files == len(files) == 9
    for path in files:
        content = path.read_bytes()
        for trace in (b"zorglub", b"Zorglub", b"Il partira avec", *vectors):
            assert trace not in content, (path, trace)
    found = Index(home, FakeEmbedder())
    assert found.article("zorglub-id") is None
    hits = found.search("Zorglubine est un mot", 100)
    assert "zorglub-id" not in {hit.article.id for hit in hits}
    assert any(SHARED in hit.article.text for hit in hits)
    found.close()
    assert_same_index(home, without(tmp_path, "zorglub-id"), without=("files",))


def test_there_is_no_rollback_past_a_deletion(home: Path) -> None:
    delete(home, ["zorglub-id"])
    assert sorted(path.name for path in (home / "index").iterdir()) == ["000003", "CURRENT", "build.lock"]
    with pytest.raises(IndexProblem, match="No generation before 000003"):
        rollback(home)


def test_several_at_once_and_one_twice(home: Path, tmp_path: Path) -> None:
    report = delete(home, ["twin", "article-002", "twin"])
    assert (report.articles, report.left) == (["twin", "article-002"], 9)
    with pytest.raises(UnknownArticle):
        delete(home, ["twin"])
    delete(home, ["zorglub-id", "namesake-2"])
    assert_same_index(home, without(tmp_path, "twin", "article-002", "namesake-2"), without=("files",))


def test_a_sentence_that_another_article_has_under_the_same_title_keeps_its_vector(home: Path) -> None:
    delete(home, ["namesake-1"])
    found = Index(home, FakeEmbedder())
    best = found.search("Le temps Il pleut sur la ville depuis hier.", 1)[0]
    assert (best.article.id, round(best.vector, 5)) == ("namesake-2", 1.0)
    found.close()


def test_the_next_build_of_the_files_brings_it_back_and_embeds_only_that(home: Path, tmp_path: Path) -> None:
    delete(home, ["zorglub-id"])
    embedder = FakeEmbedder()
    report = build([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], home, embedder, "fake")
    assert (report.articles, report.embedded, report.unchanged) == (11, 3, False)
    fresh = tmp_path / "fresh"
    build([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], fresh, FakeEmbedder(), "fake")
    assert_same_index(home, fresh)


def test_articles_stay_deleted_when_their_file_is_gone_and_the_others_are_not_read_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(home, ["namesake-1", "namesake-2"])
    monkeypatch.setattr(build_module, "read_articles", _reading_nothing_but(build_module.read_articles, "b.jsonl"))
    assert build([tmp_path / "a.jsonl"], home, FakeEmbedder(), "fake").unchanged


def _reading_nothing_but(read: Callable, name: str) -> Callable:  # type: ignore[type-arg]
    from index import articles

    def reading(paths: list[Path], listed: tuple[Path, ...], readings: object) -> object:
        reader = articles._READERS[".jsonl"]

        def checked(path: Path) -> object:
            assert path.name == name, f"{path} is read again"
            return reader(path)

        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(articles._READERS, ".jsonl", checked)
            return list(read(paths, listed, readings))

    return reading


def test_an_unknown_id_names_those_that_are_near(home: Path) -> None:
    with pytest.raises(UnknownArticle, match="Nothing was deleted") as caught:
        delete(home, ["last", "zorglub_id"])
    assert caught.value.near[0] == "zorglub-id"
    assert current_folder(home).name == "000002"
    with pytest.raises(UnknownArticle, match="GET /api/articles"):
        delete(home, ["§§§§"])


def test_the_last_articles_cannot_be_deleted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    build([write_articles(tmp_path / "a.jsonl", {"a": "Un.", "b": "Deux."})], home, FakeEmbedder(), "fake")
    with pytest.raises(IndexProblem, match="No article would be left"):
        delete(home, ["a", "b"])
    assert delete(home, ["a"]).left == 1


def test_where_nothing_can_be_deleted_it_says_why(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NoIndex):
        delete(tmp_path / "nowhere", ["a"])
    with build_lock(index_folder(home)), pytest.raises(BuildInProgress):
        delete(home, ["twin"])
    (block,) = current_folder(home).glob("vectors-*")
    block.write_bytes(block.read_bytes()[:-1])
    with pytest.raises(BrokenIndex, match=block.name):
        delete(home, ["twin"])


def test_an_index_of_another_recipe_loses_the_article_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update words may be stemmed otherwise: those that are left stay, until the next build makes all anew."""
    monkeypatch.setattr(build_module, "recipe", lambda: "after an update")
    delete(home, ["zorglub-id"])
    for path in (home / "index").rglob("*"):
        assert path.is_dir() or b"zorglub" not in path.read_bytes().lower()
    other = without(tmp_path, "zorglub-id")
    report = build([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], home, FakeEmbedder(), "fake")
    assert (report.unchanged, report.embedded) == (False, 0)
    assert_same_index(home, other)


# -- the proof itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgotten", ["words", "rows", "vectors", "a file"])
def test_the_proof_finds_what_was_forgotten(
    home: Path, tmp_path: Path, forgotten: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forgotten == "words":
        write = WordCounts.write
        monkeypatch.setattr(WordCounts, "write", lambda self, folder: sorted({*write(self, folder), *self._vocabulary}))
    elif forgotten == "rows":
        # Deleted without being overwritten, as SQLite does by default.
        monkeypatch.setattr("index.contents._SETTINGS", "PRAGMA journal_mode = OFF; PRAGMA secure_delete = OFF;")
        finish = deletion.Contents.finish

        def finish_after_a_detour(self: deletion.Contents, *given: object) -> None:
            self._database.execute("CREATE TABLE main.detour AS SELECT * FROM earlier.articles")
            self._database.execute("DELETE FROM main.detour")
            finish(self, *given)  # type: ignore[arg-type]

        monkeypatch.setattr(deletion.Contents, "finish", finish_after_a_detour)
    elif forgotten == "vectors":
        monkeypatch.setattr(vector_blocks, "BLOCK_ROWS", 2)
        used = np.zeros
        monkeypatch.setattr(vector_blocks.np, "zeros", lambda *given: ~used(*given) if bool in given else used(*given))
    else:
        (home / "index" / "backup.txt").write_text(f"Someone's notes: {SECRET}")
    with pytest.raises(IndexProblem, match="still holds something of a deleted article"):
        delete(home, ["zorglub-id"])


def test_short_articles_and_shared_sentences_are_no_false_alarm(home: Path) -> None:
    assert delete(home, ["twin"]).left == 10
    assert delete(home, ["last"]).left == 9


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_says_what_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.commands, "load_embedder", lambda _: pytest.fail("no model is needed"))
    runner = CliRunner()
    done = runner.invoke(sourcier, ["delete", "twin", "--home", str(home)])
    assert "Deleted twin: 1 passages, 2 sentences" in done.stdout
    assert "no rollback" in done.stdout
    assert "brings them back" in done.stdout
    facts = json.loads(runner.invoke(sourcier, ["delete", "zorglub-id", "--home", str(home), "--json"]).stdout)
    assert (facts["articles"], facts["passages"], facts["sentences"], facts["states"]) == (["zorglub-id"], 1, 3, 0)
