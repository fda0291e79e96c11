"""Web pages that a browser saved in one file: .mhtml and .mht."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from index.errors import ArticleError
from index.formats.article_fields import Fields, check_fields, clean_text
from index.formats.document_facts import usable_facts
from index.formats.encodings import MAX_BYTES, MAX_BYTES_WITH_PICTURES, decoded, read_bytes
from index.formats.html_articles import declared_charset, extract_article

# A page with its pictures and frames has some hundred parts.
MAX_PARTS = 10_000
# The readers of headers look at some characters again and again: a header of a megabyte takes them an hour.
MAX_HEADER_CHARS = 4_000


def read_mhtml(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a saved web page as one article.

    Its day is that in the page's own metadata: the file's Date is the day on which somebody saved it.
    """
    data = read_bytes(path, MAX_BYTES_WITH_PICTURES)
    if not re.search(rb"^(?:mime-version|content-type):", data[:8192], re.IGNORECASE | re.MULTILINE):
        raise ValueError("not a saved web page: it does not begin as MIME does")
    if data.count(b"\n--") > MAX_PARTS:
        raise ValueError(f"holds more than {MAX_PARTS} parts")
    try:
        # Not the newer policy, which parses every header when it is looked at.
        message = BytesParser().parsebytes(data)
        page = _page(message)
        source = _bytes_in(page)
        charset = page.get_content_charset() or declared_charset(source)
        address = _header(message, "Snapshot-Content-Location") or _header(page, "Content-Location")
        subject = _header(message, "Subject")
    except (HeaderParseError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its MIME parts are broken: {error}") from error
    if len(source) > MAX_BYTES:
        raise ValueError(f"the page is larger than {MAX_BYTES} bytes")
    keys, text = extract_article(clean_text(decoded(source, charset)))
    given = usable_facts({"title": subject, "url": address})
    yield check_fields({**given, **keys}, text, str(path), path.stem)


def _page(message: Message) -> Message:
    """The part that is the page itself; frames and pictures come behind it."""
    pages = [part for part in message.walk() if _kind(part) in ("text/html", "application/xhtml+xml")]
    if not pages:
        raise ValueError("holds no web page (no text/html part; cut off?)")
    start = message.get_param("start") if _kind(message).startswith("multipart/") else None
    return next((part for part in pages if start and _header(part, "Content-ID") == start), pages[0])


def _kind(part: Message) -> str:
    if any(len(str(value)) > MAX_HEADER_CHARS for name, value in part.items() if name.lower().startswith("content-")):
        raise ValueError(f"a header has more than {MAX_HEADER_CHARS} characters")
    return part.get_content_type()


def _bytes_in(part: Message) -> bytes:
    payload: object = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(part: Message, name: str) -> str | None:
    """A header on one line, whatever it is encoded in; None where there is none, or one that nobody reads."""
    value = str(part.get(name) or "")
    if not value or len(value) > MAX_HEADER_CHARS:
        return None
    return " ".join(str(make_header(decode_header(value))).split())
