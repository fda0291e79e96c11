"""Stored KV states of passages that the model has already read: in memory and on disk, bounded, checked when read back.

A state is opaque bytes here, 28 KiB a token. Its key is the SHA-256 of the text that was read; the identity of a cache
is a digest of all else that decides the bytes. A file `<folder>/<identity>/<first two digits of key>/<key>.state` is a
line that says what it holds (see `_first_line`), then the state.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

# At 300 tokens a passage: about 30 passages in memory, 500 on disk.
DEFAULT_MEMORY_BYTES = 256 << 20
DEFAULT_STATES_GB = 4.0
DEFAULT_DISK_BYTES = int(DEFAULT_STATES_GB * 1e9)
# A long passage, 430 tokens of the default model.
USUAL_BYTES = 12 << 20
# What may wait for the disk. The model makes 2.4 MB of states a second: more than this means a disk that stands still.
BACKLOG_STATES = 8
BACKLOG_BYTES = 128 << 20
# Seconds without writing after a write that failed, and the longest time between two looks at the whole folder.
PAUSE_SECONDS = 60.0
# A temporary file this old, in seconds, was left by a process that was killed: one that lives writes its few MB faster,
# or loses a state. A pid in the name would be no surer: pids are used again, and mean nothing in another container.
STALE_SECONDS = 120.0

_FORMAT_VERSION = 1
_KEY = re.compile("[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[0-9a-f]{64}\.(state|[0-9a-f]{8}\.partial)")


@dataclass(frozen=True, slots=True)
class CacheSizes:
    """What is held, without what waits to be written; on disk whole files, of every identity."""

    memory_states: int
    memory_bytes: int
    disk_states: int
    disk_bytes: int


class PrefillCache:
    """KV states by key; in memory and on disk the least recently used go first. Any thread may call anything.

    A lost state costs one more reading, a wrong one a wrong answer: when in doubt it is lost. Trouble with the disk is
    logged, never raised. `folder` None or `disk_bytes` 0: nothing is read from disk or written; `memory_bytes` 0:
    nothing stays in memory. `identity` is a hex digest of model file, KV type and llama.cpp build. States of other
    identities are never given, but count in `disk_bytes` like all files: those of a model that is no longer used go
    first, and two processes with two models can share a folder. Each looks at all of it before it would exceed the
    budget, and once a minute: together they may exceed it by what they write in a minute.
    """

    def __init__(
        self,
        folder: Path | None,
        identity: str,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        disk_bytes: int = DEFAULT_DISK_BYTES,
    ) -> None:
        if not re.fullmatch("[0-9a-f]+", identity):
            raise ValueError(f"{identity!r} is not a hex digest.")
        self._folder = folder
        self._identity = identity
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes if folder is not None else 0
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._backlog: OrderedDict[str, bytes] = OrderedDict()  # a state is in it until it is written
        self._drops = 0  # how often keep_only ran
        self._closed = False
        self._changed = threading.Condition()  # over all of the above; nobody touches a file while holding it
        self._disk_turn = threading.Lock()  # for adding and dropping files; taken before _changed, never after
        self._disk_total = 0  # bytes in files, known to the writer; other processes add and remove some
        self._look_at = self._paused_until = 0.0
        self._writer = threading.Thread(target=self._write_backlog, name="prefill-cache", daemon=True)
        if self._disk_bytes:
            with self._pause_on_error():
                self._make_room(0)
            self._writer.start()

    @property
    def folder(self) -> Path | None:
        return self._folder

    def get(self, key: str) -> bytes | None:
        """The state of a key (64 hex digits). One from the disk is checked in full, then held in memory."""
        path = self._path(key)
        with self._changed:
            drops = self._drops
            if key in self._memory:
                self._memory.move_to_end(key)
            state = self._memory.get(key, self._backlog.get(key))
        if state is None and self._disk_bytes:
            state = self._read(key)
            with self._changed:
                # Not what keep_only dropped while it was read, nor in place of what was put meanwhile.
                if state is not None and drops == self._drops and key not in self._memory:
                    self._hold(key, state)
        if state is not None and self._disk_bytes:
            # Also for one in memory: else the most used would be the first to go on disk. Beside a thread that wrote
            # and synced 12 MB without end it took 12 us, at most 1 ms in 3,857 calls (ext4).
            with contextlib.suppress(OSError):
                _mark_used(path)
        return state

    def put(self, key: str, state: bytes) -> None:
        """Hold a state in memory and have it written soon, without waiting for the disk. Too large a one is not stored.

        When more wait than BACKLOG_STATES or BACKLOG_BYTES, the oldest is not written.
        """
        self._path(key)
        with self._changed:
            self._hold(key, state)
            if self._disk_bytes and not self._closed:
                self._backlog.pop(key, None)
                self._backlog[key] = state
                _shrink(self._backlog, max(BACKLOG_BYTES, len(state)), BACKLOG_STATES)
                self._changed.notify_all()

    def __contains__(self, key: object) -> bool:
        """Whether it is in memory, waits to be written, or has a file; the file is not read."""
        with self._changed:
            if key in self._memory or key in self._backlog:
                return True
        with contextlib.suppress(OSError, ValueError):
            return isinstance(key, str) and self._disk_bytes > 0 and self._path(key).exists()
        return False

    def keep_only(self, keys: Collection[str]) -> int:
        """Drop every other state and return how many keys had one; on disk under every identity, even if not used.

        Waits for the state that is being written. What is put afterwards is kept, whatever its key.
        """
        keep = frozenset(keys)
        dropped = self._drop_others(keep)
        with self._disk_turn:
            try:
                for path in _remove_others(self._folder, keep):
                    dropped.add(path.stem)
            except OSError as error:
                _log.warning("KV states that should go are still in %s: %s", self._folder, error)
            # Once more, for until its file was gone another thread could have read a state back into memory.
            dropped |= self._drop_others(keep)
        return len(dropped)

    def flush(self) -> None:
        """Wait until nothing waits to be written any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._backlog)

    def sizes(self) -> CacheSizes:
        """Lists the folder: 8 ms at 500 states."""
        files = []
        if self._disk_bytes:
            with self._pause_on_error():
                files = [status.st_size for path, status in _files_below(self._folder) if path.suffix == ".state"]
        with self._changed:
            return CacheSizes(len(self._memory), _total_bytes(self._memory), len(files), sum(files))

    def has_room(self) -> bool:
        """Whether one more usual state fits on disk without one of the same identity going. Lists the folder."""
        if not self._disk_bytes:
            return False
        with self._changed:
            held = _total_bytes(self._backlog)
        with self._pause_on_error():
            held += sum(
                status.st_size for path, status in _files_below(self._folder) if path.parts[-3] == self._identity
            )
        return held + USUAL_BYTES <= self._disk_bytes

    def close(self) -> None:
        """Write what waits and stop the thread. What is put afterwards stays in memory only."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._disk_bytes:
            self._writer.join()

    def _hold(self, key: str, state: bytes) -> None:
        """Have it in memory as the last used, unless it is too large. The caller has _changed."""
        self._memory.pop(key, None)
        if len(state) <= self._memory_bytes:
            self._memory[key] = state
            _shrink(self._memory, self._memory_bytes)

    def _drop_others(self, keep: frozenset[str]) -> set[str]:
        with self._changed:
            others = (self._memory.keys() | self._backlog.keys()) - keep
            for key in others:
                self._memory.pop(key, None)
                self._backlog.pop(key, None)
            self._drops += 1
            self._changed.notify_all()
        return others

    # -- disk: reading -------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of 64 hex digits.")
        return (self._folder or Path()) / self._identity / key[:2] / f"{key}.state"

    def _first_line(self, key: str, state: bytes) -> bytes:
        """Everything that is checked: format and its version, identity, key, length and SHA-256 of the state."""
        digest = hashlib.sha256(state).hexdigest()
        return f"sourcier-kv-state {_FORMAT_VERSION} {self._identity} {key} {len(state)} {digest}\n".encode()

    def _read(self, key: str) -> bytes | None:
        """None where there is no file, or not exactly what was written for key and identity: then it is removed."""
        path = self._path(key)
        with self._pause_on_error(), contextlib.suppress(FileNotFoundError):
            with path.open("rb") as file:
                first_line, state = file.readline(), file.read()
            if first_line == self._first_line(key, state):
                return state
            _log.warning("Removed %s: it is damaged, or of another format, model or text.", path)
            path.unlink()
        return None

    # -- disk: writing, by one thread ----------------------------------------------------------------------------------

    def _write_backlog(self) -> None:
        """What the thread does until the cache is closed and nothing waits."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._backlog or self._closed)
                if not self._backlog:
                    return
            with self._disk_turn:
                # Chosen only now, so that keep_only finds every state either in the backlog or, in its turn, on disk.
                with self._changed:
                    key, state = next(iter(self._backlog.items()), ("", b""))
                if key and time.monotonic() >= self._paused_until:
                    with self._pause_on_error():
                        self._write(key, state)
            with self._changed:
                if self._backlog.get(key) is state:  # not put anew meanwhile
                    del self._backlog[key]
                    self._changed.notify_all()

    def _write(self, key: str, state: bytes) -> None:
        path = self._path(key)
        temporary = path.with_suffix(f".{secrets.token_hex(4)}.partial")
        first_line = self._first_line(key, state)
        size = len(first_line) + len(state)
        if size > self._disk_bytes:
            return
        # Before writing: not even the temporary file exceeds the budget.
        self._disk_total += size
        if self._disk_total > self._disk_bytes or time.monotonic() >= self._look_at:
            self._make_room(size)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(first_line)
                file.write(state)
                file.flush()
                os.fsync(file.fileno())
            _mark_used(temporary)
            # The folder is not synced: a name that a power cut takes away costs one reading.
            temporary.replace(path)
        except FileNotFoundError:
            pass  # another process dropped it, or took the folder away
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        """Remove temporary files of killed processes, then what was not used for longest until so many bytes fit in."""
        states = []
        self._disk_total = size
        for path, status in _files_below(self._folder):
            if path.suffix == ".state":
                states.append((status.st_mtime_ns, status.st_size, path))
            elif abs(time.time() - status.st_mtime) > STALE_SECONDS:  # or from the future: a clock was set back
                path.unlink(missing_ok=True)
                continue
            self._disk_total += status.st_size
        for _, freed, path in sorted(states):
            if self._disk_total <= self._disk_bytes:
                break
            path.unlink(missing_ok=True)
            self._disk_total -= freed
        self._look_at = time.monotonic() + PAUSE_SECONDS

    @contextlib.contextmanager
    def _pause_on_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if time.monotonic() >= self._paused_until:
                _log.warning("No KV states are written to %s for %.0f s: %s", self._folder, PAUSE_SECONDS, error)
                self._paused_until = time.monotonic() + PAUSE_SECONDS


def drop_stored_states(folder: Path, keep: Collection[str]) -> int:
    """Remove the states of all other keys, under every identity, without loading a model. Returns how many.

    Raises OSError where one cannot be removed: a command must not say then that they are gone.
    """
    return sum(1 for _ in _remove_others(folder, frozenset(keep)))


def _remove_others(folder: Path | None, keep: frozenset[str]) -> Iterator[Path]:
    """Remove the files of all other keys, also unfinished ones; gives the states among them, each when it is gone."""
    for path, _ in _files_below(folder):
        if path.name.split(".")[0] not in keep:
            path.unlink(missing_ok=True)
            if path.suffix == ".state":
                yield path


def _files_below(folder: Path | None) -> Iterator[tuple[Path, os.stat_result]]:
    """The files of every identity, states and temporary ones; nothing that others may have put there.

    Raises OSError where it may not look: `Path.glob` would pass over it, and what lies there seem gone.
    """
    folders = [folder] if folder is not None and folder.is_dir() else []
    for _ in range(2):
        folders = [path for parent in folders for path in parent.iterdir() if path.is_dir()]
    for path in (path for parent in folders for path in parent.iterdir()):
        if _FILE_NAME.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                yield path, path.stat()


def _mark_used(path: Path) -> None:
    now = time.time_ns()  # the file system's own clock can be some ms behind, which would mix up the order
    os.utime(path, ns=(now, now))


def _total_bytes(states: OrderedDict[str, bytes]) -> int:
    return sum(map(len, states.values()))


def _shrink(states: OrderedDict[str, bytes], max_bytes: int, max_states: int | None = None) -> None:
    """Drop from the front until neither limit is exceeded."""
    excess = _total_bytes(states) - max_bytes
    while excess > 0 or (max_states is not None and len(states) > max_states):
        excess -= len(states.popitem(last=False)[1])
