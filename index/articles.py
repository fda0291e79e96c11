"""Articles: what they are, and how files of several formats are read into them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from index.article_fields import Fields
from index.article_formats import read_html, read_json_lines, read_jsonl, read_plain_text
from index.article_paths import STANDARD_INPUT, find_files
from index.book_articles import read_epub
from index.encodings import reason_of
from index.errors import ArticleError
from index.feed_articles import read_feed
from index.languages import detect_language
from index.news_agency_articles import read_xml
from index.office_articles import read_docx, read_odt
from index.pdf_articles import read_pdf
from index.saved_pages import read_mhtml


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


def read_articles(paths: Sequence[Path], listed: Sequence[Path] = ()) -> Iterator[Article | ArticleError]:
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
        for fields in _fields_of(found.path):
            yield fields if isinstance(fields, ArticleError) else _article(fields, found.id, places)


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


def _article(fields: Fields, file_id: str, places: dict[str, str]) -> Article | ArticleError:
    """Complete the fields with an id and a language, and remember where the id was first seen."""
    own_id = fields.id or file_id + (f"#{fields.part}" if fields.part else "")
    if problem := _problem_with_id(own_id):
        return ArticleError(fields.place, problem)
    if own_id in places:
        return ArticleError(fields.place, f"same id as {places[own_id]}: {own_id}. Give one of them another id")
    places[own_id] = fields.place
    language = fields.language or detect_language(f"{fields.title}\n{fields.text}")
    return Article(
        own_id, fields.title, fields.text, language, fields.published, fields.author, fields.source, fields.url
    )


def _problem_with_id(article_id: str) -> str | None:
    if len(article_id) > MAX_ID_CHARS:
        return f"the id has {len(article_id)} characters; at most {MAX_ID_CHARS}"
    if not article_id.isprintable():
        return "the id holds a line break, a control character or a byte that is not UTF-8"
    return None
