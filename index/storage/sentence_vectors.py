"""The vectors of a generation as they are searched: all of them exactly, or, of many, the nearest through an index.

Up to EXACT_UP_TO sentences every one is compared with the query, from memory. Beyond, an inverted file with 8-bit codes
(index/storage/inverted_file.py) names the nearest, and they are compared with the query by their vectors on disk; both
are mapped into memory, so what was not asked for lately takes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
import numpy.typing as npt

from index.embedder import Vectors
from index.errors import BrokenIndex
from index.manifest import ARTICLES_FILE, Approximation, Manifest
from index.storage.inverted_file import INVERTED_FILE, nearest, read_inverted_file
from index.storage.vector_blocks import Block, Keys, copy_vectors, find, keys_of

# 22 ms on one core for 768 dimensions; 100,000 would take 45.
EXACT_UP_TO = 50_000
# Passing sentences below which those of a filter are compared one by one: the lists near the query may hold none.
FEW = 5_000

Numbers = npt.NDArray[np.int64]
Passing = npt.NDArray[np.bool_]


class SentenceVectors(Protocol):
    """Rows are numbered like the sentences."""

    def nearest(self, query: Vectors, count: int, passing: Passing | None) -> Numbers | None:
        """About the `count` sentences that are nearest to `query`, (dim,), of those `passing`; None: not narrowed."""
        ...

    def cosines(self, query: Vectors, sentences: Numbers | None) -> Vectors:
        """(len(sentences),) float32: the cosine of each with `query`, (dim,) of length 1; of all for None."""
        ...

    def vectors(self, sentences: Numbers) -> Vectors:
        """(len(sentences), dim) float32."""
        ...


def read_vectors(folder: Path, manifest: Manifest, keys: Keys) -> SentenceVectors:
    """The vectors of the sentences with these keys, in their order, out of all blocks. Raises BrokenIndex."""
    try:
        blocks = [Block.open(folder / name, manifest.dim) for name in manifest.block_names]
    except (OSError, ValueError) as error:
        raise BrokenIndex(folder, f"a block of vectors cannot be read ({error})") from error
    homes = find(keys, keys_of(blocks))
    if (homes < 0).any() or len(keys) != manifest.sentences:
        raise BrokenIndex(
            folder / ARTICLES_FILE, f"{len(keys)} sentences, {int((homes >= 0).sum())} of them have vectors"
        )
    if manifest.approximation is None:
        return _InMemory(homes, blocks, manifest.dim)
    return _OnDisk(homes, blocks, folder / INVERTED_FILE, manifest.approximation)


class _InMemory:
    """Every vector is compared."""

    def __init__(self, homes: Numbers, blocks: Sequence[Block], dim: int) -> None:
        self._index = faiss.IndexFlatIP(dim)
        # Each block is copied to where its rows belong: put together first, they would take twice the memory.
        self._index.codes.resize(4 * dim * len(homes))
        self._index.ntotal = len(homes)
        rows = faiss.rev_swig_ptr(self._index.get_xb(), dim * len(homes)).reshape(len(homes), dim)
        copy_vectors(rows, homes, blocks)

    def nearest(self, query: Vectors, count: int, passing: Passing | None) -> Numbers | None:
        return None

    def cosines(self, query: Vectors, sentences: Numbers | None) -> Vectors:
        """FAISS computes every row by itself, so equal sentences have equal cosines wherever they stand; a matrix
        product (numpy) differs in the last bit by position. All of them cost less than the 300 nearest (0.05 s against
        0.08 s for 100,000 x 768 on one core), and no bound on candidates can cut a passage off.
        """
        _, cosines, numbers = self._index.range_search(query[np.newaxis], -np.inf)
        found = np.full(self._index.ntotal, -1, np.float32)
        found[numbers] = cosines
        return found if sentences is None else found[sentences]

    def vectors(self, sentences: Numbers) -> Vectors:
        found: Vectors = self._index.reconstruct_batch(sentences)
        return found


class _OnDisk:
    """The nearest are named by an index, and compared by their vectors in the blocks."""

    def __init__(self, homes: Numbers, blocks: Sequence[Block], path: Path, approximation: Approximation) -> None:
        self._file = read_inverted_file(path)
        self._probes = approximation.probes
        self._starts = np.cumsum([0, *(len(block.keys) for block in blocks)])
        self._homes = homes
        self._rows = [block.vectors() for block in blocks]

    def nearest(self, query: Vectors, count: int, passing: Passing | None) -> Numbers | None:
        if passing is not None and passing.sum() <= max(count, FEW):
            return np.flatnonzero(passing)
        return nearest(self._file, query, count, self._probes, passing)

    def cosines(self, query: Vectors, sentences: Numbers | None) -> Vectors:
        if sentences is None:
            sentences = np.arange(len(self._homes))
        # Row by row, as above: a sum of products, not a matrix product.
        found: Vectors = np.einsum("ij,j->i", self.vectors(sentences), query)
        return found

    def vectors(self, sentences: Numbers) -> Vectors:
        homes = self._homes[sentences]
        found = np.empty((len(homes), self._rows[0].shape[1]), np.float32)
        which = np.searchsorted(self._starts, homes, side="right") - 1
        for block in np.unique(which):
            rows = np.flatnonzero(which == block)
            found[rows] = self._rows[block][homes[rows] - self._starts[block]]
        return found
