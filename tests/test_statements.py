"""Answers that took over the word order of their question."""

from __future__ import annotations

import pytest

from qa.wording.statements import as_statement


@pytest.mark.parametrize(
    ("question", "sentence", "shown"),
    [
        (
            "Quand le système a-t-il changé en France ?",
            "Le système a-t-il changé en France depuis 2007.",
            "Le système a changé en France depuis 2007.",
        ),
        (
            "Pourquoi les régimes ont-ils créé des costumes ?",
            "Les régimes ont-ils créé des costumes pour refléter l’identité.",
            "Les régimes ont créé des costumes pour refléter l’identité.",
        ),
        ("Où la gare se trouve-t-elle ?", "La gare se trouve-t-elle à Lens.", "La gare se trouve à Lens."),
        ("Que fait-il ?", "Il dort.", "Il dort."),
        ("Le pont a-t-il rouvert ?", "Le pont a-t-il rouvert ?", "Le pont a-t-il rouvert ?"),
        ("Quand a-t-elle fermé ?", "Sans doute a-t-il plu.", "Sans doute a-t-il plu."),  # right as it is
        ("Quand dit-il cela ?", "« Jamais », dit-il.", "« Jamais », dit-il."),
    ],
)
def test_a_pronoun_of_the_question_goes(question: str, sentence: str, shown: str) -> None:
    assert as_statement(sentence, question, "fr") == shown


def test_other_languages_are_left_alone() -> None:
    assert as_statement("Le pont a-t-il rouvert hier.", "Quand le pont a-t-il rouvert ?", "en").count("-t-il") == 1
