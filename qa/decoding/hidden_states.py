"""What a model has made of a prompt in its middle layers, taken while llama.cpp computes it.

The logits say what the model would write; the hidden states say more of what it knows (qa/answerability.py).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import numpy.typing as npt

HiddenState = npt.NDArray[np.float32]

# llama-cpp-python loads this library and leaves most of its functions out.
_GGML = ctypes.CDLL(str(next((Path(llama_cpp.__file__).parent / "lib").glob("*ggml-base.*"))))
_GGML.ggml_get_name.restype = ctypes.c_char_p
_GGML.ggml_get_name.argtypes = [ctypes.c_void_p]
_GGML.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]


class HiddenStates:
    """Keeps the output of `layers` (from 0, not the last one) for some rows of a decoding.

    llama.cpp asks `callback` about each of the thousand operations of a decoding before it computes, and again behind
    those that are wanted. With 1, 4 or 16 rows that took no time above the noise of 4 % (1.5B, two cores, 2026-11-23).
    """

    def __init__(self, layers: Sequence[int], width: int) -> None:
        self._names = {f"l_out-{layer}".encode(): place for place, layer in enumerate(layers)}
        self._width = width
        self._wanted: Sequence[int] = ()
        self._taken: dict[int, HiddenState] = {}
        # Kept as long as the context that calls it.
        self.callback = llama_cpp.ggml_backend_sched_eval_callback(self._look)

    def expect(self, rows: Sequence[int]) -> None:
        """The rows of the next batch to be kept."""
        self._wanted = rows
        self._taken = {row: np.empty((len(self._names), self._width), np.float32) for row in rows}

    def of(self, row: int) -> HiddenState | None:
        """(layers, width) of a row of the last batch; None when it was not to be kept."""
        return self._taken.get(row)

    def _look(self, tensor: int, asking: bool, _data: object) -> bool:
        """Asked before: is it wanted? Asked behind: go on?"""
        if not self._wanted:
            return not asking
        place = self._names.get(_GGML.ggml_get_name(tensor))
        if place is None:
            return not asking
        if not asking:
            row_bytes = 4 * self._width
            for row in self._wanted:
                target = self._taken[row][place]
                _GGML.ggml_backend_tensor_get(tensor, target.ctypes.data, row * row_bytes, row_bytes)
        return True
