"""Texts to vectors with an embedding model in 8 bits (index/models/int8_conversion.py), through OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.models.int8_conversion import facts_of, openvino

if TYPE_CHECKING:
    from index.embedder import Vectors

# Texts embedded together, of about the same length.
BATCH_SIZE = 16
# Activations that share a scale when they become 8-bit numbers too. 32, 64 or 128: cosine to torch's vectors .9994,
# .9993, .9990; 26, 29, 30 sentences a second (two cores, 2026-11-23).
GROUP = 32


class Int8Encoder:
    """An Encoder over a sentence-transformers folder and what was converted of it. One thread at a time."""

    def __init__(self, folder: Path, converted: Path) -> None:
        from tokenizers import Tokenizer

        facts = facts_of(converted)
        self.dim = facts.dim
        self.query_prompt, self.document_prompt = facts.query_prompt, facts.document_prompt
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(facts.max_tokens)
        self._tokenizer.no_padding()
        self._bare = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._bare.no_truncation()
        self._bare.no_padding()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(GROUP),
        }
        compiled = openvino().Core().compile_model(str(converted / "model.xml"), "CPU", settings)
        self._run = compiled.create_infer_request()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(one.ids) for one in self._bare.encode_batch(list(texts), add_special_tokens=False)]

    def encode(self, texts: Sequence[str]) -> Vectors:
        ids = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        vectors = np.empty((len(ids), self.dim), np.float32)
        for start in range(0, len(order), BATCH_SIZE):
            places = order[start : start + BATCH_SIZE]
            longest = max(1, *(len(ids[place]) for place in places))
            tokens = np.zeros((len(places), longest), np.int64)
            mask = np.zeros_like(tokens)
            for row, place in enumerate(places):
                tokens[row, : len(ids[place])] = ids[place]
                mask[row, : len(ids[place])] = 1
            vectors[places] = self._run.infer([tokens, mask])[0]
        return vectors
