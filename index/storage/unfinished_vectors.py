"""Vectors of a build that has not finished: kept on disk, so that a killed build does not embed them again."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.embedder import Vectors

_KEY_BYTES = 32
_CHECK_BYTES = 4


class UnfinishedVectors:
    """An append-only file of records: key (32 bytes), vector (dim float32), CRC-32 of both.

    A record cut short by a kill, or damaged, ends what is read; the rest is cut off and embedded again. Only keys and
    positions are held in memory. Used by the one builder that holds the lock.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self._dim = dim
        self._record = _KEY_BYTES + 4 * dim + _CHECK_BYTES
        path.touch()
        self._file = path.open("r+b")
        self._positions: dict[bytes, int] = {}
        self._end = 0
        while content := self._next_record():
            self._positions[content[:_KEY_BYTES]] = self._end
            self._end += self._record
        self._file.truncate(self._end)

    def _next_record(self) -> bytes:
        """Key and vector of the next record; empty at the end, and where it is cut short or damaged."""
        record = self._file.read(self._record)
        content, check = record[:-_CHECK_BYTES], record[-_CHECK_BYTES:]
        whole = len(record) == self._record and zlib.crc32(content).to_bytes(_CHECK_BYTES, "little") == check
        return content if whole else b""

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, key: bytes) -> bool:
        return key in self._positions

    def __getitem__(self, key: bytes) -> Vectors:
        """(dim,) float32. Raises KeyError."""
        self._file.seek(self._positions[key] + _KEY_BYTES)
        return np.frombuffer(self._file.read(4 * self._dim), np.float32)

    def append(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Note the vectors, (len(keys), dim) float32; they outlive the process when this returns."""
        self._file.seek(self._end)
        for key, vector in zip(keys, vectors, strict=True):
            content = key + vector.astype(np.float32).tobytes()
            self._file.write(content + zlib.crc32(content).to_bytes(_CHECK_BYTES, "little"))
        self._file.flush()
        for key in keys:
            self._positions[key] = self._end
            self._end += self._record

    def close(self) -> None:
        self._file.close()
