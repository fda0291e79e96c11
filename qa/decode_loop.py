"""Several readers, one model: the thread that owns the context and advances all of them together.

Read `_run` first. Each turn of the loop reads one slice of one prompt, then writes the next token of every reply that
is being written, all in one batch. Nothing waits for longer than a slice, about a second on two cores.

What has been read is not read again. A prompt begins with what it has in common with one that is being read or written
now (its cells are shared, which costs nothing), else with the stored state of its passage (milliseconds), else with the
prefix that all prompts of a kind begin with. Slices are decoded one prompt at a time and end where a piece of the
prompt does, so a passage is read in the same batches whoever reads beside it: its state, and what the model makes of a
question about it, are the same to the last bit.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from queue import SimpleQueue

import numpy as np

from qa.errors import Busy, PromptTooLong
from qa.language_model import NOBODY, Asker
from qa.llama_context import Aborted, LlamaContext, Logits, Row
from qa.lookahead import guess
from qa.prefill_cache import PrefillCache

log = logging.getLogger(__name__)

# Tokens of a prompt decoded in one go: nobody waits for longer than that (1 s on two cores). Slices of 128 are not
# read faster (63 tokens/s against 66, 2026-11-22).
SLICE_TOKENS = 64
# Replies and scores being worked on together. Beyond eight sequences a batch writes no more words a second.
RUNNING = 12
# Prefixes kept in the context: that of answers, that of stand-alone questions, and one of a caller's own.
PREFIXES = 3
# Tokens decoded at once when all replies are written, their guesses included: 4 cost 1.3 times the time of one, 16 cost
# 3.5 times (1.5B Q4_K_M, two cores, 2026-11-22), so few are guessed until a run of guesses was right.
FEW_ROWS = 4
MANY_ROWS = 16

# Words, then None at the end; or the scores; or what went wrong.
Outcome = str | list[float] | Exception | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in the slices it is decoded in, each of at most SLICE_TOKENS tokens.

    The first `prefix` slices are those of every prompt of this kind. The first `kept` are worth storing under `key`;
    without a key, nothing is.
    """

    slices: tuple[tuple[int, ...], ...]
    prefix: int
    kept: int
    key: str | None = None

    @property
    def tokens(self) -> int:
        return sum(map(len, self.slices))

    def length(self, slices: int) -> int:
        """Tokens in the first `slices` slices."""
        return sum(map(len, self.slices[:slices]))


@dataclass(eq=False, slots=True)
class Request:
    """What a reader's thread asks of the loop; the answer comes piece by piece through `outbox`.

    With `scored`, the natural log-probabilities of these tokens as the next one; else a reply of `max_tokens` at most.
    With neither, the prompt is only read, and stored. What goes on in the `background` gives way to everything else,
    even in the middle of a slice.
    """

    prompt: Prompt
    max_tokens: int
    scored: tuple[int, ...]
    asker: Asker = NOBODY
    background: bool = False
    outbox: SimpleQueue[Outcome] = field(default_factory=SimpleQueue)
    arrived: float = field(default_factory=time.monotonic)
    left: bool = False  # the reader's thread has gone

    @property
    def cells(self) -> int:
        """Cells of the context that it can come to need."""
        return self.prompt.tokens + self.max_tokens

    def given_up(self) -> bool:
        return self.left or self.asker.cancelled()


@dataclass(eq=False, slots=True)
class _Running:
    """A request that has a sequence. Only the owner thread touches it."""

    request: Request
    sequence: int
    slices: int = -1  # read so far; -1 before it has begun
    position: int = 0  # tokens of the sequence in the cache
    served: int = 0  # tokens decoded for it while it was being read
    token: int | None = None  # chosen, not decoded yet
    written: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)  # what guesses are taken from
    lucky: bool = False  # the last guesses were all right
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))


@dataclass(slots=True)
class _Prefix:
    """A sequence that holds the first slices of many prompts."""

    sequence: int
    slices: int = 0  # read so far


class DecodeLoop:
    """Owns the context from its own thread. `submit` may be called from any; `close` ends the thread and the context.

    `queue` requests may wait, each for `longest_wait` seconds, before they are refused as Busy.
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
        self._closing = False
        self._last_ended = time.monotonic()
        # From here on only the owner thread.
        self._prefixes: dict[tuple[tuple[int, ...], ...], _Prefix] = {}
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
            if len(self._waiting) >= self._queue:
                raise Busy(retry_after=5.0)
            self._waiting.append(request)
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
                        self._read_slice(reader)
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
                self._running.append(_Running(first, self._free.pop()))

    def _drop_those_who_left(self) -> None:
        for one in [*self._running]:
            if one.request.given_up():
                self._finish(one)

    def _next_to_read(self) -> _Running | None:
        """Of those whose prompt is not read yet, the one who was served least: a short question does not wait for a
        long article, and readers who came together get their first words together."""
        reading = [one for one in self._running if one.token is None]
        by_client: Counter[str] = Counter()
        for one in self._running:
            by_client[one.request.asker.client] += one.served

        def turn(one: _Running) -> tuple[bool, int, int, float]:
            request = one.request
            return request.background, by_client[request.asker.client], one.served, request.arrived

        return min(reading, key=turn, default=None)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read_slice(self, one: _Running) -> None:
        """Decode the next slice of a prompt; behind the last one, choose the first token or give the scores."""
        prompt = one.request.prompt
        if one.slices < 0 and not self._begin(one):
            return
        some = prompt.slices[one.slices]
        last = one.slices + 1 == len(prompt.slices)
        logits = self._decode_slice(some, one.sequence, one.position, last, one.request.background)
        one.slices += 1
        one.position += len(some)
        one.served += len(some)
        if prompt.key and one.slices == prompt.kept and self._context.can_share and prompt.key not in self._states:
            self._store(one)
        if last:
            self._prompt_read(one, logits)

    def _begin(self, one: _Running) -> bool:
        """Take over what was read before. False when a slice of the prefix had to be read first."""
        prompt = one.request.prompt
        if not self._context.can_share:
            one.slices = 0
            return True
        prefix = self._prefix_of(prompt)
        if prefix.slices < prompt.prefix:
            some = prompt.slices[prefix.slices]
            self._decode_slice(some, prefix.sequence, prompt.length(prefix.slices), False, one.request.background)
            prefix.slices += 1
            one.served += len(some)
            return False
        if common := self._common_with_another(one):
            one.slices, other = common
            one.position = prompt.length(one.slices)
            self._context.copy(other.sequence, one.sequence, 0, one.position)
            return True
        one.slices = prompt.prefix
        if self._restore(one):
            one.slices = prompt.kept
        # After the state, which empties the sequence it comes into.
        self._context.copy(prefix.sequence, one.sequence, 0, prompt.length(prompt.prefix))
        one.position = prompt.length(one.slices)
        return True

    def _restore(self, one: _Running) -> bool:
        """Load the stored state of what stands between the prefix and the question; False when there is none."""
        prompt = one.request.prompt
        if not prompt.key or prompt.kept == len(prompt.slices):
            return False
        state = self._states.get(prompt.key)
        if state is None or not self._context.restore(one.sequence, state):
            return False
        first, end = self._context.positions(one.sequence)
        if (first, end) == (prompt.length(prompt.prefix), prompt.length(prompt.kept)):
            return True
        self._context.forget(one.sequence)  # a state of another length under this key: rather read than believed
        return False

    def _common_with_another(self, one: _Running) -> tuple[int, _Running] | None:
        """The most slices that another request has read of the same prompt, if more than the prefix."""
        slices = one.request.prompt.slices
        found = None
        most = one.request.prompt.prefix
        for other in self._running:
            if other is not one and other.slices > most:
                # The last slice is always decoded: its logits are what we came for.
                common = min(_common(slices, other.request.prompt.slices), other.slices, len(slices) - 1)
                if common > most:
                    most, found = common, other
        return (most, found) if found else None

    def _prefix_of(self, prompt: Prompt) -> _Prefix:
        """The sequence that holds a prefix; that of the longest unused one is taken when all are held."""
        slices = prompt.slices[: prompt.prefix]
        prefix = self._prefixes.pop(slices, None)
        if prefix is None:
            held = {prefix.sequence for prefix in self._prefixes.values()}
            free = next((sequence for sequence in range(PREFIXES) if sequence not in held), None)
            if free is None:
                free = self._prefixes.pop(next(iter(self._prefixes))).sequence
                self._context.forget(free)
            prefix = _Prefix(free)
        self._prefixes[slices] = prefix  # the last one is the one used last
        return prefix

    def _store(self, one: _Running) -> None:
        """Keep the state of what was read behind the prefix; the prefix itself is always there."""
        prompt = one.request.prompt
        self._context.copy(one.sequence, self._scratch, prompt.length(prompt.prefix), one.position)
        state = self._context.save(self._scratch)
        self._context.forget(self._scratch)
        if prompt.key:
            self._states.put(prompt.key, state)

    def _decode_slice(
        self, tokens: Sequence[int], sequence: int, position: int, logits: bool, background: bool = False
    ) -> Logits | None:
        last = len(tokens) - 1
        rows = [Row(token, position + place, sequence, logits and place == last) for place, token in enumerate(tokens)]
        decoded = self._context.decode(rows, (lambda: bool(self._waiting)) if background else None)
        return decoded[0] if decoded else None

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
        self._running.remove(one)
        if not one.request.background:
            self._last_ended = time.monotonic()
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


def _common(one: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> int:
    for position, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return position
    return min(len(one), len(other))


def _log_probabilities(logits: Logits, tokens: Sequence[int]) -> list[float]:
    wide = logits.astype(np.float64)
    total = wide.max() + np.log(np.exp(wide - wide.max()).sum())
    return [float(wide[token] - total) for token in tokens]
