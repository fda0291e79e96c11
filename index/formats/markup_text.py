"""The text of marked-up elements (HTML, XHTML, NITF): paragraphs, headings, list items and rows of tables.

For markup that is known to be the article and nothing else. A whole web page, with menus around the article, is read by
index/formats/html_articles.py.
"""

from __future__ import annotations

import re

from lxml import etree, html

from index.formats.xml_documents import Element, letter_of, name_of

# libxml2 stops at 256 for XML; deeper is made to exhaust a stack.
MAX_DEPTH = 256

_HEADINGS_NAMES = "h1 h2 h3 h4 h5 h6 hl1 hl2"
HEADINGS = frozenset(_HEADINGS_NAMES.split())
# What stands on lines of its own.
_BLOCKS_NAMES = (
    "address article aside block blockquote body bq byline caption center dateline dd details div dl dt fieldset "
    "figcaption figure footer header hr legend li main media-caption note ol p pre section summary table tbody tfoot "
    "thead tr ul"
)
_BLOCKS = HEADINGS | frozenset(_BLOCKS_NAMES.split())
# What a reader does not see, or sees as no text.
_UNREAD_NAMES = (
    "audio base button canvas embed head iframe img input link math media-metadata media-producer media-reference meta "
    "nav noscript object rp rt script select style svg template textarea video"
)
_UNREAD = frozenset(_UNREAD_NAMES.split())
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# Marks where a word may be broken, and marks without width: a reader sees none of them, a search stumbles.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_SPACE = re.compile(r"[ \t\r\n\f]+")


def text_of_html(source: str) -> str:
    """Return the text of a piece of HTML."""
    if not source.strip():
        return ""
    # A declaration of the encoding is about bytes that have been decoded already.
    source = re.sub(r"^\s*<\?xml[^>]*\?>", "", source).replace("\0", "")
    try:
        return text_of(html.fragment_fromstring(source, create_parent="div"))
    except etree.LxmlError:
        return ""


def text_of(element: Element) -> str:
    """Return an element's text: a blank line between blocks, none between the items of a list or the rows of a table.

    Raises ValueError where elements are nested too deeply.
    """
    writer = _Writer()
    writer.walk(element, 0)
    writer.end()
    return writer.text()


def without_marks(text: str) -> str:
    """Return a text without soft hyphens and characters of no width."""
    return text.translate(_INVISIBLE)


class _Writer:
    """Collects blocks as they end. `mark` stands before the next block: the dash of a list item."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, str]] = []
        self.line: list[str] = []
        self.mark = ""
        self.numbers: list[int] = []  # of the next item, for each ordered list around; 0 where it is a dash

    def text(self) -> str:
        """The blocks one below the other."""
        pieces: list[str] = []
        before = ""
        for kind, block in self.blocks:
            if pieces:
                pieces.append("\n" if kind == before != "block" else "\n\n")
            pieces.append(block)
            before = kind
        return "".join(pieces)

    def end(self) -> None:
        """End the line that is being written."""
        written = without_marks("".join(self.line))
        self.line.clear()
        # Two line breaks are how many feeds separate paragraphs.
        for part in re.split(r"\v[ \t\v]*\v", written):
            text = "\n".join(stripped for line in part.split("\v") if (stripped := line.strip()))
            if text:
                self.blocks.append(("item" if self.mark else "block", self.mark + text))
                self.mark = ""

    def write(self, text: str | None, keep: bool = False) -> None:
        if text:
            text = text.replace("\v", " ")
            text = text.replace("\n", "\v") if keep else _SPACE.sub(" ", text)
            if text.startswith(" ") and self.line and self.line[-1].endswith((" ", "\v")):
                text = text[1:]
            self.line.append(text)

    def walk(self, element: Element, depth: int, keep: bool = False) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")
        name = name_of(element).lower()
        if element.tag is etree.Entity:
            self.write(letter_of(element))
        if not name or name in _UNREAD or _is_hidden(element):
            return
        if name == "br":
            self.line.append("\v")
        if name == "table" and not _only_for_layout(element):
            self.end()
            self._rows(element, depth)
            return
        block, keep = name in _BLOCKS, keep or name == "pre"
        if block:
            self.end()
        if name in ("ol", "ul"):
            self.numbers.append(_start(element) if name == "ol" else 0)
        if name == "li":
            self.mark = self._next_mark()
        self.write("“" if name == "q" else "")
        self.write(element.text, keep)
        for child in element:
            self.walk(child, depth + 1, keep)
            self.write(child.tail, keep)
        self.write("”" if name == "q" else "")
        if block:
            self.end()
        if name == "li":
            self.mark = ""
        if name in ("ol", "ul"):
            self.numbers.pop()

    def _next_mark(self) -> str:
        number = self.numbers[-1] if self.numbers else 0
        if number:
            self.numbers[-1] += 1
        return f"{number}. " if number else "- "

    def _rows(self, table: Element, depth: int) -> None:
        for row in table.iter():
            if name_of(row).lower() == "caption":
                self.write(self._cell_text(row, depth))
                self.end()
            elif name_of(row).lower() == "tr" and not _is_hidden(row):
                cells = [self._cell_text(cell, depth) for cell in row if name_of(cell).lower() in ("td", "th")]
                if any(cells):
                    self.blocks.append(("row", f"| {' | '.join(cells)} |"))

    @staticmethod
    def _cell_text(cell: Element, depth: int) -> str:
        inside = _Writer()
        inside.walk(cell, depth + 1)
        inside.end()
        return " ".join(inside.text().split())


def _is_hidden(element: Element) -> bool:
    return element.get("hidden") is not None or _HIDING.search(element.get("style") or "") is not None


def _only_for_layout(table: Element) -> bool:
    """Tables in tables, or of one column, put text in its place on a page; they hold no figures."""
    rows = [node for node in table.iter() if name_of(node).lower() == "tr"]
    nested = any(name_of(node).lower() == "table" for node in table.iterdescendants())
    return nested or all(sum(name_of(cell).lower() in ("td", "th") for cell in row) < 2 for row in rows)


def _start(ordered: Element) -> int:
    start = ordered.get("start") or ""
    return max(1, int(start)) if start.isascii() and start.isdigit() and len(start) < 7 else 1
