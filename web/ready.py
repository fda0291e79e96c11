"""What the server answers with, once it is there: the port opens before the models are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from flask import Flask, current_app

from index.articles import Article
from index.filters import Filters
from index.search import Hit
from qa.conversation import Turn
from qa.events import Event
from qa.language_model import Asker


class Answerer(Protocol):
    """The path of one question: first Found, then Draft and Checked in any order, last Answer."""

    def ask(
        self, question: str, history: Sequence[Turn], k: int, asker: Asker, filters: Filters
    ) -> Iterator[Event]: ...


class Counts(Protocol):
    """What the manifest of the generation being served says of itself."""

    @property
    def articles(self) -> int: ...
    @property
    def passages(self) -> int: ...
    @property
    def sentences(self) -> int: ...
    @property
    def built_at(self) -> str: ...
    @property
    def generation(self) -> str: ...
    @property
    def languages(self) -> Sequence[str]: ...


class Index(Protocol):
    """The body of articles, as the web room reads it."""

    @property
    def manifest(self) -> Counts: ...
    def search(self, query: str, k: int, filters: Filters) -> Sequence[Hit]: ...
    def article(self, article_id: str) -> Article | None: ...
    def articles(self, offset: int, limit: int) -> Sequence[Article]: ...
    def sources(self, limit: int) -> Sequence[str]: ...


class NotReady(Exception):
    """The models are still being loaded, or the server is stopping."""


class Ready:
    """Holds the answerer and the index of one app, None until they are loaded.

    The pair is swapped in one assignment, so a request sees both or neither. `stopping` refuses new requests, `closing`
    cuts answers under way short: plain flags because a signal handler sets them, where taking a lock could deadlock.
    """

    def __init__(self, answerer: Answerer | None, index: Index | None) -> None:
        self._pair = (answerer, index) if answerer is not None and index is not None else None
        self.stopping = False
        self.closing = False

    @classmethod
    def of(cls, app: Flask) -> Ready:
        ready = app.extensions["sourcier"]
        if not isinstance(ready, cls):
            raise TypeError("this Flask app was not made by web.create_app")
        return ready

    def fill(self, answerer: Answerer, index: Index) -> None:
        """Start answering; called once from the thread that loaded the models."""
        self._pair = (answerer, index)

    @property
    def is_filled(self) -> bool:
        return self._pair is not None and not self.stopping

    @property
    def pair(self) -> tuple[Answerer, Index]:
        pair = self._pair
        if pair is None or self.stopping:
            raise NotReady
        return pair


def the_answerer() -> Answerer:
    """The answerer of the app serving this request. Raises NotReady."""
    return Ready.of(current_app).pair[0]


def the_index() -> Index:
    """The index of the app serving this request. Raises NotReady."""
    return Ready.of(current_app).pair[1]
