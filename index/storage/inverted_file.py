"""An inverted file over sentence vectors (IVF, 8-bit codes): made, extended from the one before, its recall measured.

The vectors fall into lists around centroids that k-means found; a query looks through the lists whose centroids are
nearest to it. How many that must be is measured when it is trained. See the FAISS wiki, "Guidelines to choose an
index", and Jégou, Douze and Schmid, Product quantization for nearest neighbor search (2011).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss as faiss_with_types
import numpy as np
import numpy.typing as npt

from index.embedder import Vectors
from index.errors import BrokenIndex
from index.manifest import Approximation
from index.storage.durable_files import sync_file
from index.storage.vector_blocks import Block, copy_vectors

# Its types know neither what a factory makes nor the parameters of a search.
faiss: Any = faiss_with_types
IndexIVF = Any

INVERTED_FILE = "sentences.ivf"
# Vectors a list that k-means sees, ten times: more of them, or more often, changed recall by less than .002.
_TRAINED_ON = 40
_ROUNDS = 10
# Share of vectors that came after the training when it is trained again.
_OUTGROWN = 0.25
LEAST_RECALL = 0.995
_QUERIES = 200
_NEIGHBOURS = 10
# A query is about more than one sentence, and falls between lists as no sentence does: those that ask for one sentence
# again find it with .999. Sums of four come near to PIAF's questions: with 128 of 512 lists .993 of their neighbours
# are found, of the questions' .965, with 256 lists .998 and .989 (101,134 sentences; 150 questions, 2026-11-24).
_SENTENCES_A_QUERY = 4
# Vectors at once in memory: 200 MB of 768 dimensions.
_AT_ONCE = 65_536
_SEED = 0

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The vectors of the sentences: of sentence i, row homes[i] of all blocks, counted through."""

    homes: Numbers
    blocks: Sequence[Block]
    dim: int

    def __len__(self) -> int:
        return len(self.homes)

    def read(self, sentences: Numbers) -> Vectors:
        """(len(sentences), dim) float32."""
        vectors = np.empty((len(sentences), self.dim), np.float32)
        copy_vectors(vectors, self.homes[sentences], self.blocks)
        return vectors


@dataclass(frozen=True, slots=True)
class EarlierFile:
    """An inverted file to extend: `same` (sentences now,): which sentence each one was then, -1 for new ones."""

    path: Path
    approximation: Approximation
    same: Numbers


Step = Callable[[int, int], None]


def write_inverted_file(folder: Path, rows: Rows, earlier: EarlierFile | None, step: Step) -> Approximation:
    """Make the file; codes of sentences that an earlier one has are taken over unless too many are new."""
    if earlier is not None:
        later = earlier.approximation.later + int((earlier.same < 0).sum())
        if later <= _OUTGROWN * len(rows) and earlier.approximation.lists == lists_for(len(rows)):
            index, places, codes = _read_all(earlier)
            _fill(index, rows, places, codes, step)
            _write(index, folder)
            return replace(earlier.approximation, later=later)
    step(0, len(rows))
    index = _trained(rows)
    none = np.full(len(rows), -1, np.int64)
    _fill(index, rows, none, np.empty((0, index.code_size), np.uint8), step)
    _write(index, folder)
    probes, recall = _least_probes(index, rows)
    return Approximation(f"IVF{index.nlist},SQ8", index.nlist, probes, round(recall, 4), _QUERIES, 0)


def read_inverted_file(path: Path) -> IndexIVF:
    """Mapped into memory. Raises BrokenIndex."""
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise BrokenIndex(path, f"FAISS cannot read it ({str(error)[:200]})") from error


def nearest(index: IndexIVF, query: Vectors, count: int, probes: int, passing: npt.NDArray[np.bool_] | None) -> Numbers:
    """The numbers of about the `count` sentences nearest to `query`, (dim,), rising; of those `passing`, if given."""
    if passing is None:
        parameters = faiss.SearchParametersIVF(nprobe=probes)
        return _found(index, query, count, parameters)
    # The fewer pass, the farther away are the nearest of them, and the more lists hold them.
    more = min(4.0, len(passing) / max(1, int(passing.sum())))
    selector = faiss.IDSelectorBitmap(np.packbits(passing, bitorder="little"))
    parameters = faiss.SearchParametersIVF(sel=selector, nprobe=min(round(more * probes), index.nlist))
    return _found(index, query, count, parameters)


def _found(index: IndexIVF, query: Vectors, count: int, parameters: Any) -> Numbers:
    _, numbers = index.search(query[np.newaxis], count, params=parameters)
    found: Numbers = np.sort(numbers[0][numbers[0] >= 0])
    return found


def lists_for(sentences: int) -> int:
    """The power of two next to twice the square root: as many centroids to look at as vectors in a list, about."""
    return int(2 ** round(np.log2(2 * np.sqrt(sentences))))


# -- making it ---------------------------------------------------------------------------------------------------------


def _trained(rows: Rows) -> IndexIVF:
    lists = lists_for(len(rows))
    index = faiss.index_factory(rows.dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = _ROUNDS, _SEED
    dice = np.random.default_rng(_SEED)
    some = dice.choice(len(rows), min(len(rows), _TRAINED_ON * lists), replace=False)
    index.train(rows.read(np.sort(some)))
    return index


def _read_all(earlier: EarlierFile) -> tuple[IndexIVF, Numbers, npt.NDArray[np.uint8]]:
    """An index without vectors, trained as the earlier one; of each sentence now, which row of the codes is its own,
    and in which list, as row * lists + list, or -1."""
    index = read_inverted_file(earlier.path)
    size, lists = index.code_size, index.nlist
    codes = np.empty((index.ntotal, size), np.uint8)
    list_of = np.empty(index.ntotal, np.int64)
    for number in range(lists):
        count = index.invlists.list_size(number)
        if count:
            ids = faiss.rev_swig_ptr(index.invlists.get_ids(number), count)
            codes[ids] = faiss.rev_swig_ptr(index.invlists.get_codes(number), count * size).reshape(count, size)
            list_of[ids] = number
    known = earlier.same >= 0
    places = np.full(len(earlier.same), -1, np.int64)
    places[known] = earlier.same[known] * lists + list_of[earlier.same[known]]
    none = faiss.ArrayInvertedLists(lists, size)
    none.this.disown()  # it is the index's from here on
    index.replace_invlists(none, True)
    index.ntotal = 0
    return index, places, codes


def _fill(index: IndexIVF, rows: Rows, places: Numbers, codes: npt.NDArray[np.uint8], step: Step) -> None:
    """Put every sentence into its list, in the order of their numbers."""
    lists = index.nlist
    for first in range(0, len(rows), _AT_ONCE):
        numbers = np.arange(first, min(first + _AT_ONCE, len(rows)))
        here = places[numbers]
        fresh = np.flatnonzero(here < 0)
        list_of = here % lists
        its_codes = codes[here // lists] if len(codes) else np.empty((len(numbers), index.code_size), np.uint8)
        if len(fresh):
            vectors = rows.read(numbers[fresh])
            list_of[fresh] = index.quantizer.search(vectors, 1)[1][:, 0]
            its_codes[fresh] = _encoded(index, vectors, list_of[fresh])
        order = np.argsort(list_of, kind="stable")
        edges = np.flatnonzero(np.diff(list_of[order])) + 1
        for some in np.split(order, edges):
            ids, some_codes = numbers[some], np.ascontiguousarray(its_codes[some])
            index.invlists.add_entries(int(list_of[some[0]]), len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(some_codes))
        index.ntotal += len(numbers)
        step(index.ntotal, len(rows))


def _encoded(index: IndexIVF, vectors: Vectors, list_of: Numbers) -> npt.NDArray[np.uint8]:
    codes = np.empty((len(vectors), index.code_size), np.uint8)
    lists = np.ascontiguousarray(list_of)
    index.encode_vectors(len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(lists), faiss.swig_ptr(codes))
    return codes


def _write(index: IndexIVF, folder: Path) -> None:
    path = folder / INVERTED_FILE
    faiss.write_index(index, str(path))
    sync_file(path)


# -- how well it finds -------------------------------------------------------------------------------------------------


def _least_probes(index: IndexIVF, rows: Rows) -> tuple[int, float]:
    """How many lists a query must look through for LEAST_RECALL, and the recall it then has."""
    dice = np.random.default_rng(_SEED + 1)
    chosen = dice.choice(len(rows), _QUERIES * _SENTENCES_A_QUERY)
    queries = rows.read(chosen).reshape(_QUERIES, _SENTENCES_A_QUERY, rows.dim).sum(axis=1)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    wanted = _exact(rows, queries)
    probes = 16
    while True:
        found = index.search(queries, 3 * _NEIGHBOURS, params=faiss.SearchParametersIVF(nprobe=probes))[1]
        pairs = zip(wanted, found, strict=True)
        recall = float(np.mean([len(np.intersect1d(one, other)) / len(one) for one, other in pairs]))
        if recall >= LEAST_RECALL or probes >= index.nlist:
            return probes, recall
        probes *= 2


def _exact(rows: Rows, queries: Vectors) -> Numbers:
    """(queries, neighbours): the nearest sentences, whatever their order."""
    best = np.full((len(queries), _NEIGHBOURS), -np.inf, np.float32)
    numbers = np.zeros((len(queries), _NEIGHBOURS), np.int64)
    for first in range(0, len(rows), _AT_ONCE):
        some = np.arange(first, min(first + _AT_ONCE, len(rows)))
        scores = np.concatenate([best, queries @ rows.read(some).T], axis=1)
        of = np.concatenate([numbers, np.broadcast_to(some, (len(queries), len(some)))], axis=1)
        top = np.argpartition(-scores, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]
        best, numbers = np.take_along_axis(scores, top, 1), np.take_along_axis(of, top, 1)
    return numbers
