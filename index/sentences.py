"""Sentences: where each one starts and ends in a text, by character.

A text is first cut into blocks (paragraphs, headings, list items, table rows), then each block into sentences.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import sentencex

from index.abbreviations import continues_sentence, opening_cuts

# A vector says one thing well: above this a "sentence" is several, or a text without full stops.
MAX_SENTENCE_CHARS = 600


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` (inclusive) to `end` (exclusive) of an article's text."""

    start: int
    end: int


# sentencex takes time with the square of a quotation that is never closed: 0.01 s for 4,000 characters, hours for two
# million.
_READ_CHARS = 4_000

# Everything that Python's own splitlines() takes for the end of a line and an article may hold.
_LINE = re.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")
# A heading, list item, table row, quotation or rule of Markdown stands for itself.
_OWN_BLOCK = re.compile(r"\s*(?:#{1,6}\s|[-*+•–—]\s|\d{1,3}[.)]\s|\||>|(?:[-*_=]\s?){3,}$)")
# What a sentence may end with, in any script.
STOPS = tuple(".!?…。！？؟।")
_SENTENCE_END = re.compile(r"[.!?…:;。！？؟][\"'»”’)\]*_]*$")
# Lines of hard-wrapped text are seldom longer; a longer line is a paragraph of its own.
_WRAP_CHARS = (40, 120)
_HEADING_CHARS = 120


def split_blocks(text: str) -> list[Span]:
    """Return the blocks of `text` in order, without surrounding white space, none empty.

    A blank line ends a block. A single line break does too, unless the text is wrapped there: the next line goes on in
    lower case, or its first word would not have fitted on this line.
    """
    blocks: list[Span] = []
    paragraph: list[Span] = []
    for line in _stripped(text, _LINE.finditer(text)):
        if paragraph and _blank_between(text, paragraph[-1].end, line.start):
            blocks += _join_wrapped(text, paragraph)
            paragraph = []
        paragraph.append(line)
    return blocks + _join_wrapped(text, paragraph)


def _stripped(text: str, matches: Iterator[re.Match[str]]) -> Iterator[Span]:
    for match in matches:
        span = _strip(text, match.start(), match.end())
        if span.start < span.end:
            yield span


def _strip(text: str, start: int, end: int) -> Span:
    """The same stretch without white space at its ends. Without a copy: a line may have two million characters."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return Span(start, end)


def _blank_between(text: str, end: int, start: int) -> bool:
    """Whether more than one line break lies in the white space between two lines."""
    return len(text[end:start].replace("\r\n", "\n").strip(" \t").splitlines()) > 1


def _join_wrapped(text: str, lines: list[Span]) -> list[Span]:
    """Join the lines of one paragraph that were one before they were wrapped."""
    if not lines:
        return []
    width = max(line.end - line.start for line in lines)
    joined = [lines[0]]
    for previous, line in itertools.pairwise(lines):
        if _is_wrapped(text, previous, line, width):
            joined[-1] = Span(joined[-1].start, line.end)
        else:
            joined.append(line)
    return joined


def _is_wrapped(text: str, previous: Span, line: Span, width: int) -> bool:
    above, below = text[previous.start : previous.end], text[line.start : line.end]
    if _OWN_BLOCK.match(below) or above.startswith(("#", "|")):
        return False
    if below[0].islower() and not _SENTENCE_END.search(above):
        return True
    full = len(above) + 1 + len(below.split(maxsplit=1)[0]) > width
    return full and _WRAP_CHARS[0] <= width <= _WRAP_CHARS[1]


def is_heading(text: str, block: Span) -> bool:
    """Whether a block looks like a heading: marked as one, or one short line without a final stop."""
    content = text[block.start : min(block.end, block.start + _HEADING_CHARS + 1)]
    if content.startswith("#"):
        return True
    return len(content) <= _HEADING_CHARS and not _OWN_BLOCK.match(content) and not _SENTENCE_END.search(content)


def split_sentences(text: str, language: str) -> list[Span]:
    """Return the sentences of `text` in order; together they hold every character that is not white space.

    None is empty, none has white space at its ends, none is longer than MAX_SENTENCE_CHARS.
    """
    return [sentence for block in split_blocks(text) for sentence in block_sentences(text, block, language)]


def block_sentences(text: str, block: Span, language: str) -> list[Span]:
    """Return the sentences of one block of `text`, by their places in `text`."""
    sentences: list[Span] = []
    for part in _pieces(text, block, _READ_CHARS):
        content = text[part.start : part.end]
        sentences += [
            Span(part.start + piece.start, part.start + piece.end)
            for sentence in _sentences(content, language)
            for piece in _pieces(content, sentence, MAX_SENTENCE_CHARS)
        ]
    return sentences


def _sentences(content: str, language: str) -> list[Span]:
    sentences = []
    start = 0
    for cut in [*_cuts(content, language), len(content)]:
        short = cut < len(content) and cut - start <= MAX_SENTENCE_CHARS
        if short and continues_sentence(content, start, cut, language):
            continue
        sentence = _strip(content, start, cut)
        if sentence.start < sentence.end:
            sentences.append(sentence)
        start = cut
    return sentences


# A note glued to the full stop belongs to the sentence before it: "used.[citation needed] The stages".
_NOTE = re.compile(r"[.!?…](?:\[[^\[\]]{1,40}\])+\s+")


def _cuts(content: str, language: str) -> list[int]:
    """Where sentences may end inside `content`: where sentencex sees it, and before words that open one."""
    boundaries = sentencex.get_sentence_boundaries(language, content)
    cuts = {*(boundary["end_index"] for boundary in boundaries), *opening_cuts(content, language)}
    cuts.update(note.end() for note in _NOTE.finditer(content))
    return sorted(cut for cut in cuts if 0 < cut < len(content))


# Where to cut what is too long: after an inner sentence end, a semicolon or colon, a comma, a space.
_BREAKS = [
    re.compile(pattern)
    for pattern in (r"(?<![.!?…])[.!?…]+[\"»”’)\]]*\s+|[。！？]", r"[;:؛；：]\s+", r"[,،，、]\s*", r"(?<!\s)\s+")
]


def _pieces(text: str, span: Span, limit: int) -> list[Span]:
    """Cut a stretch of text that is longer than `limit` at its best places, without losing a character."""
    pieces = []
    while span.end - span.start > limit:
        cut = best_cut(text, span.start, span.start + limit)
        pieces.append(_strip(text, span.start, cut))
        span = _strip(text, cut, span.end)
    return [*pieces, span]


def best_cut(text: str, start: int, limit: int) -> int:
    """Return where to cut `text` so that the piece from `start` ends at or before `limit`, and after `start`."""
    half = (start + limit) // 2
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(text, half, limit)]
        if ends:
            return ends[-1]
    # No space at all. At least keep an accent, or a joined emoji, with what it belongs to.
    for cut in range(limit, max(half, limit - 20), -1):
        if (
            cut < len(text)
            and not unicodedata.category(text[cut]).startswith("M")
            and "\u200d" not in text[cut - 1 : cut + 1]
        ):
            return cut
    return limit


def cut_evenly(text: str, span: Span, parts: int) -> list[Span]:
    """Cut one sentence into about `parts` pieces of like length, each at its best place."""
    pieces = []
    while parts > 1 and span.end - span.start > 1:
        cut = best_cut(text, span.start, span.start + -(-(span.end - span.start) // parts))
        pieces.append(_strip(text, span.start, cut))
        span = _strip(text, cut, span.end)
        parts -= 1
    return [*pieces, span]
