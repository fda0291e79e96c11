"""Names put right where the model slipped by a letter, and only there."""

from __future__ import annotations

import pytest

from qa.wording.spelling import with_names_of

SOURCE = "Le ministre Sergueï Choïgou a reçu Bruno Marchand et Hélène Tavernel. Vladimir Karpov et Vladimor étaient là."


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hier Sergeï Choïgou est venu.", "Hier Sergueï Choïgou est venu."),
        ("Sergueï Choïgou est venu.", "Sergueï Choïgou est venu."),  # as the source has it
        ("Hier Bruno Marchant est venu.", "Hier Bruno Marchant est venu."),  # another name for all we know
        ("Hier Anna Petrova est venue.", "Hier Anna Petrova est venue."),
        ("Hier Vladimur est venu.", "Hier Vladimur est venu."),  # near two
    ],
)
def test_a_slip_of_a_letter_is_put_right_and_nothing_else(written: str, expected: str) -> None:
    assert with_names_of(written, SOURCE, "fr") == expected
