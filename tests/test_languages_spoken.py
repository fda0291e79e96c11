"""Every language that a question can be recognised in is one that can be asked for and declined in."""

from __future__ import annotations

import datetime

import pytest
from lingua import Language

from index.articles import Article
from index.languages import DETECTED_LANGUAGES, detect_language
from qa.declining import decline_text
from qa.prompt import answer_messages_about

FRENCH = Article(
    id="a", title="Le pont", text="Le pont rouvre.", language="fr", source=None, published=datetime.date(2024, 5, 3),
    author=None, url=None,
)  # fmt: skip
CODES = [getattr(Language, name).iso_code_639_1.name.lower() for name in DETECTED_LANGUAGES.split()]


@pytest.mark.parametrize("language", CODES)
def test_declines_in_the_language_of_the_question(language: str) -> None:
    assert detect_language(decline_text(language)) == language


@pytest.mark.parametrize("language", sorted({*CODES} - {"fr"}))
def test_the_model_is_told_to_answer_in_another_language_than_the_passage_in_that_language(language: str) -> None:
    asked = answer_messages_about(FRENCH, FRENCH.text, "Quand ?", language)[-1].text
    hint = asked.rpartition("\n\n")[2]
    assert detect_language(hint) == language


def test_the_model_is_not_told_to_answer_in_the_language_of_the_passage() -> None:
    assert answer_messages_about(FRENCH, FRENCH.text, "Quand ?", "fr")[-1].text.endswith("Question: Quand ?")


def test_an_unknown_language_is_declined_in_english() -> None:
    assert decline_text("eu") == decline_text("en")
