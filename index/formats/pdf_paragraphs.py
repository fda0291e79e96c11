"""Blocks of lines to text: paragraphs with a blank line between, and words whole that the end of a line had broken."""

from __future__ import annotations

import itertools
import re
import statistics
import unicodedata
from collections.abc import Iterable, Sequence

from index.formats.pdf_layout import Block, Line

# What ends a sentence, with the quotation marks and brackets behind it.
_ENDED = re.compile(r"[.!?…:。！？؟][\"'”’»)\]]*$")
_BULLET = re.compile(r"[•▪‣◦●■□∙·]\s?\S|[-–—]\s")
_WORD = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*")
# Where a word with a hyphen ends a line, nothing tells its hyphen from one that the line's end made. These first halves
# begin hardly a word that has none, and these second halves are no endings; words such as "sous-" and "ex-" are both.
_KEPT_BEFORE_NAMES = (
    "après arrière avant ceux celle celles celui cinquante cross demi dix eighty fifty forty grand grande half ninety "
    "nonante nord ouest peut quarante quelques quatre rendez self septante seventy sixty soixante sud thirty trente "
    "twenty vice vingt"
)
_KEPT_BEFORE = frozenset(_KEPT_BEFORE_NAMES.split())
_KEPT_BEHIND_NAMES = (
    "ce ci elle elles il ils je là lui même mêmes moi nous on t-elle t-elles t-il t-ils t-on toi tu vous"
)
_KEPT_BEHIND = frozenset(_KEPT_BEHIND_NAMES.split())
# The compounds that newspapers use most, of those that the halves do not tell; the plural adds letters to either half.
_COMPOUNDS_NAMES = (
    "aller-retour au-delà au-dessous au-dessus bien-être bouche-à-oreille centre-ville chef-lieu chiffre-clé "
    "compte-rendu co-président court-métrage cul-de-sac état-major ex-ministre ex-président garde-fou huis-clos "
    "jusque-là laissez-passer long-métrage main-forte mi-temps mot-clé non-lieu par-delà passe-partout "
    "petit-déjeuner plus-value pot-de-vin porte-monnaie porte-parole post-scriptum prêt-à-porter premier-né "
    "rez-de-chaussée sage-femme sans-abri sans-papiers savoir-faire sous-marin sous-préfecture sous-préfet sous-sol "
    "sous-traitant tête-à-tête tiers-monde tout-puissant trop-plein va-et-vient wagon-lit week-end bye-law check-in "
    "full-time high-tech long-term low-cost mother-in-law old-fashioned on-site part-time runner-up short-term "
    "so-called "
    "well-being well-known"
)
_COMPOUNDS = frozenset(_COMPOUNDS_NAMES.split())
_LINK = re.compile(r"(?:(?:à|aux?|de|des|du|en|et|l[aeè]s?|sous|sur)-|[dl]’(?!hui))", re.IGNORECASE)
# A line is full if it is as wide as its block, give or take, in shares of the width; in justified text, nearly exactly.
_FULL, _JUSTIFIED = 0.9, 0.985


def text_of_blocks(blocks: Sequence[Block], rtl: bool) -> str:
    """Return the text of blocks in reading order, paragraphs and headings separated by a blank line."""
    known = _words(line.text for block in blocks for line in block.lines)
    pitch = _pitch(blocks)
    pieces: list[str] = []
    before: Block | None = None
    for block in blocks:
        if before is not None:
            if _goes_on(before, block, rtl):
                pieces.append(_joined(pieces.pop(), block.lines[0].text, known))
            else:
                pieces.extend(("\n\n", block.lines[0].text))
        else:
            pieces.append(block.lines[0].text)
        begins = True
        for above, line in itertools.pairwise(block.lines):
            between = "\n" if block.table else _between(above, line, block, pitch, rtl)
            if between == "\n" and begins and not block.table and not _BULLET.match(line.text):
                between = "\n\n"  # a heading in the size of the text
            begins = between == "\n\n"
            if between:
                pieces.extend((between, line.text))
            else:
                pieces.append(_joined(pieces.pop(), line.text, known))
        before = block
    return "".join(pieces)


def body_size(lines: Iterable[Line]) -> float:
    """Return the size, in points, in which most of the characters are set; 0 without lines."""
    sizes: dict[float, int] = {}
    for line in lines:
        size = round(line.size * 2) / 2
        sizes[size] = sizes.get(size, 0) + len(line.text)
    return max(sizes, key=lambda size: sizes[size], default=0.0)


def _words(texts: Iterable[str]) -> frozenset[str]:
    """The words of a document that stand whole within their lines."""
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text.rpartition(" ")[0]))


def _pitch(blocks: Sequence[Block]) -> float:
    """From baseline to baseline within a paragraph, in sizes of the font."""
    steps = [
        (above.y - line.y) / line.size
        for block in blocks
        for above, line in itertools.pairwise(block.lines)
        if not block.table
    ]
    # Most steps are within paragraphs; where every paragraph is one line, take what typesetters take.
    return min(statistics.median(steps), 1.6) if steps else 1.2


def _between(above: Line, line: Line, block: Block, pitch: float, rtl: bool) -> str:
    """What stands between two lines of a block: a blank line, a line's end, or "" where the sentence goes on."""
    if above.y - line.y > 1.25 * pitch * line.size:
        return "\n\n"
    ended = _ENDED.search(above.text) is not None
    if _BULLET.match(line.text) and (ended or _BULLET.match(above.text) or line.text[0] not in "-–—"):
        return "\n"
    indent, indent_above = _indent(line, block, rtl), _indent(above, block, rtl)
    if indent > 0.7 * line.size and indent_above < 0.3 * line.size and indent < 4 * line.size and ended:
        return "\n\n"
    if not _would_fit(above, line, block, rtl):
        return ""
    # Somebody ended the line there.
    if ended:
        return "\n\n"
    return "" if line.text[0].islower() or above.text.endswith(("-", ",")) else "\n"


def _indent(line: Line, block: Block, rtl: bool) -> float:
    return block.x1 - line.x1 if rtl else line.x0 - block.x0


def _would_fit(above: Line, line: Line, block: Block, rtl: bool) -> bool:
    """Whether the first word of a line would have fitted at the end of the line above."""
    first = line.text.split(" ", 1)[0]
    if len(first) == len(line.text) and _is_wide(first[0]):
        first = first[0]
    letter = (line.x1 - line.x0) / max(1, len(line.text))
    room = above.x0 - block.x0 if rtl else block.x1 - above.x1
    return room > (len(first) + 2) * letter and room > 0.06 * (block.x1 - block.x0)


def _goes_on(before: Block, block: Block, rtl: bool) -> bool:
    """Whether a block goes on with the paragraph of the one before, in the next column or on the next page."""
    last, first = before.lines[-1], block.lines[0]
    if before.table or block.table or len(before.lines) < 2 or abs(last.size - first.size) > 0.1 * last.size:
        return False
    if first.page == last.page and first.y < last.y:
        return False  # what stands below in the same column was parted on purpose
    if _BULLET.match(first.text) or 0.7 * first.size < _indent(first, block, rtl) < 4 * first.size:
        return False
    if not _ENDED.search(last.text):
        return _fills(last, before, _FULL, rtl)
    # A sentence ends there. In justified text the last line of a paragraph is hardly ever full.
    full = sum(_fills(line, before, _JUSTIFIED, rtl) for line in before.lines)
    return _fills(last, before, _JUSTIFIED, rtl) and full > 2 and full > 0.6 * len(before.lines)


def _fills(line: Line, block: Block, share: float, rtl: bool) -> bool:
    reach = block.x1 - line.x0 if rtl else line.x1 - block.x0
    return reach >= share * (block.x1 - block.x0)


def _joined(text: str, line: str, known: frozenset[str]) -> str:
    """A line put behind the text before it."""
    if text.endswith(("\u00ad", "\u2010")) or (text.endswith("-") and not text.endswith((" -", "--"))):
        return _unbroken(text, line, known)
    if _is_wide(text[-1]) and _is_wide(line[0]):
        return text + line
    return f"{text} {line}"


def _unbroken(text: str, line: str, known: frozenset[str]) -> str:
    """A word that the end of a line parted: without its hyphen, unless the word has one."""
    soft = text[-1] == "\u00ad"
    text = text[:-1]
    head = re.search(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*$", text)
    tail = _WORD.match(line)
    if head is None or tail is None:
        return text + "-" + line
    first, second = head[0].lower().rpartition("’")[2], tail[0].lower()
    if soft or (first + second in known and f"{first}-{second}" not in known):
        return text + line
    last = first.rpartition("-")[2]
    other_case = line[0].isupper() and not head[0].isupper()
    inverted = second in _KEPT_BEHIND and last.endswith(("t", "d", "s", "z", "x", "i", "a", "e", "-t"))
    compound = f"{first}-{second}"
    # Verchamp-les-Deux, Champ-d’Aviation, arc-en-ciel
    linked = _LINK.match(line) is not None
    listed = compound in _COMPOUNDS or _singular(compound) in _COMPOUNDS
    kept = compound in known or listed or linked or last in _KEPT_BEFORE or inverted
    return text + ("-" if kept or other_case else "") + line


def _singular(compound: str) -> str:
    return "-".join(
        part if part in ("sous", "sans", "tiers") else re.sub(r"[sx]$", "", part) for part in compound.split("-")
    )


def _is_wide(char: str) -> bool:
    """Chinese and Japanese: no space between words."""
    return unicodedata.east_asian_width(char) in "WF"
