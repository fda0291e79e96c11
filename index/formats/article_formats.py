"""One reader per format of plain text: Markdown and text with front matter, JSON lines, web page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from index.errors import ArticleError
from index.formats.article_fields import Fields, check_fields, clean_text
from index.formats.encodings import MAX_BYTES, decoded, read_bytes
from index.formats.front_matter import split_front_matter
from index.formats.html_articles import declared_charset, extract_article


def read_plain_text(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a file as one article, with or without front matter."""
    keys, text = split_front_matter(clean_text(decoded(read_bytes(path))))
    yield check_fields(keys, text, str(path), path.stem)


def read_html(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a web page as one article."""
    data = read_bytes(path)
    keys, text = extract_article(clean_text(decoded(data, declared_charset(data))))
    yield check_fields(keys, text, str(path), path.stem)


def read_jsonl(path: Path) -> Iterator[Fields | ArticleError]:
    """Read a file with one article, a JSON object, a line; blank lines are skipped."""
    with path.open("rb") as file:
        yield from read_json_lines(file, str(path), path.stem)


def read_json_lines(file: BinaryIO, name: str, stem: str) -> Iterator[Fields | ArticleError]:
    """Read one article a line of an open file; `name` is what the file is called in errors."""
    for number, line in enumerate(_lines(file), start=1):
        place = f"{name}:{number}"
        try:
            record = _record(line, place)
            if record is not None:
                yield check_fields(record, _text_of(record, place), place, f"{stem} {number}", str(number))
        except ArticleError as error:
            yield error


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
        record: object = json.loads(decoded(line))
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
