"""Feeds (RSS, Atom, RDF) saved as files: each entry is an article. Nothing is fetched."""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from index.errors import ArticleError
from index.formats.article_fields import Fields, check_fields, clean_text
from index.formats.document_facts import iso_date, usable_facts
from index.formats.encodings import read_bytes
from index.formats.markup_text import text_of_html, without_marks
from index.formats.xml_documents import DeclaresEntities, name_of, parse_root, parse_xml

FEED_ROOTS = frozenset(("rss", "feed", "RDF"))
# The longest feeds hold some thousand entries; feedparser takes a second for 500.
MAX_FEED_BYTES = 16 * 1024 * 1024
# Of what is not well-formed: the parser for such feeds looks at every "<" anew.
MAX_SLOPPY_BYTES = 2 * 1024 * 1024
_LONGEST_PART = 120
# A text of that length tells its language better than the feed, whose software says en-US until somebody changes it.
_TELLING_BYTES = 200
_ENDS = re.compile(rb"</(?:[A-Za-z][\w.-]*:)?(?:rss|feed|RDF)\s*>(?:\s|<!--[^<>]{,500}-->)*\Z", re.IGNORECASE)


def read_feed(path: Path) -> Iterator[Fields | ArticleError]:
    """Read each entry of a feed as an article: its full content where the feed has it, else its summary."""
    data = read_bytes(path, MAX_FEED_BYTES)
    root = name_of(parse_root(data))
    if root not in FEED_ROOTS:
        raise ValueError(f"not a feed: its root element is <{root}>, not <rss>, <feed> or <rdf:RDF>")
    yield from feed_entries(data, path)


def feed_entries(data: bytes, path: Path) -> Iterator[Fields | ArticleError]:
    """Read the entries of a feed's bytes. Raises ValueError where they break off, or hold no entry."""
    feed = _parsed(data)
    if not feed.entries:
        raise ValueError("the feed holds no entries")
    for number, entry in enumerate(feed.entries, start=1):
        try:
            yield _fields(entry, feed, number, path)
        except ArticleError as error:
            yield error


def _parsed(data: bytes) -> Any:
    """The feed as feedparser reads it, which knows nine dialects and what is often wrong in them."""
    import feedparser

    _refuse_broken(data)
    try:
        # From a stream: given text, feedparser takes an address in it for something to fetch.
        feed = feedparser.parse(io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:  # a foreign reader, on a file that may be anything
        raise ValueError(f"cannot be read as a feed: {str(error) or type(error).__name__}") from error
    return feed


def _refuse_broken(data: bytes) -> None:
    """Many feeds are not quite XML (a bare "&", a letter of HTML). feedparser mends that, but not what is cut off."""
    try:
        parse_xml(data)
    except DeclaresEntities:
        raise
    except ValueError as error:
        if b"<!ENTITY" in data:
            raise DeclaresEntities from error
        if _ENDS.search(data) is None:
            raise ValueError(f"the feed breaks off ({error})") from error
        if len(data) > MAX_SLOPPY_BYTES:
            raise ValueError(f"{error}; only feeds below {MAX_SLOPPY_BYTES} bytes are mended") from error


def _fields(entry: Any, feed: Any, number: int, path: Path) -> Fields:
    own_id, part = _identity(entry, number)
    place = f"{path}#{part or number}"
    text = _text(entry)
    about = feed.feed
    origin = entry.get("source", {}).get("title") if isinstance(entry.get("source"), Mapping) else None
    facts = usable_facts(
        {
            "title": _plain(entry, "title"),
            "author": entry.get("author") or (about.get("author") if feed.version.startswith("atom") else None),
            "published": _published(entry, feed.version),
            "source": origin or _plain(about, "title"),
            "url": entry.get("link"),
            "language": _language(entry, about) if len(text.encode()) < _TELLING_BYTES else None,
        }
    )
    return check_fields({**facts, "id": own_id}, text, place, f"{path.stem} {number}", part)


def _identity(entry: Any, number: int) -> tuple[str | None, str]:
    """An id where the feed gives one for the whole world (an address, a urn:), else what tells the entry apart here."""
    name = str(entry.get("id") or entry.get("link") or "").strip()
    if not name:
        return None, str(number)
    if len(name) > _LONGEST_PART or not name.isprintable():
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return (name, "") if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", name) else (None, name)


def _published(entry: Any, version: str) -> str | None:
    """The day of publication, as the feed wrote it: feedparser's own date has lost its zone, and may be a day off.

    Atom's `updated` is the last change. What feedparser calls so in RSS is `dc:date`, the day of publication.
    """
    raw = entry.get("published") or (dict.get(entry, "updated") if not version.startswith("atom") else None)
    if not raw:
        return None
    if iso_date(str(raw)):
        return str(raw)
    moment = entry.get("published_parsed") or dict.get(entry, "updated_parsed")
    return f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}" if moment else None


def _language(entry: Any, feed: Any) -> str | None:
    contents = [*entry.get("content", ()), entry.get("summary_detail") or {}]
    said = next((content.get("language") for content in contents if content.get("language")), None)
    language = said or feed.get("language")
    return str(language) if language else None


def _text(entry: Any) -> str:
    """The longest of what the entry gives as its content, or its summary."""
    contents = [_written(content) for content in entry.get("content", ())]
    best = max(contents, key=len, default="")
    return best or _written(entry.get("summary_detail") or {})


def _plain(record: Any, key: str) -> str:
    detail = record.get(f"{key}_detail") or {}
    return " ".join(_written(detail).split()) or str(record.get(key) or "")


def _written(detail: Mapping[str, Any]) -> str:
    """The text of a piece of content: what says it is HTML, or plainly is, without its markup."""
    value = clean_text(str(detail.get("value") or ""))
    if "html" in str(detail.get("type")) or re.search(r"</?(?:p|br|div|b|i|em|strong|a|ul|h[1-6])\b[^<>]*>", value):
        return text_of_html(value)
    lines = [line.strip() for line in without_marks(html.unescape(value)).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
