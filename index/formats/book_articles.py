"""Books and issues in .epub: each chapter is an article.

A chapter rather than the whole: a book is longer than an article may be, and a reader who is shown a quotation wants to
know the chapter. The newspapers that agencies and Calibre pack as EPUB have one article a chapter. What tells a chapter
apart is the name of its part in the file, which stays when chapters are put before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree, html

from index.errors import ArticleError
from index.formats.article_fields import Fields, check_fields, clean_text
from index.formats.document_facts import usable_facts
from index.formats.encodings import decoded, reason_of
from index.formats.html_articles import declared_charset
from index.formats.markup_text import HEADINGS, text_of
from index.formats.xml_documents import DeclaresEntities, Element, name_of, parse_xml, text_in
from index.formats.zip_parts import ZipParts, part_beside

# What publishers call the pages of a book that nobody wrote as text (the values of epub:type, and of the old guide).
_NO_CHAPTERS_NAMES = "cover title-page titlepage halftitlepage toc landmarks copyright-page"
_NO_CHAPTERS = frozenset(_NO_CHAPTERS_NAMES.split())
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"


@dataclass(frozen=True, slots=True)
class _Book:
    """What the package document says: facts about the whole, and the parts in reading order."""

    facts: dict[str, object]
    chapters: list[str]
    labels: dict[str, str]


def read_epub(path: Path) -> Iterator[Fields | ArticleError]:
    """Read each chapter of a book as an article, without cover, title page and table of contents."""
    with ZipParts(path) as parts:
        book = _book(parts)
        locked = _locked(parts)
        found = 0
        for name in book.chapters:
            place = f"{path}#{name}"
            try:
                if name in locked:
                    raise ArticleError(place, "is locked (DRM). Take an edition without")
                chapter = _chapter(parts, name)
                text = clean_text(text_of(chapter)) if chapter is not None else ""
                if text.strip():
                    found += 1
                    yield _fields(book, name, chapter, text, place, path)
            except ArticleError as error:
                found += 1
                yield error
            except ValueError as error:
                found += 1
                yield ArticleError(place, reason_of(error))
        if not found:
            raise ValueError("holds no text (pages that are pictures?)")


def _fields(book: _Book, name: str, chapter: Element, text: str, place: str, path: Path) -> Fields:
    heading = next(
        (line for node in chapter.iter() if name_of(node).lower() in HEADINGS and (line := text_in(node))), None
    )
    own = usable_facts({"title": heading or book.labels.get(name)})
    facts = {**book.facts, **own}
    if facts.get("title") != book.facts.get("title"):
        # Where a quotation comes from: the book, rather than the house that printed it.
        facts["source"] = book.facts.get("title") or book.facts.get("source")
    return check_fields(facts, text, place, f"{path.stem} {Path(name).stem}", name)


def _book(parts: ZipParts) -> _Book:
    if "META-INF/container.xml" not in parts.names:
        raise ValueError("not a book: it holds no META-INF/container.xml")
    container = parse_xml(parts.read("META-INF/container.xml"))
    root = next((node.get("full-path") for node in container.iter() if name_of(node) == "rootfile"), None)
    if not root:
        raise ValueError("not a book: its container names no package")
    package = parse_xml(parts.read(root))
    items = {node.get("id"): node for node in package.iter() if name_of(node) == "item" and node.get("href")}
    aside = {
        part_beside(root, node.get("href", ""))
        for node in package.iter()
        if name_of(node) == "reference" and node.get("type", "").lower() in _NO_CHAPTERS
    }
    chapters: dict[str, None] = {}
    for reference in package.iter():
        item = items.get(reference.get("idref")) if name_of(reference) == "itemref" else None
        if item is None or reference.get("linear") == "no" or "nav" in item.get("properties", "").split():
            continue
        if item.get("media-type") in ("application/xhtml+xml", "text/html", "text/x-oeb1-document"):
            chapters[part_beside(root, item.get("href"))] = None
    if not chapters:
        raise ValueError("not a book: it names no chapters")
    return _Book(_facts(package), [name for name in chapters if name not in aside], _labels(parts, root, items))


def _facts(package: Element) -> dict[str, object]:
    metadata = next((node for node in package if name_of(node) == "metadata"), None)
    said: dict[str, list[str]] = {}
    for node in metadata.iter() if metadata is not None else ():
        events = [value for key, value in node.attrib.items() if key.endswith("}event")]
        if (text := text_in(node)) and events in ([], ["publication"], ["original-publication"]):
            said.setdefault(name_of(node), []).append(text)
    return usable_facts(
        {
            "title": next(iter(said.get("title", ())), None),
            "author": ", ".join(said.get("creator", ())),
            "source": next(iter(said.get("publisher", ())), None),
            # EPUB 3 keeps dc:date for the publication, and dcterms:modified for the file.
            "published": next(iter(said.get("date", ())), None),
        }
    )


def _labels(parts: ZipParts, root: str, items: dict[str, Element]) -> dict[str, str]:
    """What the table of contents calls each chapter; the first line that points to it counts."""
    labels: dict[str, str] = {}
    for item in items.values():
        name = part_beside(root, item.get("href"))
        is_nav = "nav" in item.get("properties", "").split()
        if name not in parts.names or not (is_nav or item.get("media-type") == "application/x-dtbncx+xml"):
            continue
        try:
            contents = parse_xml(parts.read(name))
        except ValueError:
            continue  # the book can be read without
        for node in contents.iter():
            if is_nav and name_of(node) == "a" and node.get("href"):
                labels.setdefault(part_beside(name, node.get("href")), text_in(node))
            elif name_of(node) == "navPoint":
                label = next((child for child in node if name_of(child) == "navLabel"), None)
                target = next((child.get("src") for child in node if name_of(child) == "content"), None)
                if target:
                    labels.setdefault(part_beside(name, target), text_in(label))
    return labels


def _locked(parts: ZipParts) -> frozenset[str]:
    """The parts that are encrypted: fonts often are, chapters only with DRM."""
    if "META-INF/encryption.xml" not in parts.names:
        return frozenset()
    encryption = parse_xml(parts.read("META-INF/encryption.xml"))
    return frozenset(node.get("URI", "") for node in encryption.iter() if name_of(node) == "CipherReference")


def _chapter(parts: ZipParts, name: str) -> Element | None:
    """The body of a chapter, None where it is no text. As XML, as it should be, or else as the HTML it may be."""
    data = parts.read(name)
    try:
        root = parse_xml(data)
    except DeclaresEntities:
        raise
    except ValueError as error:
        source = decoded(data, declared_charset(data)).replace("\0", "")
        try:
            root = html.document_fromstring(
                source.partition("?>")[2] if source.lstrip().startswith("<?xml") else source
            )
        except etree.LxmlError:
            raise error from None
    body = next((node for node in root.iter() if name_of(node).lower() == "body"), None)
    if body is None:
        raise ValueError(f"{name} is no chapter: it has no body")
    kinds = {*(body.get(_EPUB_TYPE) or "").split(), *(body[0].get(_EPUB_TYPE, "").split() if len(body) == 1 else ())}
    return None if kinds & _NO_CHAPTERS else body
