"""Texts to vectors with an embedding model as it was published, through sentence-transformers and torch."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ModelFileError

if TYPE_CHECKING:
    from index.embedder import Vectors

# Texts encoded together. On two cores 16 to 64 made no difference above the noise; 32 keeps a batch under 200 MB.
BATCH_SIZE = 32


class TorchEncoder:
    """An Encoder over a local sentence-transformers folder. One thread at a time: the tokenizer is not safe to share.

    Raises ModelFileError for a model that does not say how many dimensions its vectors have.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        # bfloat16 is faster on some processors and slower on others (145 ms a query for 125 on one with AVX-512 BF16).
        self.model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"torch_dtype": torch.float32}
        )
        prompts = self.model.prompts
        self.query_prompt = prompts.get("query") or ""
        self.document_prompt = prompts.get("document") or prompts.get("passage") or ""
        dim = self.model.get_embedding_dimension()
        if dim is None:
            raise ModelFileError(f"{folder} does not say how many dimensions its vectors have.")
        self.dim: int = dim

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encoded = self.model.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def encode(self, texts: Sequence[str]) -> Vectors:
        return self.model.encode(
            list(texts),
            batch_size=BATCH_SIZE,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
