"""Several readers, one model: the thread that owns the context and advances all of them together.

Read `_run` first. Each turn of the loop reads one slice of one prompt, then writes the next token of every reply that
is being written, all in one batch. Nothing waits for longer than a slice, about a second on two cores.

What has been read is not read again. Before each slice a prompt goes on from wherever another one that begins with the
same slices is by now, or the prefix that all prompts of a kind begin with (the cells are shared, which costs nothing),
and behind the prefix from the stored state of its passage (milliseconds). The slices of passages are decoded one prompt
at a time and end where a piece of the prompt does, so a passage is read in the same batches whoever reads beside it.
What is asked about them is decoded for all who ask in one batch.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from qa.errors import Busy, PromptTooLong
from qa.fair_turns import FairTurns
from qa.llama_context import Aborted, LlamaContext, Logits, Row
from qa.lookahead import guess
from qa.prefill_cache import PrefillCache
from qa.request import Request, Slices, common_slices

log = logging.getLogger(__name__)

# Tokens of a prompt decoded in one go: nobody waits for longer than that (1 s on two cores). Slices of 128 are not
# read faster (63 tokens/s against 66, 2026-11-22).
SLICE_TOKENS = 64
# Replies and scores being worked on together. Beyond eight sequences a batch writes no more words a second.
RUNNING = 12
# Prefixes kept in the context: that of answers, that of stand-alone questions (58 and 176 tokens), and one of a
# caller's own. A longer one than PREFIX_TOKENS is read each time, so that prefixes never take the cells of requests.
PREFIXES = 3
PREFIX_TOKENS = 320
# Tokens decoded at once when all replies are written, their guesses included: 4 cost 1.3 times the time of one, 16 cost
# 3.5 times (1.5B Q4_K_M, two cores, 2026-11-22), so few are guessed until a run of guesses was right.
FEW_ROWS = 4
MANY_ROWS = 16


@dataclass(eq=False, slots=True)
class _Running:
    """A request that has a sequence. Only the owner thread touches it."""

    request: Request
    sequence: int
    slices: int = 0  # read so far
    position: int = 0  # tokens of the sequence in the cache
    served: int = 0  # tokens decoded for it while it was being read
    token: int | None = None  # chosen, not decoded yet
    written: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)  # what guesses are taken from
    lucky: bool = False  # the last guesses were all right
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    @property
    def behind_passage(self) -> bool:
        """Whether what many prompts have in common is read, and only what is asked about it is left."""
        return self.slices >= self.request.prompt.kept


class DecodeLoop:
    """Owns the context from its own thread. `submit` may be called from any; `close` ends the thread and the context.

    `queue` requests may wait besides those that there are sequences for, each for `longest_wait` seconds, before they
    are refused as Busy.
    """

    def __init__(
        self, context: LlamaContext, cells: int, states: PrefillCache, queue: int, longest_wait: float = 30.0
    ) -> None:
        self._context = context
        self._cells = cells
        self._states = states
        self._queue = queue
        self._longest_wait = longest_wait
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._newcomers = False  # since the last look at those who wait
        self._closing = False
        self._last_ended = time.monotonic()
        # From here on only the owner thread.
        self._turns = FairTurns()
        self._prefixes: dict[Slices, int] = {}  # the sequence that holds it; the one used last comes last
        self._scratch = PREFIXES
        self._free = list(range(PREFIXES + 1, PREFIXES + 1 + RUNNING))
        self._running: list[_Running] = []
        self._thread = threading.Thread(target=self._run, name="decode loop", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request. Raises Busy when too many wait."""
        with self._changed:
            if self._closing:
                raise RuntimeError("the language model was closed")
            if len(self._waiting) >= self._queue + len(self._free):
                raise Busy(retry_after=5.0)
            self._waiting.append(request)
            self._newcomers |= not request.background
            self._changed.notify()

    def quiet_for(self) -> float:
        """Seconds since the last request that was not in the background ended; 0 while there is one."""
        with self._changed:
            busy = any(not request.background for request in (*self._waiting, *(one.request for one in self._running)))
            return 0.0 if busy else time.monotonic() - self._last_ended

    def close(self) -> None:
        """Stop at the next step; whoever is still being served gets the end of a reply that was cut."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_work():
            self._admit()
            try:
                self._drop_those_who_left()
                if reader := self._next_to_read():
                    with contextlib.suppress(Aborted):  # it is read later
                        self._read_on(reader)
                if writers := [one for one in self._running if one.token is not None]:
                    self._write_token(writers)
            except Exception as error:  # the outermost edge of this thread; the readers' threads raise it
                self._fail_all(error)
        for one in [*self._running]:
            self._finish(one)
        self._context.close()

    def _wait_for_work(self) -> bool:
        """False when the loop was closed."""
        with self._changed:
            while not (self._closing or self._waiting or self._running):
                self._changed.wait()
            if self._closing:
                for request in self._waiting:
                    request.outbox.put(None)
                self._waiting.clear()
            return not self._closing

    def _admit(self) -> None:
        """Give sequences to those who wait, first of all to clients that have the fewest."""
        with self._changed:
            self._newcomers = False
            for request in [*self._waiting]:
                if request.given_up():
                    self._waiting.remove(request)
                    request.outbox.put(None)
                elif time.monotonic() - request.arrived > self._longest_wait:
                    self._waiting.remove(request)
                    request.outbox.put(Busy(retry_after=10.0))
            while self._waiting and self._free:
                running = Counter(one.request.asker.client for one in self._running)
                first = min(self._waiting, key=lambda request: running[request.asker.client])
                if first.cells > self._cells - sum(one.request.cells for one in self._running):
                    break
                self._waiting.remove(first)
                reading = {one.request.asker.client for one in self._running if one.token is None}
                self._turns.join(first.asker.client, reading)
                self._running.append(_Running(first, self._free.pop()))

    def _drop_those_who_left(self) -> None:
        for one in [*self._running]:
            if one.request.given_up():
                self._finish(one)

    def _next_to_read(self) -> _Running | None:
        """Of those whose prompt is not read yet, one of the client that was served least, and of its questions the one
        that was: readers who come together get their first words together, a short question does not wait for a long
        article, nor one question for the many of another client.

        The requests of one question have the same asker. What goes on in the background is read while there is nothing
        else.
        """
        front = [one for one in self._running if not one.request.background]
        reading = [one for one in front or self._running if one.token is None]
        by_question: Counter[int] = Counter()
        for one in self._running:
            by_question[id(one.request.asker)] += one.served

        def turn(one: _Running) -> tuple[int, int, int, float]:
            asker = one.request.asker
            return self._turns.served(asker.client), by_question[id(asker)], one.served, one.request.arrived

        return min(reading, key=turn, default=None)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read_on(self, first: _Running) -> None:
        """Decode the next slice of a prompt, or of what stands behind the passages of several prompts a part each.

        Behind the last one, choose the first token or give the scores.
        """
        together = self._together_with(first)
        parts = [self._rest_of_slice(one)[: self._context.batch_tokens // len(together)] for one in together]
        rows: list[Row] = []
        for one, part in zip(together, parts, strict=True):
            last = one.position + len(part) == one.request.prompt.tokens
            rows += [
                Row(token, one.position + place, one.sequence, last and place == len(part) - 1)
                for place, token in enumerate(part)
            ]
        stop = (lambda: self._newcomers or self._closing) if first.request.background else None
        logits = iter(self._context.decode(rows, stop))
        for one, part in zip(together, parts, strict=True):
            one.served += len(part)
            self._turns.count(one.request.asker.client, len(part))
            one.position += len(part)
            one.slices += one.position == one.request.prompt.length(one.slices + 1)
            if self._context.can_share:
                self._keep(one)
            if one.slices == len(one.request.prompt.slices):
                self._prompt_read(one, next(logits, None))

    def _together_with(self, first: _Running) -> list[_Running]:
        """The readers whose next slices are decoded in one batch with that of `first`: when it has only its question
        left to read, all others of whom that is true, so that those who came together get their first words together;
        but none of a client that was served more than its own.

        A passage is read alone, in the same batches whoever reads beside it.
        """
        if self._context.can_share:
            self._take_over(first)
        if not first.behind_passage or first.request.background:
            return [first]
        together = [first]
        most = self._turns.served(first.request.asker.client) + self._context.batch_tokens
        for one in self._running:
            if one is first or one.request.background or len(together) == self._context.batch_tokens:
                continue
            if one.token is None and self._turns.served(one.request.asker.client) < most:
                if self._context.can_share:
                    self._take_over(one)
                if one.behind_passage:
                    together.append(one)
        return together

    def _rest_of_slice(self, one: _Running) -> tuple[int, ...]:
        prompt = one.request.prompt
        return prompt.slices[one.slices][one.position - prompt.length(one.slices) :]

    def _take_over(self, one: _Running) -> None:
        """Go on from the furthest that anybody has read of this prompt."""
        slices = one.request.prompt.slices
        furthest, source = one.slices, one.sequence
        for sequence, read in self._read_before():
            # The last slice is always decoded: its logits are what we came for.
            if (common := min(common_slices(slices, read), len(slices) - 1)) > furthest:
                furthest, source = common, sequence
        if furthest > one.slices:
            self._go_on_from(one, source, furthest)
        if one.slices == one.request.prompt.prefix:
            self._restore(one)

    def _read_before(self) -> Iterator[tuple[int, Slices]]:
        """What sequences hold."""
        for one in self._running:
            yield one.sequence, one.request.prompt.slices[: one.slices]
        for slices, sequence in self._prefixes.items():
            yield sequence, slices

    def _go_on_from(self, one: _Running, sequence: int, slices: int) -> None:
        end = one.request.prompt.length(slices)
        self._context.copy(sequence, one.sequence, one.position, end)
        one.slices, one.position = slices, end

    def _restore(self, one: _Running) -> None:
        """Go on from the stored state of what stands between the prefix and the question, if there is one."""
        prompt = one.request.prompt
        if not prompt.key or not prompt.prefix < prompt.kept < len(prompt.slices):
            return
        state = self._states.get(prompt.key)
        if state is None or not self._context.restore(self._scratch, state):
            return
        # A state of another length under this key: rather read than believed.
        if self._context.positions(self._scratch) == (one.position, prompt.length(prompt.kept)):
            self._go_on_from(one, self._scratch, prompt.kept)
        self._context.forget(self._scratch)

    def _keep(self, one: _Running) -> None:
        """Hold the prefix, and store the state of what follows it, when they are read."""
        prompt = one.request.prompt
        if one.slices >= prompt.prefix:
            self._hold_prefix(one)
        # Only right behind the passage: later there is a part of the question as well.
        if prompt.key and one.position == prompt.length(prompt.kept) and prompt.key not in self._states:
            self._context.copy(one.sequence, self._scratch, prompt.length(prompt.prefix), one.position)
            self._states.put(prompt.key, self._context.save(self._scratch))
            self._context.forget(self._scratch)

    def _hold_prefix(self, one: _Running) -> None:
        """Keep the prefix in a sequence of its own; that of the longest unused one is taken when all hold some."""
        prompt = one.request.prompt
        slices, tokens = prompt.slices[: prompt.prefix], prompt.length(prompt.prefix)
        sequence = self._prefixes.pop(slices, None)
        if sequence is None and 0 < tokens <= PREFIX_TOKENS:
            free = set(range(PREFIXES)) - set(self._prefixes.values())
            sequence = free.pop() if free else self._prefixes.pop(next(iter(self._prefixes)))
            self._context.forget(sequence)
            self._context.copy(one.sequence, sequence, 0, tokens)
        if sequence is not None:
            self._prefixes[slices] = sequence

    def _prompt_read(self, one: _Running, logits: Logits | None) -> None:
        request = one.request
        if logits is not None and request.scored:
            request.outbox.put(_log_probabilities(logits, request.scored))
        if logits is None or not request.max_tokens:
            self._finish(one)
            return
        one.source = list(chain.from_iterable(request.prompt.slices[request.prompt.prefix :]))
        self._choose(one, logits)

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write_token(self, writers: Sequence[_Running]) -> None:
        """Decode the chosen token of every reply, with guesses behind it, in one batch, and choose what follows."""
        guesses: list[list[int]] = []
        rows: list[Row] = []
        for one in writers:
            share = (MANY_ROWS if one.lucky else FEW_ROWS) // len(writers)
            most = min(share - 1, one.request.max_tokens - len(one.written) - 1)
            guesses.append(guess(one.source, one.written, most) if self._context.can_share else [])
            tokens = [one.written[-1], *guesses[-1]]
            rows += [Row(token, one.position + place, one.sequence, True) for place, token in enumerate(tokens)]
        logits = iter(self._context.decode(rows))
        for one, guessed in zip(writers, guesses, strict=True):
            mine = [next(logits) for _ in range(len(guessed) + 1)]
            self._take(one, guessed, mine)

    def _take(self, one: _Running, guessed: Sequence[int], logits: Sequence[Logits]) -> None:
        """Go on with the model's own choices as far as the guesses were right."""
        start = one.position
        for place, row in enumerate(logits):
            one.position += 1
            self._choose(one, row)
            if one.token is None or place == len(guessed) or guessed[place] != one.token:
                break
        if one.token is not None:
            one.lucky = bool(guessed) and one.position - start > len(guessed)
            if one.position - start <= len(guessed):
                self._context.forget(one.sequence, one.position)

    def _choose(self, one: _Running, logits: Logits) -> None:
        """Greedy: the most likely token. It is sent to the reader, unless it ends the turn."""
        one.token = int(np.argmax(logits))
        if self._context.is_end(one.token):
            self._finish(one)
            return
        one.written.append(one.token)
        if text := one.decoder.decode(self._context.piece(one.token)):
            one.request.outbox.put(text)
        if len(one.written) >= one.request.max_tokens:
            self._finish(one)

    # -- ending --------------------------------------------------------------------------------------------------------

    def _finish(self, one: _Running) -> None:
        one.token = None
        one.request.outbox.put(None)
        if not one.request.background:
            self._last_ended = time.monotonic()
        self._running.remove(one)
        self._context.forget(one.sequence)
        self._free.append(one.sequence)

    def _fail_all(self, error: Exception) -> None:
        """The context is not to be trusted any more: everything in it is dropped, nothing outside of it is lost."""
        log.error("the decode loop starts over: %s", error, exc_info=not isinstance(error, PromptTooLong))
        for one in [*self._running]:
            one.request.outbox.put(error)
            self._finish(one)
        self._prefixes.clear()
        self._context.forget_all()


def _log_probabilities(logits: Logits, tokens: Sequence[int]) -> list[float]:
    wide = logits.astype(np.float64)
    total = wide.max() + np.log(np.exp(wide - wide.max()).sum())
    return [float(wide[token] - total) for token in tokens]
