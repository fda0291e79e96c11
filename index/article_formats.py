"""One reader per file format: Markdown, plain text, JSON lines, web page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import charset_normalizer

from index.article_fields import Fields, check_fields, clean_text
from index.errors import ArticleError
from index.front_matter import split_front_matter
from index.html_articles import declared_charset, extract_article

# Twice the longest text in a script of four bytes a character; nothing larger is loaded into memory.
MAX_BYTES = 16 * 1024 * 1024


def read_plain_text(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a file as one article, with or without front matter."""
    try:
        keys, text = split_front_matter(clean_text(_decoded(_bytes_of(path))))
        yield check_fields(keys, text, str(path), path.stem)
    except (OSError, ValueError) as error:
        yield ArticleError(str(path), _reason(error))
    except ArticleError as error:
        yield error


def read_html(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a web page as one article."""
    try:
        data = _bytes_of(path)
        keys, text = extract_article(clean_text(_decoded(data, declared_charset(data))))
        yield check_fields(keys, text, str(path), path.stem)
    except (OSError, ValueError) as error:
        yield ArticleError(str(path), _reason(error))
    except ArticleError as error:
        yield error


def read_jsonl(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a file with one article, a JSON object, a line; blank lines are skipped."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                place = f"{path}:{number}"
                try:
                    record = _record(line, place)
                    if record is not None:
                        text = _text_of(record, place)
                        yield check_fields(record, text, place, f"{path.stem} {number}", number)
                except ArticleError as error:
                    yield error
    except OSError as error:
        yield ArticleError(str(path), _reason(error))


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a file, None for one that is too long, which is passed over in pieces."""
    while line := file.readline(MAX_BYTES + 1):
        if len(line) <= MAX_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_BYTES)
        yield None


def _record(line: bytes | None, place: str) -> Mapping[str, object] | None:
    """The object on one line, None where the line is blank."""
    if line is None:
        raise ArticleError(place, f"the line is longer than {MAX_BYTES} bytes")
    if not line.strip(b"\xef\xbb\xbf \t\r\n"):
        return None
    try:
        record: object = json.loads(_decoded(line))
    except RecursionError:
        raise ArticleError(place, "the JSON is nested too deeply") from None
    except ValueError as error:
        raise ArticleError(place, f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ArticleError(place, "not a JSON object")
    return record


def _text_of(record: Mapping[str, object], place: str) -> str:
    text = record.get("text")
    if text is None:
        raise ArticleError(place, "no text")
    if not isinstance(text, str):
        raise ArticleError(place, "text must be text")
    return text


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES} bytes")
    return data


def _decoded(data: bytes, declared: str | None = None) -> str:
    """The text of bytes: by its byte order mark, as UTF-8, as declared, or by what charset-normalizer makes of it."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding)
    if b"\0" in data:
        raise ValueError("holds NUL bytes: no text, or UTF-16 without a byte order mark. Save it as UTF-8")
    for encoding in filter(None, ("utf-8", declared)):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return text
    known = _by_letters(data)
    if known is not None:
        return known
    best = charset_normalizer.from_bytes(data).best()
    if best is None:
        raise ValueError("not text in any known encoding")
    return str(best)


# The characters beyond ASCII that texts of one encoding hold. Bytes of another one, read in it, soon give
# something else or hardly an ASCII letter. charset-normalizer takes short French text for Baltic,
# Polish for Vietnamese.
_MARKS = "«»“”‘’„–—…•·€§°©®\u00a0\u00ad"
_CENTRAL = "ąćęłńóśźżáäčďéěíňôöřšťúůüýžľĺŕőűăâîşţ"
_LETTERS = {
    "cp1252": "àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÀÂÄÁÆÇÉÈÊËÎÏÍÑÓÔÖŒÚÙÛÜ£ªº¿¡²½¼¾±×",
    "cp1250": _CENTRAL + _CENTRAL.upper(),
    "iso8859_2": _CENTRAL + _CENTRAL.upper(),
    "cp1254": "çğıöşüâîûÇĞİÖŞÜ",
}


def _by_letters(data: bytes) -> str | None:
    """The text of bytes that are plainly of one European encoding with Latin letters."""
    for encoding, letters in _LETTERS.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        beyond = [char for char in text if not char.isascii()]
        if frozenset(_MARKS + letters).issuperset(beyond) and 4 * len(beyond) < sum(map(str.isalpha, text)):
            return text
    return None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
