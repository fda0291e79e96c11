"""llama.cpp's own functions behind Python types: one model, and one context that holds many sequences.

Everything of ctypes is here. Nothing here knows of readers, prompts or threads: `decode_loop` owns a context and
decides what is decoded when.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import llama_cpp
import numpy as np
import numpy.typing as npt

from index.errors import ModelFileError
from qa.decoding.hidden_states import HiddenState, HiddenStates
from qa.errors import PromptTooLong

Logits = npt.NDArray[np.float32]
KVType = Literal["f16", "q8_0"]
_GGML_TYPES: dict[KVType, int] = {"f16": llama_cpp.GGML_TYPE_F16, "q8_0": llama_cpp.GGML_TYPE_Q8_0}
# In llama.cpp's description of a model: "qwen2 1.5B Q4_K - Medium".
_K_QUANT = re.compile(rb"\bQ[2-6]_K\b")
# What llama_decode gives when its abort callback said so.
_ABORTED = 2


def kv_type_named(name: str) -> KVType:
    """Raises ModelFileError for a name that is none."""
    for kv_type in _GGML_TYPES:
        if kv_type == name:
            return kv_type
    raise ModelFileError(f"There is no KV type {name}. There are: {', '.join(_GGML_TYPES)}.")


@dataclass(frozen=True, slots=True)
class Row:
    """One token of a batch: at which position of which sequence it stands, and whether its logits are wanted and what
    the layers that the context tells of make of it."""

    token: int
    position: int
    sequence: int
    logits: bool


@dataclass(frozen=True, slots=True)
class Output:
    """What came of a row: logits (vocabulary,), a view that is valid until the next decoding, and its hidden state
    (layers, width), where the context tells that of some layers."""

    logits: Logits
    hidden: HiddenState | None = None


class Aborted(Exception):
    """A decoding was stopped because something else should be decoded first."""


class LlamaContext:
    """A chat GGUF and its KV cache of `cells` tokens, which `sequences` sequences share. One thread owns it; any
    may call `tokenize`. It can tell the hidden states of `layers`, from 0 and without the last. `adapter` is a LoRA
    adapter of the model. With `as_filed`, its weights are used as they lie in the file, which is mapped into memory.

    Raises ModelFileError for a file that is no model or no adapter of it, or when there is too little memory.
    """

    def __init__(
        self,
        path: Path,
        cells: int,
        sequences: int,
        batch_tokens: int,
        threads: int | None,
        kv_type: KVType = "f16",
        layers: Sequence[int] = (),
        adapter: Path | None = None,
        as_filed: bool = False,
    ) -> None:
        _silence()
        llama_cpp.llama_backend_init()
        model_parameters = llama_cpp.llama_model_default_params()
        model_parameters.n_gpu_layers = 0
        model_parameters.use_extra_bufts = not as_filed
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_parameters)
        if not self._model:
            raise ModelFileError(f"{path} is not a model that llama.cpp can load. Give the path of a chat GGUF.")
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._vocabulary_size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        self.trained_tokens = llama_cpp.llama_model_n_ctx_train(self._model)
        # A recurrent model has one state a sequence and cannot go back to what it was some words before. A sliding
        # window drops cells of a prefix that others count on, silently, even with swa_full (tests/test_tiny_gguf.py).
        self.can_share = not (
            llama_cpp.llama_model_is_recurrent(self._model)
            or llama_cpp.llama_model_is_hybrid(self._model)
            or llama_cpp.llama_model_n_swa(self._model) > 0
        )
        parameters = llama_cpp.llama_context_default_params()
        # llama-cpp-python would take half of the cores and 512 tokens of context.
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = batch_tokens
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads or _usable_cores()
        parameters.kv_unified = True
        # With flash attention a logit depends on where in the cache a cell lies (0.01 on a tiny model, 0.000003
        # without it). It is no faster here (prompts of some hundred tokens), but 8-bit KV needs it. What else is
        # decoded in the same batch still rounds: up to 0.6 in a logit of the 0.5B (2026-11-22).
        parameters.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED if kv_type == "f16" else llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        )
        parameters.type_k = parameters.type_v = _GGML_TYPES[kv_type]
        self._hidden = HiddenStates(layers, llama_cpp.llama_model_n_embd(self._model)) if layers else None
        if self._hidden:
            parameters.cb_eval = self._hidden.callback
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not self._context:
            llama_cpp.llama_model_free(self._model)
            raise ModelFileError(f"Not enough memory for {cells} tokens of context with {path}. Ask for fewer.")
        if adapter:
            self._adapt(adapter)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.batch_tokens = batch_tokens
        self._batch = llama_cpp.llama_batch_init(batch_tokens, 0, 1)
        self._tokenizing = threading.Lock()
        self._closed = False

    def _adapt(self, path: Path) -> None:
        """Put an adapter on the model; it is freed with it."""
        adapter = llama_cpp.llama_adapter_lora_init(self._model, str(path).encode())
        adapters, scales = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter), (ctypes.c_float * 1)(1.0)
        if not adapter or llama_cpp.llama_set_adapters_lora(self._context, adapters, 1, scales):
            llama_cpp.llama_free(self._context)
            llama_cpp.llama_model_free(self._model)
            raise ModelFileError(f"{path} is not an adapter of this model. Install Sourcier again.")

    def close(self) -> None:
        """Free the memory. Afterwards `tokenize` raises RuntimeError, and nothing else may be called."""
        with self._tokenizing:
            self._closed = True
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    # -- decoding ------------------------------------------------------------------------------------------------------

    def decode(self, rows: Sequence[Row], abort: Callable[[], bool] | None = None) -> list[Output]:
        """Decode at most `batch_tokens` rows; what came of those that want it, in order.

        Positions follow each other within a sequence. Raises PromptTooLong when the cache has no cell left, and Aborted
        soon after `abort` says so; the cache is then as it was before.
        """
        batch = self._batch
        batch.n_tokens = len(rows)
        for place, row in enumerate(rows):
            batch.token[place] = row.token
            batch.pos[place] = row.position
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = row.sequence
            batch.logits[place] = row.logits
        if self._hidden:
            self._hidden.expect([place for place, row in enumerate(rows) if row.logits])
        if abort:
            self._abort_when(abort)
        try:
            status = llama_cpp.llama_decode(self._context, batch)
        finally:
            if abort:
                self._abort_when(None)
        if status == _ABORTED:
            raise Aborted
        if status:
            raise PromptTooLong(f"llama_decode gave {status} at {len(rows)} tokens; the context window is too small.")
        return [self._output(place) for place, row in enumerate(rows) if row.logits]

    def _abort_when(self, abort: Callable[[], bool] | None) -> None:
        """llama.cpp asks between two operations of its graph, some hundred times a decoding."""
        self._abort = llama_cpp.ggml_abort_callback((lambda _data: abort()) if abort else 0)  # kept while it is in use
        llama_cpp.llama_set_abort_callback(self._context, self._abort, None)

    def _output(self, place: int) -> Output:
        pointer = llama_cpp.llama_get_logits_ith(self._context, place)
        logits = np.ctypeslib.as_array(pointer, shape=(self._vocabulary_size,))
        return Output(logits, self._hidden.of(place) if self._hidden else None)

    # -- sequences -----------------------------------------------------------------------------------------------------

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Let `target` share the cells of `source` at positions start..end. Costs nothing, computes nothing."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, start, end)

    def forget(self, sequence: int, start: int = 0) -> None:
        """Drop the sequence's cells from position `start` on; those of other sequences stay."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def forget_all(self) -> None:
        llama_cpp.llama_memory_clear(self._memory, True)

    def positions(self, sequence: int) -> tuple[int, int]:
        """The first position of the sequence and the one behind its last; -1 and 0 when it holds nothing."""
        first = llama_cpp.llama_memory_seq_pos_min(self._memory, sequence)
        return int(first), int(llama_cpp.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def save(self, sequence: int) -> bytes:
        """The KV state of a sequence's cells. Which positions they have is in it, which sequence it was is not."""
        size = llama_cpp.llama_state_seq_get_size(self._context, sequence)
        buffer = (ctypes.c_uint8 * size)()
        written = llama_cpp.llama_state_seq_get_data(self._context, buffer, size, sequence)
        return memoryview(buffer)[:written].tobytes()

    def restore(self, sequence: int, state: bytes) -> bool:
        """Give a sequence what was saved; False, and it is empty, when there is no room or it does not fit."""
        buffer = ctypes.cast(ctypes.c_char_p(state), ctypes.POINTER(ctypes.c_uint8))
        if llama_cpp.llama_state_seq_set_data(self._context, buffer, len(state), sequence):
            return True
        self.forget(sequence)
        return False

    # -- the machine ---------------------------------------------------------------------------------------------------

    @property
    def reads_quicker_as_filed(self) -> bool:
        """Whether many rows are quicker with weights as they lie in the file than as llama.cpp rearranges them.

        With AVX-512 VNNI and K-quants they are: 64 rows take 0.77 of the time, 128 rows 0.71, but one row 1.08 and four
        1.47 (1.5B Q4_K_M, two cores, tests/bench/row_costs.py, 2026-11-28). With llama.cpp compiled for AVX2, 64 rows
        take 1.16 and 128 rows 1.12, four 1.27.
        """
        description = ctypes.create_string_buffer(128)
        llama_cpp.llama_model_desc(self._model, description, len(description))
        return b"AVX512_VNNI = 1" in llama_cpp.llama_print_system_info() and bool(_K_QUANT.search(description.value))

    # -- tokens --------------------------------------------------------------------------------------------------------

    @property
    def beginning(self) -> int | None:
        """The token that every prompt must begin with, where the model wants one."""
        wanted = llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
        return int(llama_cpp.llama_vocab_bos(self._vocabulary)) if wanted else None

    def is_end(self, token: int) -> bool:
        """Whether the token ends the model's turn."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocabulary, token))

    def tokenize(self, text: str, control: bool) -> list[int]:
        """`control` is true for the words of the chat format only: elsewhere "<|im_end|>" is ten characters."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        buffer = (llama_cpp.llama_token * room)()
        with self._tokenizing:
            if self._closed:
                raise RuntimeError("the language model was closed")
            count = llama_cpp.llama_tokenize(self._vocabulary, data, len(data), buffer, room, False, control)
        if count < 0:
            raise PromptTooLong(f"A text of {len(data)} bytes cannot be tokenized.")
        return list(buffer[:count])

    def piece(self, token: int, special: bool = False) -> bytes:
        """The bytes of a token; part of a character, sometimes. Control tokens have some only when `special`."""
        buffer = ctypes.create_string_buffer(256)
        count = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, special)
        return buffer.raw[: max(count, 0)]

    def chat_template(self) -> str | None:
        """The chat format in the file's metadata, a Jinja template."""
        template = llama_cpp.llama_model_chat_template(self._model, None)
        return template.decode("utf-8") if template else None

    def special_texts(self) -> dict[str, str]:
        """The texts that a chat template may name: bos_token, eos_token."""
        tokens = {
            "bos_token": llama_cpp.llama_vocab_bos(self._vocabulary),
            "eos_token": llama_cpp.llama_vocab_eos(self._vocabulary),
        }
        return {
            name: self.piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""
            for name, token in tokens.items()
        }


def _usable_cores() -> int:
    """Cores this process may run on, where the system tells (Linux), else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]  # llama-cpp-python leaves it untyped
def _say_nothing(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """llama.cpp writes hundreds of lines to stderr while it loads; what matters comes back as a status."""


def _silence() -> None:
    llama_cpp.llama_log_set(_say_nothing, ctypes.c_void_p(0))
