"""The article's own words as an answer, between the marks of the reader's language."""

from __future__ import annotations

import re

# French puts no-break spaces inside.
_MARKS = {
    "fr": ("«\u00a0", "\u00a0»"),
    "de": ("„", "“"),
    "es": ("«", "»"),
    "it": ("«", "»"),
    "pt": ("«", "»"),
    "ro": ("„", "”"),
    "pl": ("„", "”"),
    "nl": ("‘", "’"),
}
# What makes a list item or a table row of a line.
_LINE_MARKS = re.compile(r"^\s*[-*•>|]\s+|\s*\|\s*$")


def quoted(text: str, language: str) -> str:
    """In quotation marks, English ones where the language is not among ours; a list item without its dash, a table row
    without its outer bars."""
    opening, closing = _MARKS.get(language, ("“", "”"))
    return f"{opening}{' '.join(_LINE_MARKS.sub('', text).split())}{closing}"
