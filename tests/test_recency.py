"""Which questions ask for the latest, and what the day of an article is then worth."""

from __future__ import annotations

import pytest

from index.recency import asks_for_latest, recency_of


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
