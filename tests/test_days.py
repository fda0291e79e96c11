"""Answers with dates where their article has only days."""

from __future__ import annotations

from datetime import date

import pytest

from index.articles import Article
from qa.wording.days import with_dates


def article(language: str = "fr", published: date | None = date(2025, 10, 30)) -> Article:
    return Article("a", "Titre", "texte", language, published, None, None, None)


ROAD = "La route de Saint-Orlan a rouvert mardi, sur une voie. Elle avait fermé hier soir."


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("La route a rouvert mardi (28 octobre 2025).", "La route a rouvert mardi 28 octobre 2025."),
        ("La route a rouvert mardi.", "La route a rouvert mardi 28 octobre 2025."),
        ("Mardi, la route a rouvert.", "Mardi 28 octobre 2025, la route a rouvert."),
        ("La route a rouvert mardi 28 octobre.", "La route a rouvert mardi 28 octobre."),
        ("La route a rouvert le mardi 28 octobre 2025.", "La route a rouvert le mardi 28 octobre 2025."),
        ("Elle a fermé hier soir (29 octobre 2025).", "Elle a fermé hier soir (29 octobre 2025)."),
        ("Elle a fermé hier soir.", "Elle a fermé hier soir (29 octobre 2025)."),
        ("La route est ouverte.", "La route est ouverte."),
        ("Mardi, la route a rouvert, mardi.", "Mardi, la route a rouvert, mardi."),  # which one?
    ],
)
def test_a_day_has_its_date(sentence: str, shown: str) -> None:
    assert with_dates(sentence, "fr", article(), ROAD) == shown
    assert with_dates(shown, "fr", article(), ROAD) == shown


def test_english_has_a_comma() -> None:
    source = "The road opened on Tuesday."
    assert with_dates("It opened on Tuesday.", "en", article("en"), source) == "It opened on Tuesday, October 28, 2025."


@pytest.mark.parametrize(
    ("source", "language", "given"),
    [
        ("Elle a rouvert mardi et fermera mardi.", "fr", article()),  # two Tuesdays
        ("Elle a rouvert mardi.", "en", article()),  # another language than the article's
        ("Elle a rouvert mardi.", "fr", article(published=None)),
    ],
)
def test_what_is_not_certain_is_left_alone(source: str, language: str, given: Article) -> None:
    assert with_dates("Elle a rouvert mardi.", language, given, source) == "Elle a rouvert mardi."
