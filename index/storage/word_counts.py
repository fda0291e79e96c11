"""The words of passages on their way into a generation: those of new passages counted, those of the others taken over.

A matrix of counts (passages x words) is all that keyword search needs. It is put together by rows, as articles come,
and written by columns, as it is searched (index/storage/postings.py).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from index.storage.postings import Postings

# The most that a word counts in one passage; more would not fit the type, and BM25 hardly tells 20 from 200.
MOST = np.iinfo(np.uint16).max


class WordCounts:
    """Passage by passage, in their order: `add` for new ones, `take` for neighbouring ones of an earlier generation."""

    def __init__(self, vocabulary: Sequence[str] = (), earlier: Postings | None = None) -> None:
        """`vocabulary`: the words of the earlier generation, in the order of their numbers there."""
        self._vocabulary = vocabulary
        self._by_passage = earlier.by_passage() if earlier else None
        self._earlier_lengths = earlier.lengths if earlier else np.empty(0, np.int32)
        self._numbers: dict[str, int] = {}
        self._words = array("i")
        self._counts = array("H")
        self._ends = array("q", [0])
        self._lengths = array("i")
        # Which rows come next: (from the earlier generation, first, last + 1).
        self._runs: list[tuple[bool, int, int]] = []

    def add(self, words: Iterable[str]) -> None:
        """The words of the next passage, as they are searched for: stemmed, those of the title too."""
        counted = Counter(words)
        for word, count in counted.items():
            self._words.append(self._numbers.setdefault(word, len(self._numbers)))
            self._counts.append(min(count, MOST))
        self._ends.append(len(self._words))
        self._lengths.append(counted.total())
        self._follow(False, len(self._lengths) - 1, len(self._lengths))

    def take(self, first: int, count: int) -> None:
        """The next passages are these of the earlier generation."""
        self._follow(True, first, first + count)

    def _follow(self, earlier: bool, first: int, end: int) -> None:
        if self._runs and self._runs[-1][0] == earlier and self._runs[-1][2] == first:
            self._runs[-1] = (earlier, self._runs[-1][1], end)
        else:
            self._runs.append((earlier, first, end))

    def write(self, folder: Path) -> list[str]:
        """Write the postings; the words that some passage has, sorted, which is the order of their numbers."""
        known = sorted({*self._vocabulary, *self._numbers})
        numbers = {word: number for number, word in enumerate(known)}
        shape = (len(self._lengths), len(self._numbers))
        fresh = _rows(self._counts, np.frombuffer(self._words, np.int32), self._ends, shape)
        fresh = _renumbered(fresh, [numbers[word] for word in self._numbers], len(known))
        if self._by_passage is not None:
            taken = _renumbered(self._by_passage, [numbers[word] for word in self._vocabulary], len(known))
        fresh_lengths = np.frombuffer(self._lengths, np.int32)
        # From none of them, so that there is something to put together.
        parts, lengths = [fresh[:0]], [fresh_lengths[:0]]
        for earlier, first, end in self._runs:
            parts.append((taken if earlier else fresh)[first:end])
            lengths.append((self._earlier_lengths if earlier else fresh_lengths)[first:end])
        by_word = sparse.vstack(parts, format="csr").tocsc()
        held = np.diff(by_word.indptr)
        Postings(
            starts=np.concatenate([[0], np.cumsum(held[held > 0])]).astype(np.int64),
            passages=by_word.indices.astype(np.int32, copy=False),
            counts=by_word.data,
            lengths=np.concatenate(lengths),
        ).write(folder)
        return [known[number] for number in np.flatnonzero(held)]


def _rows(
    counts: array[int], words: npt.NDArray[np.int32], ends: array[int], shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.frombuffer(counts, np.uint16), words, np.frombuffer(ends, np.int64)), shape)


def _renumbered(rows: sparse.csr_matrix, numbers: Sequence[int], words: int) -> sparse.csr_matrix:
    """The same rows with word i as column numbers[i] of `words`."""
    columns = np.array(numbers, np.int32)[rows.indices] if len(numbers) else rows.indices
    return sparse.csr_matrix((rows.data, columns, rows.indptr), (rows.shape[0], words))
