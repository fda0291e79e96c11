"""Characters of a PDF with their places, as its own process gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from printed import HEIGHT, Sheet

from index.formats.pdf_characters import _Glyph, _joined, _logical, read


def rows(path: Path) -> list[list[object]]:
    pages = read(str(path))["pages"]
    assert isinstance(pages, list)
    return [row for page in pages for row in page["lines"]]


def test_a_line_has_its_place_and_size(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.line("Été", x=60, y=100, size=12)
    ((text, x0, x1, y, size, aside),) = rows(sheet.save())
    assert (text, size, aside) == ("Été", 12, False)
    assert isinstance(x0, float)
    assert isinstance(x1, float)
    assert x0 == pytest.approx(60, abs=1)
    assert x1 - x0 == pytest.approx(18, abs=3)  # three letters of half their size, more or less
    assert y == pytest.approx(HEIGHT - 100, abs=0.1)


def test_scaled_and_moved_text_has_its_size_on_paper(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.canvas.scale(2, 2)
    sheet.canvas.setFont("Times-Roman", 6)
    sheet.canvas.drawString(30, 200, "Deux fois plus grand")
    ((text, x0, _, y, size, _),) = rows(sheet.save())
    assert (text, size, y) == ("Deux fois plus grand", 12, 400)
    assert x0 == pytest.approx(60, abs=1)


def test_wide_gaps_part_and_words_do_not(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.line("à gauche", x=60)
    sheet.line("à droite", x=300)
    assert [row[0] for row in rows(sheet.save())] == ["à gauche", "à droite"]


def test_a_hyphen_that_is_drawn_by_itself_stays_at_its_word() -> None:
    letters = [_Glyph(char, 60 + 5 * at, 65 + 5 * at, 700, 10, False, False) for at, char in enumerate("mot")]
    hyphen = _Glyph("-", 75.2, 78, 700, 10, True, False)
    dash = hyphen._replace(x0=79.0, x1=84.0)
    assert _joined([*letters, hyphen]) == "mot-"
    assert _joined([*letters, dash]) == "mot -"


def test_what_is_no_text_of_the_page_is_left_out(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.line("texte")
    sheet.line("hors de la page", x=60, y=HEIGHT + 40)
    sheet.canvas.rotate(90)
    sheet.canvas.drawString(200, -30, "crédit du photographe")
    assert [row[0] for row in rows(sheet.save())] == ["texte"]


def test_artifacts_are_told(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.canvas.addLiteral("/Artifact BMC")
    sheet.line("En-tête", y=40)
    sheet.canvas.addLiteral("EMC")
    sheet.line("texte", y=100)
    assert [(row[0], row[5]) for row in rows(sheet.save())] == [("En-tête", True), ("texte", False)]


@pytest.mark.parametrize(
    ("drawn", "read_as"),
    [
        ("سلام", "سلام"),
        ("ךב א", "ךב א"),
        ("הלע 816 ףלא", "הלע 618 ףלא"),
        ("הנש 5202-4202 הז", "הנש 2024-2025 הז"),
        ("הז ACBU ןאכ", "הז UBCA ןאכ"),
        ("הז )לג( ןאכ", "הז (לג) ןאכ"),
    ],
)
def test_lines_that_run_to_the_left(drawn: str, read_as: str) -> None:
    """`drawn` from the right: numbers and Latin as the eye that comes from there meets them."""
    x = 500.0
    glyphs = []
    for char in drawn:
        x -= 5
        if char != " ":
            glyphs.append(_Glyph(char, x, x + 5, 700, 10, False, False))
    assert _logical(glyphs) == read_as
