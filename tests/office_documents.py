"""Documents made by LibreOffice, for the tests: an article as its own XML, converted by the program itself."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Written:
    """An article as it goes into a document: what must come out again."""

    name: str
    title: str
    paragraphs: tuple[str, ...]
    published: date
    author: str
    language: str = "fr"
    table: tuple[tuple[str, ...], ...] = ()

    @property
    def text(self) -> str:
        rows = "\n".join(f"| {' | '.join(row)} |" for row in self.table)
        return "\n\n".join(filter(None, (self.title, *self.paragraphs, rows)))


def converted(documents: Sequence[Path], to: str, folder: Path, day: date | None = None) -> list[Path]:
    """Convert documents with LibreOffice, under a clock that shows noon of `day`."""
    clock = ["faketime", "-f", f"@{day} 12:00:00"] if day else []
    subprocess.run(
        [
            *clock, "soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless",
            "--convert-to", to, "--outdir", str(folder), *map(str, documents),
        ],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    made = [folder / f"{document.stem}.{to}" for document in documents]
    assert [path.name for path in made if not path.exists()] == []
    return made


def document(written: Written, folder: Path, columns: int = 1, header: str = "", justified: bool = True) -> Path:
    """Write an article as a flat OpenDocument text, hyphenated, with a running header and page numbers if wanted."""
    country = {"fr": "FR", "de": "DE", "en": "GB", "es": "ES", "it": "IT"}.get(written.language, "FR")
    western = written.language if written.language in ("fr", "de", "en", "es", "it") else "fr"
    mode = 'style:writing-mode="rl-tb"' if written.language == "ar" else ""
    align = "start" if mode or not justified else "justify"
    edges = (
        f"<style:header><text:p>{header}</text:p></style:header>"
        "<style:footer><text:p>Page <text:page-number>1</text:page-number></text:p></style:footer>"
    )
    body = "".join(f'<text:p text:style-name="B">{escape(paragraph)}</text:p>' for paragraph in written.paragraphs)
    rows = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{escape(cell)}</text:p></table:table-cell>" for cell in row)
        + "</table:table-row>"
        for row in written.table
    )
    width = len(written.table[0]) if written.table else 0
    table = f'<table:table><table:table-column table:number-columns-repeated="{width}"/>{rows}</table:table>'
    source = TEMPLATE.format(
        title=escape(written.title),
        author=escape(written.author),
        day=written.published,
        western=western,
        country=country,
        mode=mode,
        align=align,
        hyphenate="false" if mode else "true",
        columns=columns,
        sides="<style:header-style/><style:footer-style/>" if header else "",
        edges=edges if header else "",
        body=f'<text:section text:name="s" text:style-name="S">{body}</text:section>' if columns > 1 else body,
        table=table if written.table else "",
    )
    path = folder / f"{written.name}.fodt"
    path.write_text(source, encoding="utf-8")
    return path


_SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "style": "style", "text": "text", "table": "table", "meta": "meta",
        "fo": "xsl-fo-compatible",
    }.items()
)  # fmt: skip
_SIZES = 'fo:font-size="{0}pt" style:font-size-asian="{0}pt" style:font-size-complex="{0}pt"'
TEMPLATE = (
    f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document {_SPACES} xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.text">"""
    + """<office:meta><dc:title>{title}</dc:title>
<meta:initial-creator>{author}</meta:initial-creator><dc:creator>Somebody Else</dc:creator>
<meta:creation-date>{day}T00:00:00</meta:creation-date><dc:date>2026-01-05T10:00:00</dc:date></office:meta>
<office:styles><style:default-style style:family="paragraph"><style:text-properties fo:language="{western}"
 fo:country="{country}" style:language-complex="ar" style:country-complex="EG" style:language-asian="zh"
 style:country-asian="CN" fo:hyphenate="{hyphenate}" style:font-name="DejaVu Serif" SIZE11/></style:default-style>
<style:style style:name="Heading_20_1" style:display-name="Heading 1" style:family="paragraph"
 style:default-outline-level="1"><style:paragraph-properties {mode}/><style:text-properties SIZE20
 fo:font-weight="bold" fo:hyphenate="false"/></style:style></office:styles>
<office:automatic-styles><style:page-layout style:name="pm"><style:page-layout-properties fo:page-width="21cm"
 fo:page-height="29.7cm" fo:margin="2cm" {mode}/>{sides}</style:page-layout>
<style:style style:name="B" style:family="paragraph"><style:paragraph-properties fo:margin-bottom="0.25cm"
 fo:text-align="{align}" {mode}/></style:style>
<style:style style:name="S" style:family="section"><style:section-properties><style:columns
 fo:column-count="{columns}" fo:column-gap="0.5cm"/></style:section-properties></style:style>
</office:automatic-styles><office:master-styles><style:master-page style:name="Standard"
 style:page-layout-name="pm">{edges}</style:master-page></office:master-styles>
<office:body><office:text><text:h text:style-name="Heading_20_1" text:outline-level="1">{title}</text:h>
{body}{table}</office:text></office:body></office:document>"""
)
TEMPLATE = TEMPLATE.replace("SIZE11", _SIZES.format(11)).replace("SIZE20", _SIZES.format(20))
