"""Articles: what they are, and how files of several formats are read into them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from index.article_paths import STANDARD_INPUT, ArticleFile, find_files
from index.errors import ArticleError
from index.formats.article_fields import Fields
from index.formats.article_formats import read_html, read_json_lines, read_jsonl, read_plain_text
from index.formats.book_articles import read_epub
from index.formats.encodings import reason_of
from index.formats.feed_articles import read_feed
from index.formats.news_agency_articles import read_xml
from index.formats.office_articles import read_docx, read_odt
from index.formats.pdf_articles import read_pdf
from index.formats.saved_pages import read_mhtml
from index.languages import detect_language


@dataclass(frozen=True, slots=True)
class Article:
    """One article, as read. `text` is never changed again: every offset in the product counts its characters.

    `id` is unique in the corpus and stable across rebuilds. `language` is an ISO 639-1 code, or "und".
    """

    id: str
    title: str
    text: str
    language: str
    published: date | datetime | None = None
    author: str | None = None
    source: str | None = None
    url: str | None = None


class Readings(Protocol):
    """What is known of files that were read before (index/readings.py)."""

    def known(self, file: Path, file_id: str) -> list[Article] | None:
        """The articles of a file that has not changed; None where it is to be read. `file_id` is its id by default."""

    def note(self, file: Path, articles: int, whole: bool) -> None:
        """The file that was asked for last gave so many articles; `whole`: and no error."""

    def language_of(self, text: str) -> str: ...


class NoReadings:
    """Reads everything."""

    def known(self, file: Path, file_id: str) -> list[Article] | None:
        return None

    def note(self, file: Path, articles: int, whole: bool) -> None:
        pass

    def language_of(self, text: str) -> str:
        return detect_language(text)


# Long enough for a web address as an id, short enough for every table and log line.
MAX_ID_CHARS = 200

# A reader yields what it finds; what it raises (ArticleError, OSError, ValueError) says why the rest cannot be read.
_READERS: dict[str, Callable[[Path], Iterator[Fields | ArticleError]]] = {
    ".atom": read_feed,
    ".docx": read_docx,
    ".epub": read_epub,
    ".htm": read_html,
    ".html": read_html,
    ".jsonl": read_jsonl,
    ".md": read_plain_text,
    ".mht": read_mhtml,
    ".mhtml": read_mhtml,
    ".odt": read_odt,
    ".pdf": read_pdf,
    ".rss": read_feed,
    ".txt": read_plain_text,
    ".xhtml": read_html,
    ".xml": read_xml,
}


def read_articles(
    paths: Sequence[Path], listed: Sequence[Path] = (), readings: Readings | None = None
) -> Iterator[Article | ArticleError]:
    """Read the articles of files and folders, in a stable order; what cannot be read comes as an ArticleError.

    A folder is read with all folders in it, without hidden files, README*, LICENSE*, questions.jsonl and files that are
    no articles; the path `-` stands for JSON lines on standard input. An article without an id gets its path below the
    folder that was given (the whole path if it was `listed`), and "#" with what tells it apart where a file holds
    several. Of two articles with the same id the first one counts.
    """
    places: dict[str, str] = {}
    for found in find_files(paths, listed, _READERS):
        if isinstance(found, ArticleError):
            yield found
            continue
        articles, whole = 0, True
        for read in _read(found, places, readings or NoReadings()):
            articles += isinstance(read, Article)
            whole &= isinstance(read, Article)
            yield read
        if readings is not None:
            readings.note(found.path, articles, whole)


def _read(found: ArticleFile, places: dict[str, str], readings: Readings) -> Iterator[Article | ArticleError]:
    """The articles of one file, as they were read before or anew."""
    if (known := readings.known(found.path, found.id)) is not None:
        for article in known:
            taken = _taken(article.id, str(found.path), places)
            yield ArticleError(str(found.path), taken) if taken else article
        return
    for fields in _fields_of(found.path):
        yield fields if isinstance(fields, ArticleError) else _article(fields, found.id, places, readings)


def _fields_of(file: Path) -> Iterator[Fields | ArticleError]:
    try:
        if file == STANDARD_INPUT:
            yield from read_json_lines(sys.stdin.buffer, "stdin", "stdin")
        else:
            yield from _READERS[file.suffix.lower()](file)
    except (OSError, ValueError) as error:
        yield ArticleError(str(file), reason_of(error))
    except ArticleError as error:
        yield error


def _article(fields: Fields, file_id: str, places: dict[str, str], readings: Readings) -> Article | ArticleError:
    """Complete the fields with an id and a language."""
    own_id = fields.id or file_id + (f"#{fields.part}" if fields.part else "")
    if problem := _problem_with_id(own_id):
        return ArticleError(fields.place, problem)
    if taken := _taken(own_id, fields.place, places):
        return ArticleError(fields.place, taken)
    language = fields.language or readings.language_of(f"{fields.title}\n{fields.text}")
    return Article(
        own_id, fields.title, fields.text, language, fields.published, fields.author, fields.source, fields.url
    )


def _taken(own_id: str, place: str, places: dict[str, str]) -> str | None:
    """What to say where the id was seen before; else it is remembered where it was first seen."""
    if own_id in places:
        return f"same id as {places[own_id]}: {own_id}. Give one of them another id"
    places[own_id] = place
    return None


def _problem_with_id(article_id: str) -> str | None:
    if len(article_id) > MAX_ID_CHARS:
        return f"the id has {len(article_id)} characters; at most {MAX_ID_CHARS}"
    if not article_id.isprintable():
        return "the id holds a line break, a control character or a byte that is not UTF-8"
    return None
