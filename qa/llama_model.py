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
# Of a prompt that is listened to: as much as is heard of it, the longest sentence of a reply.
HEARD_TOKENS = 192
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
        return len(self.tokens_of(text))

    def generate(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: Sequence[str] = (),
        asker: Asker = NOBODY,
        choices: Sequence[str] = (),
    ) -> _Writing:
        """See LanguageModel.generate."""
        firsts = self.firsts(choices)
        request = self._request(messages, asker, max_tokens, firsts, held=bool(firsts))
        return _Writing(request, stop, self.wake)

    def score(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> list[float]:
        """See LanguageModel.score."""
        return _impression(self._request(messages, asker, scored=self.firsts(choices))).scores

    def listen(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> _Listening:
        """See LanguageModel.listen."""
        groups, end = self._groups(messages)
        prompt = self._in_slices(groups, messages)
        room = min(HEARD_TOKENS, self._context_tokens - prompt.tokens - len(end))
        if room <= 0:
            raise PromptTooLong(f"The prompt has {prompt.tokens} tokens; the context window is {self._context_tokens}.")
        request = Request(prompt, 0, (), asker, room=room + len(end), growing=True, begun=True)
        self._loop.submit(request)
        return _Listening(self, messages, choices, request, groups[-1], end, room)

    def firsts(self, choices: Sequence[str]) -> tuple[int, ...]:
        """The first token of each."""
        return tuple(self.tokens_of(choice)[0] for choice in choices)

    def tokens_of(self, text: str) -> list[int]:
        return self._context.tokenize(text, control=False)

    def scored_reply(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker) -> _Writing:
        """No words, only scores and the hidden state; part of an answer that has begun."""
        return _Writing(self._request(messages, asker, 0, self.firsts(choices), begun=True), (), self.wake)

    def wake(self) -> None:
        """Let the loop look again at what a request's own thread has changed."""
        self._loop.wake()

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
        begun: bool = False,
    ) -> Request:
        request = Request(self._prompt(messages, max_tokens), max_tokens, scored, asker, held=held, begun=begun)
        self._loop.submit(request)
        return request

    def _prompt(self, messages: Sequence[Message], reply_tokens: int) -> Prompt:
        """The prompt in slices; one ends where a piece of the last message begins, and none is longer than allowed.

        Raises PromptTooLong.
        """
        groups, end = self._groups(messages)
        total = sum(map(len, groups)) + len(end)
        if total + reply_tokens > self._context_tokens:
            raise PromptTooLong(
                f"The prompt has {total} tokens and the reply may have {reply_tokens}; "
                f"the context window is {self._context_tokens}."
            )
        # The last piece is read together with what the format says after it.
        *others, piece = groups
        return self._in_slices([*others, [*piece, *end]], messages)

    def _groups(self, messages: Sequence[Message]) -> tuple[list[list[int]], list[int]]:
        """The tokens of all before the pieces of the last message, those of each piece, and what the format says after
        them."""
        parts = [self._context.tokenize(text, control) for text, control in self._template.render(messages)]
        beginning = self._context.beginning
        if beginning is not None and parts[0][:1] != [beginning]:
            parts.insert(0, [beginning])  # the model wants it and its template leaves it out
        pieces = len(messages[-1].pieces)
        before, last, after = parts[: -pieces - 1], parts[-pieces - 1 : -1], parts[-1]
        return [list(chain.from_iterable(before)), *last], after

    def _in_slices(self, groups: Sequence[list[int]], messages: Sequence[Message]) -> Prompt:
        sliced = [_slices(group) for group in groups]
        kept = sum(map(len, sliced[: 1 + messages[-1].kept]))
        return Prompt(
            tuple(chain.from_iterable(sliced)), len(sliced[0]), kept, kept_key(messages), prefix_key(messages)
        )


class _Listening:
    """A prompt that goes on: whole words of it are given to the loop, which reads them beside whatever is written."""

    def __init__(
        self,
        model: LlamaModel,
        messages: Sequence[Message],
        choices: Sequence[str],
        request: Request,
        piece: list[int],
        end: list[int],
        room: int,
    ) -> None:
        self._model = model
        self._messages = messages
        self._choices = choices
        self._request = request
        self._given = piece  # of the last piece
        self._end = end
        self._most = len(piece) + room
        self._ended = False

    def hear(self, text: str) -> None:
        """See Listening.hear. What follows a word can still change its tokens, but not across a space."""
        tokens = self._tokens(text[: text.rstrip().rfind(" ") + 1].rstrip())
        if self._goes_on(tokens):
            self._give(tokens, [])

    def end(self, text: str) -> _Writing:
        """See Listening.end."""
        tokens = self._tokens(text)
        if not self._goes_on(tokens):
            self.close()
            return self._model.scored_reply(self._with(text), self._choices, self._request.asker)
        self._request.scored = self._model.firsts(self._choices)
        self._give(tokens, self._end)
        self._request.growing = False  # not before all has come
        self._ended = True
        self._model.wake()
        return _Writing(self._request, (), self._model.wake)

    def close(self) -> None:
        """See Listening.close."""
        if not self._ended:
            self._ended = self._request.left = True
            self._model.wake()

    def _tokens(self, text: str) -> list[int]:
        return self._model.tokens_of(self._with(text)[-1].pieces[-1])

    def _with(self, text: str) -> list[Message]:
        *others, last = self._messages
        return [*others, Message(last.role, (*last.pieces[:-1], f"{last.pieces[-1]}{text}"), last.kept)]

    def _goes_on(self, tokens: Sequence[int]) -> bool:
        return tokens[: len(self._given)] == self._given and len(tokens) <= self._most

    def _give(self, tokens: list[int], end: list[int]) -> None:
        self._request.more.extend(_slices([*tokens[len(self._given) :], *end]))
        self._given = tokens
        self._model.wake()

    def __del__(self) -> None:
        self.close()


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
