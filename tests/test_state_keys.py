from __future__ import annotations

from pathlib import Path

import pytest

from index.build import build
from index.earlier_articles import passage_texts
from index.generation import Generation, current_folder
from qa import state_keys as module
from qa.language_model import kept_key, prefix_key
from qa.prompt import no_passage_messages, passage_messages, stand_alone_messages
from qa.reading_ahead import state_keys
from qa.state_keys import StateKeys
from tests.fakes import FakeEmbedder, some_articles, write_articles


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    build([write_articles(tmp_path / "a.jsonl", some_articles(5, sentences=60))], home, FakeEmbedder(), "fake")
    (home / "states").mkdir()
    return home


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts whose keys were not known."""
    texts: list[str] = []
    monkeypatch.setattr(
        module, "passage_messages", lambda article, text: texts.append(text) or passage_messages(article, text)
    )
    return texts


def keys(home: Path) -> set[str]:
    return StateKeys(home / "states").of(passage_texts(current_folder(home)))


def test_they_are_the_keys_of_all_passages_and_beginnings(home: Path) -> None:
    generation = Generation(current_folder(home))
    passages = generation.passages(0, 1000)
    assert len(passages) > 5
    expected = {kept_key(passage_messages(article, passage.text)) for article, passage in passages}
    expected |= {prefix_key(no_passage_messages()), prefix_key(stand_alone_messages((), ""))}
    assert keys(home) == keys(home) == state_keys(generation) == expected
    assert [(article, passage.text) for article, passage in passages] == list(passage_texts(generation.folder))
    generation.retire()


def test_what_is_known_is_not_worked_out_again(home: Path, tmp_path: Path, worked_out: list[str]) -> None:
    first = keys(home)
    assert len(worked_out) == len(first) - 2
    worked_out.clear()
    assert keys(home) == first
    assert worked_out == []
    articles = {**some_articles(5, sentences=60), "new": "Un texte tout neuf."}
    del articles["article-000"]
    build([write_articles(tmp_path / "a.jsonl", articles)], home, FakeEmbedder(), "fake")
    second = keys(home)
    assert worked_out == ["Un texte tout neuf."]
    assert (len(second - first), second >= first) == (1, False)
    # What is gone is not remembered.
    assert len((home / "states" / "passage-keys").read_bytes()) == 64 + 64 * (len(second) - 2)


@pytest.mark.parametrize("damage", ["cut", "flipped", "another way", "empty"])
def test_a_file_that_cannot_be_trusted_is_made_anew(home: Path, worked_out: list[str], damage: str) -> None:
    first = keys(home)
    path = home / "states" / "passage-keys"
    content = bytearray(path.read_bytes())
    content[0 if damage == "another way" else len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-1], "empty": b""}.get(damage, bytes(content)))
    worked_out.clear()
    assert keys(home) == first
    assert len(worked_out) == len(first) - 2


def test_without_a_folder_they_are_known_as_long_as_it_lives(home: Path, worked_out: list[str]) -> None:
    known = StateKeys(None)
    first = known.of(passage_texts(current_folder(home)))
    worked_out.clear()
    assert known.of(passage_texts(current_folder(home))) == first
    assert worked_out == []
