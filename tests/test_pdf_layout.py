"""Lines to blocks in reading order."""

from __future__ import annotations

import pytest

from index.formats.pdf_layout import Line, Page, blocks_of, without_margins


def line(text: str, x0: float, y: float, width: float = 200, size: float = 10, page: int = 0) -> Line:
    return Line(page, text, x0, x0 + width, y, size)


def order(*lines: Line, rtl: bool = False) -> list[str]:
    return [" / ".join(line.text for line in block.lines) for block in blocks_of(Page(842, lines), rtl)]


TITLE = line("titre", 50, 700, 450, 24)
LEFT = [line(f"g{at}", 50, 650 - 12 * at) for at in range(4)]
RIGHT = [line(f"d{at}", 300, 650 - 12 * at) for at in range(4)]
FOOT = line("pied", 50, 500, 450)


def test_the_order_of_drawing_is_kept_where_the_eye_agrees() -> None:
    assert order(TITLE, *LEFT, *RIGHT, FOOT) == ["titre", "g0 / g1 / g2 / g3", "d0 / d1 / d2 / d3", "pied"]


def test_the_eye_decides_where_it_does_not() -> None:
    assert order(FOOT, *RIGHT, TITLE, *LEFT) == ["titre", "g0 / g1 / g2 / g3", "d0 / d1 / d2 / d3", "pied"]


def test_the_right_column_comes_first_where_reading_begins_at_the_right() -> None:
    expected = ["titre", "d0 / d1 / d2 / d3", "g0 / g1 / g2 / g3"]
    assert order(TITLE, *RIGHT, *LEFT, rtl=True) == expected
    assert order(TITLE, *LEFT, *RIGHT, rtl=True) == expected


def test_two_stories_with_columns_below_each_other() -> None:
    """Both columns of the upper story come before the lower one, which a title over both columns begins."""
    lower = [line(f"{side}{at}", x, 450 - 12 * at) for side, x in (("x", 50), ("y", 300)) for at in range(3)]
    second = line("second titre", 50, 480, 450, 24)
    assert order(second, *lower, TITLE, *RIGHT, *LEFT) == [
        "titre", "g0 / g1 / g2 / g3", "d0 / d1 / d2 / d3", "second titre", "x0 / x1 / x2", "y0 / y1 / y2",
    ]  # fmt: skip


def test_cells_that_wrap_stay_in_their_row() -> None:
    """As word processors draw tables: cell by cell, row by row."""
    cells = [line("a", 50, 600), line("a bis", 50, 588), line("b", 300, 600), line("c", 50, 560), line("d", 300, 560)]
    assert order(*cells) == ["a / a bis", "b", "c d"]


def test_words_that_were_pushed_apart_are_one_line() -> None:
    """Of the same ends as the line above; a table whose rows have the same ends has wider gaps."""
    words = [line("cart", 50, 588, 30), line("de", 95, 588, 20), line("Bertrand", 130, 588, 40)]
    lower = [line("l’élection", 50, 576, 50), line("du", 115, 576, 55)]
    assert order(line("la ligne au-dessus", 50, 600, 120), *words, *lower) == [
        "la ligne au-dessus / cart de Bertrand / l’élection du"
    ]
    cells = [cell for y in (588, 576) for cell in (line("Noix", 50, y, 30), line("6 €", 150, y, 20))]
    assert order(line("la ligne au-dessus", 50, 600, 120), *cells)[1:] == ["| Noix | 6 € | / | Noix | 6 € |"]


def test_rows_of_short_cells_are_a_table_and_one_row_is_a_line() -> None:
    rows = [cell for y in (600, 588) for cell in (line("Noix", 50, y, 30), line("6 €", 200, y, 20))]
    blocks = blocks_of(Page(842, tuple(rows)), rtl=False)
    assert [(block.table, [row.text for row in block.lines]) for block in blocks] == [
        (True, ["| Noix | 6 € |", "| Noix | 6 € |"])
    ]
    assert order(*rows[:2]) == ["Noix 6 €"]


@pytest.mark.parametrize("count", [2, 3, 10])
def test_what_repeats_at_the_edges_of_pages_goes(count: int) -> None:
    pages = [
        Page(842, (line("Le Courrier 12", 50, 810), *lines, line("7", 290, 30)))
        for lines in ([line(f"{at} texte", 50, 400), line("texte", 50, 390)] for at in range(count))
    ]
    assert [[kept.text for kept in page.lines] for page in without_margins(pages)] == [
        [f"{at} texte", "texte"] for at in range(count)
    ]


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("12", True), ("– 12 –", True), ("Page 3 sur 12", True), ("Seite 3", True), ("3/12", True), ("p. 7", True),
        ("2025 fut une année", False), ("12 euros", False), ("Page", False),
    ],
)  # fmt: skip
def test_page_numbers(text: str, goes: bool) -> None:
    (page,) = without_margins([Page(842, (line("texte", 50, 400), line(text, 290, 30)))])
    assert [kept.text for kept in page.lines] == (["texte"] if goes else ["texte", text])
    (middle,) = without_margins([Page(842, (line(text, 290, 400),))])
    assert len(middle.lines) == 1


def test_frames_that_overlap_in_a_circle_end() -> None:
    lines = [line(str(at), 50 + 30 * (at % 7), 700 - 5 * at, 90, 8 + at % 5) for at in range(60)]
    assert sorted(" / ".join(order(*reversed(lines))).split(" / "), key=int) == [str(at) for at in range(60)]


def test_three_words_in_a_narrow_column_are_pushed_apart_alike() -> None:
    words = [line("mattina,", 50, 588, 35), line("al", 115, 588, 10), line("mercatino", 155, 588, 50)]
    assert order(line("numero 46, domenica", 50, 600, 155), *words) == ["numero 46, domenica / mattina, al mercatino"]
