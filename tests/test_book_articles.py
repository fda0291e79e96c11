"""EPUBs as publishers and converters write them, version 2 and 3, compared with what was put in."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from test_zip_parts import zipped

from index.articles import Article, read_articles

CONTAINER = (
    b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    b'<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
)
METADATA = (
    "<dc:title>Le Courrier, samedi</dc:title><dc:creator>Léa Brun</dc:creator><dc:creator>Jean Dupont</dc:creator>"
    "<dc:publisher>Courrier SA</dc:publisher><dc:date>2025-11-08</dc:date><dc:language>en</dc:language>"
    '<meta property="dcterms:modified">2026-03-01T10:00:00Z</meta>'
)


def chapter(body: str, attributes: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head><body{attributes}>{body}</body></html>'
    ).encode()


def book(
    path: Path,
    chapters: dict[str, bytes],
    metadata: str = METADATA,
    guide: str = "",
    more: dict[str, bytes] | None = None,
    items: str = "",
) -> Path:
    manifest = "".join(
        f'<item id="c{at}" href="{name}" media-type="application/xhtml+xml"/>' for at, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{at}"/>' for at in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:opf="http://www.idpf.org/2007/opf"><metadata>{metadata}</metadata>'
        f"<manifest>{manifest}{items}</manifest><spine>{spine}</spine><guide>{guide}</guide></package>"
    )
    parts = {"mimetype": b"application/epub+zip", "META-INF/container.xml": CONTAINER}
    parts["OEBPS/content.opf"] = package.encode()
    return zipped(path, {**parts, **{f"OEBPS/{name}": data for name, data in chapters.items()}, **(more or {})})


def read(path: Path) -> tuple[list[Article], list[str]]:
    found = list(read_articles([path]))
    return [a for a in found if isinstance(a, Article)], [str(e) for e in found if not isinstance(e, Article)]


def test_each_chapter_is_an_article(tmp_path: Path) -> None:
    chapters = {
        "cover.xhtml": chapter("<svg/>"),
        "titre.xhtml": chapter("<p>Le Courrier</p>", ' epub:type="titlepage"'),
        "text/pont.xhtml": chapter(
            "<h1>Le pont rouvre</h1><p>Il a rouvert samedi&#160;: enfin.</p><p>Sous la pluie.</p>"
        ),
        "text/crue.xhtml": chapter("<p>La Sarve est montée à 3,50 mètres dans la nuit.</p>"),
    }
    nav = chapter('<nav epub:type="toc"><a href="text/crue.xhtml">La crue de la nuit</a></nav>')
    path = book(
        tmp_path / "a.epub", chapters, more={"OEBPS/nav.xhtml": nav},
        items='<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>',
    )  # fmt: skip
    articles, errors = read(path)
    assert errors == []
    assert [(a.id, a.title, a.text) for a in articles] == [
        (
            "a.epub#OEBPS/text/pont.xhtml",
            "Le pont rouvre",
            "Le pont rouvre\n\nIl a rouvert samedi\u00a0: enfin.\n\nSous la pluie.",
        ),
        ("a.epub#OEBPS/text/crue.xhtml", "La crue de la nuit", "La Sarve est montée à 3,50 mètres dans la nuit."),
    ]
    assert {(a.author, a.source, a.published, a.language) for a in articles} == {
        ("Léa Brun, Jean Dupont", "Le Courrier, samedi", date(2025, 11, 8), "fr")
    }


def test_ids_stay_when_a_chapter_is_put_before(tmp_path: Path) -> None:
    old = book(tmp_path / "a.epub", {"b.xhtml": chapter("<p>Mot.</p>")})
    before = [a.id for a in read(old)[0]]
    new = book(tmp_path / "a.epub", {"a.xhtml": chapter("<p>Avant.</p>"), "b.xhtml": chapter("<p>Mot.</p>")})
    assert before == [read(new)[0][1].id]


def test_epub_2_with_guide_ncx_and_dated_events(tmp_path: Path) -> None:
    metadata = (
        '<dc:title>Livre</dc:title><dc:date opf:event="modification">2026-01-01</dc:date>'
        '<dc:date opf:event="publication">2025-11-08</dc:date>'
    )
    ncx = (
        b'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Un &#233;t&#233;</text>'
        b'</navLabel><content src="a.html#top"/></navPoint></navMap></ncx>'
    )
    chapters = {"t.html": chapter("<p>Droits réservés</p>"), "a.html": chapter("<p>" + "Long texte. " * 40 + "</p>")}
    (found,), errors = read(
        book(
            tmp_path / "a.epub", chapters, metadata, '<reference type="copyright-page" href="t.html"/>',
            {"OEBPS/toc.ncx": ncx}, '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
        )
    )  # fmt: skip
    assert errors == []
    assert (found.title, found.published, found.source) == ("Un été", date(2025, 11, 8), "Livre")


def test_a_book_of_one_text_bears_its_title(tmp_path: Path) -> None:
    path = book(tmp_path / "a.epub", {"a.xhtml": chapter("<p>" + "Long texte. " * 40 + "</p>")})
    (found,), _ = read(path)
    assert (found.title, found.source) == ("Le Courrier, samedi", "Courrier SA")


def test_chapters_that_are_sloppy_html_and_letters_of_a_dtd(tmp_path: Path) -> None:
    sloppy = b"<html><body><p>Un<br>deux &eacute; & trois</body></html>"
    dtd = (
        b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
        b"<html><body><p>&Eacute;t&eacute;&nbsp;!</p></body></html>"
    )
    articles, errors = read(book(tmp_path / "a.epub", {"a.xhtml": sloppy, "b.xhtml": dtd}))
    assert errors == []
    assert [a.text for a in articles] == ["Un\ndeux é & trois", "Été\u00a0!"]


def test_a_bad_chapter_costs_itself_only(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>&x;</p></body></html>'
    chapters = {"a.xhtml": bomb, "b.xhtml": chapter("<p>Mot.</p>"), "c.xhtml": b"", "d.xhtml": b"<html/>"}
    encryption = (
        b'<encryption><EncryptedData><CipherReference URI="OEBPS/e.xhtml"/></EncryptedData>'
        b'<EncryptedData><CipherReference URI="OEBPS/font.ttf"/></EncryptedData></encryption>'
    )
    chapters["e.xhtml"] = b"\x8a\x00secret"
    path = book(tmp_path / "x.epub", chapters, more={"META-INF/encryption.xml": encryption})
    articles, errors = read(path)
    assert [a.text for a in articles] == ["Mot."]
    assert [error.removeprefix(f"{path}#OEBPS/") for error in errors] == [
        "a.xhtml: declares entities of its own, which are not accepted. Write what they stand for",
        "c.xhtml: not well-formed XML: Document is empty, line 1, column 1",
        "d.xhtml: OEBPS/d.xhtml is no chapter: it has no body",
        "e.xhtml: is locked (DRM). Take an edition without",
    ]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"a": b""}, "not a book: it holds no META-INF/container.xml"),
        ({"META-INF/container.xml": b"<container/>"}, "not a book: its container names no package"),
        ({"META-INF/container.xml": CONTAINER}, "holds no OEBPS/content.opf"),
        ({"META-INF/container.xml": CONTAINER, "OEBPS/content.opf": b"<package/>"}, "not a book: it names no chapters"),
    ],
)
def test_zips_that_are_no_books(tmp_path: Path, parts: dict[str, bytes], reason: str) -> None:
    assert read(zipped(tmp_path / "a.epub", parts)) == ([], [f"{tmp_path / 'a.epub'}: {reason}"])


def test_a_book_of_pictures_holds_no_text(tmp_path: Path) -> None:
    path = book(tmp_path / "a.epub", {"a.xhtml": chapter("<img src='1.jpg'/>")})
    assert read(path) == ([], [f"{path}: holds no text (pages that are pictures?)"])
