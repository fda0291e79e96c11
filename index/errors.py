"""What can go wrong, as the user sees it. Each message ends with what to do.

SourcierError
├── ArticleError            one file or one line cannot be read as an article
├── ModelFileError          a model file is missing, wrong or cannot be fetched
│   ├── WrongChecksum
│   └── SourceUnavailable   one place cannot give a model file; the next place is asked
├── IndexProblem
│   ├── NoIndex             nothing has been built yet
│   ├── BrokenIndex         a file of the generation is missing or differs from its manifest
│   ├── BuildInProgress     another process is building
│   └── UnknownArticle      no article has the id that was given
└── BadQuery                the query cannot be searched

The answering room adds its own below SourcierError (qa/errors.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class SourcierError(Exception):
    """Everything Sourcier raises on purpose; its text is one line for the user."""


class ArticleError(SourcierError):
    """A file, or one line of it, cannot be read as an article."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ModelFileError(SourcierError):
    """A model file is missing, wrong or cannot be fetched."""


class WrongChecksum(ModelFileError):
    """A file is not, byte for byte, the published one."""

    def __init__(self, path: Path, expected: str, found: str, advice: str) -> None:
        super().__init__(f"{path} has SHA-256 {found}, expected {expected}. {advice}")
        self.path = path
        self.expected = expected
        self.found = found


class SourceUnavailable(ModelFileError):
    """One place that may hold a model file cannot give it; its text is the reason, without what to do."""


class IndexProblem(SourcierError):
    """The index cannot be used as it is."""


class NoIndex(IndexProblem):
    """Nothing has been built under this home folder yet."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"No index in {home}. Build it with: sourcier build corpus/")
        self.home = home


class BrokenIndex(IndexProblem):
    """A file of the generation is missing or differs from its manifest."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Go back with: sourcier rollback, or rebuild with: sourcier build")
        self.path = path
        self.reason = reason


class BuildInProgress(IndexProblem):
    """Another process holds the build lock."""

    def __init__(self, lock: Path) -> None:
        super().__init__(f"Another build is running (it holds {lock}). Wait for it to finish, or stop it.")
        self.lock = lock


class UnknownArticle(IndexProblem):
    """No article of the index has this id; `near` are ids that look like it."""

    def __init__(self, article_id: str, near: Sequence[str]) -> None:
        advice = f"Near it: {', '.join(near)}" if near else "The page and GET /api/articles list all ids"
        super().__init__(f"No article has the id {article_id!r}. Nothing was deleted. {advice}.")
        self.article_id = article_id
        self.near = tuple(near)


class BadQuery(SourcierError):
    """The query cannot be searched: empty, too long, or k out of range."""
