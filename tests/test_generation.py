from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from index.build import build
from index.errors import BrokenIndex, IndexProblem, NoIndex
from index.generation import Generation, Manifest, current_folder
from index.search import Index
from index.storage import vector_blocks
from tests.fakes import FakeEmbedder, some_articles, write_articles

FILES = ["articles.sqlite", "vectors-*.block", "manifest.json"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    build([write_articles(tmp_path / "articles.jsonl", some_articles(3))], home, FakeEmbedder(), "fake")
    return home


def assert_broken(home: Path, path: Path, reason: str) -> None:
    """Opening names the file, says why and what to do; by the generation and by the index."""
    with pytest.raises(BrokenIndex, match=reason) as caught:
        Index(home, FakeEmbedder())
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    assert "sourcier rollback" in str(caught.value)


def test_a_flipped_bit_in_any_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in blocks of vectors that another generation has written."""
    monkeypatch.setattr(vector_blocks, "BLOCK_ROWS", 16)
    home, articles = tmp_path / "home", some_articles(4)
    for names in (list(articles)[:3], list(articles)):
        path = write_articles(tmp_path / "articles.jsonl", {name: articles[name] for name in names})
        build([path], home, FakeEmbedder(), "fake")
    files = sorted(current_folder(home).iterdir())
    assert len(files) >= 2 + 3
    assert {path.stat().st_nlink for path in files} == {1, 2}
    for number, path in enumerate(files):
        assert_every_flip_is_found(home, path, random.Random(number))


def assert_every_flip_is_found(home: Path, path: Path, dice: random.Random) -> None:
    whole, name = path.read_bytes(), path.name
    # Everywhere in the manifest, which nothing else holds a checksum of; at some places in the others.
    places = range(len(whole)) if name == "manifest.json" else [0, len(whole) - 1, *dice.sample(range(len(whole)), 20)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(BrokenIndex) as caught:
            Index(home, FakeEmbedder())
        assert path.name in str(caught.value)
        assert caught.value.path == path, place
    path.write_bytes(whole)
    Index(home, FakeEmbedder()).close()


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_or_missing_is_named(home: Path, name: str) -> None:
    (path,) = current_folder(home).glob(name)
    whole = path.read_bytes()
    for left in (len(whole) - 1, len(whole) // 2, 0):
        path.write_bytes(whole[:left])
        assert_broken(home, path, "differs|readable")
    path.unlink()
    assert_broken(home, path, "missing")
    path.mkdir()
    assert_broken(home, path, "cannot be read|not a readable")


def test_a_missing_generation_is_named(home: Path) -> None:
    (home / "index" / "CURRENT").write_text("000042\n")
    assert_broken(home, home / "index" / "000042" / "manifest.json", "missing")


@pytest.mark.parametrize(
    "content", ["", "\n", "..", "../x", "/etc", ".", "000001/../000001", "building", "000001\n\n000002", "\0", "٠٠٠٠٠١"]
)
def test_a_current_that_names_nonsense_is_refused(home: Path, content: str) -> None:
    path = home / "index" / "CURRENT"
    path.write_text(content, encoding="utf-8")
    assert_broken(home, path, "which is not a generation")


def test_a_current_that_is_no_text_is_refused(home: Path) -> None:
    path = home / "index" / "CURRENT"
    path.write_bytes(b"\xff\xfe")
    assert_broken(home, path, "cannot be read")
    path.unlink()
    path.mkdir()
    assert_broken(home, path, "cannot be read")


def test_no_current_is_no_index(home: Path) -> None:
    (home / "index" / "CURRENT").unlink()
    with pytest.raises(NoIndex):
        current_folder(home)


@pytest.mark.parametrize("version", [0, 2, "3", None])
def test_a_manifest_of_another_format_is_refused(home: Path, version: object) -> None:
    path = current_folder(home) / "manifest.json"
    path.write_text(json.dumps({"format_version": version, "what": "ever"}))
    assert_broken(home, path, f"format {version!r}, this Sourcier reads 3")


@pytest.mark.parametrize("content", ["[]", '"text"', "3", "null", "{}", '{"format_version": 3}', "{"])
def test_a_manifest_that_is_none_is_refused(home: Path, content: str) -> None:
    path = current_folder(home) / "manifest.json"
    path.write_text(content)
    assert_broken(home, path, "not a readable manifest")


def test_a_manifest_of_another_embedder_is_refused(home: Path) -> None:
    with pytest.raises(IndexProblem, match="another model, or another version of it"):
        Index(home, FakeEmbedder("other"))


def test_the_manifest_can_be_checked_with_other_tools(home: Path) -> None:
    """The checksums are what sha256sum prints; its own is over the JSON without the last key."""
    folder = current_folder(home)
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert list(content)[-1] == "manifest_checksum"
    own = content.pop("manifest_checksum")
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == own
    assert content["checksums"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }
    manifest = Manifest.read(folder)
    assert manifest.to_json() == (folder / "manifest.json").read_text(encoding="utf-8")
    assert (manifest.articles, manifest.sentences, manifest.languages) == (3, 36, ("fr",))


def test_an_open_generation_needs_no_names_on_the_disk(home: Path) -> None:
    generation = Generation(current_folder(home))
    before = [generation.passage(number) for number in range(generation.manifest.passages)]
    vector = FakeEmbedder().vector("un texte")
    cosines = generation.sentences.cosines(vector, None).tolist()
    for path in generation.folder.iterdir():
        path.unlink()
    assert [generation.passage(number) for number in range(generation.manifest.passages)] == before
    assert generation.sentences.cosines(vector, None).tolist() == cosines
    generation.retire()


def test_any_folder_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_articles(tmp_path / "articles.jsonl", {"a": "Un texte."})
    monkeypatch.chdir(tmp_path)
    home = Path("é ?mode=rw#%20&x")
    build([path], home, FakeEmbedder(), "fake")
    index = Index(home, FakeEmbedder())
    monkeypatch.chdir("/")
    assert len(index.search("texte", 3)) == 1
    index.close()


def test_reading_changes_no_file(home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    index = Index(home, FakeEmbedder())
    index.search("un texte", 3)
    index.close()
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
