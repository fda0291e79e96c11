"""What the tests of the answering engine look through: a context that tells what is decoded, and a plain reader."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qa.decoding.llama_context import Aborted, KVType, LlamaContext, Output, Row

# isort: split
import llama_cpp

WAIT = 10  # seconds until a test is given up


class WatchedContext(LlamaContext):
    """Remembers every decoding, calls `before` in the loop's thread ahead of each, and can be held still.

    Whatever `before` does happens while that decoding goes on, at the same place in every run of a test. One that works
    `beside` another is watched there.
    """

    def __init__(self, *given: Any, beside: WatchedContext | None = None, **settings: Any) -> None:
        self._watcher = beside or self
        self.decoded: list[list[Row]] = []
        self.aborted = 0
        self.logits = np.zeros(0, np.float32)  # (vocabulary,) behind the prompt that was read last
        self.written: list[int] = []  # tokens that became text
        self.before: Callable[[], object] = lambda: None
        self.at_look: Callable[[], object] = lambda: None  # whenever llama.cpp asks whether to go on
        self._entered = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        super().__init__(*given, **settings)

    def decode(self, rows: Sequence[Row], abort: Callable[[], bool] | None = None) -> list[Output]:
        watcher, mine = self._watcher, list(rows)
        watcher.decoded.append(mine)
        watcher._entered.set()
        assert watcher._may_go_on.wait(WAIT)
        watcher.before()

        def stop() -> bool:
            watcher.at_look()
            return abort is not None and abort()

        try:
            outputs = super().decode(rows, stop if abort else None)
        except Aborted:
            watcher.aborted += 1
            watcher.decoded[:] = [other for other in watcher.decoded if other is not mine]
            raise
        if outputs and len(outputs) < len(rows):
            self.logits = outputs[-1].logits.copy()
        return outputs

    def piece(self, token: int, special: bool = False) -> bytes:
        self.written.append(token)
        return super().piece(token, special)

    @contextmanager
    def held(self, start: Callable[[], object]) -> Iterator[None]:
        """Inside, the decoding that `start` brings about does not end: all that is asked meanwhile comes together."""
        self._entered.clear()
        self._may_go_on.clear()
        try:
            start()
            assert self._entered.wait(WAIT)
            yield
        finally:
            self._may_go_on.set()

    def tokens(self, sequence: int | None = None) -> int:
        """Tokens decoded so far, for one sequence or for all."""
        return sum(sequence in (None, row.sequence) for rows in self.decoded for row in rows)

    def slice_tokens(self, decoded: Sequence[Sequence[Row]] | None = None) -> int:
        """Tokens of prompts among them. Where a reply is written all rows have logits; of a prompt only the last one
        has, which may stand alone in its batch, behind others without."""
        tokens = 0
        asked: dict[int, bool] = {}  # of the sequence's last row
        for rows in decoded or self.decoded:
            for sequence in {row.sequence for row in rows}:
                mine = [row for row in rows if row.sequence == sequence]
                if not all(row.logits for row in mine) or asked.get(sequence) is False:
                    tokens += len(mine)
                asked[sequence] = mine[-1].logits
        return tokens

    def in_use(self) -> list[int]:
        """The sequences that hold cells."""
        return [sequence for sequence in range(self.sequences) if self.positions(sequence) != (-1, 0)]

    @property
    def sequences(self) -> int:
        return int(llama_cpp.llama_n_seq_max(self._context))


class PlainReader:
    """llama.cpp with a single sequence, as its own examples use it: reads all at once, writes one token at a time."""

    def __init__(self, path: Path, cells: int = 4096, threads: int = 1, kv_type: KVType = "f16") -> None:
        llama_cpp.llama_log_set(_say_nothing, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        assert self._model
        self.vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if kv_type == "q8_0":
            parameters.type_k = parameters.type_v = llama_cpp.GGML_TYPE_Q8_0
            parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        assert self._context
        self._width = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.ends = [token for token in range(self._width) if self.is_end(token)]

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    def tokens(self, text: str) -> list[int]:
        """Of a text with the words of the chat format in it."""
        data = text.encode()
        buffer = (llama_cpp.llama_token * (len(data) + 1))()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), buffer, len(buffer), False, True)
        return list(buffer[:count])

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        count = llama_cpp.llama_token_to_piece(self.vocabulary, token, buffer, 64, 0, False)
        return buffer.raw[:count]

    def is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))

    def read(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits (vocabulary,) after these tokens and no others."""
        return self.read_slices(in_batches(tokens))

    def read_slices(self, slices: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """The same, decoded in these slices: with a quantized model it makes a difference."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        for tokens in slices:
            self._decode(tokens)
        return self._logits()

    def steps(self, slices: Sequence[Sequence[int]], written: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        """Logits for each token of `written`, decoded one by one behind a prompt, and for the one after them."""
        yield self.read_slices(slices)
        for token in written:
            self._decode([token])
            yield self._logits()

    def scores(self, tokens: Sequence[int]) -> npt.NDArray[np.float64]:
        """Natural log-probability of each token as the next one."""
        logits = self.read(tokens).astype(np.float64)
        shifted = logits - logits.max()
        scores: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
        return scores

    def assert_greedy(
        self, tokens: Sequence[int], written: Sequence[int], most: int, rounding: float, cut: bool = False
    ) -> None:
        """Each written token is the likeliest here, given those before it; so is the end, where there is one.

        It lacks in `written`. With `cut`, the reply could have gone on.
        """
        assert len(written) <= most
        ends = len(written) < most and not cut
        logits = self.steps(in_batches(tokens), written)
        for token in written:
            likely = next(logits)
            assert likely[token] > likely.max() - rounding, (list(written), token, int(likely.argmax()))
        if ends:
            last = next(logits)
            assert max(last[end] for end in self.ends) > last.max() - rounding, (list(written), int(last.argmax()))

    def write(self, tokens: Sequence[int], most: int) -> list[int]:
        """At most so many of the likeliest tokens; the one that ends the turn is the last then."""
        written = [int(self.read(tokens).argmax())]
        while len(written) < most and not self.is_end(written[-1]):
            self._decode(written[-1:])
            written.append(int(self._logits().argmax()))
        return written

    def _decode(self, tokens: Sequence[int]) -> None:
        buffer = (llama_cpp.llama_token * len(tokens))(*tokens)
        assert llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(buffer, len(tokens))) == 0

    def _logits(self) -> npt.NDArray[np.float32]:
        pointer = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._width,)).copy()


def in_batches(tokens: Sequence[int]) -> list[Sequence[int]]:
    """As large as a PlainReader takes them."""
    return [tokens[start : start + 512] for start in range(0, len(tokens), 512)]


@llama_cpp.llama_log_callback
def _say_nothing(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """llama.cpp writes hundreds of lines while it loads."""
