"""Files, folders, lists and standard input: which files are meant, and what their articles are called."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from index.article_paths import STANDARD_INPUT, ArticleFile, find_files, paths_in_list
from index.errors import ArticleError

KNOWN = (".md", ".html")


def ids(paths: list[Path], listed: list[Path] | None = None) -> list[str]:
    found = list(find_files(paths, listed or [], KNOWN))
    assert all(isinstance(one, ArticleFile) for one in found)
    return [one.id for one in found if isinstance(one, ArticleFile)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("lundi/1.md", "lundi/x.png", "mardi/1.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Mot.")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_ids_of_what_is_given_and_of_what_is_listed(folder: Path) -> None:
    one, other = Path("lundi/1.md"), Path("mardi/1.md")
    assert ids([folder]) == ["lundi/1.md", "mardi/1.md"]
    assert ids([one, Path("mardi")]) == ["1.md", "1.md"]
    assert ids([], [one, other]) == ["lundi/1.md", "mardi/1.md"]
    assert ids([], [Path("./lundi"), folder / "mardi/1.md"]) == [
        "lundi/1.md",
        (folder / "mardi/1.md").as_posix().lstrip("/"),
    ]
    assert ids([STANDARD_INPUT]) == ["stdin"]


def test_a_listed_file_that_cannot_be_read_is_reported(folder: Path) -> None:
    found = list(find_files([], [Path("gone.md"), Path("lundi/x.png"), Path("lundi/1.md")], KNOWN))
    assert [str(one) for one in found if isinstance(one, ArticleError)] == [
        "gone.md: no such file or folder",
        "lundi/x.png: unknown format '.png'; known: .md .html",
    ]
    assert found[-1] == ArticleFile(Path("lundi/1.md"), "lundi/1.md")


def test_what_browsers_put_beside_a_saved_page_is_passed_over(folder: Path) -> None:
    for name in ("Le pont.html", "Le pont_files/ad.html", "Le pont_fichiers/ad.html", "crue_files/eau.html"):
        (folder / "mardi" / name).parent.mkdir(exist_ok=True)
        (folder / "mardi" / name).write_text("Mot.")
    assert ids([folder / "mardi"]) == ["1.md", "Le pont.html", "crue_files/eau.html"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.md\nb c.md\n\n", ["a.md", "b c.md"]),
        (b"a.md\r\nb.md", ["a.md", "b.md"]),
        (b"a\nb.md\0c.md\0", ["a\nb.md", "c.md"]),
        ("été.md".encode(), ["été.md"]),
    ],
)
def test_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, names: list[str]) -> None:
    (tmp_path / "list").write_bytes(content)
    assert paths_in_list(tmp_path / "list") == [Path(name) for name in names]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert paths_in_list(STANDARD_INPUT) == [Path(name) for name in names]


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ArticleError, match="No such file"):
        paths_in_list(tmp_path / "gone")
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(ArticleError, match=r"names no file\. Write one path a line"):
        paths_in_list(tmp_path / "empty")
