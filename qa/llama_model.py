"""The local model over llama.cpp's own functions: one context, one owner at a time, what was read before is reused.

Read `_read` first: it keeps the slices that the context already holds in common with the new prompt and decodes only
the rest, looking at the cancel flag between them.
"""

from __future__ import annotations

import codecs
import ctypes
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import llama_cpp
import numpy as np
import numpy.typing as npt

from index.errors import ModelFileError
from qa.chat_template import ChatTemplate
from qa.errors import Busy, PromptTooLong
from qa.language_model import Cancelled, Message, never

# Tokens decoded between two looks at the cancel flag: 1.5 s on two cores at 85 tokens/s.
SLICE_TOKENS = 128
DEFAULT_CONTEXT_TOKENS = 4096
# How often a reader who waits looks whether to stop waiting, in seconds.
_LOOK = 0.1
# Readers who may wait for the model besides the one it writes for. At 5 s an answer the last one waits 40 s.
DEFAULT_QUEUE = 8


class LlamaModel:
    """A LanguageModel over a chat GGUF. `close()` frees it; using it afterwards is an error of the caller."""

    def __init__(
        self,
        path: Path,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
        threads: int | None = None,
        queue: int = DEFAULT_QUEUE,
    ) -> None:
        _silence()
        llama_cpp.llama_backend_init()
        model_parameters = llama_cpp.llama_model_default_params()
        model_parameters.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_parameters)
        if not self._model:
            raise ModelFileError(f"{path} is not a model that llama.cpp can load. Give the path of a chat GGUF.")
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._vocabulary_size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        try:
            self._template = ChatTemplate(self._metadata_template(), self._special_texts())
        except ModelFileError:
            llama_cpp.llama_model_free(self._model)
            raise
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        self._context_tokens = min(context_tokens, trained) if trained > 0 else context_tokens
        parameters = llama_cpp.llama_context_default_params()
        # llama-cpp-python would take half of the cores and 512 tokens of context.
        parameters.n_ctx = self._context_tokens
        parameters.n_batch = parameters.n_ubatch = SLICE_TOKENS
        parameters.n_threads = parameters.n_threads_batch = threads or _usable_cores()
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not self._context:
            llama_cpp.llama_model_free(self._model)
            raise ModelFileError(
                f"Not enough memory for {self._context_tokens} tokens of context with {path}. Ask for fewer."
            )
        self._held: list[list[int]] = []  # the slices of the last prompt; what was written after them does not count
        self._owner = threading.Lock()
        self._owner_thread: int | None = None
        self._closed = False
        self._places = threading.BoundedSemaphore(queue + 1)

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        return len(self._tokenize(text, control=False))

    def generate(
        self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = (), cancelled: Cancelled = never
    ) -> Iterator[str]:
        """See LanguageModel.generate. The model is taken at the first `next()` and given back at the end."""
        slices = self._prompt_slices(messages, max_tokens)
        with self._turn(cancelled) as mine:
            logits = self._read(slices, cancelled) if mine else None
            if logits is None:
                return
            yield from _without_stop(self._write(logits, max_tokens, cancelled), stop)

    def score(self, messages: Sequence[Message], choices: Sequence[str], cancelled: Cancelled = never) -> list[float]:
        """See LanguageModel.score. All are -inf when cancelled."""
        slices = self._prompt_slices(messages, 1)
        firsts = [self._tokenize(choice, control=False)[0] for choice in choices]
        with self._turn(cancelled) as mine:
            logits = self._read(slices, cancelled) if mine else None
            if logits is None:
                return [-np.inf] * len(choices)
            wide = logits.astype(np.float64)
            total = wide.max() + np.log(np.exp(wide - wide.max()).sum())
            return [float(wide[first] - total) for first in firsts]

    def close(self) -> None:
        """Free the memory, once whoever has the model is through."""
        with self._owner:
            if not self._closed:
                self._closed = True
                llama_cpp.llama_free(self._context)
                llama_cpp.llama_model_free(self._model)

    # -- one owner -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _turn(self, cancelled: Cancelled) -> Iterator[bool]:
        """Wait for the model and have it; False when cancelled before it was free."""
        if self._owner_thread == threading.get_ident():
            raise RuntimeError("This thread has the model: close the iterator of generate() before asking again.")
        if not self._places.acquire(blocking=False):
            raise Busy(retry_after=5.0)
        try:
            while not self._owner.acquire(timeout=_LOOK):
                if cancelled():
                    yield False
                    return
            try:
                self._owner_thread = threading.get_ident()
                yield True
            finally:
                self._owner_thread = None
                self._owner.release()
        finally:
            self._places.release()

    # -- reading and writing -------------------------------------------------------------------------------------------

    def _read(self, slices: list[list[int]], cancelled: Cancelled) -> npt.NDArray[np.float32] | None:
        """Logits (vocabulary,) after the last token; None when cancelled before it was read."""
        memory = llama_cpp.llama_get_memory(self._context)
        # The last slice is always decoded again: its logits are what we came for.
        common = min(_common_prefix(self._held, slices), len(slices) - 1)
        if not llama_cpp.llama_memory_seq_rm(memory, 0, sum(map(len, slices[:common])), -1):
            # A recurrent model cannot forget its last words only; it starts over.
            llama_cpp.llama_memory_clear(memory, True)
            common = 0
        self._held = slices[:common]
        for some in slices[common:]:
            if cancelled():
                return None
            self._decode(some)
            self._held.append(some)
        return self._logits()

    def _write(self, logits: npt.NDArray[np.float32], max_tokens: int, cancelled: Cancelled) -> Iterator[str]:
        """Greedy pieces of whole characters until the model ends its turn."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for left in range(max_tokens - 1, -1, -1):
            token = int(np.argmax(logits))
            if llama_cpp.llama_vocab_is_eog(self._vocabulary, token) or cancelled():
                break
            if text := decoder.decode(self._piece(token)):
                yield text
            if left:
                self._decode([token])
                logits = self._logits()

    def _decode(self, tokens: list[int]) -> None:
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        status = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            self._held = []
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
            raise PromptTooLong(f"llama_decode gave {status} at {len(tokens)} tokens; the context window is too small.")

    def _logits(self) -> npt.NDArray[np.float32]:
        pointer = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._vocabulary_size,))

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _prompt_slices(self, messages: Sequence[Message], reply_tokens: int) -> list[list[int]]:
        """The prompt in the slices it is decoded in, each of at most SLICE_TOKENS tokens.

        A slice ends where a piece of the last message begins. So a passage is read in the same slices whatever was read
        before or is asked after it: batches of other sizes round differently, by up to 0.1 in a log-probability.
        """
        parts = [self._tokenize(text, control) for text, control in self._template.render(messages)]
        beginning = llama_cpp.llama_vocab_bos(self._vocabulary)
        if llama_cpp.llama_vocab_get_add_bos(self._vocabulary) and parts[0][:1] != [beginning]:
            parts.insert(0, [beginning])  # the model wants it and its template leaves it out
        # The format's own words stand before the pieces of the last message, and after them.
        pieces = len(messages[-1].pieces)
        before, last, after = parts[: -pieces - 1], parts[-pieces - 1 : -1], parts[-1]
        *whole, final = (list(chain.from_iterable(before)), *last)
        groups = [*whole, [*final, *after]]
        total = sum(map(len, groups))
        if total + reply_tokens > self._context_tokens:
            raise PromptTooLong(
                f"The prompt has {total} tokens and the reply may have {reply_tokens}; "
                f"the context window is {self._context_tokens}."
            )
        return [group[start : start + SLICE_TOKENS] for group in groups for start in range(0, len(group), SLICE_TOKENS)]

    def _tokenize(self, text: str, control: bool) -> list[int]:
        """`control` is true for the words of the chat format only: elsewhere "<|im_end|>" is ten characters."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        buffer = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocabulary, data, len(data), buffer, room, False, control)
        if count < 0:
            raise PromptTooLong(f"A text of {len(data)} bytes cannot be tokenized.")
        return list(buffer[:count])

    def _piece(self, token: int, special: bool = False) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        count = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, special)
        return buffer.raw[: max(count, 0)]

    def _metadata_template(self) -> str | None:
        template = llama_cpp.llama_model_chat_template(self._model, None)
        return template.decode("utf-8") if template else None

    def _special_texts(self) -> dict[str, str]:
        tokens = {
            "bos_token": llama_cpp.llama_vocab_bos(self._vocabulary),
            "eos_token": llama_cpp.llama_vocab_eos(self._vocabulary),
        }
        return {
            name: self._piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""
            for name, token in tokens.items()
        }


def _usable_cores() -> int:
    """Cores this process may run on, where the system tells (Linux), else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _common_prefix(one: Sequence[list[int]], other: Sequence[list[int]]) -> int:
    for position, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return position
    return min(len(one), len(other))


def _without_stop(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """The pieces up to the first stop string. What could be the start of one is held back until it is known."""
    longest = max((len(text) for text in stop), default=0)
    pending = ""
    for piece in pieces:
        pending += piece
        cuts = [position for text in stop if (position := pending.find(text)) >= 0]
        if cuts:
            if before := pending[: min(cuts)]:
                yield before
            return
        safe = len(pending) - max(longest - 1, 0)
        if safe > 0:
            yield pending[:safe]
            pending = pending[safe:]
    if pending:
        yield pending


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]  # llama-cpp-python leaves it untyped
def _say_nothing(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """llama.cpp writes hundreds of lines to stderr while it loads; what matters comes back as a status."""


def _silence() -> None:
    llama_cpp.llama_log_set(_say_nothing, ctypes.c_void_p(0))
