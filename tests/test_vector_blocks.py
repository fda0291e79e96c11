from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from index.embedder import Vectors
from index.storage import vector_blocks
from index.storage.vector_blocks import Block, as_keys, copy_vectors, find, keys_of, write_blocks

DIM = 4


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def vector(number: int) -> Vectors:
    return np.full(DIM, number, np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_blocks, "BLOCK_ROWS", 8)


class Folders:
    """One folder after the other, each with the vectors of these numbers; `fresh` are those that were asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._number = 0
        self.blocks: list[Block] = []
        self.fresh: list[int] = []

    def write(self, *numbers: int) -> Path:
        self._number += 1
        folder = self._root / str(self._number)
        folder.mkdir()
        by_key = {key(number): number for number in numbers}
        self.fresh = []

        def fresh(wanted: bytes) -> Vectors:
            self.fresh.append(by_key[wanted])
            return vector(by_key[wanted])

        written = write_blocks(folder, as_keys([key(number) for number in numbers]), self.blocks, fresh, DIM)
        for name, digest in written.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
            assert name == f"vectors-{digest[:16]}.block"
        self.blocks = [Block.open(path, DIM) for path in sorted(folder.iterdir())]
        # Exactly what is needed, each once, each with its own vector.
        held = [row for block in self.blocks for row in block.keys]
        assert sorted(held) == sorted(as_keys([key(number) for number in set(numbers)]))
        homes = find(as_keys([key(number) for number in numbers]), keys_of(self.blocks))
        rows = np.empty((len(numbers), DIM), np.float32)
        copy_vectors(rows, homes, self.blocks)
        assert rows.tolist() == [vector(number).tolist() for number in numbers]
        return folder


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def linked(folder: Path) -> int:
    return sum(path.stat().st_nlink > 1 for path in folder.iterdir())


def test_a_change_writes_the_blocks_that_it_touches(folders: Folders) -> None:
    folders.write(*range(64))
    assert len(folders.blocks) == 8
    folder = folders.write(*range(64), 100)
    assert (linked(folder), folders.fresh, len(folders.blocks)) == (8, [100], 9)
    folder = folders.write(*range(10), *range(11, 64), 100, 101)
    assert (linked(folder), folders.fresh) == (7, [101])
    assert all(key(10) not in path.read_bytes() for path in folder.iterdir())


def test_small_blocks_do_not_pile_up(folders: Folders) -> None:
    for count in range(1, 80):
        folders.write(*range(count))
        assert folders.fresh == [count - 1]
        assert sum(len(block.keys) < 4 for block in folders.blocks) <= 1
    assert len(folders.blocks) <= 20


def test_order_and_repetition_are_the_readers_business(folders: Folders) -> None:
    folders.write(*range(20))
    folder = folders.write(*reversed(range(20)), 3, 3)
    assert (linked(folder), folders.fresh) == (len(folders.blocks), [])


def test_without_hard_links_blocks_are_copied(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    folders.write(*range(20))
    assert linked(folders.write(*range(21))) == 0
    assert folders.fresh == [20]


def test_keys_that_begin_alike_are_told_apart() -> None:
    keys = [b"\1" * 8 + bytes([number]) * 24 for number in range(5)] + [b"\2" * 31 + b"\0", b"\2" * 30 + b"\0\0"]
    among = as_keys([keys[3], keys[1], keys[5], keys[3], keys[6]])
    assert find(as_keys(keys), among).tolist() == [-1, 1, -1, 0, -1, 2, 4]
    assert find(as_keys(keys[:1]), as_keys([])).tolist() == [-1]


def test_a_file_of_another_size_is_no_block(tmp_path: Path) -> None:
    for content in (b"", bytes(47), bytes(49)):
        (tmp_path / "vectors-1.block").write_bytes(content)
        with pytest.raises(ValueError, match="no block of vectors of 4 dimensions"):
            Block.open(tmp_path / "vectors-1.block", DIM)
