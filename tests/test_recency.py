"""Which questions ask for the latest, and what the day of an article is then worth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from index.build import build
from index.filters import Filters
from index.recency import asks_for_latest, recency_of
from index.search import Index
from tests.fakes import FakeEmbedder


@pytest.mark.parametrize(
    "query",
    [
        "Quelles sont les dernières nouvelles du pont des Tanneurs ?",
        "Quelle est la dernière annonce sur la ligne ?",
        "OÙ EN EST le chantier de la piscine ?",
        "Quoi de neuf à Aubrenne ?",
        "What is the latest on the bridge?",
        "What has the council recently decided?",
        "¿Cuáles son las últimas noticias del puente?",
        "Wie ist der aktuelle Stand der Arbeiten?",
        "Care sunt ultimele știri despre pod?",
        "ما هي آخر الأخبار عن الجسر؟",
    ],
)
def test_these_ask_for_the_latest(query: str) -> None:
    assert asks_for_latest(query)


@pytest.mark.parametrize(
    "query",
    [
        "Comment s'appelle la dernière cuvée de Lucien Barbotin ?",
        "Qui fut le dernier roi de France ?",
        "Was the actual cost higher?",
        "What was the last stage of the race?",
        "Quand le pont a-t-il rouvert ?",
        "Qui a inventé le latestisme ?",
    ],
)
def test_these_do_not(query: str) -> None:
    assert not asks_for_latest(query)


def test_newer_is_worth_more_whatever_lies_between() -> None:
    days = ["2025-10-07", None, "1998-01-01", "2025-10-08T09:00:00+02:00", "2025-10-07T23:00"]
    assert recency_of(days).tolist() == [2 / 3, 0, 1 / 3, 1, 2 / 3]
    assert recency_of([None, None]).tolist() == [0, 0]
    assert recency_of([]).tolist() == []


DATED = (
    ("old", "2025-09-01", "Le pont des Tanneurs reste fermé, dit la mairie."),
    ("new", "2025-11-20T08:00:00+01:00", "Le pont des Tanneurs reste ouvert, dit la mairie."),
    ("none", None, "Le pont des Tanneurs reste là, dit la mairie."),
    ("other", "2025-11-21", "La récolte des pommes fut bonne cette année."),
)


@pytest.fixture
def dated(tmp_path: Path) -> Iterator[Index]:
    rows = [
        {"id": own_id, "title": "Brève", "text": text, "language": "fr"} | ({"published": day} if day else {})
        for own_id, day, text in DATED
    ]
    path = tmp_path / "dated.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    embedder = FakeEmbedder()
    build([path], tmp_path / "home", embedder, "fake")
    index = Index(tmp_path / "home", embedder)
    yield index
    index.close()


def test_the_latest_comes_first_when_it_is_asked_for(dated: Index) -> None:
    asked = "Quelles sont les dernières nouvelles du pont des Tanneurs ?"
    hits = dated.search(asked, 4)
    assert {hit.article.id: hit.recency for hit in hits} == {"old": 1 / 3, "new": 2 / 3, "other": 1, "none": 0}
    for hit in hits:
        assert hit.score == pytest.approx(hit.vector + 0.1 * hit.keyword + 0.1 * hit.recency)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    by_id = {hit.article.id: hit for hit in hits}
    assert by_id["new"].rank < by_id["old"].rank
    plain = dated.search(asked.replace("dernières nouvelles", "histoires"), 4)
    assert [hit.recency for hit in plain] == [0] * 4


def test_the_latest_of_those_that_pass(dated: Index) -> None:
    hits = dated.search("Où en est le pont des Tanneurs ?", 4, Filters(until=date(2025, 9, 1)))
    assert [(hit.article.id, hit.recency) for hit in hits] == [("old", 1)]
    assert dated.search("Où en est le pont ?", 4, Filters(article_id=("nobody",))) == []
