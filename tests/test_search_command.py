"""What the search command says of a score: its parts, and the words that matched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from index.build import build
from index.filters import Filters
from index.matched_words import matched_words
from index.search import Index
from index.search_command import search as search_command
from tests.fakes import FakeEmbedder

ROWS = (
    {"id": "old", "published": "2025-09-01", "text": "Le pont des Tanneurs reste fermé, dit la mairie."},
    {"id": "new", "published": "2025-11-20", "text": "Le pont des Tanneurs reste ouvert, dit la mairie."},
    {"id": "other", "published": "2025-11-21", "text": "La récolte des pommes fut bonne cette année."},
    {"id": "none", "text": "La foire fut belle."},
    {"id": "fifth", "text": "Le marché fut calme."},
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    rows = [{"title": "Brève", "language": "fr", **row} for row in ROWS]
    path = tmp_path / "articles.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    embedder = FakeEmbedder()
    build([path], tmp_path / "home", embedder, "fake")
    index = Index(tmp_path / "home", embedder)
    yield index
    index.close()


def test_what_matched_is_said_in_the_words_of_the_query(index: Index) -> None:
    [hit] = index.search("pont", 1, Filters(article_id=("old",)))
    assert matched_words("Les ponts du Tanneur sont-ils fermés, d’après la Mairie ?", hit) == [
        "ponts",
        "Tanneur",
        "fermés",
        "Mairie",
    ]
    assert matched_words("Was the mairie closed?", hit) == ["mairie"]
    assert matched_words("?", hit) == []


def test_the_command_explains(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.search_command.load_embedder", lambda name: (FakeEmbedder(), "fake"))
    given = ["où en est le pont", "--home", str(tmp_path / "home"), "-k", "1", "--explain"]
    said = CliRunner().invoke(search_command, given)
    assert said.exit_code == 0
    found = re.search(
        r"\[(.+)\]\n.+\n.+\n   = cosine (.+) \+ 0\.1 x words (.+) \(matched: pont\) \+ 0\.1 x recency (.+)\n",
        said.stdout,
    )
    assert found
    score, vector, words, recency = map(float, found.groups())
    assert score == pytest.approx(vector + 0.1 * words + 0.1 * recency, abs=0.002)
    [hit] = json.loads(CliRunner().invoke(search_command, [*given, "--json"]).stdout)["hits"]
    assert set(hit) >= {"vector", "keyword", "recency", "words", "score"}
