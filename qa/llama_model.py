"""The local model over llama.cpp: prompts in, replies and scores out, for any number of readers at once.

This file turns messages into slices of tokens. What is read and written when is decided in qa/decoding/decode_loop.py,
which is the heart; ctypes is in qa/decoding/llama_context.py, stored states are in qa/prefill_cache.py, and what comes
out is in qa/decoding/reply_stream.py.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import llama_cpp

from index.errors import ModelFileError
from index.storage.checksums import digest_of
from qa.decoding.chat_template import ChatTemplate
from qa.decoding.decode_loop import BATCH_ROWS, RUNNING, DecodeLoop, Work
from qa.decoding.llama_context import KVType, LlamaContext
from qa.decoding.passage_reader import SEQUENCES
from qa.decoding.read_before import FIRST_FREE, PREFIX_TOKENS
from qa.decoding.reply_stream import ReplyStream, impression_of, next_of
from qa.decoding.request import BLOCK_ROWS, SLICE_TOKENS, Prompt, Request, in_slices
from qa.errors import PromptTooLong
from qa.language_model import NOBODY, Asker, Message, kept_key, prefix_key
from qa.prefill_cache import PrefillCache

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
    hidden states it can tell (Reply.hidden). `adapter` is a LoRA adapter of the model, a GGUF too.
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
        adapter: Path | None = None,
    ) -> None:
        cells = max(DEFAULT_CELLS, context_tokens)
        sequences = FIRST_FREE + RUNNING
        # For one more than are held: a request may still stand behind one that gave way to another.
        with_prefixes = cells + FIRST_FREE * PREFIX_TOKENS
        self._context = LlamaContext(path, with_prefixes, sequences, BATCH_ROWS, threads, kv_type, layers, adapter)
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
        reading = None
        if self._context.can_share and self._context.reads_quicker_as_filed:
            try:
                reading = LlamaContext(
                    path, self._context_tokens, SEQUENCES, BATCH_ROWS, threads, kv_type, (), adapter, as_filed=True
                )
            except ModelFileError as error:
                log.warning("passages are read more slowly than they could be: %s", error)
        self._loop = DecodeLoop(self._context, cells, self._states, queue, reading=reading)

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        return len(self._tokens(text))

    def generate(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: Sequence[str] = (),
        asker: Asker = NOBODY,
        choices: Sequence[str] = (),
    ) -> ReplyStream:
        """See LanguageModel.generate."""
        firsts = self._firsts(choices)
        request = self._request(messages, asker, max_tokens, firsts, held=bool(firsts))
        return ReplyStream(request, stop, self.wake)

    def score(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> list[float]:
        """See LanguageModel.score."""
        return impression_of(self._request(messages, asker, scored=self._firsts(choices), begun=True)).scores

    def _firsts(self, choices: Sequence[str]) -> tuple[int, ...]:
        """The first token of each."""
        return tuple(self._tokens(choice)[0] for choice in choices)

    def _tokens(self, text: str) -> list[int]:
        return self._context.tokenize(text, control=False)

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
        next_of(request.outbox)
        return key in self._states

    def quiet_for(self) -> float:
        """Seconds since it last worked for a reader; 0 while it does."""
        return self._loop.quiet_for()

    @property
    def work(self) -> Work:
        """What it has done so far, and how much there is to do."""
        return self._loop.work()

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
        return self._sliced([*others, [*piece, *end]], messages)

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

    def _sliced(self, groups: Sequence[list[int]], messages: Sequence[Message]) -> Prompt:
        sliced = [in_slices(group) for group in groups]
        kept = sum(map(len, sliced[: 1 + messages[-1].kept]))
        return Prompt(
            tuple(chain.from_iterable(sliced)), len(sliced[0]), kept, kept_key(messages), prefix_key(messages)
        )


def state_identity(path: Path, kv_type: KVType = "f16", adapter: Path | None = None) -> str:
    """What a stored state depends on besides its text (hex digest): model file and adapter, KV type, llama.cpp and
    processor."""
    system = llama_cpp.llama_print_system_info().decode("utf-8", "replace")
    adapted = hashlib.sha256(adapter.read_bytes()).hexdigest() if adapter else ""
    facts = (digest_of(path), adapted, kv_type, llama_cpp.__version__, system, f"{SLICE_TOKENS} {BLOCK_ROWS}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
