"""The article's own words as an answer, between the marks of the reader's language."""

from __future__ import annotations

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


def quoted(text: str, language: str) -> str:
    """In quotation marks; English ones where the language is not among ours."""
    opening, closing = _MARKS.get(language, ("“", "”"))
    return f"{opening}{' '.join(text.split())}{closing}"
