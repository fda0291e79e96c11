"""The local model over llama.cpp: prompts in, replies and scores out, for any number of readers at once.

This file turns messages into slices of tokens and outcomes into text. What is read and written when is decided in
qa/decode_loop.py, which is the heart; ctypes is in qa/llama_context.py; stored states are in qa/prefill_cache.py.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

import llama_cpp
import numpy as np

from index.checksums import digest_of
from index.errors import ModelFileError
from qa.chat_template import ChatTemplate
from qa.decode_loop import BATCH_ROWS, RUNNING, SLICE_TOKENS, DecodeLoop
from qa.errors import PromptTooLong
from qa.hidden_states import HiddenState
from qa.language_model import NOBODY, Asker, Message, kept_key, prefix_key
from qa.llama_context import KVType, LlamaContext
from qa.prefill_cache import PrefillCache
from qa.read_before import FIRST_FREE, PREFIX_TOKENS
from qa.request import Impression, Outcome, Prompt, Request

log = logging.getLogger(__name__)

# Prompt and reply of one request together.
DEFAULT_CONTEXT_TOKENS = 4096
# Cells of the KV cache, for all requests together: 28 KiB each with the default model, 224 MiB in all. Eight readers of
# usual passages need 4,000; one request may always have its whole window.
DEFAULT_CELLS = 8192
# Requests that may wait besides those being worked on.
DEFAULT_QUEUE = 32


class LlamaModel:
    """A LanguageModel over a chat GGUF. `close()` frees it; asking it afterwards is a RuntimeError.

    `states` keeps what it has read of passages; without one, they are kept in memory only. `layers` are those whose
    hidden states it can tell (Reply.hidden).
    """

    def __init__(
        self,
        path: Path,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
        threads: int | None = None,
        queue: int = DEFAULT_QUEUE,
        states: PrefillCache | None = None,
        kv_type: KVType = "f16",
        layers: Sequence[int] = (),
    ) -> None:
        cells = max(DEFAULT_CELLS, context_tokens)
        sequences = FIRST_FREE + RUNNING
        # For one more than are held: a request may still stand behind one that gave way to another.
        with_prefixes = cells + FIRST_FREE * PREFIX_TOKENS
        self._context = LlamaContext(path, with_prefixes, sequences, BATCH_ROWS, threads, kv_type, layers)
        trained = self._context.trained_tokens
        self._context_tokens = min(context_tokens, trained) if trained > 0 else context_tokens
        try:
            self._template = ChatTemplate(self._context.chat_template(), self._context.special_texts())
        except ModelFileError:
            self._context.close()
            raise
        if not self._context.can_share:
            log.warning("%s cannot share or store what it has read: every passage is read afresh", path.name)
        self._states = states or PrefillCache(None, identity="00")
        self._loop = DecodeLoop(self._context, cells, self._states, queue)

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        return len(self._context.tokenize(text, control=False))

    def generate(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: Sequence[str] = (),
        asker: Asker = NOBODY,
        choices: Sequence[str] = (),
    ) -> _Writing:
        """See LanguageModel.generate."""
        firsts = self._firsts(choices)
        request = self._request(messages, asker, max_tokens, firsts, held=bool(firsts))
        return _Writing(request, stop, self._loop.wake)

    def score(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> list[float]:
        """See LanguageModel.score."""
        return _impression(self._request(messages, asker, scored=self._firsts(choices))).scores

    def _firsts(self, choices: Sequence[str]) -> tuple[int, ...]:
        return tuple(self._context.tokenize(choice, control=False)[0] for choice in choices)

    def read_ahead(self, messages: Sequence[Message], asker: Asker = NOBODY) -> bool:
        """Read what `messages` keep, giving way to all who ask, and store it. Waits until it is read.

        False when it is stored already, or cannot be.
        """
        key = kept_key(messages)
        if key is None or not self._context.can_share or key in self._states:
            return False
        prompt = self._prompt(messages, 0)
        kept = Prompt(prompt.slices[: prompt.kept], prompt.prefix, prompt.kept, key, prompt.prefix_key)
        request = Request(kept, 0, (), asker, background=True)
        self._loop.submit(request)
        _next_of(request.outbox)
        return key in self._states

    def quiet_for(self) -> float:
        """Seconds since it last worked for a reader; 0 while it does."""
        return self._loop.quiet_for()

    @property
    def states(self) -> PrefillCache:
        """What it has read of passages."""
        return self._states

    def close(self) -> None:
        """Stop at the next step and free the memory. What is being stored is written first."""
        self._loop.close()
        self._states.close()

    def _request(
        self,
        messages: Sequence[Message],
        asker: Asker,
        max_tokens: int = 0,
        scored: tuple[int, ...] = (),
        held: bool = False,
    ) -> Request:
        request = Request(self._prompt(messages, max_tokens), max_tokens, scored, asker, held=held)
        self._loop.submit(request)
        return request

    def _prompt(self, messages: Sequence[Message], reply_tokens: int) -> Prompt:
        """The prompt in slices; one ends where a piece of the last message begins, and none is longer than allowed.

        Raises PromptTooLong.
        """
        parts = [self._context.tokenize(text, control) for text, control in self._template.render(messages)]
        beginning = self._context.beginning
        if beginning is not None and parts[0][:1] != [beginning]:
            parts.insert(0, [beginning])  # the model wants it and its template leaves it out
        # The format's own words stand before the pieces of the last message, and after them.
        pieces = len(messages[-1].pieces)
        before, last, after = parts[: -pieces - 1], parts[-pieces - 1 : -1], parts[-1]
        groups = [list(chain.from_iterable(before)), *last, after]
        total = sum(map(len, groups))
        if total + reply_tokens > self._context_tokens:
            raise PromptTooLong(
                f"The prompt has {total} tokens and the reply may have {reply_tokens}; "
                f"the context window is {self._context_tokens}."
            )
        # The last piece is read together with what the format says after it.
        *groups, piece, end = groups
        sliced = [_slices(group) for group in (*groups, [*piece, *end])]
        kept = sum(map(len, sliced[: 1 + messages[-1].kept]))
        return Prompt(
            tuple(chain.from_iterable(sliced)), len(sliced[0]), kept, kept_key(messages), prefix_key(messages)
        )


class _Writing:
    """The pieces of a reply up to the first stop string."""

    def __init__(self, request: Request, stop: Sequence[str], wake: Callable[[], None]) -> None:
        self._request = request
        self._wake = wake
        self._pieces = _without_stop(self._texts(), stop)
        self._impression: Impression | None = None

    def __iter__(self) -> _Writing:
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
        while isinstance(outcome := _next_of(self._request.outbox), str):
            yield outcome

    def scores(self) -> list[float]:
        """See Reply.scores."""
        return self._read().scores

    def hidden(self) -> HiddenState | None:
        """See Reply.hidden."""
        return self._read().hidden

    def _read(self) -> Impression:
        if self._impression is None:
            self._impression = _impression(self._request)
        return self._impression

    def close(self) -> None:
        """See Reply.close."""
        self._request.left = True
        if self._request.held:
            self._wake()

    def __del__(self) -> None:
        self.close()


def state_identity(path: Path, kv_type: KVType = "f16") -> str:
    """What a stored state depends on besides its text (hex digest): model file, KV type, llama.cpp and processor."""
    system = llama_cpp.llama_print_system_info().decode("utf-8", "replace")
    facts = (digest_of(path), kv_type, llama_cpp.__version__, system, str(SLICE_TOKENS))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _slices(tokens: list[int]) -> list[tuple[int, ...]]:
    return [tuple(tokens[start : start + SLICE_TOKENS]) for start in range(0, len(tokens), SLICE_TOKENS)]


def _next_of(outbox: SimpleQueue[Outcome]) -> Outcome:
    outcome = outbox.get()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _impression(request: Request) -> Impression:
    """The first outcome of a request that asks for scores; they are -inf where it ended before."""
    if not request.scored:
        return Impression([])
    outcome = _next_of(request.outbox)
    if isinstance(outcome, Impression):
        return outcome
    request.outbox.put(None)  # the end; who reads on must find it
    return Impression([-np.inf] * len(request.scored))


def _without_stop(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
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
