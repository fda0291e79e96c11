"""40 files that are broken, locked, hostile or not what their names say: each is reported, and the build goes on."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from printed import Sheet
from reportlab.lib.pdfencrypt import StandardEncryption
from test_book_articles import CONTAINER, book, chapter
from test_feed_articles import ATOM, RSS
from test_news_agency_articles import item
from test_nitf_documents import nitf
from test_office_articles import odt
from test_saved_pages import saved
from test_xml_documents import LAUGHS
from test_zip_parts import zipped

from index.articles import Article, read_articles
from index.errors import ArticleError

TEXT = "Le pont a rouvert samedi. " * 40
EXTERNAL = '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
READING = f"{EXTERNAL}<a>&x;</a>".encode()
LOCKED = {"META-INF/manifest.xml": b"<manifest><encryption-data/></manifest>"}
BODY = "word/document.xml"


def word() -> bytes:
    written = io.BytesIO()
    document = Document()
    document.add_paragraph(TEXT)
    document.save(written)
    return written.getvalue()


def pdf(folder: Path, **facts: object) -> bytes:
    sheet = Sheet(folder / "made", **facts)
    sheet.paragraph(TEXT)
    return sheet.save().read_bytes()


def scan(folder: Path) -> bytes:
    sheet = Sheet(folder / "made")
    sheet.canvas.rect(50, 50, 300, 300, fill=1)
    return sheet.save().read_bytes()


def epub(folder: Path, **parts: bytes) -> bytes:
    return book(folder / "made", parts or {"a.xhtml": chapter(f"<p>{TEXT}</p>")}).read_bytes()


def open_document(folder: Path, more: dict[str, bytes] | None = None) -> bytes:
    return odt(folder / "made", f"<text:p>{TEXT}</text:p>", more=more).read_bytes()


def packed(folder: Path, parts: dict[str, bytes]) -> bytes:
    return zipped(folder / "made", parts).read_bytes()


def nested(depth: int) -> bytes:
    """A zip in a zip in a zip."""
    data = b"\0" * 10_000_000
    for _ in range(depth):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(BODY, data)
        data = outer.getvalue()
    return data


def without_fonts_names(folder: Path) -> bytes:
    """A font whose glyphs no table maps to letters, as some old typesetting programs embed them."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length 53>>stream\nBT /F 12 Tf 50 700 Td <0101020203030404050506> Tj ET \nendstream",
        b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
        b"/Supplement 0>>/FontDescriptor 7 0 R>>",
        b"<</Type/FontDescriptor/FontName/X/Flags 4/FontBBox[0 0 1 1]/ItalicAngle 0/Ascent 1"
        b"/Descent 0/CapHeight 1/StemV 1>>",
    ]
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj" % number + content + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        body
        + b"xref\n0 8\n0000000000 65535 f \n"
        + table
        + b"trailer<</Size 8/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
    )


BROKEN: list[tuple[str, Callable[[Path], bytes], str]] = [
    ("empty.pdf", lambda _: b"", "the file is empty"),
    ("empty.docx", lambda _: b"", "the file is empty"),
    ("empty.xml", lambda _: b"", "holds no XML element"),
    ("empty.md", lambda _: b"", "the text is empty"),
    ("cut.pdf", lambda folder: pdf(folder)[:700], "not a PDF, or a broken one"),
    ("cut.docx", lambda _: word()[:9000], "broken or cut off"),
    ("cut.odt", lambda folder: open_document(folder)[:400], "broken or cut off"),
    ("cut.epub", lambda folder: epub(folder)[:500], "broken or cut off"),
    ("cut.rss", lambda _: RSS[:900].encode(), "the feed breaks off"),
    ("cut.atom", lambda _: ATOM[:-30].encode(), "the feed breaks off"),
    ("cut-newsml.xml", lambda _: item()[:900].encode(), "not well-formed XML"),
    ("cut-nitf.xml", lambda _: nitf()[:900].encode(), "not well-formed XML"),
    ("cut.mhtml", lambda _: saved()[:130], "holds no web page"),
    ("word.pdf", lambda _: word(), "not a PDF, whatever its name says"),
    ("pdf.docx", pdf, r"not a \.docx file, whatever its name says"),
    ("pdf.rss", pdf, "not XML"),
    ("book.docx", epub, r"not a Word document: it holds no word/document\.xml"),
    ("word.epub", lambda _: word(), "not a book"),
    ("page.rss", lambda _: b"<html><body>Mot</body></html>", "not a feed: its root element is <html>"),
    ("drawing.xml", lambda _: b"<svg/>", "its root element is <svg>"),
    ("picture.md", lambda _: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "holds NUL bytes"),
    ("locked.pdf", lambda folder: pdf(folder, encrypt=StandardEncryption("geheim")), "locked with a password"),
    ("locked.docx", lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000), "locked with a password"),
    ("locked.odt", lambda folder: open_document(folder, LOCKED), "locked with a password"),
    ("scan.pdf", scan, r"holds no text \(a scan\?\)"),
    ("unnamed.pdf", without_fonts_names, "its fonts do not say which letters they draw"),
    ("bomb.docx", lambda folder: packed(folder, {BODY: b" " * 20_000_000}), "unfolds to 20000000 bytes"),
    ("bomb.odt", lambda folder: packed(folder, {"content.xml": b" " * 20_000_000}), "unfolds to 20000000 bytes"),
    ("bomb.epub", lambda folder: epub(folder, **{"a.xhtml": b" " * 20_000_000}), "unfolds to 20000000 bytes"),
    ("nested.docx", lambda _: nested(3), "cannot be read as a Word document"),
    ("paragraphs.docx", lambda folder: packed(folder, {BODY: b"<w:p/>" * 400_000}), "more than 300000 elements"),
    ("laughs.xml", lambda _: f"{LAUGHS}<nitf>&l9;</nitf>".encode(), "declares entities|not well-formed XML"),
    ("laughs.rss", lambda _: f"{LAUGHS}<rss>&l9;</rss>".encode(), "declares entities"),
    ("laughs.docx", lambda folder: packed(folder, {BODY: f"{LAUGHS}<a/>".encode()}), "declares a document type"),
    ("external.xml", lambda _: f"{EXTERNAL}{item()}".encode(), "declares entities"),
    ("external.odt", lambda folder: packed(folder, {"content.xml": READING}), "declares entities"),
    (
        "external.epub",
        lambda folder: packed(folder, {"META-INF/container.xml": EXTERNAL.encode() + CONTAINER}),
        "declares entities",
    ),
    ("encoding.xml", lambda _: nitf(encoding="utf-8").encode("cp1252"), "not well-formed XML"),
    ("unknown-encoding.xml", lambda _: b'<?xml version="1.0" encoding="klingon"?><nitf/>', "not XML|not well-formed"),
    ("deep.xml", lambda _: b"<nitf>" + b"<p>" * 100_000, "not well-formed XML"),
]  # fmt: skip


def test_there_are_forty() -> None:
    assert len({name for name, _, _ in BROKEN}) == 40


@pytest.mark.parametrize(("name", "make", "reason"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_each_is_reported(tmp_path: Path, name: str, make: Callable[[Path], bytes], reason: str) -> None:
    (tmp_path / name).write_bytes(make(tmp_path))
    began = time.monotonic()
    found = list(read_articles([tmp_path / name]))
    assert time.monotonic() - began < 5
    assert len(found) == 1
    with pytest.raises(ArticleError, match=reason) as caught:
        raise found[0]  # type: ignore[misc]  # an Article would not be raised, and fail
    assert caught.value.path.startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_among_forty_broken_files_the_good_ones_are_read(tmp_path: Path) -> None:
    for name, make, _ in BROKEN:
        (tmp_path / name).write_bytes(make(tmp_path))
    (tmp_path / "made").unlink()
    (tmp_path / "good.docx").write_bytes(word())
    (tmp_path / "good.md").write_text(TEXT)
    found = list(read_articles([tmp_path]))
    assert [a.id for a in found if isinstance(a, Article)] == ["good.docx", "good.md"]
    assert sorted({e.path.partition("#")[0] for e in found if isinstance(e, ArticleError)}) == sorted(
        str(tmp_path / name) for name, _, _ in BROKEN
    )
