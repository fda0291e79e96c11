"""Word and OpenDocument texts, made by python-docx and by hand, compared with what was put in."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from docx import Document
from docx.oxml import parse_xml as word_xml
from docx.oxml.ns import nsdecls
from test_zip_parts import zipped

from index.articles import Article, read_articles
from index.formats import office_articles

TEXT = "Le pont a rouvert samedi.\n\nLes habitants l’ont traversé à pied, sous la pluie."


def article(path: Path) -> Article:
    (found,) = read_articles([path])
    assert isinstance(found, Article), found
    return found


def reason(path: Path) -> str:
    (found,) = read_articles([path])
    assert not isinstance(found, Article)
    return found.reason


def odt(path: Path, body: str, meta: str = "", more: dict[str, bytes] | None = None) -> Path:
    spaces = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in {
            "office": "office", "text": "text", "table": "table", "meta": "meta", "draw": "drawing",
        }.items()
    )  # fmt: skip
    content = (
        f"<office:document-content {spaces}><office:body><office:text>{body}</office:text></office:body>"
        "</office:document-content>"
    )
    said = (
        f'<office:document-meta {spaces} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>{meta}</office:meta>'
        "</office:document-meta>"
    )
    parts = {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": content.encode()}
    return zipped(path, {**parts, "meta.xml": said.encode(), **(more or {})})


def test_word_round_trip(tmp_path: Path) -> None:
    document = Document()
    core = document.core_properties
    core.title, core.author, core.created = "Le pont : rouvert", "Léa Brun", datetime(2025, 11, 8, 7, 30, tzinfo=UTC)
    core.modified = datetime(2026, 3, 1, tzinfo=UTC)
    document.add_heading("Le pont : rouvert", 0)
    for paragraph in TEXT.split("\n\n"):
        document.add_paragraph(paragraph)
    document.add_heading("Les prix", 2)
    for item in ("un œuf", "du sel"):
        document.add_paragraph(item, style="List Bullet")
    table = document.add_table(0, 2)
    for cells in (("Noix", "6,20 €"), ("Cèpe", "16 €")):
        for cell, value in zip(table.add_row().cells, cells, strict=True):
            cell.text = value
    document.save(str(tmp_path / "pont.docx"))
    found = article(tmp_path / "pont.docx")
    assert found.text == (
        f"Le pont : rouvert\n\n{TEXT}\n\nLes prix\n\n- un œuf\n- du sel\n\n| Noix | 6,20 € |\n| Cèpe | 16 € |"
    )
    assert (found.id, found.title, found.author, found.published, found.language) == (
        "pont.docx", "Le pont : rouvert", "Léa Brun", date(2025, 11, 8), "fr",
    )  # fmt: skip


def test_what_python_docx_copies_into_every_document_is_no_fact(tmp_path: Path) -> None:
    document = Document()
    document.add_paragraph(TEXT)
    assert document.core_properties.author == "python-docx"
    document.save(str(tmp_path / "a.docx"))
    found = article(tmp_path / "a.docx")
    assert (found.author, found.published) == (None, None)


def test_tracked_changes_soft_hyphens_and_breaks(tmp_path: Path) -> None:
    document = Document()
    paragraph = document.add_paragraph("Le prix ")
    for markup in (
        "<w:del {0} w:id='1'><w:r><w:delText>ancien </w:delText></w:r></w:del>",
        "<w:ins {0} w:id='2'><w:r><w:t>nou</w:t><w:softHyphen/><w:t>veau</w:t></w:r></w:ins>",
        "<w:r {0}><w:br/><w:t>et la suite</w:t></w:r>",
        "<w:r {0}><w:instrText>PAGE</w:instrText></w:r>",
    ):
        paragraph._p.append(word_xml(markup.format(nsdecls("w"))))
    document.save(str(tmp_path / "a.docx"))
    assert article(tmp_path / "a.docx").text == "Le prix nouveau\net la suite"


def test_properties_of_their_own_say_the_day_and_the_source(tmp_path: Path) -> None:
    Document().save(str(tmp_path / "empty.docx"))
    with zipfile.ZipFile(tmp_path / "empty.docx") as file:
        parts = {name: file.read(name) for name in file.namelist()}
    parts["docProps/custom.xml"] = (
        b'<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
        b'xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">'
        b'<property name="Published"><vt:filetime>2025-11-08T00:00:00Z</vt:filetime></property>'
        b'<property name="Source"><vt:lpwstr>Le Courrier</vt:lpwstr></property></Properties>'
    )
    parts["word/document.xml"] = parts["word/document.xml"].replace(
        b"<w:sectPr", b"<w:p><w:r><w:t>Mot.</w:t></w:r></w:p><w:sectPr"
    )
    found = article(zipped(tmp_path / "a.docx", parts))
    assert (found.published, found.source) == (datetime(2025, 11, 8, tzinfo=UTC), "Le Courrier")
    assert reason(tmp_path / "empty.docx") == "the text is empty"


def test_odt_round_trip(tmp_path: Path) -> None:
    meta = (
        "<dc:title>Le pont : rouvert</dc:title><meta:initial-creator>Léa Brun</meta:initial-creator>"
        "<dc:creator>Un autre</dc:creator><meta:creation-date>2025-11-08T07:30:00</meta:creation-date>"
        '<dc:date>2026-03-01T10:00:00</dc:date><meta:user-defined meta:name="Quelle">Die Zeitung</meta:user-defined>'
    )
    body = '<text:h text:outline-level="1">Le pont : rouvert</text:h>' + "".join(
        f"<text:p>{paragraph}</text:p>" for paragraph in TEXT.split("\n\n")
    )
    found = article(odt(tmp_path / "pont.odt", body, meta))
    assert found.text == f"Le pont : rouvert\n\n{TEXT}"
    assert (found.title, found.author, found.published, found.source) == (
        "Le pont : rouvert", "Léa Brun", date(2025, 11, 8), "Die Zeitung",
    )  # fmt: skip


def test_a_day_that_is_named_goes_before_that_on_which_the_file_was_begun(tmp_path: Path) -> None:
    meta = (
        "<meta:creation-date>2025-11-07T07:30:00</meta:creation-date>"
        '<meta:user-defined meta:name="date">2025-11-08</meta:user-defined>'
    )
    assert article(odt(tmp_path / "a.odt", "<text:p>Mot.</text:p>", meta)).published == date(2025, 11, 8)
    changed = "<dc:date>2026-03-01T10:00:00</dc:date>"
    assert article(odt(tmp_path / "b.odt", "<text:p>Mot.</text:p>", changed)).published is None


def test_documents_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = {"META-INF/manifest.xml": b"<manifest><encryption-data/></manifest>"}
    assert reason(odt(tmp_path / "a.odt", "", more=locked)) == "is locked with a password. Save it without one"
    assert reason(zipped(tmp_path / "b.odt", {"a": b""})) == "holds no content.xml"
    assert reason(zipped(tmp_path / "c.docx", {"a": b""})) == "not a Word document: it holds no word/document.xml"
    assert reason(odt(tmp_path / "d.odt", "<text:p>  </text:p>")) == "the text is empty"
    assert reason(zipped(tmp_path / "e.docx", {"word/document.xml": b"<a>"})).startswith("cannot be read as a Word")
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    for encoding in ("utf-8", "utf-16-le"):
        data = bomb.decode().encode(encoding)
        assert "declares a document type" in reason(zipped(tmp_path / "f.docx", {"word/document.xml": data}))
    assert "declares entities of its own" in reason(zipped(tmp_path / "g.odt", {"content.xml": bomb}))
    Document().save(str(tmp_path / "h.docx"))
    monkeypatch.setattr(office_articles, "MAX_DOCX_ELEMENTS", 100)
    assert reason(tmp_path / "h.docx") == "its text and styles have more than 100 elements"
    monkeypatch.setattr(office_articles, "MAX_DOCX_BYTES", 1000)
    assert reason(tmp_path / "h.docx") == "its text and styles unfold to more than 1000 bytes"
