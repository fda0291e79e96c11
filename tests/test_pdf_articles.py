"""PDFs drawn by another program, compared with what was put in: text in reading order, words whole, facts kept."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest
from printed import Sheet
from reportlab.lib.pdfencrypt import StandardEncryption

from index.articles import Article, read_articles
from index.formats import pdf_articles, pdf_characters

ONE = (
    "Le pont des Tanneurs a rouvert samedi matin, après sept mois de travaux, et les habitants l’ont traversé à pied, "
    "sous la pluie, derrière la fanfare municipale, qui avait mis ses partitions dans des sacs en plastique."
)
TWO = (
    "La facture définitive s’établit à 618 000 euros, un peu moins que les 640 000 du devis. Le maire a dit qu’il ne "
    "fallait pas s’y habituer, et que le prochain chantier, celui de la halle, serait plus long et bien plus cher."
)
THREE = (
    "Les commerçants de la rue basse attendent maintenant que les clients reviennent. Certains ont perdu la moitié de "
    "leur chiffre d’affaires, d’autres ont fermé, et une boulangerie a déménagé de l’autre côté de la rivière."
)


def one(path: Path) -> Article | str:
    (found,) = read_articles([path])
    return found if isinstance(found, Article) else found.reason


def text(path: Path) -> str:
    found = one(path)
    assert isinstance(found, Article), found
    return found.text


def test_round_trip(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "pont.pdf")
    sheet.canvas.setTitle("Le pont : rouvert")
    sheet.canvas.setAuthor("Léa Brun")
    sheet.line("Le pont rouvre", y=100, size=22, font="Times-Bold")
    y = sheet.paragraph(ONE, y=140)
    sheet.paragraph(TWO, y=y + 8)
    found = one(sheet.save())
    assert isinstance(found, Article)
    assert found.text == f"Le pont rouvre\n\n{ONE}\n\n{TWO}"
    assert (found.id, found.title, found.author, found.language) == (
        "pont.pdf", "Le pont : rouvert", "Léa Brun", "fr",
    )  # fmt: skip
    assert found.published == date.today()  # noqa: DTZ011 - reportlab writes the day on which it drew, by this clock


def test_the_largest_line_is_the_title_where_the_file_has_none(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.canvas.setTitle("Microsoft Word - pont_v3.docx")
    sheet.line("Le Courrier de la Sarve", y=60, size=9)
    sheet.lines(["Le pont des Tanneurs rouvre", "sous la pluie"], y=100, size=22)
    sheet.paragraph(ONE, y=180)
    found = one(sheet.save())
    assert isinstance(found, Article)
    assert found.title == "Le pont des Tanneurs rouvre sous la pluie"


@pytest.mark.parametrize("order", ["down", "across", "backwards"])
def test_columns_are_read_one_after_the_other(tmp_path: Path, order: str) -> None:
    """Whether they were drawn one after the other, line by line across the page, or the last one first."""
    left, right = _broken(ONE), _broken(TWO + " " + THREE)
    sheet = Sheet(tmp_path / "a.pdf")
    if order != "backwards":
        sheet.line("Un titre au-dessus des deux colonnes", y=90, size=20)
    if order == "down":
        sheet.lines(left, 60, 130)
        sheet.lines(right, 310, 130)
    elif order == "across":
        for at in range(max(len(left), len(right))):
            for column, x in ((left, 60), (right, 310)):
                if at < len(column):
                    sheet.line(column[at], x, 130 + 12 * at)
    else:
        sheet.lines(right, 310, 130)
        sheet.lines(left, 60, 130)
        sheet.line("Un titre au-dessus des deux colonnes", y=90, size=20)
    assert text(sheet.save()) == f"Un titre au-dessus des deux colonnes\n\n{ONE}\n\n{TWO} {THREE}"


def _broken(paragraph: str, chars: int = 48) -> list[str]:
    rows = [""]
    for word in paragraph.split():
        if len(rows[-1]) + len(word) > chars:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    return rows


def test_running_heads_and_page_numbers_are_no_text(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    for number, paragraph in enumerate((ONE, TWO, THREE), start=12):
        sheet.line(f"Le Courrier de la Sarve – n° {4000 + number}", y=40, size=8)
        sheet.paragraph(paragraph, y=120)
        sheet.line(str(number), x=290, y=810, size=8)
        sheet.next_page()
    assert text(sheet.save()) == f"{ONE}\n\n{TWO}\n\n{THREE}"


def test_a_sentence_goes_on_over_columns_and_pages(tmp_path: Path) -> None:
    rows = _broken(f"{ONE} {TWO} {THREE}")
    assert not rows[4].endswith(".")
    assert not rows[9].endswith(".")
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.lines(rows[:5], 60, 120)
    sheet.lines(rows[5:10], 310, 120)
    sheet.next_page()
    sheet.lines(rows[10:], 60, 120)
    assert text(sheet.save()) == f"{ONE} {TWO} {THREE}"


def test_tables_keep_their_rows(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    y = sheet.paragraph(ONE, y=100)
    for at, (name, price) in enumerate((("Noix", "6,20 €"), ("Cèpes", "16 €"), ("Pommes", "2 €"))):
        sheet.line(name, 60, y + 20 + 14 * at)
        sheet.line(price, 250, y + 20 + 14 * at)
    assert text(sheet.save()) == f"{ONE}\n\n| Noix | 6,20 € |\n| Cèpes | 16 € |\n| Pommes | 2 € |"


def test_an_initial_set_large_stays_with_its_word(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    rows = _broken(ONE[1:], 90)
    sheet.line("L", 60, 120, 34)
    sheet.lines(rows[:2], 84, 106)
    sheet.lines(rows[2:], 60, 130)
    assert text(sheet.save()).split("\n\n")[0].startswith("Le pont des Tanneurs a rouvert samedi matin")


def test_facts_in_xmp_go_before_the_others(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "a.pdf", pageCompression=0)
    sheet.canvas.setTitle("Autre")
    sheet.paragraph(ONE)
    sheet.save()
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" '
        'xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" prism:publicationName="Le Courrier" '
        'pdf:Producer="InDesign"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">Le pont rouvre</rdf:li></rdf:Alt>'
        "</dc:title><dc:creator><rdf:Seq><rdf:li>Léa Brun</rdf:li></rdf:Seq></dc:creator>"
        "<prism:publicationDate>2025-11-08</prism:publicationDate></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    picture = xmp.replace("http://ns.adobe.com/pdf/1.3/", "http://ns.adobe.com/photoshop/1.0/").replace("2025", "1999")
    path = tmp_path / "a.pdf"
    path.write_bytes(path.read_bytes() + b"\n%" + picture.encode() + b"\n%" + xmp.encode() + b"\n")
    found = one(path)
    assert isinstance(found, Article)
    assert (found.title, found.author, found.published, found.source) == (
        "Le pont rouvre", "Léa Brun", date(2025, 11, 8), "Le Courrier",
    )  # fmt: skip


def test_a_password_a_scan_and_what_is_no_pdf(tmp_path: Path) -> None:
    locked = Sheet(tmp_path / "locked.pdf", encrypt=StandardEncryption("geheim"))
    locked.paragraph(ONE)
    assert one(locked.save()) == "is locked with a password. Save it without one"
    readable = Sheet(tmp_path / "owner.pdf", encrypt=StandardEncryption("", "geheim"))
    readable.paragraph(ONE)
    assert text(readable.save()) == ONE
    scan = Sheet(tmp_path / "scan.pdf")
    scan.canvas.rect(50, 50, 300, 300, fill=1)
    assert one(scan.save()) == "holds no text (a scan?). Have its text recognised first"
    (tmp_path / "a.pdf").write_bytes(b"PK\x03\x04 a word document")
    assert one(tmp_path / "a.pdf") == "not a PDF, whatever its name says"
    (tmp_path / "b.pdf").write_bytes(b"")
    assert one(tmp_path / "b.pdf") == "the file is empty"
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7\n" + b"mot " * 500)
    assert one(tmp_path / "c.pdf") == "not a PDF, or a broken one"


def test_a_pdf_that_takes_too_long_or_kills_its_reader_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.paragraph(ONE)
    path = sheet.save()
    endless = tmp_path / "endless.py"
    endless.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(pdf_articles, "_READER", endless)
    monkeypatch.setattr(pdf_articles, "TIME_LIMIT", 0.5)
    began = time.monotonic()
    assert one(path) == "takes longer than 0 s to read"
    assert time.monotonic() - began < 5
    monkeypatch.setattr(pdf_articles, "TIME_LIMIT", 20)
    endless.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    assert one(path) == "cannot be read: PDFium ended with -11"
    endless.write_text("raise MemoryError('zu viel')\n")
    assert one(path) == "cannot be read: MemoryError: zu viel"


def test_the_folder_one_is_in_gives_the_reader_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not the json you wanted')")
    sheet = Sheet(tmp_path / "a.pdf")
    sheet.paragraph(ONE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert text(sheet.save()) == ONE


def test_pages_and_characters_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = Sheet(tmp_path / "a.pdf")
    for paragraph in (ONE, TWO, THREE):
        sheet.paragraph(paragraph)
        sheet.next_page()
    path = str(sheet.save())
    monkeypatch.setattr(pdf_characters, "MAX_CHARS", len(ONE) + 50)
    assert pdf_characters.read(path) == {"error": f"holds more than {len(ONE) + 50} characters"}
    monkeypatch.setattr(pdf_characters, "MAX_PAGES", 2)
    assert pdf_characters.read(path) == {"error": "has 3 pages; at most 2"}
