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
from index.query_batches import QueryBatches

Vectors = npt.NDArray[np.float32]

# Sentences encoded together. On two cores 16 to 64 made no difference above the noise; 32 keeps a batch under 200 MB.
BATCH_SIZE = 32


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


class SentenceTransformerEmbedder:
    """An Embedder over a local sentence-transformers folder; never goes online.

    The folder's own prompts for queries and documents are used. A document prompt with a place for the title
    ("title: none | text: ", EmbeddingGemma) gets the heading there; any other has the heading put before the text.
    Calls from several threads take turns: the tokenizer is not safe to share, and one call keeps all cores busy. The
    queries that wait for one are embedded together.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        if not (folder / "modules.json").is_file():
            raise ModelFileError(f"{folder} is not a sentence-transformers folder: it has no modules.json.")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped

        # bfloat16 gives the same ranking (numbers.md) and is 1.5 to 2.5 times faster, but only where the processor
        # multiplies it in hardware; elsewhere it is emulated and slower than float32.
        dtype = torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
        self._model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"torch_dtype": dtype}
        )
        self._turn = threading.Lock()
        self._queries = QueryBatches(self._encode)
        self._digest = digest
        prompts = self._model.prompts
        self._query_prompt = prompts.get("query") or ""
        self._document_prompt = prompts.get("document") or prompts.get("passage") or ""
        dim = self._model.get_embedding_dimension()
        if dim is None:
            raise ModelFileError(f"{folder} does not say how many dimensions its vectors have.")
        self._dim: int = dim

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def dim(self) -> int:
        return self._dim

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones around it."""
        if not texts:
            return []
        with self._turn:
            encoded = self._model.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed_query(self, query: str) -> Vectors:
        """(dim,) float32, for searching. Raises BadQuery when there is nothing to embed."""
        if not query.strip():
            raise BadQuery("The question is empty. Type a few words.")
        return self._queries.embed(self._query_prompt + query)

    def embed_texts(self, texts: Sequence[SourceText]) -> Vectors:
        """(n, dim) float32, in the order given."""
        if not texts:
            return np.empty((0, self._dim), np.float32)
        return self._encode([self._as_document(text) for text in texts])

    def _as_document(self, source: SourceText) -> str:
        prompt = self._document_prompt
        if "title: none" in prompt:
            return prompt.replace("title: none", f"title: {source.heading or 'none'}") + source.text
        return prompt + (f"{source.heading}\n{source.text}" if source.heading else source.text)

    def _encode(self, inputs: list[str]) -> Vectors:
        # Longer than max_seq_length is cut without a word; the splitter's bound (300 tokens) stays far below it.
        with self._turn:
            vectors = self._model.encode(
                inputs,
                batch_size=BATCH_SIZE,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        result: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        # bfloat16 leaves lengths off by up to half a percent; scores of exact neighbours would depend on it.
        result /= np.linalg.norm(result, axis=1, keepdims=True)
        if not np.isfinite(result).all():
            raise BadQuery("This text cannot be embedded (the model returned no finite vector).")
        return result
