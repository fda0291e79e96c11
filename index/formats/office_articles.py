"""Documents of word processors: .docx (Word) and .odt (LibreOffice), their text and what they say of themselves."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml import html

from index.errors import ArticleError
from index.formats.article_fields import Fields, check_fields
from index.formats.document_facts import day_begun, own_facts, usable_facts
from index.formats.markup_text import text_of
from index.formats.odt_text import text_of_odt
from index.formats.xml_documents import Element, name_of, parse_xml, text_in
from index.formats.zip_parts import ZipParts

# What mammoth reads in 30 s: a thick book, or an empty paragraph 300,000 times.
MAX_DOCX_BYTES = 8 * 1024 * 1024
MAX_DOCX_ELEMENTS = 300_000

# Styles that mammoth leaves to its callers. French, German, ... Word store the English names.
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh\nbr[type='page'] =>"
_ODF_NAME = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}name"
# Who made the file that python-docx copies for each new document, and when: nothing about an article.
_COPIED = ("python-docx", "2013-12-23")


def read_docx(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a Word document as one article."""
    with ZipParts(path) as parts:
        if "word/document.xml" not in parts.names:
            raise ValueError("not a Word document: it holds no word/document.xml")
        facts = _docx_facts(parts)
        text = _docx_text(parts)
    yield check_fields(usable_facts(facts), text, str(path), path.stem)


def read_odt(path: Path) -> Iterator[Fields | ArticleError]:
    """Read an OpenDocument text as one article."""
    with ZipParts(path) as parts:
        manifest = "META-INF/manifest.xml"
        if manifest in parts.names and b"encryption-data" in parts.read(manifest):
            raise ValueError("is locked with a password. Save it without one")
        content = parse_xml(parts.read("content.xml"))
        facts = _odt_facts(parts)
    yield check_fields(usable_facts(facts), text_of_odt(content), str(path), path.stem)


def _docx_text(parts: ZipParts) -> str:
    """The text through mammoth, which knows tracked changes, lists, footnotes and text boxes.

    It gets a copy of what it reads: parts that were checked, within limits, and without pictures.
    """
    import mammoth

    copy = io.BytesIO()
    size = elements = 0
    with zipfile.ZipFile(copy, "w") as checked:
        for name in sorted(parts.names):
            if name.endswith((".xml", ".rels")) and name.startswith(("word/", "_rels/", "[Content_Types]")):
                data = _without_dtd(name, parts.read(name))
                size += len(data)
                elements += data.count(b"<") - data.count(b"</")
                if size > MAX_DOCX_BYTES:
                    raise ValueError(f"its text and styles unfold to more than {MAX_DOCX_BYTES} bytes")
                if elements > MAX_DOCX_ELEMENTS:
                    raise ValueError(f"its text and styles have more than {MAX_DOCX_ELEMENTS} elements")
                checked.writestr(name, data)
    try:
        markup = mammoth.convert_to_html(
            copy,
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda _: {}),
            include_embedded_style_map=False,
        ).value
    except Exception as error:  # a foreign reader, on a file that may be anything
        raise ValueError(f"cannot be read as a Word document: {str(error) or type(error).__name__}") from error
    return text_of(_without_note_marks(markup)) if markup else ""


def _without_dtd(name: str, data: bytes) -> bytes:
    """No Word document has one; mammoth's XML reader would unfold the entities in it."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        if "<!DOCTYPE".encode(encoding) in data:
            raise ValueError(f"{name} declares a document type, which no Word document does")
    return data


def _without_note_marks(markup: str) -> html.HtmlElement:
    """Footnotes stay, at the end; the numbers that refer to them do not, for our own citations look like that."""
    body = html.fragment_fromstring(markup, create_parent="div")
    for link in list(body.iter("a")):
        if link.get("href", "").startswith(("#footnote-", "#endnote-")):
            link.drop_tree()
    return body


def _docx_facts(parts: ZipParts) -> dict[str, str | None]:
    """Without the language, here and in the other documents: it is mostly that of the program's menus."""
    core = _values(_optional(parts, "docProps/core.xml"))
    properties = [node for node in _optional(parts, "docProps/custom.xml") if name_of(node) == "property"]
    own = own_facts({node.get("name", ""): text_in(node) for node in properties})
    begun = day_begun(core.get("created"))
    author = core.get("creator")
    if begun == _COPIED[1]:
        begun = None
    return {
        **own,
        "title": core.get("title"),
        "author": None if author == _COPIED[0] else author,
        "published": own["published"] or begun,
    }


def _odt_facts(parts: ZipParts) -> dict[str, str | None]:
    """In an .odt `dc:date` is the day of the last change, and `dc:creator` who made it."""
    meta = _optional(parts, "meta.xml")
    said = _values(meta)
    properties = [node for node in meta.iter() if name_of(node) == "user-defined"]
    own = own_facts({node.get(_ODF_NAME, ""): text_in(node) for node in properties})
    return {
        **own,
        "title": said.get("title"),
        "author": said.get("initial-creator") or said.get("creator"),
        "published": own["published"] or day_begun(said.get("creation-date")),
    }


def _optional(parts: ZipParts, name: str) -> Element:
    """The root element of a part, an empty one where there is no such part."""
    return parse_xml(parts.read(name) if name in parts.names else b"<nothing/>")


def _values(root: Element) -> dict[str, str]:
    return {name_of(node): text_in(node) for node in root.iter() if len(node) == 0}
