from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from index.embedder import Vectors
from index.storage.unfinished_vectors import UnfinishedVectors

DIM = 8
RECORD = 32 + 4 * DIM + 4


def key(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


def vector(number: int) -> Vectors:
    return np.arange(number, number + DIM, dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of records 0 to 4, written by two openings."""
    path = tmp_path / "unfinished.vectors"
    for numbers in ([0, 1, 2], [3, 4]):
        unfinished = UnfinishedVectors(path, DIM)
        unfinished.append([key(n) for n in numbers], np.stack([vector(n) for n in numbers]))
        assert (unfinished[key(numbers[-1])] == vector(numbers[-1])).all()
        unfinished.close()
    return path


def known(path: Path, dim: int = DIM) -> list[int]:
    unfinished = UnfinishedVectors(path, dim)
    found = [n for n in range(10) if key(n) in unfinished]
    assert len(unfinished) == len(found)
    for number in found:
        assert (unfinished[key(number)] == vector(number)).all()
    unfinished.close()
    return found


def test_the_format_is_key_vector_crc(path: Path) -> None:
    written = b""
    for number in range(5):
        content = key(number) + struct.pack("<8f", *range(number, number + DIM))
        written += content + struct.pack("<I", zlib.crc32(content))
    assert path.read_bytes() == written


def test_gives_back_what_was_appended(path: Path) -> None:
    assert known(path) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 4, 5, 40, RECORD - 1])
def test_a_record_cut_short_is_dropped_and_can_be_written_again(path: Path, cut: int) -> None:
    with path.open("r+b") as file:
        file.truncate(5 * RECORD - cut)
    assert known(path) == [0, 1, 2, 3]
    unfinished = UnfinishedVectors(path, DIM)
    unfinished.append([key(9)], vector(9)[np.newaxis])
    unfinished.close()
    assert known(path) == [0, 1, 2, 3, 9]


@pytest.mark.parametrize("at", [0, 31, 32, 32 + 4 * DIM - 1, RECORD - 1])
def test_a_damaged_record_ends_what_is_believed(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[2 * RECORD + at] ^= 1
    path.write_bytes(content)
    assert known(path) == [0, 1]
    assert path.stat().st_size == 2 * RECORD


def test_vectors_of_another_dimension_are_not_believed(path: Path) -> None:
    assert known(path, dim=DIM * 2) == []


def test_a_key_that_is_not_there(path: Path) -> None:
    unfinished = UnfinishedVectors(path, DIM)
    with pytest.raises(KeyError):
        unfinished[key(7)]
    unfinished.close()


def test_reading_between_two_appends_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "unfinished.vectors"
    unfinished = UnfinishedVectors(path, DIM)
    for number in range(5):
        unfinished.append([key(number)], vector(number)[np.newaxis])
        assert (unfinished[key(0)] == vector(0)).all()
    unfinished.close()
    assert known(path) == [0, 1, 2, 3, 4]
