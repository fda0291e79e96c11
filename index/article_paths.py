"""Which files are meant: files, folders with all folders in them, lists of paths, and standard input."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import ArticleError
from index.formats.encodings import read_bytes, reason_of

# Stands for JSON lines on standard input.
STANDARD_INPUT = Path("-")

# In a folder these speak about the corpus; they are no part of it.
_NOT_ARTICLES = ("readme", "license", "questions.jsonl")
# What browsers put beside a page that is saved whole: its pictures, and the advertisements that were frames in it.
_BESIDE_A_PAGE = re.compile(r"(.+)(?:_files|_fichiers|-Dateien|_archivos|_file|_bestanden|\.files)")


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """A file to be read; `id` is that of the article in it, or the beginning of those of several."""

    path: Path
    id: str


def find_files(
    paths: Sequence[Path], listed: Sequence[Path], known: Collection[str]
) -> Iterator[ArticleFile | ArticleError]:
    """Find the files to be read, in a stable order: those of a folder sorted by name, folder by folder, each once.

    The id is the path below the folder that was given, and the name of a file that was given itself. What comes from
    a list keeps its path as the id, for one list may name `monday/1.pdf` and `tuesday/1.pdf`. `known` are the suffixes
    that can be read; in a folder other files are passed over.
    """
    for given in paths:
        for found in _files(given, known):
            if isinstance(found, ArticleError):
                yield found
            elif found == STANDARD_INPUT:
                yield ArticleFile(found, "stdin")
            else:
                yield ArticleFile(found, _composed(found.name if found == given else _below(found, given)))
    for given in listed:
        for found in _files(given, known):
            yield found if isinstance(found, ArticleError) else ArticleFile(found, _composed(_below(found, Path("/"))))


def paths_in_list(file: Path) -> list[Path]:
    """Return the paths in a file, one a line or with NUL between them; `-` reads them from standard input.

    Raises ArticleError where it cannot be read or names no path.
    """
    try:
        data = sys.stdin.buffer.read() if file == STANDARD_INPUT else read_bytes(file)
    except (OSError, ValueError) as error:
        raise ArticleError(str(file), reason_of(error)) from error
    names = data.split(b"\0" if b"\0" in data else b"\n")
    paths = [Path(os.fsdecode(name.rstrip(b"\r"))) for name in names if name.strip()]
    if not paths:
        raise ArticleError(str(file), "names no file. Write one path a line")
    return paths


def _below(file: Path, folder: Path) -> str:
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def _composed(name: str) -> str:
    """With composed letters, as some systems store them taken apart."""
    return unicodedata.normalize("NFC", name)


def _files(path: Path, known: Collection[str]) -> Iterator[Path | ArticleError]:
    """The article files at or below a path."""
    try:
        if path == STANDARD_INPUT:
            yield path
        elif path.is_dir():
            yield from _files_below(path, known, set())
        elif not path.exists():
            yield ArticleError(str(path), "no such file or folder")
        elif not path.is_file():
            yield ArticleError(str(path), "neither a file nor a folder")
        elif path.suffix.lower() not in known:
            yield ArticleError(str(path), f"unknown format {path.suffix or path.name!r}; known: {' '.join(known)}")
        else:
            yield path
    except (OSError, ValueError) as error:
        yield ArticleError(str(path), reason_of(error))


def _files_below(folder: Path, known: Collection[str], seen: set[Path]) -> Iterator[Path | ArticleError]:
    try:
        real = folder.resolve()
        if real in seen:
            return
        seen.add(real)
        paths = sorted(folder.iterdir())
        pages = {path.stem for path in paths if path.suffix.lower() in (".html", ".htm", ".xhtml")}
        for path in paths:
            if path.name.startswith("."):
                continue
            if path.is_dir():
                beside = _BESIDE_A_PAGE.fullmatch(path.name)
                if beside is None or beside[1] not in pages:
                    yield from _files_below(path, known, seen)
            elif path.suffix.lower() in known and not path.name.lower().startswith(_NOT_ARTICLES):
                yield from _files(path, known)
    except (OSError, RuntimeError) as error:
        yield ArticleError(str(folder), reason_of(error))
