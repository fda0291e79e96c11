"""Text to unit vectors, through any sentence-transformers folder (EmbeddingGemma by default)."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.errors import BadQuery, ModelFileError
from index.models.query_batches import QueryBatches
from index.progress import Progress

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SourceText:
    """One text to embed as a document: `heading` says what it belongs to (title, source, date), "" for none."""

    heading: str
    text: str


class Embedder(Protocol):
    """What the index asks of a model. Every vector has length 1, so that the inner product is the cosine."""

    @property
    def digest(self) -> str:
        """Identity of the model; vectors of two digests are never compared."""

    @property
    def dim(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def embed_query(self, query: str) -> Vectors:
        """(dim,) float32."""

    def embed_texts(self, texts: Sequence[SourceText]) -> Vectors:
        """(len(texts), dim) float32, in the order given."""


class Encoder(Protocol):
    """A model that makes vectors of text as it stands. One thread at a time."""

    dim: int
    query_prompt: str
    document_prompt: str

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dim) float32, of any length."""


class SentenceTransformerEmbedder:
    """An Embedder over a local sentence-transformers folder; never goes online.

    It runs in 8 bits through OpenVINO where the model can be converted (the first time takes a minute), else in torch,
    also with SOURCIER_INT8=0 in the environment. Vectors of both may be compared with each other: EmbeddingGemma's are
    at a cosine of .999, and rank alike.

    The folder's own prompts for queries and documents are used. A document prompt with a place for the title
    ("title: none | text: ", EmbeddingGemma) gets the heading there; any other has the heading put before the text.
    Calls from several threads take turns: one call keeps all cores busy. The queries that wait for one are embedded
    together.
    """

    def __init__(self, folder: Path, digest: str, progress: Progress | None = None) -> None:
        if not (folder / "modules.json").is_file():
            raise ModelFileError(f"{folder} is not a sentence-transformers folder: it has no modules.json.")
        self._encoder = _encoder_of(folder, digest, progress)
        self._turn = threading.Lock()
        self._queries = QueryBatches(self._encode)
        self._digest = digest

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def dim(self) -> int:
        return self._encoder.dim

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones around it."""
        if not texts:
            return []
        with self._turn:
            return self._encoder.count_tokens(texts)

    def embed_query(self, query: str) -> Vectors:
        """(dim,) float32, for searching. Raises BadQuery when there is nothing to embed."""
        if not query.strip():
            raise BadQuery("The question is empty. Type a few words.")
        return self._queries.embed(self._encoder.query_prompt + query)

    def embed_texts(self, texts: Sequence[SourceText]) -> Vectors:
        """(n, dim) float32, in the order given."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return self._encode([self._as_document(text) for text in texts])

    def _as_document(self, source: SourceText) -> str:
        prompt = self._encoder.document_prompt
        if "title: none" in prompt:
            return prompt.replace("title: none", f"title: {source.heading or 'none'}") + source.text
        return prompt + (f"{source.heading}\n{source.text}" if source.heading else source.text)

    def _encode(self, inputs: list[str]) -> Vectors:
        # Longer than max_seq_length is cut without a word; the splitter's bound (300 tokens) stays far below it.
        with self._turn:
            vectors = self._encoder.encode(inputs)
        result: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        # A model may leave lengths a little off (bfloat16 by half a percent); scores of near neighbours depend on them.
        result /= np.linalg.norm(result, axis=1, keepdims=True)
        if not np.isfinite(result).all():
            raise BadQuery("This text cannot be embedded (the model returned no finite vector).")
        return result


def _encoder_of(folder: Path, digest: str, progress: Progress | None) -> Encoder:
    if os.environ.get("SOURCIER_INT8", "1") != "0":
        from index.models.int8_conversion import CannotConvert, converted
        from index.models.int8_encoder import Int8Encoder

        try:
            return Int8Encoder(folder, converted(folder, digest, progress))
        except CannotConvert as reason:
            log.warning("%s is run by torch, in full precision and more slowly: %s", folder.name, reason)
    from index.models.torch_encoder import TorchEncoder

    return TorchEncoder(folder)
