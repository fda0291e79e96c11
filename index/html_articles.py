"""Web pages: the article's text and its metadata, without menus, scripts and comments."""

from __future__ import annotations

import re

import trafilatura
from trafilatura.settings import Document


def declared_charset(data: bytes) -> str | None:
    """Return the encoding that a page names in its first two kilobytes."""
    found = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", data[:2048], re.IGNORECASE)
    return found[1].decode("ascii") if found else None


def extract_article(html: str) -> tuple[dict[str, object], str]:
    """Return the metadata and the text of a page, paragraphs separated by a blank line."""
    document = trafilatura.bare_extraction(
        html,
        include_comments=False,
        include_tables=True,
        with_metadata=True,
        date_extraction_params={"original_date": True, "extensive_search": False},
    )
    if not isinstance(document, Document) or not document.text:
        raise ValueError("no article found in the page")
    keys: dict[str, object] = {
        "title": document.title,
        "author": document.author,
        "published": document.date,
        "source": document.sitename,
        "url": document.url,
        "language": document.language,
    }
    return keys, "\n\n".join(document.text.split("\n"))
