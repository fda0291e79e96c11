"""PDFs: one article each, its text in reading order, and what the file says of itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index.errors import ArticleError
from index.formats.article_fields import MAX_FIELD_CHARS, Fields, check_fields, clean_text
from index.formats.document_facts import day_begun, usable_facts
from index.formats.encodings import MAX_BYTES_WITH_PICTURES, read_bytes
from index.formats.markup_text import without_marks
from index.formats.pdf_layout import Line, Page, blocks_of, without_margins
from index.formats.pdf_paragraphs import body_size, text_of_blocks
from index.formats.xml_documents import name_of, parse_xml, text_in

# Seconds for one file. The longest text that is allowed takes PDFium 40 s of one core; what takes longer was made to.
TIME_LIMIT = 120.0
_READER = Path(__file__).with_name("pdf_characters.py")
# Of the characters, this share may be drawn by fonts that do not say which letters they draw.
_UNNAMED = 0.2
# A title is set larger than the text by this much at least.
_LARGER = 1.15
_MAX_TITLE_CHARS = 300
# What a PDF says of itself in XML, and the names of the facts there; PRISM is what newspapers and magazines use.
_XMP = re.compile(rb"<x:xmpmeta\b.{1,200000}?</x:xmpmeta>", re.DOTALL)


def read_pdf(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a PDF as one article. Raises ValueError where it is locked, broken, a scan, or takes too long."""
    data = read_bytes(path, MAX_BYTES_WITH_PICTURES)
    if b"%PDF-" not in data[:1024]:
        raise ValueError("not a PDF, whatever its name says" if data else "the file is empty")
    found = _characters(path)
    pages = without_margins(_pages(found["pages"]))
    lines = [line for page in pages for line in page.lines]
    if not lines:
        raise ValueError("holds no text (a scan?). Have its text recognised first")
    if found["unread"] > _UNNAMED * max(1, found["chars"]):
        raise ValueError("its fonts do not say which letters they draw. Have its text recognised first")
    rtl = _runs_to_the_left(lines)
    blocks = [block for page in pages for block in blocks_of(page, rtl)]
    text = clean_text(without_marks(text_of_blocks(blocks, rtl)))
    said = _xmp(data)
    facts = usable_facts(
        {
            "title": said.get("title") or found.get("title"),
            "author": said.get("creator") or found.get("author"),
            "source": said.get("publicationName") or said.get("publisher"),
            "url": said.get("url"),
            "published": said.get("publicationDate") or said.get("date") or day_begun(found.get("begun")),
        }
    )
    facts.setdefault("title", _title(pages))
    yield check_fields(facts, text, str(path), path.stem)


def _characters(path: Path) -> dict[str, Any]:
    """What index/formats/pdf_characters.py reads, in a process of its own."""
    # -I: the folder one happens to be in must not give it modules.
    command = [sys.executable, "-I", str(_READER), str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT, check=False)  # noqa: S603 - our own script
    except subprocess.TimeoutExpired:
        raise ValueError(f"takes longer than {TIME_LIMIT:.0f} s to read") from None
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ValueError(f"cannot be read: {last[:200] or f'PDFium ended with {done.returncode}'}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "error" in found:
        raise ValueError(str(found["error"]))
    return found


def _pages(found: Sequence[Mapping[str, Any]]) -> list[Page]:
    """The pages, without what the PDF itself marks as no part of the text, unless it marks everything so."""
    everything = all(line[5] for page in found for line in page["lines"])
    return [
        Page(
            page["height"],
            tuple(
                Line(number, text, x0, x1, y, size)
                for text, x0, x1, y, size, aside in page["lines"]
                if (everything or not aside) and text.strip()
            ),
        )
        for number, page in enumerate(found)
    ]


def _runs_to_the_left(lines: Sequence[Line]) -> bool:
    kinds = [unicodedata.bidirectional(char) for line in lines[:200] for char in line.text if char.isalpha()]
    return 2 * sum(kind in ("R", "AL") for kind in kinds) > len(kinds)


def _title(pages: Sequence[Page]) -> str | None:
    """The largest lines of the first page with text, if they are larger than the text."""
    lines = next(page.lines for page in pages if page.lines)
    largest = max(line.size for line in lines)
    if largest < _LARGER * body_size(line for page in pages for line in page.lines):
        return None
    title: list[str] = []
    for line in lines:
        if line.size > 0.95 * largest:
            title.append(line.text)
        elif title:
            break
    joined = " ".join(title)
    return joined if 3 < len(joined) <= min(_MAX_TITLE_CHARS, MAX_FIELD_CHARS) else None


def _xmp(data: bytes) -> dict[str, str]:
    """What the document's own XMP packet says; pictures in it have theirs too. It is stored as it is, to be found."""
    for found in _XMP.finditer(data):
        if b"http://ns.adobe.com/pdf/1.3/" not in found[0]:
            continue
        try:
            root = parse_xml(found[0])
        except ValueError:
            continue
        said = {name_of(node): text_in(node) for node in root.iter() if name_of(node) in _SAID and text_in(node)}
        for node in root.iter():
            for key, value in node.attrib.items():
                said.setdefault(key.rpartition("}")[2], str(value))
        return said
    return {}


_SAID_NAMES = "title creator publisher date publicationDate publicationName url"
_SAID = frozenset(_SAID_NAMES.split())
