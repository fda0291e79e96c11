"""Reading passages before anybody asks about them: a stored state is what makes the first word come at once.

`read_ahead` does it for the editor, from the command line; `IdleReader` does it in the server while nobody asks, and
lets go of the states of passages that are no longer in the index.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from index.articles import Article
from index.errors import SourcierError
from index.passages import Passage
from index.progress import Progress
from qa.errors import Busy, PromptTooLong
from qa.language_model import NOBODY, Asker, Message, kept_key
from qa.prefill_cache import PrefillCache
from qa.prompt import passage_messages
from qa.state_keys import StateKeys

log = logging.getLogger(__name__)

# Passages taken from the index at a time.
_PAGE = 200
# How often the idle reader looks whether it may read, in seconds, and how long nobody must have asked.
_LOOK = 1.0
_QUIET = 3.0


class Passages(Protocol):
    """What is asked of the index: its passages with their articles, those of the newest article first."""

    def passages(self, offset: int, limit: int) -> Sequence[tuple[Article, Passage]]: ...


class ReadsAhead(Protocol):
    """What is asked of the model."""

    def read_ahead(self, messages: Sequence[Message], asker: Asker = NOBODY) -> bool:
        """Read and store what the messages keep; True when it is stored now and was not before."""

    def quiet_for(self) -> float:
        """Seconds since somebody last asked for something; 0 while it works for somebody."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was done: passages read now, passages with a stored state, and all of them. `full`: the disk budget is."""

    read: int
    stored: int
    passages: int
    full: bool


def read_ahead(
    index: Passages, model: ReadsAhead, states: PrefillCache, total: int, progress: Progress, most: int | None = None
) -> ReadReport:
    """Read what has no state yet, newest first, until `most` were read or the disk budget is full."""
    read = stored = 0
    full = False
    for number, messages in enumerate(_all_messages(index)):
        progress.advance("reading ahead", number, total)
        if kept_key(messages) in states:
            stored += 1
            continue
        if full or (most is not None and read >= most):
            continue
        if full := not states.has_room():
            continue
        with contextlib.suppress(PromptTooLong):
            if model.read_ahead(messages):
                read += 1
                stored += 1
    progress.advance("reading ahead", total, total)
    states.flush()
    return ReadReport(read, stored, total, full)


def state_keys(index: Passages, known: StateKeys | None = None) -> set[str]:
    """The keys of all passages of an index, and of what prompts begin with: any other state is of something deleted or
    changed."""
    return (known or StateKeys(None)).of((article, passage.text) for article, passage in _all_passages(index))


def _all_messages(index: Passages) -> Iterator[list[Message]]:
    return (passage_messages(article, passage.text) for article, passage in _all_passages(index))


def _all_passages(index: Passages) -> Iterator[tuple[Article, Passage]]:
    offset = 0
    while page := index.passages(offset, _PAGE):
        yield from page
        offset += len(page)


class Served(Passages, Protocol):
    """The index of a running server, whose generation changes."""

    def generation_name(self) -> str: ...


class IdleReader:
    """A thread beside the server; `close` stops it at its next look. With `ahead` False it only lets go of states."""

    def __init__(self, index: Served, model: ReadsAhead, states: PrefillCache, ahead: bool = True) -> None:
        self._index = index
        self._model = model
        self._states = states
        self._ahead = ahead
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="idle reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        seen, known = "", StateKeys(self._states.folder)
        unread: Iterator[list[Message]] = iter(())
        messages: list[Message] | None = None
        pause, said = _LOOK, ""
        while not self._closing.wait(pause):
            pause = _LOOK
            try:
                # Before each passage: what was deleted meanwhile is not read, and its state not kept for longer.
                if (name := self._index.generation_name()) != seen:
                    self._states.keep_only(state_keys(self._index, known))
                    seen, unread, messages, said = name, self._unread(), None, ""
                if messages is None and self._ahead:
                    messages = next(unread, None)
                if messages is not None and self._read_if_quiet(messages):
                    messages, pause = None, 0.0
            except Busy:
                continue
            except SourcierError as problem:
                if str(problem) != said:  # a broken index is looked at every second
                    log.warning("reading ahead stopped until the next generation: %s", problem)
                unread, messages, said = iter(()), None, str(problem)

    def _unread(self) -> Iterator[list[Message]]:
        return (messages for messages in _all_messages(self._index) if kept_key(messages) not in self._states)

    def _read_if_quiet(self, messages: Sequence[Message]) -> bool:
        if self._model.quiet_for() < _QUIET or not self._states.has_room():
            return False
        with contextlib.suppress(PromptTooLong):
            self._model.read_ahead(messages, Asker("reading ahead", self._closing.is_set))
        return True
