"""The lines of a PDF's pages in reading order: column by column, without running headers and page numbers."""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

# The outer shares of a page in which headers and footers stand.
_TOP, _BOTTOM = 0.1, 0.1
# A line that stands there on this share of the pages, and on two at least, runs through the document.
_REPEATED = 0.3
_PAGE_NUMBER = re.compile(
    r"(?:page|seite|p[áa]gina|pag\.|p\.|s\.|صفحة|第)?\s*[-–—|]?\s*\d{1,4}\s*[-–—|页]?"
    r"(?:\s*(?:/|sur|of|von|de|di|من)\s*\d{1,4})?",
    re.IGNORECASE,
)
# Comparing every block with every other; a page with more of them is a crossword.
_MAX_BLOCKS = 200
# Rows of a table hold short cells; lines of two columns that are drawn from left to right hold long ones.
_PROSE_CHARS, _PROSE_ROWS = 25, 4
# A gap between words that were pushed apart, in sizes of the font at most; and how far, in points, the ends of
# justified lines are from each other at most: a hyphen may stand beyond the edge.
_LOOSE, _FLUSH = 2.5, 5.0
_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands on a page: its ends, its baseline (from the bottom) and its font's size, in points."""

    page: int
    text: str
    x0: float
    x1: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its height in points, and its lines in the order in which they are drawn."""

    height: float
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines below each other that belong together; of a `table`, each line is a row with its cells marked off."""

    lines: tuple[Line, ...]
    table: bool = False

    @property
    def x0(self) -> float:
        return min(line.x0 for line in self.lines)

    @property
    def x1(self) -> float:
        return max(line.x1 for line in self.lines)

    @property
    def top(self) -> float:
        return self.lines[0].y + self.lines[0].size

    @property
    def bottom(self) -> float:
        return self.lines[-1].y


def without_margins(pages: Sequence[Page]) -> list[Page]:
    """Return the pages without what repeats at their edges, and without page numbers."""
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_running(line) for line in page.lines if _at_edge(line, page)})
    enough = max(2.0, _REPEATED * len(pages))
    return [
        replace(
            page,
            lines=tuple(
                line
                for line in page.lines
                if not (
                    _at_edge(line, page)
                    and (_PAGE_NUMBER.fullmatch(line.text.strip()) or seen[_running(line)] >= enough)
                )
            ),
        )
        for page in pages
    ]


def blocks_of(page: Page, rtl: bool) -> list[Block]:
    """Return the blocks of a page in reading order.

    That is the order in which they are drawn, as word processors draw them, unless it contradicts the eye: a block
    above another, or beside it where reading begins, comes first. Then the eye decides (Breuel, "High performance
    document layout analysis", 2003).
    """
    blocks = list(_blocks(_with_initials(page.lines)))
    if len(blocks) > _MAX_BLOCKS or not any(
        _comes_before(later, earlier, rtl) for at, later in enumerate(blocks) for earlier in blocks[:at]
    ):
        return blocks
    return _sorted_by_eye(blocks, rtl)


def _at_edge(line: Line, page: Page) -> bool:
    return line.y > (1 - _TOP) * page.height or line.y < _BOTTOM * page.height


def _running(line: Line) -> str:
    return re.sub(r"\d+", "#", " ".join(line.text.split())).casefold()


def _with_initials(lines: Sequence[Line]) -> Iterator[Line]:
    """A large initial put back before the line that it begins."""
    initial: Line | None = None
    for line in lines:
        if initial is not None:
            beside = 0 <= line.x0 - initial.x1 < 0.5 * initial.size and line.y > initial.y - 0.1 * initial.size
            if beside and initial.size > 1.7 * line.size:
                line = replace(line, text=initial.text + line.text)
            else:
                yield initial
            initial = None
        if len(line.text) == 1 and line.text.isupper():
            initial = line
        else:
            yield line
    if initial is not None:
        yield initial


def _blocks(lines: Iterator[Line]) -> Iterator[Block]:
    rows = _without_loose_lines(list(_rows(lines)))
    at = 0
    while at < len(rows):
        end = at
        while end < len(rows) and len(rows[end]) > 1 and (end == at or _below(rows[end - 1][0], rows[end][0], 3.0)):
            end += 1
        if end - at > 1:
            columns = _columns(rows[at:end])
            while columns and end < len(rows) and len(rows[end]) == 1:
                longer = next((column for column in columns if _continues(column[-1], rows[end][0])), None)
                if longer is None:
                    break
                longer.append(rows[end][0])
                end += 1
            yield from (Block(tuple(column)) for column in columns)
            if not columns:
                yield _table(rows[at:end])
            at = end
            continue
        # Alone, such a row is a line whose words stand far apart.
        block = [_one_line(rows[at])]
        at += 1
        while at < len(rows) and len(rows[at]) == 1 and _continues(block[-1], rows[at][0]):
            block.append(rows[at][0])
            at += 1
        yield Block(tuple(block))


def _rows(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Lines that are drawn one after the other on one baseline, together."""
    row: list[Line] = []
    for line in lines:
        if row and abs(line.y - row[-1].y) < 0.3 * line.size and not _overlap(row[-1], line):
            row.append(line)
            continue
        if row:
            yield row
        row = [line]
    if row:
        yield row


def _without_loose_lines(rows: list[list[Line]]) -> list[list[Line]]:
    """Lines put together again whose words stand far apart because both of their ends were justified.

    Such a line begins and ends where the one above or below it does, and no gap in it would part columns.
    """
    found: list[list[Line]] = []
    for at, row in enumerate(rows):
        if len(row) == 1:
            found.append(row)
            continue
        around = [other for other in rows[max(0, at - 1) : at + 2] if other is not row]
        beside = [_one_line(other) for other in around]
        line = _one_line(row)
        gaps = [_apart(one, other) for one, other in itertools.pairwise(row)]
        # Justifying makes all gaps of a line alike; two words alone between whole lines are no row of a table either.
        alike = max(gaps) - min(gaps) < _ALIKE if len(gaps) > 1 else all(len(other) == 1 for other in around)
        pushed = alike or max(gaps) < _LOOSE * line.size
        loose = pushed and any(
            abs(line.x0 - other.x0) < _FLUSH and abs(line.x1 - other.x1) < _FLUSH for other in beside
        )
        found.append([line] if loose else row)
    return found


def _apart(one: Line, other: Line) -> float:
    return max(other.x0 - one.x1, one.x0 - other.x1)


def _columns(rows: list[list[Line]]) -> list[list[Line]]:
    """Columns of prose that were drawn line by line across the page; none where the rows are those of a table."""
    cells = [cell for row in rows for cell in row]
    columns: list[list[Line]] = []
    if len(rows) < _PROSE_ROWS or statistics.median(len(cell.text) for cell in cells) < _PROSE_CHARS:
        return columns
    for cell in cells:
        column = next((column for column in columns if _overlap(column[0], cell)), None)
        if column is None:
            columns.append([cell])
        else:
            column.append(cell)
    return columns


def _table(rows: list[list[Line]]) -> Block:
    marked = (replace(_one_line(row), text=f"| {' | '.join(cell.text for cell in row)} |") for row in rows)
    return Block(tuple(marked), True)


def _one_line(row: list[Line]) -> Line:
    if len(row) == 1:
        return row[0]
    x0, x1 = min(line.x0 for line in row), max(line.x1 for line in row)
    return replace(row[0], text=" ".join(line.text for line in row), x0=x0, x1=x1)


def _continues(above: Line, line: Line) -> bool:
    similar = max(above.size, line.size) < 1.12 * min(above.size, line.size)
    return similar and _below(above, line, 2.0) and _overlap(above, line)


def _below(above: Line, line: Line, most: float) -> bool:
    return 0.3 * line.size < above.y - line.y < most * max(above.size, line.size)


def _overlap(one: Line | Block, other: Line | Block) -> bool:
    """Whether one stands above or below the other: their x overlap by more than a hair."""
    return min(one.x1, other.x1) - max(one.x0, other.x0) > 1.0


def _comes_before(one: Block, other: Block, rtl: bool) -> bool:
    if _overlap(one, other):
        return one.bottom >= other.top - 0.3 * other.lines[0].size and one.top > other.top
    beside = min(one.top, other.top) - max(one.bottom, other.bottom) > 0
    return beside and (one.x0 > other.x1 - 1 if rtl else one.x1 < other.x0 + 1)


def _sorted_by_eye(blocks: list[Block], rtl: bool) -> list[Block]:
    """Each block after those above it, and after those on its side where reading begins, unless one spans both."""
    before: dict[int, set[int]] = {at: set() for at in range(len(blocks))}
    for at, one in enumerate(blocks):
        for to, other in enumerate(blocks):
            if at == to:
                continue
            if _overlap(one, other):
                if one.top > other.top:
                    before[to].add(at)
            elif (one.x0 > other.x0) == rtl and not any(
                _overlap(one, between) and _overlap(other, between) and other.top > between.top > one.top
                for between in blocks
            ):
                before[to].add(at)
    order: list[Block] = []
    left = dict(before)
    while left:
        free = [at for at, others in left.items() if not others & left.keys()]
        # In a circle (frames that overlap) the highest goes first.
        chosen = max(free or left, key=lambda at: (blocks[at].top, -at))
        order.append(blocks[chosen])
        del left[chosen]
    return order
