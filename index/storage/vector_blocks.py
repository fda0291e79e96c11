"""Vectors on disk, in blocks that generations share: a change writes the blocks it touches, not a gigabyte of vectors.

A block is a file named by the SHA-256 of its content: the keys of its vectors, 32 bytes each, then the vectors, float32
(little-endian), in the same order. A generation has a hard link to each of its blocks, and no block with a vector that
none of its sentences needs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.embedder import Vectors
from index.storage.durable_files import sync_file

BLOCK_NAME = "vectors-*.block"
KEY_BYTES = 32
# 13 MB of 768 dimensions: what a change of one sentence writes at least. 10,000 articles of 3,000 characters have 67.
BLOCK_ROWS = 4096

# Fixed width, so that keys can be sorted; NumPy takes zeros at the end for padding, which at one width confuses none.
Keys = npt.NDArray[np.bytes_]
_KEY = np.dtype(f"S{KEY_BYTES}")


@dataclass(frozen=True, slots=True)
class Block:
    """A block on disk; `keys` (rows,) S32, in the order of its vectors."""

    path: Path
    keys: Keys
    dim: int

    @classmethod
    def open(cls, path: Path, dim: int) -> Block:
        """Reads the keys only. Raises ValueError where the size is not that of a block."""
        rows, rest = divmod(path.stat().st_size, KEY_BYTES + 4 * dim)
        if rest or not rows:
            raise ValueError(f"{path} is no block of vectors of {dim} dimensions.")
        return cls(path, np.fromfile(path, _KEY, rows), dim)

    def vectors(self) -> Vectors:
        """(rows, dim) float32, read when they are looked at."""
        shape = (len(self.keys), self.dim)
        return np.memmap(self.path, "<f4", "r", offset=KEY_BYTES * len(self.keys), shape=shape)


def as_keys(keys: Iterable[bytes]) -> Keys:
    """(len(keys),) S32."""
    return np.frombuffer(b"".join(keys), _KEY)


def find(wanted: Keys, among: Keys) -> npt.NDArray[np.int64]:
    """(len(wanted),): where each key stands in `among`, the first time; -1 for those that it has not."""
    if len(among) == 0:
        return np.full(len(wanted), -1, np.int64)
    heads = _heads(among)
    order = np.argsort(heads, kind="stable")
    heads = heads[order]
    at = np.searchsorted(heads, _heads(wanted))
    if (among[order[1:]] != among[order[:-1]])[heads[1:] == heads[:-1]].any():
        # Two keys that begin alike: not in a lifetime of SHA-256, but then a vector would seem not to be there.
        order = np.argsort(among, kind="stable")
        at = np.searchsorted(among[order], wanted)
    at = np.minimum(at, len(among) - 1)
    places = order[at]
    return np.where(among[places] == wanted, places, -1)


def _heads(keys: Keys) -> npt.NDArray[np.uint64]:
    """(len(keys),): their first 8 bytes as numbers, which are sorted and searched four times as fast."""
    return np.ascontiguousarray(keys.view("<u8")[:: KEY_BYTES // 8])


def keys_of(blocks: Sequence[Block]) -> Keys:
    """(rows of all blocks,), block after block."""
    return np.concatenate([np.empty(0, _KEY), *(block.keys for block in blocks)])


def write_blocks(
    folder: Path, needed: Keys, earlier: Sequence[Block], fresh: Callable[[bytes], Vectors], dim: int
) -> dict[str, str]:
    """Have the vectors of exactly these keys in the blocks of `folder`; file name -> SHA-256 of those written anew.

    A block whose vectors are all needed is linked, unless it is small; the vectors of the others are written together
    with the fresh ones, in the order of the keys. So at most one block is less than half full, and what is not needed
    any more is in no file of the generation.
    """
    needed = needed[np.sort(np.unique(needed, return_index=True)[1])]
    homes = find(needed, keys_of(earlier))  # of each needed key: its row among those of all blocks, or -1
    starts = np.cumsum([0, *(len(block.keys) for block in earlier)])
    used = np.zeros(starts[-1] + 1, bool)  # one more, for the -1 of those that have no home
    used[homes[homes >= 0]] = True
    for block, start in zip(earlier, starts, strict=False):
        rows = slice(start, start + len(block.keys))
        if len(block.keys) >= BLOCK_ROWS // 2 and used[rows].all():
            _link(block.path, folder / block.path.name)
            used[rows] = False  # done; those that are left are to be moved
    moved = (homes < 0) | used[homes]
    written = {}
    for part in np.array_split(np.flatnonzero(moved), max(1, -(-int(moved.sum()) // BLOCK_ROWS))):
        if len(part):
            vectors = np.empty((len(part), dim), "<f4")
            copy_vectors(vectors, homes[part], earlier)
            for row in np.flatnonzero(homes[part] < 0):
                vectors[row] = fresh(_bytes(needed[part[row]]))
            name, digest = _write(folder, needed[part], vectors)
            written[name] = digest
    return written


def copy_vectors(into: Vectors, homes: npt.NDArray[np.int64], blocks: Sequence[Block]) -> None:
    """Fill the rows of `into`, (len(homes), dim), each from the row of all blocks, counted through, that is its home.

    Block by block: put together first, all vectors would take twice the memory. Those with home -1 are left out.
    """
    start = 0
    for block in blocks:
        rows = np.flatnonzero((homes >= start) & (homes < start + len(block.keys)))
        if len(rows):
            into[rows] = block.vectors()[homes[rows] - start]
        start += len(block.keys)


def _write(folder: Path, keys: Keys, vectors: Vectors) -> tuple[str, str]:
    content = keys.tobytes(), vectors.tobytes()
    digest = hashlib.sha256(b"".join(content)).hexdigest()
    path = folder / BLOCK_NAME.replace("*", digest[:16])
    with path.open("wb") as file:
        file.writelines(content)
    sync_file(path)
    return path.name, digest


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
        sync_file(target)


def _bytes(key: np.bytes_) -> bytes:
    """All 32 bytes of a key; NumPy drops zeros at the end."""
    return bytes(key).ljust(KEY_BYTES, b"\0")
