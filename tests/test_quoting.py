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
