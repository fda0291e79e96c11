"""Articles: what they are, and how files of several formats are read into them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from index.article_fields import Fields
from index.article_formats import read_html, read_jsonl, read_plain_text
from index.errors import ArticleError
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

_READERS: dict[str, Callable[[Path], Iterator[Fields | ArticleError]]] = {
    ".html": read_html,
    ".htm": read_html,
    ".jsonl": read_jsonl,
    ".md": read_plain_text,
    ".txt": read_plain_text,
}
# In a folder these speak about the corpus; they are no part of it.
_NOT_ARTICLES = ("readme", "license", "questions.jsonl")


def read_articles(paths: Sequence[Path], readings: Readings | None = None) -> Iterator[Article | ArticleError]:
    """Read the articles of files and folders, in a stable order; what cannot be read comes as an ArticleError.

    A folder is read with all folders in it, without hidden files, README*, LICENSE*, questions.jsonl and files that are
    no articles. An article without an id gets its path below the folder that was given, and "#" with the line number in
    a .jsonl. Of two articles with the same id the first one counts.
    """
    places: dict[str, str] = {}
    for path in paths:
        for found in _files(path):
            if isinstance(found, ArticleError):
                yield found
                continue
            articles, whole = 0, True
            for read in _read(found, _id_of(found, path), places, readings or NoReadings()):
                articles += isinstance(read, Article)
                whole &= isinstance(read, Article)
                yield read
            if readings is not None:
                readings.note(found, articles, whole)


def _read(file: Path, file_id: str, places: dict[str, str], readings: Readings) -> Iterator[Article | ArticleError]:
    """The articles of one file, as they were read before or anew."""
    if (known := readings.known(file, file_id)) is not None:
        for article in known:
            taken = _taken(article.id, str(file), places)
            yield ArticleError(str(file), taken) if taken else article
        return
    for fields in _READERS[file.suffix.lower()](file):
        yield fields if isinstance(fields, ArticleError) else _article(fields, file, file_id, places, readings)


def _article(
    fields: Fields, file: Path, file_id: str, places: dict[str, str], readings: Readings
) -> Article | ArticleError:
    """Complete the fields with an id and a language."""
    own_id = fields.id or file_id + (f"#{fields.line}" if fields.line else "")
    place = f"{file}:{fields.line}" if fields.line else str(file)
    if problem := _problem_with_id(own_id):
        return ArticleError(place, problem)
    if taken := _taken(own_id, place, places):
        return ArticleError(place, taken)
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


def _id_of(file: Path, given: Path) -> str:
    """The path below the folder that was given; composed letters, as some systems store them taken apart."""
    below = file.name if file == given else file.relative_to(given).as_posix()
    return unicodedata.normalize("NFC", below)


def _problem_with_id(article_id: str) -> str | None:
    if len(article_id) > MAX_ID_CHARS:
        return f"the id has {len(article_id)} characters; at most {MAX_ID_CHARS}"
    if not article_id.isprintable():
        return "the id holds a line break, a control character or a byte that is not UTF-8"
    return None


def _files(path: Path) -> Iterator[Path | ArticleError]:
    """The article files at or below a path, sorted by name folder by folder, each folder once."""
    try:
        if path.is_dir():
            yield from _files_below(path, set())
        elif not path.exists():
            yield ArticleError(str(path), "no such file or folder")
        elif not path.is_file():
            yield ArticleError(str(path), "neither a file nor a folder")
        elif path.suffix.lower() not in _READERS:
            yield ArticleError(str(path), f"unknown format {path.suffix or path.name!r}; known: {' '.join(_READERS)}")
        else:
            yield path
    except (OSError, ValueError) as error:
        yield ArticleError(str(path), _reason(error))


def _files_below(folder: Path, seen: set[Path]) -> Iterator[Path | ArticleError]:
    try:
        real = folder.resolve()
        if real in seen:
            return
        seen.add(real)
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                yield from _files_below(path, seen)
            elif path.suffix.lower() in _READERS and not path.name.lower().startswith(_NOT_ARTICLES):
                yield from _files(path)
    except (OSError, RuntimeError) as error:
        yield ArticleError(str(folder), _reason(error))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
