"""A decode loop over a tiny model, asked by tests, and what a plain reader would make of the same.

All of it is measured in decodings, not in seconds: what a test does in `context.before` happens at the same place in
every run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from tiny_gguf import TURN_END
from watched_context import WAIT, PlainReader, WatchedContext

from qa.decoding.decode_loop import BATCH_ROWS, RUNNING, WRITTEN_ROWS, DecodeLoop
from qa.decoding.lookahead import Lookahead
from qa.decoding.passage_reader import SEQUENCES
from qa.decoding.read_before import FIRST_FREE, PREFIX_TOKENS, PREFIXES
from qa.decoding.request import Impression, Outcome, Prompt, Request
from qa.language_model import Asker
from qa.prefill_cache import PrefillCache

# How much a logit may differ from a plain reading of the same tokens. Up to .0011 was measured where the cells lie in
# another order (sums are rounded otherwise, and then KV values to 16 bits), else 0; the logits span 15.
ROUNDING = 0.01
CELLS = 4096
SLICE = 16  # tokens; the model's own are longer, and take the tiny one 2 to 10 ms
WRITABLE = tuple(range(ord(" "), ord("~") + 1))


def slices_of(text: str) -> list[tuple[int, ...]]:
    """A token is a byte."""
    tokens = text.encode()
    return [tuple(tokens[start : start + SLICE]) for start in range(0, len(tokens), SLICE)]


def prompt(prefix: str = "System. ", passage: str = "", question: str = "What is it?") -> Prompt:
    before, kept, after = slices_of(prefix), slices_of(passage), slices_of(question)
    key = hashlib.sha256((prefix + passage).encode()).hexdigest() if passage else None
    return Prompt((*before, *kept, *after), len(before), len(before) + len(kept), key)


def of_slices(count: int, letter: str = "p") -> str:
    """A passage of so many full slices."""
    return "".join(f"{letter} {place} of {count} ".ljust(SLICE, letter) for place in range(count))


def tokens_of(asked: Prompt) -> list[int]:
    return list(chain.from_iterable(asked.slices))


class Outbox(SimpleQueue[Outcome]):
    """Remembers after how many decodings each outcome came."""

    def __init__(self, context: WatchedContext) -> None:
        self._context = context
        self.at: list[int] = []

    def put(self, item: Outcome, block: bool = True, timeout: float | None = None) -> None:
        self.at.append(len(self._context.decoded))
        super().put(item)


class Eager(Lookahead):
    """Guesses as much as it may."""

    def worth(self, writers: int) -> int:
        return max(WRITTEN_ROWS - writers, 0)


class Room:
    """A loop over the tiny model, and what a test wants to know of it."""

    def __init__(
        self,
        path: Path,
        cells: int = CELLS,
        queue: int = 32,
        longest_wait: float = 30.0,
        states: PrefillCache | None = None,
        promised: int | None = None,
        reading: bool = False,
    ) -> None:
        self.states = states or PrefillCache(None, "00")
        with_prefixes = cells + PREFIXES * PREFIX_TOKENS
        self.context = WatchedContext(path, with_prefixes, FIRST_FREE + RUNNING, BATCH_ROWS, threads=1)
        guesses = Eager(WRITTEN_ROWS)  # how long decodings take is another thing each time
        self.reading = (
            WatchedContext(
                path, max(cells, SLICE), SEQUENCES, BATCH_ROWS, threads=1, as_filed=True, beside=self.context
            )
            if reading
            else None
        )
        self.loop = DecodeLoop(
            self.context, promised or cells, self.states, queue, longest_wait, guesses, reading=self.reading
        )
        self.closed = False

    def ask(
        self,
        asked: Prompt,
        max_tokens: int = 0,
        client: str = "",
        cancelled: Callable[[], bool] = lambda: False,
        background: bool = False,
        since: float = 0.0,
        held: bool = False,
    ) -> Request:
        """A reply of so many tokens; with none, scores; in the background neither."""
        scored = () if max_tokens or background else WRITABLE
        asker = Asker(client, cancelled, since)
        request = Request(asked, max_tokens, scored, asker, background, outbox=Outbox(self.context), held=held)
        self.loop.submit(request)
        return request

    def together(self, ask: Callable[[], Sequence[Request]]) -> Sequence[Request]:
        """What is asked comes while one slice of somebody else is decoded; decodings are counted from its end on."""
        other: list[Request] = []
        with self.context.held(lambda: other.append(self.ask(prompt("", "", "Who comes first?")))):
            self.context.decoded.clear()
            requests = ask()
            self.context.decoded.clear()
        end_of(other[0])
        return requests

    def do_at(self, decoding: int, what: Callable[[], object]) -> None:
        """While the so many-th decoding from now goes on."""
        count = 0

        def before() -> None:
            nonlocal count
            count += 1
            if count == decoding:
                what()

        self.context.before = before

    def is_empty(self) -> bool:
        """No cells but those of prefixes, once nobody is served any more."""
        deadline = time.monotonic() + WAIT
        # A reader has its end before the loop has freed its cells, and then its sequence.
        while self.loop._running or self.loop._waiting or len(self.loop._free) < RUNNING:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return set(self.context.in_use()) <= set(range(PREFIXES))

    def close(self) -> None:
        self.loop.close()
        self.states.close()
        self.closed = True


Open = Callable[..., Room]


def outcomes(request: Request) -> list[Outcome]:
    """All that comes, up to the end or an error."""
    got: list[Outcome] = [request.outbox.get(timeout=WAIT)]
    while isinstance(got[-1], (str, Impression)):
        got.append(request.outbox.get(timeout=WAIT))
    return got


def end_of(request: Request) -> Outcome:
    return outcomes(request)[-1]


def text_of(request: Request) -> str:
    got = outcomes(request)
    assert got[-1] is None, got[-1]
    return "".join(piece for piece in got if isinstance(piece, str))


def scores_of(request: Request) -> list[float]:
    impression, end = outcomes(request)
    assert isinstance(impression, Impression)
    assert end is None
    return impression.scores


def first_word_at(request: Request) -> int:
    """Decodings until it came."""
    assert isinstance(request.outbox, Outbox)
    return request.outbox.at[0]


def plain_text(plain: PlainReader, asked: Prompt, max_tokens: int) -> str:
    written = plain.write(tokens_of(asked), max_tokens)
    return bytes(token for token in written if token != TURN_END).decode()


def assert_plain_scores(plain: PlainReader, asked: Prompt, scores: Sequence[float]) -> None:
    np.testing.assert_allclose(scores, plain.scores(tokens_of(asked))[list(WRITABLE)], atol=ROUNDING)


def assert_greedy(plain: PlainReader, asked: Prompt, text: str, max_tokens: int, cut: bool = False) -> None:
    plain.assert_greedy(tokens_of(asked), text.encode(), max_tokens, ROUNDING, cut)


def positions_of(room: Room, state: bytes) -> tuple[int, int]:
    """The first position of a state and the one behind its last; nobody may be served."""
    sequence = max(room.loop._free)
    assert room.context.restore(sequence, state)
    positions = room.context.positions(sequence)
    room.context.forget(sequence)
    return positions


def long_winded(plain: PlainReader, tokens: int) -> Prompt:
    """A prompt whose reply does not end before so many tokens."""
    prompts = (prompt("System. ", "", f"Tell me of {number}.") for number in range(100))
    return next(asked for asked in prompts if TURN_END not in plain.write(tokens_of(asked), tokens))
