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

    A record cut short by a kill, or damaged, ends what is read; the rest is cut off and embedded again.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self._record = _KEY_BYTES + 4 * dim + _CHECK_BYTES
        path.touch()
        self._file = path.open("r+b")
        self._known: dict[bytes, Vectors] = {}
        good = 0
        while len(record := self._file.read(self._record)) == self._record:
            content, check = record[:-_CHECK_BYTES], record[-_CHECK_BYTES:]
            if zlib.crc32(content).to_bytes(_CHECK_BYTES, "little") != check:
                break
            self._known[content[:_KEY_BYTES]] = np.frombuffer(content[_KEY_BYTES:], np.float32)
            good += self._record
        self._file.seek(good)
        self._file.truncate()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: bytes) -> Vectors | None:
        return self._known.get(key)

    def append(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        for key, vector in zip(keys, vectors, strict=True):
            content = key + vector.astype(np.float32).tobytes()
            self._file.write(content + zlib.crc32(content).to_bytes(_CHECK_BYTES, "little"))
        self._file.flush()

    def close(self) -> None:
        self._file.close()
