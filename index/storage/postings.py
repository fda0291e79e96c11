"""Which passages have a word, and how often: an inverted index in four arrays on disk, ranked by BM25.

FTS5, with which this began, needs 100 ms for a question of ten words over 100,000 passages; sums over arrays need 2.
The arrays stay on disk, and only what a query asks for is read. Which word has which number stands in articles.sqlite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from index.errors import BrokenIndex
from index.storage.durable_files import sync_file

POSTINGS_NAME = "words-*.npy"
# Robertson and Zaragoza, The Probabilistic Relevance Framework (2009); the usual values, those of Lucene and SQLite.
K1, B = 1.2, 0.75
# A word that more passages have adds little to any of them, and reading them all costs most of the time: it counts only
# for passages that something else has found. Up to twice as many passages nothing is cut.
COMMON = 25_000

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Postings:
    """`starts` (words + 1,): where the postings of each word begin; `passages` and `counts` (postings,): who has it,
    rising, and how often; `lengths` (passages,): how many words a passage has, each as often as it stands there."""

    starts: npt.NDArray[np.int64]
    passages: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """Raises BrokenIndex where they are not what `write` leaves."""
        try:
            starts, passages, counts, lengths = (np.load(path, mmap_mode="r") for path in _paths(folder))
            if starts[0] != 0 or not starts[-1] == len(passages) == len(counts):
                raise ValueError("their lengths differ")
        except (OSError, ValueError, IndexError) as error:
            raise BrokenIndex(folder / POSTINGS_NAME, f"cannot be read ({error})") from error
        return cls(starts, passages, counts, lengths)

    def write(self, folder: Path) -> None:
        """Durably."""
        arrays: list[npt.NDArray[Any]] = [self.starts, self.passages, self.counts, self.lengths]
        for path, values in zip(_paths(folder), arrays, strict=True):
            np.save(path, values)
            sync_file(path)

    def by_passage(self) -> sparse.csr_matrix:
        """(passages, words): the counts, by rows."""
        shape = (len(self.lengths), len(self.starts) - 1)
        return sparse.csc_matrix((self.counts, self.passages, self.starts), shape).tocsr()

    def holding(self) -> npt.NDArray[np.int64]:
        """(words,): how many passages have each word."""
        return np.diff(self.starts)

    def bm25(self, words: Sequence[int]) -> BM25:
        """What these words say of passages. Those of half of the passages say nothing: their idf is not positive."""
        average = float(self.lengths.mean()) if len(self.lengths) else 0.0
        saying = [word for word in words if 2 * self._held(word) < len(self.lengths)]
        return BM25(self, average, saying)

    def _held(self, word: int) -> int:
        return int(self.starts[word + 1] - self.starts[word])


@dataclass(frozen=True, slots=True)
class BM25:
    """The BM25 of some words, summed over them."""

    postings: Postings
    average: float
    words: Sequence[int]

    def of_all(self) -> Floats:
        """(passages,): by the words that are not COMMON."""
        scores = np.zeros(len(self.postings.lengths), np.float64)
        for word in self.words:
            if self._count(word) <= COMMON:
                passages, counts = self._row(word)
                scores[passages] += self._weights(word, passages, counts)
        return scores

    def of_common(self, among: Numbers) -> Floats:
        """(len(among),): what the COMMON words add for these passages."""
        scores = np.zeros(len(among), np.float64)
        for word in self.words:
            if self._count(word) > COMMON:
                passages, counts = self._row(word)
                places = np.minimum(np.searchsorted(passages, among), len(passages) - 1)
                there = passages[places] == among
                scores[there] += self._weights(word, among[there], counts[places[there]])
        return scores

    def _count(self, word: int) -> int:
        return int(self.postings.starts[word + 1] - self.postings.starts[word])

    def _row(self, word: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint16]]:
        where = slice(self.postings.starts[word], self.postings.starts[word + 1])
        return self.postings.passages[where], self.postings.counts[where]

    def _weights(self, word: int, passages: npt.NDArray[np.integer], counts: npt.NDArray[np.uint16]) -> Floats:
        held = self._count(word)
        idf = np.log((len(self.postings.lengths) - held + 0.5) / (held + 0.5))
        norms = K1 * (1 - B + B * self.postings.lengths[passages] / self.average)
        weights: Floats = idf * counts * (K1 + 1) / (counts + norms)
        return weights


def _paths(folder: Path) -> list[Path]:
    return [folder / POSTINGS_NAME.replace("*", part) for part in ("starts", "passages", "counts", "lengths")]
