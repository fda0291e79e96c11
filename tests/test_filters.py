"""Filters: each against a plain loop over the articles, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from index.build import build
from index.errors import BadQuery
from index.filters import NO_FILTERS, Filters, read_filters
from index.search import Index
from index.search_command import search as search_command
from tests.fakes import FakeEmbedder

ROWS: tuple[dict[str, Any], ...] = (
    {"id": "a", "published": "2025-10-01", "source": "Le Courrier", "author": "Inès Carbonnel", "language": "fr"},
    {"id": "b", "published": "2025-10-02T23:30:00+02:00", "source": "le courrier", "language": "fr"},
    {"id": "c", "published": "2025-10-03", "source": "L’Écho", "author": "Claire Martin et Marc Le Dru"},
    {"id": "d", "source": "L'Echo", "author": "Martine Alba", "language": "en"},
    {"id": "e", "published": "2024-02-29", "author": "MARTIN", "language": "de"},
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    embedder = FakeEmbedder()
    file = tmp_path / "articles.jsonl"
    flags = {"b": " Drapeaux et drapeaux.", "c": " Un drapeau."}
    rows = [
        {"title": f"Titre {row['id']}", "text": f"Le pont {row['id']} rouvre.{flags.get(row['id'], '')}", **row}
        for row in ROWS
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    build([file], tmp_path / "home", embedder, "fake")
    opened = Index(tmp_path / "home", embedder)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({}, "abcde"),
        ({"since": "2025-10-02"}, "bc"),
        ({"until": "2025-10-02"}, "abe"),
        ({"since": "2025-10-02", "until": "2025-10-02"}, "b"),
        ({"source": "LE COURRIER"}, "ab"),
        ({"source": ["l’echo"]}, "c"),  # the other one has another apostrophe
        ({"source": "Courrier"}, ""),
        ({"author": "martin"}, "ce"),
        ({"author": "ines"}, "a"),
        ({"author": ["Marc Le Dru", "Alba"]}, "cd"),
        ({"author": "Martin Marc"}, ""),
        ({"language": "de"}, "e"),
        ({"language": ["EN", "de"]}, "de"),
        ({"article_id": ["a", "e", "zz"]}, "ae"),
        ({"article_id": ["a", "b"], "author": "carbonnel", "since": "2025-01-01"}, "a"),
    ],
)
def test_a_filter_lets_through(index: Index, given: dict[str, object], ids: str) -> None:
    found = index.search("pont", 10, read_filters(given))
    assert sorted(hit.article.id for hit in found) == list(ids)
    assert [hit.rank for hit in found] == list(range(1, len(ids) + 1))


def test_scores_are_those_of_the_articles_that_pass(index: Index) -> None:
    """The highest BM25, by which the others are divided, is that of a passage that passes."""
    every = {hit.article.id: hit for hit in index.search("drapeau", 5)}
    assert every["b"].keyword == 1
    assert 0 < every["c"].keyword < 1
    [alone] = index.search("drapeau", 5, Filters(article_id=("c",)))
    assert alone.keyword == 1
    assert alone.vector == every["c"].vector


def test_many_ids_are_taken(index: Index) -> None:
    many = tuple(f"none-{number}" for number in range(999))
    assert [hit.article.id for hit in index.search("pont", 3, Filters(article_id=(*many, "c")))] == ["c"]


def test_more_filters_than_are_remembered(index: Index) -> None:
    for _ in range(2):
        for number in range(40):
            since = date.fromordinal(date(2025, 9, 20).toordinal() + number)
            dated = [row["id"] for row in ROWS if row.get("published", "")[:10] >= since.isoformat()]
            assert sorted(hit.article.id for hit in index.search("pont", 9, Filters(since=since))) == dated


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"day": "x"}, "Unknown filter 'day'"),
        ({"since": "2025-02-30"}, "'since' takes a day"),
        ({"until": 20250230}, "'until' takes a day"),
        ({"until": "2025-10-01T10:00"}, "'until' takes a day"),
        ({"since": "2025-10-02", "until": "2025-10-01"}, "is after 'until'"),
        ({"source": 3}, "'source' takes a text or a list"),
        ({"author": ["x", None]}, "'author' takes a text or a list"),
        ({"language": "français"}, "codes such as fr"),
        ({"article_id": ["x"] * 1001}, "at most 1000 texts"),
        ({"source": "x" * 1001}, "at most 1000 texts of 1000 characters"),
    ],
)
def test_what_is_no_filter_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(BadQuery) as refused:
        read_filters(given)
    assert message in str(refused.value)


def test_blank_texts_filter_nothing() -> None:
    assert read_filters({"source": " ", "author": [], "since": None, "until": ""}) == NO_FILTERS
    assert not NO_FILTERS
    assert Filters(language=("fr",))


def test_the_command_takes_filters(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.search_command.load_embedder", lambda name: (FakeEmbedder(), "fake"))

    def run(*options: str) -> Any:
        return CliRunner().invoke(search_command, ["pont", "--home", str(tmp_path / "home"), "--json", *options])

    found = run("--since", "2025-10-01", "--source", "le courrier", "--source", "L’Écho", "--until", "2025-10-02")
    assert sorted(hit["article_id"] for hit in json.loads(found.stdout)["hits"]) == ["a", "b"]
    assert isinstance(run("--since", "hier").exception, BadQuery)
