"""Quotation marks, as each language sets them."""

from __future__ import annotations

import pytest

from qa.wording.quoting import quoted


@pytest.mark.parametrize(
    ("language", "expected"),
    [("fr", "«\u00a0Oui. Non.\u00a0»"), ("en", "“Oui. Non.”"), ("de", "„Oui. Non.“"), ("ja", "“Oui. Non.”")],
)
def test_the_marks_are_those_of_the_language_and_lines_become_spaces(language: str, expected: str) -> None:
    assert quoted("Oui.\nNon.", language) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("| Châtaigne | 4,40 € | 5,60 € |", "Châtaigne | 4,40 € | 5,60 €"),
        ("- Des pommes.", "Des pommes."),
        ("-5 °C à Brizac.", "-5 °C à Brizac."),
        ("Il fait -5 °C - 10 de moins.", "Il fait -5 °C - 10 de moins."),
    ],
)
def test_the_marks_that_make_a_list_or_a_table_are_left_out(line: str, expected: str) -> None:
    assert quoted(line, "en") == f"“{expected}”"
