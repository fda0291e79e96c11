"""What did not change is not read, split, stemmed or embedded again, and the index is as if all of it had been."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import articles as articles_module
from index import build as build_module
from index import contents as contents_module
from index import readings
from index.build import BuildReport, build
from index.errors import ArticleError
from index.formats.article_fields import Fields
from index.search import Index
from index.storage import vector_blocks
from tests.fakes import FakeEmbedder, some_articles, write_articles
from tests.index_comparison import assert_same_index, database, rows


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten articles in files of their own, and three in one file."""
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in some_articles(10).items():
        (folder / f"{name}.md").write_text(f"# Le titre de {name}\n\n{text}\n", encoding="utf-8")
    write_articles(folder / "several.jsonl", some_articles(3, seed=3))
    return folder


def make(folder: Path, home: Path) -> BuildReport:
    return build([folder], home, FakeEmbedder(), "fake")


def assert_as_from_nothing(folder: Path, home: Path) -> None:
    fresh = home.parent / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    make(folder, fresh)
    assert_same_index(home, fresh)


class Work:
    """Counts what costs time: files read, languages detected, texts stemmed and counted."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.read: list[str] = []
        self.detected: list[str] = []
        self.stemmed: list[str] = []
        reader, detect, stem = articles_module._READERS[".md"], readings.detect_language, contents_module.stem_words

        def read(path: Path) -> Iterator[Fields | ArticleError]:
            self.read.append(path.name)
            return reader(path)

        def detecting(text: str) -> str:
            self.detected.append(text)
            return detect(text)

        def stemming(text: str, language: str) -> list[str]:
            self.stemmed.append(text)
            return stem(text, language)

        patched.setitem(articles_module._READERS, ".md", read)
        patched.setattr(readings, "detect_language", detecting)
        patched.setattr(contents_module, "stem_words", stemming)


def test_only_what_changed_is_worked_on(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder, home)
    work = Work(monkeypatch)
    assert make(folder, home).unchanged
    assert (work.read, work.detected, work.stemmed) == ([], [], [])
    path = folder / "article-004.md"
    old = path.read_text(encoding="utf-8")
    path.write_text(f"{old}\n\nUne phrase toute neuve est venue.", encoding="utf-8")
    assert make(folder, home).embedded == 1
    assert work.read == ["article-004.md"]
    assert len(work.detected) == 1
    # Title and passages.
    assert len(work.stemmed) == 1 + len(rows(home, "passages WHERE article = 4", "number"))
    assert all(text in old or "toute neuve" in text for text in work.stemmed)
    assert_as_from_nothing(folder, home)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_it_is_the_index_built_from_nothing(
    folder: Path, home: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_blocks, "BLOCK_ROWS", 16)
    dice = random.Random(seed)
    for round_number in range(8):
        for _ in range(dice.randrange(1, 4)):
            files = sorted(folder.glob("*.md"))
            path = dice.choice(files)
            what = dice.randrange(6)
            if what == 0 and len(files) > 3:
                path.unlink()
            elif what == 1:
                (folder / f"a{dice.randrange(99):02d}.md").write_text(path.read_text() + f"\n\nEt {round_number}.")
            elif what == 2:
                path.rename(folder / f"z{dice.randrange(99):02d}.md")
            elif what == 3:
                path.write_text(path.read_text() + f"\n\nUne phrase de la ronde {round_number} est venue.")
            elif what == 4:
                paragraphs = path.read_text().split("\n\n")
                path.write_text(
                    "\n\n".join([paragraphs[0], *paragraphs[2:]] if len(paragraphs) > 3 else paragraphs * 2)
                )
            else:
                write_articles(folder / "several.jsonl", some_articles(dice.randrange(1, 5), seed=dice.randrange(3, 5)))
        make(folder, home)
        assert_as_from_nothing(folder, home)
    index = Index(home, FakeEmbedder())
    fresh = Index(home.parent / "fresh", FakeEmbedder())
    for query in ("mota ca fu", "ronde", "titre", "3"):
        assert index.search(query, 50) == fresh.search(query, 50)
    index.close()
    fresh.close()


def test_a_file_with_an_error_is_read_and_reported_every_time(folder: Path, home: Path) -> None:
    (folder / "several.jsonl").write_text('{"id": "x", "text": "Un texte.", "language": "fr"}\n{"text": 3}\n')
    (folder / "twice.jsonl").write_text('{"id": "x", "text": "Un autre texte.", "language": "fr"}\n')
    for _ in range(2):
        report = make(folder, home)
        assert [Path(error.path).name for error in report.unreadable] == ["several.jsonl:2", "twice.jsonl:1"]
    # The id comes free.
    (folder / "several.jsonl").unlink()
    assert make(folder, home).unreadable == []
    assert_as_from_nothing(folder, home)


def test_a_known_file_whose_id_is_taken_now_is_an_error(folder: Path, home: Path) -> None:
    make(folder, home)
    write_articles(folder / "article-000.jsonl", {"article-001": "Un texte.", "article-009.md": "Un texte."})
    errors = make(folder, home).unreadable
    assert [Path(error.path).name for error in errors] == ["article-009.md", "several.jsonl"]
    assert "same id as" in str(errors[0])
    (folder / "article-000.jsonl").unlink()
    assert make(folder, home).unreadable == []
    assert_as_from_nothing(folder, home)


def test_a_language_is_detected_again_only_where_none_is_declared(folder: Path, home: Path) -> None:
    path = folder / "article-002.md"
    text = path.read_text()
    for head, language in (("---\nlanguage: ro\n---\n", "ro"), ("", None), ("---\nlanguage: en\n---\n", "en")):
        path.write_text(head + text)
        make(folder, home)
        assert language is None or (language,) in database(home).execute("SELECT language FROM articles").fetchall()
        assert_as_from_nothing(folder, home)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "article-002.md"
    old, new = path.read_text(), "# Un titre\n\nUn texte écrit pendant la lecture."
    reader = articles_module._READERS[".md"]

    def slow(file: Path) -> Iterator[Fields | ArticleError]:
        if file == path:
            path.write_text(new)
        return reader(file)

    with monkeypatch.context() as patched:
        patched.setitem(articles_module._READERS, ".md", slow)
        make(folder, home)
    path.write_text(old)
    make(folder, home)
    assert_as_from_nothing(folder, home)


def test_another_recipe_makes_every_row_anew_and_keeps_the_vectors(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folder, home)
    work = Work(monkeypatch)
    monkeypatch.setattr(build_module, "recipe", lambda: "after an update")
    report = make(folder, home)
    assert (report.unchanged, report.embedded, report.generation) == (False, 0, "000002")
    assert len(work.read) == 10
    assert make(folder, home).unchanged
    assert len(work.read) == 10
    assert_as_from_nothing(folder, home)


def test_a_damaged_database_costs_no_embedding(folder: Path, home: Path) -> None:
    make(folder, home)
    path = home / "index" / "000001" / "articles.sqlite"
    path.write_bytes(path.read_bytes()[:-4096])
    report = make(folder, home)
    assert (report.embedded, report.unchanged, report.generation) == (0, False, "000002")
    assert_as_from_nothing(folder, home)
