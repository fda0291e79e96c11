"""Lines to paragraphs, and broken words made whole."""

from __future__ import annotations

import pytest

from index.formats.pdf_layout import Block, Line
from index.formats.pdf_paragraphs import body_size, text_of_blocks


def block(*texts: str, top: float = 700, page: int = 0, step: float = 12, width: float = 5.0, x: float = 50) -> Block:
    """Lines below each other, each as wide as its letters are many."""
    return Block(
        tuple(Line(page, text, x, x + width * len(text), top - step * at, 10) for at, text in enumerate(texts))
    )


def text(*blocks: Block, rtl: bool = False) -> str:
    return text_of_blocks(blocks, rtl)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("la reconstruc-", "tion du pont", "la reconstruction du pont"),
        ("la reconstruc\u00ad", "tion du pont", "la reconstruction du pont"),
        ("la reconstruc\u2010", "tion du pont", "la reconstruction du pont"),
        ("il viendra peut-", "être demain", "il viendra peut-être demain"),
        ("combien a-", "t-il coûté", "combien a-t-il coûté"),
        ("est-", "ce le prix", "est-ce le prix"),
        ("à Sainte-Or-", "lande hier", "à Sainte-Orlande hier"),
        ("à Sainte-", "Orlande hier", "à Sainte-Orlande hier"),
        ("de 2024-", "2025 encore", "de 2024-2025 encore"),
        ("LE GOUVERNE-", "MENT TOMBE", "LE GOUVERNEMENT TOMBE"),
        ("un pont –", "le plus beau", "un pont – le plus beau"),
        ("die Eisen-", "bahn fährt", "die Eisenbahn fährt"),
        ("dans le marc de ca-", "fé.", "dans le marc de café."),
        ("l’avant-", "dernier jour", "l’avant-dernier jour"),
        ("deux sages-", "femmes ont", "deux sages-femmes ont"),
        ("le sous-", "préfet vient", "le sous-préfet vient"),
        ("la sous-", "cription", "la souscription"),
        ("das Part-", "nerschaftsfest", "das Partnerschaftsfest"),
        ("en au-", "tomne", "en automne"),
        ("à Verchamp-", "les-Deux hier", "à Verchamp-les-Deux hier"),
        ("au Champ-", "d’Aviation", "au Champ-d’Aviation"),
        ("Aujour-", "d’hui encore", "Aujourd’hui encore"),
        ("cinquante-", "deux ans", "cinquante-deux ans"),
        ("la cinquan-", "taine", "la cinquantaine"),
        ("twenty-", "one miles", "twenty-one miles"),
        ("six allers-", "retours par jour", "six allers-retours par jour"),
    ],
)
def test_broken_words(first: str, second: str, joined: str) -> None:
    assert text(block(first, second)) == joined


def test_how_a_word_is_written_elsewhere_decides() -> None:
    known = block("Le wagon-lit est parti, dit-on, sans personne à bord de lui.", "Il est parti.", top=400)
    assert text(block("dans le wagon-", "lit bleu"), known).startswith("dans le wagon-lit bleu")
    whole = block("Le porteur est parti, dit-on, sans personne à bord de lui.", "Il est parti.", top=400)
    assert text(block("dit le por-", "teur bleu"), whole).startswith("dit le porteur bleu")


LONG = "Une ligne qui va jusqu’au bord de la colonne"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([LONG, "et s’arrête ici."], f"{LONG} et s’arrête ici."),
        ([LONG, "et finit.", "Une autre", LONG], f"{LONG} et finit.\n\nUne autre\n\n{LONG}"),
        (["Un intertitre", LONG, "et là.", "Fin"], f"Un intertitre\n\n{LONG} et là.\n\nFin"),
        ([f"• {LONG}", "• deux", "• trois"], f"• {LONG}\n• deux\n• trois"),
        ([f"{LONG} dit.", "– Non, dit-elle."], f"{LONG} dit.\n– Non, dit-elle."),
        (["桥于星期六重新开放，市民冒雨步行", "通过。"], "桥于星期六重新开放，市民冒雨步行通过。"),
    ],
)
def test_where_a_paragraph_ends(lines: list[str], expected: str) -> None:
    assert text(block(*lines)) == expected


def test_a_wider_gap_and_an_indent_begin_paragraphs() -> None:
    rows = [LONG, LONG + ".", LONG, LONG]
    gap = block(*rows).lines
    lower = tuple(Line(0, row.text, row.x0, row.x1, row.y - (8 if at > 1 else 0), 10) for at, row in enumerate(gap))
    assert text(Block(lower)) == f"{LONG} {LONG}.\n\n{LONG} {LONG}"
    indented = tuple(
        Line(0, row.text, row.x0 + (12 if at == 2 else 0), row.x1, row.y, 10) for at, row in enumerate(gap)
    )
    assert text(Block(indented)) == f"{LONG} {LONG}.\n\n{LONG} {LONG}"


def test_a_sentence_goes_on_in_the_next_column_and_on_the_next_page_only() -> None:
    first = block(LONG, LONG, top=300)
    assert text(first, block("et continue.", top=700, x=400)) == f"{LONG} {LONG} et continue."
    assert text(first, block("et continue.", top=700, page=1)) == f"{LONG} {LONG} et continue."
    assert text(first, block("et continue.", top=200)) == f"{LONG} {LONG}\n\net continue."
    assert text(first, block("Jeanne aussi.", top=700, page=1)) == f"{LONG} {LONG} Jeanne aussi."
    assert text(block(LONG, "et finit"), block("Autre article.", top=700, page=1)).endswith("\n\nAutre article.")
    ended = block(LONG, LONG[:-1] + ".", top=300)
    assert text(ended, block("et ailleurs.", top=700, page=1)) == f"{LONG} {LONG[:-1]}.\n\net ailleurs."


def test_a_sentence_that_ends_with_a_column_ends_no_paragraph_in_justified_text() -> None:
    """Of a justified paragraph the last line is hardly ever full; unless the next one is indented."""
    ended = block(LONG, LONG, LONG, LONG[:-1] + ".", top=300)
    assert text(ended, block("Et ailleurs.", top=700, x=400)).endswith(f" {LONG[:-1]}. Et ailleurs.")
    indented = block("Et ailleurs.", LONG, top=700, x=400).lines
    moved = Block((Line(0, indented[0].text, 412, 472, 700, 10), indented[1]))
    assert text(ended, moved).startswith(f"{LONG} {LONG} {LONG} {LONG[:-1]}.\n\nEt ailleurs.")
    ragged = block(LONG, LONG[:30], LONG[:-6], LONG[:-1] + ".", top=300)
    assert text(ragged, block("Et ailleurs.", top=700, x=400)).endswith(f"{LONG[:-1]}.\n\nEt ailleurs.")


def test_rows_of_a_table_stay_rows() -> None:
    table = Block(block("| a | b |", "| c | d |").lines, table=True)
    assert text(table, block("Fin.", top=500)) == "| a | b |\n| c | d |\n\nFin."


def test_the_size_of_the_text_is_that_of_most_letters() -> None:
    lines = [Line(0, "Titre", 0, 9, 9, 24), Line(0, "x" * 40, 0, 9, 9, 9.9), Line(0, "y" * 30, 0, 9, 9, 10.1)]
    assert body_size(lines) == 10
    assert body_size([]) == 0
