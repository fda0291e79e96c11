"""An article's text cut into paragraphs, light Markdown and quoted runs, without losing or adding one character.

Joining every piece of every block gives `article.text` back: what the page hides (the `## ` of a heading, the stars
around bold words, the blank lines) is still in the document, so an offset means the same on the page as in the index.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from index.passages import Span

Style = Literal["plain", "hidden", "strong", "em"]
BlockKind = Literal["paragraph", "lines", "heading", "item", "gap"]

# A file hard-wrapped at 72 or 80 columns flows again on a narrow screen; shorter lines (verse, tables, addresses) stay.
WRAPPED_COLUMNS = 60

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?=\S)")
_ITEM = re.compile(r"[ \t]*[-*•][ \t]+(?=\S)")
_EMPHASIS = re.compile(r"(\*\*)(?=\S)([^*\n]+?)(?<=\S)\*\*|(?<![\w*])(\*)(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters of one style."""

    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring pieces that are all quoted, or all not. `anchor` marks the one to scroll to."""

    pieces: tuple[Piece, ...]
    quoted: bool
    anchor: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading, a list item, or the blank lines between two of them."""

    kind: BlockKind
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class _Styled:
    start: int
    style: Style


def usable_spans(spans: Iterable[tuple[int, int]], length: int) -> list[Span]:
    """Keep the spans that lie in the text, in reading order, overlapping ones joined."""
    kept: list[Span] = []
    for start, end in sorted(spans):
        if not 0 <= start < end <= length:
            continue
        if kept and start <= kept[-1].end:
            kept[-1] = Span(kept[-1].start, max(kept[-1].end, end))
        else:
            kept.append(Span(start, end))
    return kept


def cut_article(text: str, quoted: Sequence[Span], anchor: int | None) -> list[Block]:
    """Cut `text` into blocks. `quoted` comes from usable_spans; `anchor` is a character of the run to scroll to."""
    borders = sorted({border for span in quoted for border in (span.start, span.end)})
    starts = [span.start for span in quoted]
    anchored = False
    blocks = []
    for kind, start, end in _block_spans(text):
        styled = _styles(text, kind, start, end)
        cuts = sorted({start, end, *(one.start for one in styled), *(one for one in borders if start < one < end)})
        style_starts = [one.start for one in styled]
        runs: list[Run] = []
        pieces: list[Piece] = []
        for left, right in pairwise(cuts):
            style = styled[bisect_right(style_starts, left) - 1].style
            pieces.append(Piece(text[left:right], style))
            is_quoted = _inside(quoted, starts, left)
            if right == end or _inside(quoted, starts, right) != is_quoted or right in borders:
                # Blank lines inside a quote are hidden anyway; an anchor there would scroll to nothing.
                shown = is_quoted and kind != "gap"
                here = shown and not anchored and anchor is not None and right > anchor
                anchored = anchored or here
                runs.append(Run(tuple(pieces), shown, here))
                pieces = []
        blocks.append(Block(kind, tuple(runs)))
    return blocks


def _inside(quoted: Sequence[Span], starts: Sequence[int], position: int) -> bool:
    number = bisect_right(starts, position) - 1
    return number >= 0 and position < quoted[number].end


def _block_spans(text: str) -> list[tuple[BlockKind, int, int]]:
    found: list[tuple[BlockKind, int, int]] = []
    for line in _LINE.finditer(text):
        kind = _line_kind(line.group())
        if found and found[-1][0] == kind and kind in ("paragraph", "gap"):
            found[-1] = (kind, found[-1][1], line.end())
        else:
            found.append((kind, line.start(), line.end()))
    return [_by_line_length(text, *one) for one in found]


def _line_kind(line: str) -> BlockKind:
    if not line.strip():
        return "gap"
    if _HEADING.match(line):
        return "heading"
    return "item" if _ITEM.match(line) else "paragraph"


def _by_line_length(text: str, kind: BlockKind, start: int, end: int) -> tuple[BlockKind, int, int]:
    lines = text[start:end].rstrip("\n").split("\n")
    short = kind == "paragraph" and any(len(line) < WRAPPED_COLUMNS for line in lines[:-1])
    return ("lines" if short else kind), start, end


def _styles(text: str, kind: BlockKind, start: int, end: int) -> list[_Styled]:
    """Where each style begins, from `start` on; the last one reaches to `end`."""
    if kind == "gap":
        return [_Styled(start, "hidden")]
    body_end = end - (1 if text[end - 1] == "\n" else 0)
    styled = [_Styled(start, "plain")]
    pattern = {"heading": _HEADING, "item": _ITEM}.get(kind)
    prefix = pattern.match(text, start, body_end) if pattern else None
    if prefix:
        styled = [_Styled(start, "hidden"), _Styled(prefix.end(), "plain")]
    for match in _EMPHASIS.finditer(text, prefix.end() if prefix else start, body_end):
        group: int = 2 if match.group(1) else 4
        inner: Style = "strong" if match.group(1) else "em"
        styled += [_Styled(match.start(), "hidden"), _Styled(match.start(group), inner)]
        styled += [_Styled(match.end(group), "hidden"), _Styled(match.end(), "plain")]
    if body_end < end:
        styled.append(_Styled(body_end, "hidden"))
    return styled
