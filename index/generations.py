"""The generations under a home: which one is served, which one came before, and what can be removed.

Only the holder of the build lock changes anything here. CURRENT alone says what counts: a finished generation that it
does not name was never served, or was rolled back; nobody reads it, and the next build removes it.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import filelock

from index.errors import BrokenIndex, BuildInProgress, IndexProblem, NoIndex
from index.generation import CURRENT_FILE, Generation, check_file, index_folder, served_names
from index.manifest import FORMAT_VERSION, Manifest
from index.storage.durable_files import replace_text, sync_folder
from index.storage.vector_blocks import Block

BUILDING_FOLDER = "building"
UNFINISHED_FILE = "unfinished.vectors"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR)


@contextmanager
def build_lock(root: Path) -> Iterator[None]:
    """One builder at a time; the system lets go of the lock when a builder dies."""
    lock = filelock.FileLock(root / "build.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise BuildInProgress(root / "build.lock") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def disk_problems(root: Path) -> Iterator[None]:
    """Turn a disk that is full or cannot be written into an IndexProblem that says what to do."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        number = error.errno if isinstance(error, OSError) else None
        # The low byte is the kind; the others say more.
        sqlite_code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.Error) else None
        if number in _FULL or sqlite_code == sqlite3.SQLITE_FULL:
            raise IndexProblem(
                f"The disk that holds {root} is full. The index is as it was. Free space and try again."
            ) from error
        if number in _FORBIDDEN or sqlite_code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise IndexProblem(f"{root} cannot be written ({error}). Choose another folder with --home.") from error
        raise


@contextmanager
def building_folder(root: Path) -> Iterator[Path]:
    """An empty folder to write the next generation in; gone afterwards unless it was published."""
    folder = root / BUILDING_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def next_name(root: Path) -> str:
    """A name above those of all generations that are there."""
    return f"{max(map(int, _names(root)), default=0) + 1:06d}"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A generation that a builder takes from: its manifest, and those of its files that are as they were built."""

    folder: Path
    manifest: Manifest
    whole_files: frozenset[str]

    @property
    def whole(self) -> bool:
        """Whether it could be served."""
        return self.rows_fit and self.whole_files == self.manifest.checksums.keys()

    @property
    def rows_fit(self) -> bool:
        """Whether what it has besides vectors can be read, and is as it was built."""
        rest = self.manifest.checksums.keys() - set(self.manifest.block_names)
        return self.manifest.format_version == FORMAT_VERSION and rest <= self.whole_files

    @property
    def blocks(self) -> list[Block]:
        names = [name for name in self.manifest.block_names if name in self.whole_files]
        return [Block.open(self.folder / name, self.manifest.dim) for name in names]


def earlier_generations(home: Path) -> list[Earlier]:
    """Those that CURRENT names, as far as they can be used, up to the first that is whole; none when it cannot be read.

    All of their files are read: a generation must not be published with a block that was damaged meanwhile.
    """
    try:
        names = served_names(home)
    except (NoIndex, BrokenIndex):
        return []
    found: list[Earlier] = []
    for name in names:
        folder = index_folder(home) / name
        with contextlib.suppress(BrokenIndex):
            manifest = Manifest.read(folder, for_blocks=True)
            # SHA-256 lets other threads run.
            with ThreadPoolExecutor(max_workers=2) as pool:
                whole = pool.map(_is_whole, [folder / name for name in manifest.checksums], manifest.checksums.values())
                found.append(Earlier(folder, manifest, frozenset(compress(manifest.checksums, whole))))
            if found[-1].whole:
                break
    return found


def _is_whole(path: Path, expected: str) -> bool:
    try:
        check_file(path, expected)
    except BrokenIndex:
        return False
    return True


def publish(folder: Path, name: str, previous: str | None) -> None:
    """Give a finished generation its name, then serve it; `previous` is what rollback goes back to."""
    root = folder.parent
    folder.rename(root / name)
    sync_folder(root)
    _serve(root, [name] if previous is None else [name, previous])


def remove_unserved(home: Path) -> None:
    """Remove every generation that CURRENT does not name; nothing when it cannot be read.

    Servers that still have one of them open read on: its files keep their content until they are closed.
    """
    root = index_folder(home)
    try:
        served = served_names(home)
    except (NoIndex, BrokenIndex):
        return
    for name in _names(root):
        if name not in served:
            shutil.rmtree(root / name, ignore_errors=True)
    for left_by_a_kill in root.glob(f".{CURRENT_FILE}.*"):
        left_by_a_kill.unlink(missing_ok=True)


def rollback(home: Path) -> str:
    """Serve the generation that was served before the current one again; its name.

    The current one is removed by the next build. Raises NoIndex, BuildInProgress, BrokenIndex, and IndexProblem when
    there is none before it.
    """
    root = index_folder(home)
    served_names(home)
    with disk_problems(root), build_lock(root):
        current, *before = served_names(home)
        if not before:
            raise IndexProblem(f"No generation before {current} was kept. Rebuild with: sourcier build")
        Generation(root / before[0]).retire()
        _serve(root, before)
    return before[0]


def _serve(root: Path, names: list[str]) -> None:
    replace_text(root / CURRENT_FILE, "".join(f"{name}\n" for name in names))


def _names(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.isdecimal() and path.is_dir()]
