"""The characters of a PDF and where they stand, read by PDFium in a process of its own.

A PDF is a program in disguise: one that never ends, or fills the memory, takes this process with it and not the build.
It runs as a script without the rest of Sourcier (index/formats/pdf_articles.py starts it), so that it begins in 0.1 s.
"""

from __future__ import annotations

import ctypes
import json
import math
import re
import statistics
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

# A newspaper has a hundred pages, a long report some hundreds.
MAX_PAGES = 1_000
# As index.formats.article_fields.MAX_TEXT_CHARS, with room for headers and page numbers.
MAX_CHARS = 2_200_000
MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
# PDFium's names for what keeps a file shut.
_LOCKED = (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
_FACTS = {"title": "Title", "author": "Author", "begun": "CreationDate"}
# Gaps as shares of the font's size: what parts columns, or the cells of a table; what parts words where the spaces do
# not tell; and what is too close for a space before a hyphen.
_WIDE, _NARROW, _CLOSE = 0.9, 0.12, 0.2
_BROKEN = "\x02"
# In such a line brackets are drawn the other way round; programs differ in which of the two they say it is.
_BRACKETS = {mark: pair for pair in ("()", "[]", "{}", "«»") for mark in pair}
# A number, or Latin words with what stands between them, within a line that runs to the left.
_LEFT_TO_RIGHT = re.compile(r"(?:E(?:S?E)*[SN]?)?L(?:[LESN]*[LE])?|E(?:S?E)*")


class _Glyph(NamedTuple):
    """A character as drawn: its edges, the baseline it stands on and the size of its font in points, y upwards."""

    char: str
    x0: float
    x1: float
    y: float
    size: float
    spaced: bool
    aside: bool


def read(path: str) -> dict[str, object]:
    """Return facts and, for each page, its size and lines in the order in which they are drawn; or an `error`."""
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if error.err_code in _LOCKED:
            return {"error": "is locked with a password. Save it without one"}
        return {"error": "not a PDF, or a broken one"}
    count = len(document)
    if count > MAX_PAGES:
        return {"error": f"has {count} pages; at most {MAX_PAGES}"}
    pages: list[dict[str, object]] = []
    chars = unread = 0
    for number in range(count):
        try:
            page = document[number]
            text_page = page.get_textpage()
        except pdfium.PdfiumError:
            return {"error": f"page {number + 1} of {count} is broken"}
        chars += text_page.count_chars()
        if chars > MAX_CHARS:
            return {"error": f"holds more than {MAX_CHARS} characters"}
        lines, unknown = _lines(page, text_page)
        unread += unknown
        pages.append({"width": page.get_width(), "height": page.get_height(), "lines": lines})
        text_page.close()
        page.close()
    facts = {ours: document.get_metadata_value(theirs) for ours, theirs in _FACTS.items()}
    return {**facts, "pages": pages, "unread": unread, "chars": chars}


def _lines(page: Any, text_page: Any) -> tuple[list[list[object]], int]:
    """The lines of a page, [text, left, right, baseline, size, aside] each, and how many characters no font names."""
    unknown = 0
    lines: list[list[object]] = []
    run: list[_Glyph] = []
    for glyph in _glyphs(page, text_page):
        unknown += glyph.char == "\ufffd"
        if run and (run[-1].char == _BROKEN or not _on_one_line(run[-1], glyph)):
            lines.extend(_parted(run))
            run = []
        run.append(glyph)
    lines.extend(_parted(run))
    return lines, unknown


def _on_one_line(one: _Glyph, other: _Glyph) -> bool:
    """Raised figures stand half a size higher; a large initial stands on a lower line than the words beside it."""
    small, large = sorted((one.size, other.size))
    return abs(one.y - other.y) <= 0.5 * (large if large < 1.7 * small else small)


def _parted(run: list[_Glyph]) -> Iterator[list[object]]:
    """The glyphs on one baseline as lines, parted at wide gaps."""
    rtl = 2 * sum(_direction(glyph.char) == "R" for glyph in run) > sum(glyph.char.isalpha() for glyph in run)
    if rtl:
        run = _rightmost_first(run)
    start = 0
    for at in range(1, len(run) + 1):
        if at == len(run) or _gap(run[at - 1], run[at]) > _WIDE * max(run[at - 1].size, run[at].size):
            part = run[start:at]
            first = part[0]
            x0, x1 = min(glyph.x0 for glyph in part), max(glyph.x1 for glyph in part)
            size = statistics.median(glyph.size for glyph in part)
            text = _logical(part) if rtl else _joined(part)
            yield [text, round(x0, 2), round(x1, 2), round(first.y, 2), round(size, 2), first.aside]
            start = at


def _gap(one: _Glyph, other: _Glyph) -> float:
    return max(other.x0 - one.x1, one.x0 - other.x1)


def _joined(part: list[_Glyph]) -> str:
    pieces = []
    for at, glyph in enumerate(part):
        # PDFium puts a space before a hyphen that is drawn by itself at the end of a justified line.
        ending = (
            at == len(part) - 1 and glyph.char in ("-", _BROKEN) and _gap(part[at - 1], glyph) < _CLOSE * glyph.size
        )
        pieces.append((" " if at and glyph.spaced and not ending else "") + glyph.char)
    return "".join(pieces).replace(_BROKEN, "-")


def _rightmost_first(run: list[_Glyph]) -> list[_Glyph]:
    """Arabic or Hebrew in the order of the eye. PDFium turns what it takes for such a line, ligatures with it.

    The letters of a ligature share their edges; they are turned back.
    """
    turned = run[::-1]
    turned.sort(key=lambda glyph: (-glyph.x1, -glyph.x0))
    return turned


def _logical(part: list[_Glyph]) -> str:
    """The order in which such a line is read: numbers and Latin words in it run the other way."""
    chars: list[str] = []
    for before, glyph in zip([None, *part], part, strict=False):
        if before is not None and _gap(before, glyph) > _NARROW * glyph.size:
            chars.append(" ")
        chars.append(glyph.char)
    kinds = "".join(map(_direction, chars))
    for found in _LEFT_TO_RIGHT.finditer(kinds):
        chars[found.start() : found.end()] = chars[found.start() : found.end()][::-1]
    for at, char in enumerate(chars):
        if char in _BRACKETS:
            opens = (at == 0 or chars[at - 1] == " ") and chars[at + 1 : at + 2] != [" "]
            chars[at] = _BRACKETS[char][0 if opens else 1]
    return "".join(chars).replace(_BROKEN, "-")


def _direction(char: str) -> str:
    """R for letters that run to the left, L for others, E for digits, S for what joins digits, N for the rest."""
    kind = unicodedata.bidirectional(char[0])
    return {"R": "R", "AL": "R", "NSM": "R", "L": "L", "EN": "E", "AN": "E", "ES": "S", "CS": "S", "ET": "S"}.get(
        kind, "N"
    )


def _glyphs(page: Any, text_page: Any) -> Iterator[_Glyph]:
    """What is drawn upright on the paper, in the order in which it is drawn."""
    left, bottom, right, top = page.get_bbox()
    marks: dict[int, bool] = {}
    rect, matrix = pdfium_c.FS_RECTF(), pdfium_c.FS_MATRIX()
    x, y = ctypes.c_double(), ctypes.c_double()
    spaced = False
    high = ""
    for at in range(text_page.count_chars()):
        code = pdfium_c.FPDFText_GetUnicode(text_page, at)
        hyphen = code in (2, 0xFFFE)  # how PDFium marks the hyphen of a word that a line's end broke
        if not hyphen and (code <= 32 or code == 160 or pdfium_c.FPDFText_IsGenerated(text_page, at) == 1):
            spaced = True
            continue
        if 0xD800 <= code < 0xDC00:
            high = chr(code)
            continue
        char = _BROKEN if hyphen else (high + chr(code)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        high = ""
        if pdfium_c.FPDFText_HasUnicodeMapError(text_page, at) == 1:
            char = "\ufffd"
        pdfium_c.FPDFText_GetLooseCharBox(text_page, at, rect)
        pdfium_c.FPDFText_GetCharOrigin(text_page, at, x, y)
        pdfium_c.FPDFText_GetMatrix(text_page, at, matrix)
        size = pdfium_c.FPDFText_GetFontSize(text_page, at) * math.hypot(matrix.c, matrix.d)
        upright = abs(matrix.b) <= 0.1 * math.hypot(matrix.a, matrix.b)
        if upright and size > 0 and left <= x.value <= right and bottom <= y.value <= top:
            aside = _is_aside(text_page, at, marks)
            yield _Glyph(char, rect.left, rect.right, y.value, size, spaced, aside)
            spaced = False


def _is_aside(text_page: Any, at: int, known: dict[int, bool]) -> bool:
    """Whether the PDF itself says that this is no part of the text: a header, a footer, a page number."""
    drawn = pdfium_c.FPDFText_GetTextObject(text_page, at)
    address = ctypes.cast(drawn, ctypes.c_void_p).value or 0
    if address and address not in known:
        names = (_name(drawn, number) for number in range(pdfium_c.FPDFPageObj_CountMarks(drawn)))
        known[address] = "Artifact" in names
    return known.get(address, False)


def _name(drawn: Any, number: int) -> str:
    mark = pdfium_c.FPDFPageObj_GetMark(drawn, number)
    letters = (pdfium_c.FPDF_WCHAR * 64)()
    used = ctypes.c_ulong()
    if not pdfium_c.FPDFPageObjMark_GetName(mark, letters, ctypes.sizeof(letters), used):
        return ""
    return bytes(letters)[: used.value].decode("utf-16-le", "replace").rstrip("\0")


def _limit_memory() -> None:
    """Where the system can: an allocation beyond that fails, and the process ends."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit_memory()
    # Halves of surrogate pairs go as they are; whoever reads this joins them.
    json.dump(read(sys.argv[1]), sys.stdout)
