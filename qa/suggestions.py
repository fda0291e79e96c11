"""Suggested questions: made from articles ahead of time, kept in one small file, gone with their article.

    .sourcier/suggestions.json      what the model proposed, what an editor accepted or wrote, what an editor refused
    .sourcier/suggestions.lock      held while it is changed: the server and the commands change the same file

Each question belongs to one article as it then was, by the digest of all its words. A change of the article, or its
deletion, takes the question out of the page at once, and out of the file with the next look (`keep_current`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import filelock

from index.articles import Article
from index.earlier_articles import article_in
from index.errors import BrokenIndex, SourcierError
from index.function_words import FUNCTION_WORDS
from index.generation import current_folder
from index.languages import stem_words
from index.storage.durable_files import replace_text

log = logging.getLogger(__name__)

FILE = "suggestions.json"
_LOCK = "suggestions.lock"
# Changes when questions are made in another way: then those of the model are made anew.
_VERSION = 1
# Of the words of two questions that both have; from here on they ask about the same.
_ALIKE = 0.5
_LOCK_SECONDS = 10.0

# Proposed by the model; wanted by an editor, who may also have written it; not wanted.
State = Literal["proposed", "accepted", "refused"]
FindArticle = Callable[[str], Article | None]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question that an article answers. An empty one says that the model was asked for one and none was good enough.

    `article_digest` is that of the article as it was (`digest_of_article`). What was refused stays in the file, so that
    it is not made again.
    """

    article_id: str
    article_digest: str
    language: str
    question: str
    state: State = "proposed"


def digest_of_article(article: Article) -> str:
    """SHA-256 (hex) of everything that a reader sees of an article."""
    day = article.published.isoformat() if article.published else ""
    seen = (article.id, article.title, article.text, article.language, day, article.source or "")
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


class SuggestionFile:
    """The file below a home. Any thread or process may change it; a damaged one counts as empty."""

    def __init__(self, home: Path) -> None:
        self.path = home / FILE
        self._lock = filelock.FileLock(home / _LOCK, timeout=_LOCK_SECONDS)

    def stamp(self) -> tuple[int, int] | None:
        """What tells one content from the next, at the cost of one stat; None without a file."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def read(self) -> list[Suggestion]:
        """In the order they were made."""
        return _read(self.path)

    def add(self, suggestion: Suggestion, find: FindArticle) -> bool:
        """Add one, unless its article was changed or deleted meanwhile; in place of what was made of it before, and of
        the same question. Raises SourcierError when the file cannot be written."""
        with self._changing() as found:
            if not _is_current(suggestion, find):
                return False
            found[:] = [one for one in found if not _replaces(suggestion, one)] + [suggestion]
            return True

    def adopt(self, path: Path, find: FindArticle) -> None:
        """Take over what another such file has about the articles as they are here."""
        for one in _read(path):
            self.add(one, find)

    def judge(self, question: str, state: Literal["accepted", "refused"]) -> bool:
        """Say whether a question is wanted; False where there is none that it was not said of."""
        with self._changing() as found:
            meant = [one for one in found if one.question == question and one.state != state]
            found[:] = [replace(one, state=state) if one in meant else one for one in found]
            return bool(meant)

    def keep_current(self, find: FindArticle) -> int:
        """Drop what belongs to articles that are gone or have changed; how many questions went."""
        if self.stamp() is None:
            return 0
        with self._changing() as found:
            gone = [one for one in found if not _is_current(one, find)]
            found[:] = [one for one in found if one not in gone]
            return sum(bool(one.question) for one in gone)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Suggestion]]:
        """What is in the file, to be changed in place."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                found = self.read()
                before = list(found)
                yield found
                if found != before:
                    rows = [asdict(one) for one in found]
                    text = json.dumps({"version": _VERSION, "suggestions": rows}, ensure_ascii=False, indent=1)
                    replace_text(self.path, f"{text}\n")
        except (OSError, filelock.Timeout) as error:
            raise SourcierError(
                f"{self.path} cannot be written: {error}. Suggested questions stay as they are."
            ) from error


def _read(path: Path) -> list[Suggestion]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = [Suggestion(**row) for row in content["suggestions"]]
        right = all(isinstance(value, str) for one in found for value in asdict(one).values())
        if not right or any(one.state not in get_args(State) for one in found):
            raise ValueError("not what is written here")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("%s cannot be read, so the page suggests nothing: %s", path, error)
        return []
    return found if content.get("version") == _VERSION else [one for one in found if one.state == "accepted"]


def articles_on_disk(home: Path) -> FindArticle:
    """Finds articles of the generation that CURRENT names at that moment: a server may still be reading the one before,
    which has what was deleted."""

    def find(article_id: str) -> Article | None:
        while True:
            folder = current_folder(home)
            try:
                return article_in(folder, article_id)
            except sqlite3.Error as error:
                if current_folder(home) == folder:
                    raise BrokenIndex(folder, f"SQLite cannot read it ({error})") from error

    return find


def shown_suggestions(
    suggestions: Iterable[Suggestion], find: FindArticle, language: str, most: int, states: Collection[State]
) -> list[Suggestion]:
    """Those in one of these states that may stand on a page in this language: accepted ones first, then those of the
    newest article; never two of one article, nor two that ask nearly the same."""
    current = [
        (one, article)
        for one in suggestions
        if one.question and one.state in states and one.language == language
        if (article := find(one.article_id)) and digest_of_article(article) == one.article_digest
    ]
    current.sort(key=lambda pair: pair[1].published.isoformat() if pair[1].published else "", reverse=True)
    current.sort(key=lambda pair: pair[0].state != "accepted")  # stable
    shown: list[Suggestion] = []
    for one, _ in current:
        if len(shown) == most:
            break
        if all(one.article_id != other.article_id and not _are_alike(one, other) for other in shown):
            shown.append(one)
    return shown


def _is_current(suggestion: Suggestion, find: FindArticle) -> bool:
    article = find(suggestion.article_id)
    return article is not None and digest_of_article(article) == suggestion.article_digest


def _replaces(new: Suggestion, old: Suggestion) -> bool:
    if new.question and new.question == old.question:
        return True
    return new.state == old.state == "proposed" and new.article_id == old.article_id


def _are_alike(one: Suggestion, other: Suggestion) -> bool:
    words, others = (_words_of(each) for each in (one, other))
    return len(words & others) >= _ALIKE * min(len(words), len(others))


def _words_of(suggestion: Suggestion) -> set[str]:
    small: Sequence[str] = stem_words(FUNCTION_WORDS.get(suggestion.language, ""), suggestion.language)
    return set(stem_words(suggestion.question, suggestion.language)).difference(small)
