"""What comes out of a request, as its asker reads it: scores and hidden state first, then the words as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

import numpy as np

from qa.decoding.hidden_states import HiddenState
from qa.decoding.request import Behind, Impression, Outcome, Request


class ReplyStream:
    """The pieces of a reply up to the first stop string."""

    def __init__(self, request: Request, stop: Sequence[str], wake: Callable[[], None]) -> None:
        self._request = request
        self._wake = wake
        self._pieces = without_stop(self._texts(), stop)
        self._impression: Impression | None = None
        self._behind: list[Behind] = []

    def __iter__(self) -> ReplyStream:
        return self

    def __next__(self) -> str:
        if self._request.held:
            self._request.held = False
            self._wake()
        try:
            return next(self._pieces)
        except BaseException:
            self.close()  # at a stop string the model would go on
            raise

    def _texts(self) -> Iterator[str]:
        self._read()  # it comes first
        while isinstance(outcome := next_of(self._request.outbox), (str, Behind)):
            if isinstance(outcome, Behind):
                self._behind.append(outcome)
            else:
                yield outcome

    def scores(self) -> list[float]:
        """See Reply.scores."""
        return self._read().scores

    def hidden(self) -> HiddenState | None:
        """See Reply.hidden."""
        return self._read().hidden

    def hidden_of(self, start: int, end: int) -> HiddenState | None:
        """See Reply.hidden_of. Of a reply that was cut, without its last word, behind which nothing was computed."""
        within = [one for one in self._behind if one.length > start]
        last = next((number for number, one in enumerate(within) if one.length >= end), len(within) - 1)
        if last < 0:
            return None
        states = np.stack([one.hidden for one in within[: last + 1]])
        directions = states / np.linalg.norm(states, axis=2, keepdims=True)
        return np.concatenate([states[-1], directions.mean(axis=0)])

    def _read(self) -> Impression:
        if self._impression is None:
            self._impression = impression_of(self._request)
        return self._impression

    def close(self) -> None:
        """See Reply.close."""
        self._request.left = True
        if self._request.held:
            self._wake()

    def __del__(self) -> None:
        self.close()


def next_of(outbox: SimpleQueue[Outcome]) -> Outcome:
    outcome = outbox.get()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def impression_of(request: Request) -> Impression:
    """The first outcome of a request that asks for scores; they are -inf where it ended before."""
    if not request.scored:
        return Impression([])
    outcome = next_of(request.outbox)
    if isinstance(outcome, Impression):
        return outcome
    request.outbox.put(None)  # the end; who reads on must find it
    return Impression([-np.inf] * len(request.scored))


def without_stop(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """The pieces up to the first stop string. What could be the start of one is held back until it is known."""
    starts = {text[:length] for text in stop for length in range(1, len(text))}
    pending = ""
    for piece in pieces:
        pending += piece
        cuts = [position for text in stop if (position := pending.find(text)) >= 0]
        if cuts:
            if before := pending[: min(cuts)]:
                yield before
            return
        held = max((len(start) for start in starts if pending.endswith(start)), default=0)
        if safe := pending[: len(pending) - held]:
            yield safe
        pending = pending[len(pending) - held :]
    if pending:
        yield pending
