from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import prefill_cache
from qa.prefill_cache import CacheSizes, PrefillCache, drop_stored_states

ROOT = Path(__file__).resolve().parent.parent
MODEL = hashlib.sha256(b"a model").hexdigest()
OLDER_MODEL = hashlib.sha256(b"an older model").hexdigest()

Open = Callable[..., PrefillCache]


def key(number: int) -> str:
    return hashlib.sha256(f"passage {number}".encode()).hexdigest()


def state(number: int, size: int = 100) -> bytes:
    """Derived from the key: whatever a cache gives can be checked without having kept it."""
    return hashlib.shake_256(key(number).encode()).digest(size)


def written(number: int, size: int = 100, identity: str = MODEL) -> bytes:
    """What the file of a state holds."""
    content = state(number, size)
    digest = hashlib.sha256(content).hexdigest()
    return f"sourcier-kv-state 1 {identity} {key(number)} {size} {digest}\n".encode() + content


def path_of(folder: Path, number: int, identity: str = MODEL) -> Path:
    return folder / identity / key(number)[:2] / f"{key(number)}.state"


def write_by_hand(folder: Path, number: int, identity: str = MODEL, used: float = 0.0, size: int = 100) -> Path:
    """A state as some other process left it, last used so many seconds ago."""
    path = path_of(folder, number, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written(number, size, identity))
    os.utime(path, (time.time() - used,) * 2)
    return path


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def stored(folder: Path) -> set[int]:
    """The numbers of the states on disk, looked up by name; a temporary file would be one too many."""
    numbers = {path_of(folder, number): number for number in range(100)}
    return {numbers[path] for path in files(folder)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not made yet."""
    return tmp_path / "states"


@pytest.fixture
def opened(folder: Path) -> Iterator[Open]:
    """Opens caches over the folder, and closes them in the end."""
    caches: list[PrefillCache] = []

    def open_cache(identity: str = MODEL, **budgets: int) -> PrefillCache:
        caches.append(PrefillCache(folder, identity, **budgets))
        return caches[-1]

    yield open_cache
    for cache in caches:
        cache.close()


class Gate:
    """Stops whoever comes to it until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, *_: object) -> None:
        self.reached.set()
        assert self.opened.wait(20)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Every write stands still before it is synced, until the gate is opened."""
    gate = Gate()
    monkeypatch.setattr(os, "fsync", gate)
    yield gate
    gate.opened.set()


@pytest.fixture
def slow_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Reading a file stands still once it is open, until the gate is opened."""
    gate = Gate()
    real = io.open

    def slow_open(file: str, mode: str = "r", *more: object) -> object:
        opened = real(file, mode, *more)  # type: ignore[call-overload]  # mode is any
        if mode == "rb":
            gate()
        return opened

    monkeypatch.setattr(io, "open", slow_open)
    yield gate
    gate.opened.set()


# -- what is put comes back --------------------------------------------------------------------------------------------


def test_gives_back_from_memory(opened: Open) -> None:
    cache = opened(disk_bytes=0)
    assert cache.get(key(1)) is None
    assert key(1) not in cache
    cache.put(key(1), state(1))
    cache.put(key(2), state(2))
    assert cache.get(key(1)) == state(1)
    assert cache.get(key(2)) == state(2)
    assert key(1) in cache


def test_gives_back_from_disk_what_another_process_wrote(opened: Open) -> None:
    first = opened()
    first.put(key(1), state(1, 100_000))
    first.put(key(2), b"")
    first.flush()
    second = opened()
    assert second.sizes().memory_states == 0
    assert key(1) in second
    assert second.get(key(1)) == state(1, 100_000)
    assert second.get(key(2)) == b""
    assert second.get(key(3)) is None
    assert second.sizes().memory_states == 2


def test_the_format_is_a_line_and_the_state(opened: Open, folder: Path) -> None:
    cache = opened(memory_bytes=0)
    cache.put(key(1), state(1))
    cache.flush()
    assert files(folder) == [path_of(folder, 1)]
    assert path_of(folder, 1).read_bytes() == written(1)
    write_by_hand(folder, 2)
    assert cache.get(key(2)) == state(2)


def test_is_on_disk_for_sure_before_it_has_its_name(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (steps.append(name), real(*given)))
    cache = opened()
    cache.put(key(1), state(1))
    cache.flush()
    assert steps == ["fsync", "replace"]


def test_read_from_disk_once_then_from_memory(opened: Open, folder: Path) -> None:
    write_by_hand(folder, 1)
    cache = opened()
    assert cache.get(key(1)) == state(1)
    path_of(folder, 1).unlink()
    assert cache.get(key(1)) == state(1)


def test_put_again_replaces(opened: Open) -> None:
    cache = opened()
    for content in (b"old", b"new"):
        cache.put(key(1), content)
        cache.flush()
        assert cache.get(key(1)) == content
        assert opened().get(key(1)) == content


def test_sizes(opened: Open, folder: Path) -> None:
    cache = opened(memory_bytes=250)
    assert cache.sizes() == CacheSizes(0, 0, 0, 0)
    for number in range(3):
        cache.put(key(number), state(number))
    cache.flush()
    write_by_hand(folder, 7, OLDER_MODEL)
    on_disk = [len(written(number)) for number in (0, 1, 2, 7)]
    assert cache.sizes() == CacheSizes(2, 200, 4, sum(on_disk))


@pytest.mark.parametrize("bad", ["", "x", "../../../etc/passwd", key(1).upper(), key(1)[1:], key(1) + "\n"])
def test_a_key_is_64_hex_digits(opened: Open, bad: str) -> None:
    cache = opened()
    assert bad not in cache
    assert 1 not in cache
    with pytest.raises(ValueError, match="64 hex digits"):
        cache.get(bad)
    with pytest.raises(ValueError, match="64 hex digits"):
        cache.put(bad, b"")


@pytest.mark.parametrize("bad", ["", "..", "a/b", "Qwen"])
def test_an_identity_is_hex_digits(folder: Path, bad: str) -> None:
    with pytest.raises(ValueError, match="hex digest"):
        PrefillCache(folder, bad)


# -- budgets -----------------------------------------------------------------------------------------------------------


class Model:
    """Which states a level holds: the list that the words "least recently used" stand for."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.held: OrderedDict[int, int] = OrderedDict()

    def put(self, number: int, size: int) -> None:
        if size <= self.budget:
            while sum(self.held.values()) + size > self.budget:
                self.held.popitem(last=False)
            self.held[number] = size

    def get(self, number: int) -> bool:
        if number in self.held:
            self.held.move_to_end(number)
        return number in self.held


STEPS = st.lists(st.tuples(st.sampled_from(["put", "get"]), st.integers(0, 9)), max_size=60)


@given(STEPS)
def test_memory_holds_what_was_used_last(steps: list[tuple[str, int]]) -> None:
    """States of 0 to 90 bytes in a budget of 80: that of 90 is never held."""
    cache, model = PrefillCache(None, MODEL, memory_bytes=80), Model(80)
    for step, number in steps:
        content = state(number, 10 * number)
        if step == "put":
            cache.put(key(number), content)
            model.held.pop(number, None)
            model.put(number, len(content))
        else:
            assert cache.get(key(number)) == (content if model.get(number) else None)
        assert cache.sizes() == CacheSizes(len(model.held), sum(model.held.values()), 0, 0)
        assert [n for n in range(10) if key(n) in cache] == sorted(model.held)


@settings(deadline=None)
@given(steps=STEPS, memory_bytes=st.sampled_from([0, 200]))
def test_disk_holds_what_was_used_last(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], memory_bytes: int
) -> None:
    """Files of 250 to 700 bytes in a budget of 1,500; also when what is used is in memory as well.

    The budget is looked at where the disk is fullest: the new file is complete, and still beside the old ones.
    """
    folder = tmp_path_factory.mktemp("states")
    fullest = [0]

    def look(_: int) -> None:
        fullest.append(sum(path.stat().st_size for path in files(folder)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", look)
        cache, model = PrefillCache(folder, MODEL, memory_bytes, disk_bytes=1500), Model(1500)
        memory = Model(memory_bytes)
        for step, number in steps:
            size = 50 * number + 10
            if step == "put":
                cache.put(key(number), state(number, size))
                cache.flush()
                # A state written again lies beside its older self for a moment, and counts twice.
                beside = Model(1500)
                beside.held = model.held
                beside.put(100 + number, len(written(number, size)))
                beside.held.pop(number, None)
                beside.held[number] = beside.held.pop(100 + number)
                memory.held.pop(number, None)
                memory.put(number, size)
            else:
                on_disk, in_memory = model.get(number), memory.get(number)
                assert cache.get(key(number)) == (state(number, size) if on_disk or in_memory else None)
                if on_disk and not in_memory:
                    memory.put(number, size)
            assert stored(folder) == set(model.held)
        cache.close()
    assert max(fullest) <= 1500
    shutil.rmtree(folder)


def test_too_large_a_state_is_not_stored_and_drives_nothing_out(opened: Open, folder: Path) -> None:
    cache = opened(memory_bytes=1000, disk_bytes=2000)
    cache.put(key(1), state(1))
    cache.put(key(2), state(2, 1001))
    cache.put(key(3), state(3, 1999))
    cache.flush()
    assert cache.sizes().memory_states == 1
    assert stored(folder) == {1, 2}


def test_a_smaller_budget_than_last_time(opened: Open, folder: Path) -> None:
    for number in range(5):
        write_by_hand(folder, number, used=100 - number)
    opened(disk_bytes=2 * len(written(1)))
    assert stored(folder) == {3, 4}


def test_states_of_an_older_model_count_and_go_first(opened: Open, folder: Path) -> None:
    write_by_hand(folder, 1, OLDER_MODEL, used=1000)
    write_by_hand(folder, 2, used=500)
    write_by_hand(folder, 3, OLDER_MODEL, used=200)
    cache = opened(disk_bytes=4 * len(written(1)))
    assert cache.get(key(1)) is None
    assert key(1) not in cache
    assert path_of(folder, 1, OLDER_MODEL).exists()
    assert cache.sizes().disk_states == 3
    for number, left in ((4, {1, 2, 3, 4}), (5, {2, 3, 4, 5}), (6, {3, 4, 5, 6})):
        cache.put(key(number), state(number))
        cache.flush()
        paths = {path_of(folder, n, OLDER_MODEL if n in (1, 3) else MODEL) for n in left}
        assert set(files(folder)) == paths


def test_what_another_process_uses_is_not_removed(opened: Open, folder: Path) -> None:
    mine, other = opened(disk_bytes=2 * len(written(1))), opened()
    for number in (1, 2):
        mine.put(key(number), state(number))
        mine.flush()
    assert other.get(key(1)) == state(1)
    assert other.get(key(2)) == state(2)
    assert other.get(key(1)) == state(1)  # from its memory
    mine.put(key(3), state(3))
    mine.flush()
    assert stored(folder) == {1, 3}


def test_what_another_process_added_is_seen_in_time(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefill_cache, "PAUSE_SECONDS", 0.0)
    cache = opened(disk_bytes=2 * len(written(1)))
    for number in (1, 2, 3):
        write_by_hand(folder, number, used=100 - number)
    cache.put(key(4), state(4))
    cache.flush()
    assert stored(folder) == {3, 4}


def test_what_another_process_removed_is_read_again_and_written_again(opened: Open, folder: Path) -> None:
    cache = opened(memory_bytes=0, disk_bytes=2 * len(written(1)))
    for number in (1, 2):
        cache.put(key(number), state(number))
    cache.flush()
    shutil.rmtree(folder)
    assert cache.get(key(1)) is None
    assert key(1) not in cache
    assert cache.sizes() == CacheSizes(0, 0, 0, 0)
    for number in (1, 3):
        cache.put(key(number), state(number))
    cache.flush()
    assert stored(folder) == {1, 3}


def test_has_room_for_one_more(opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(written(1))
    monkeypatch.setattr(prefill_cache, "USUAL_BYTES", size)
    cache = opened(disk_bytes=2 * size)
    assert cache.has_room()
    write_by_hand(folder, 1)
    assert cache.has_room()
    write_by_hand(folder, 2)
    assert not cache.has_room()
    assert not opened(disk_bytes=0).has_room()


def test_without_memory(opened: Open) -> None:
    cache = opened(memory_bytes=0)
    cache.put(key(1), state(1))
    cache.flush()
    assert cache.get(key(1)) == state(1)
    assert cache.sizes().memory_states == 0


def test_without_disk(opened: Open, folder: Path) -> None:
    cache = opened(disk_bytes=0)
    cache.put(key(1), state(1))
    cache.flush()
    assert not folder.exists()
    write_by_hand(folder, 2)
    assert key(2) not in cache
    assert cache.get(key(2)) is None
    assert cache.sizes() == CacheSizes(1, 100, 0, 0)
    # Still, what is deleted is gone from there too.
    assert cache.keep_only([key(1)]) == 1
    assert files(folder) == []


def test_without_a_folder_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_by_hand(tmp_path, 2)
    cache = PrefillCache(None, MODEL)
    cache.put(key(1), state(1))
    cache.flush()
    assert cache.get(key(2)) is None
    assert key(2) not in cache
    assert cache.keep_only([]) == 1
    assert cache.get(key(1)) is None
    cache.close()
    assert stored(tmp_path) == {2}


# -- damage ------------------------------------------------------------------------------------------------------------


def assert_refused(cache: PrefillCache, path: Path, damaged: bytes) -> None:
    path.write_bytes(damaged)
    assert cache.get(key(1)) is None
    assert not path.exists()
    assert key(1) not in cache


def test_any_byte_changed(opened: Open, folder: Path) -> None:
    path, whole = write_by_hand(folder, 1), written(1)
    cache = opened(memory_bytes=0)
    for at in range(len(whole)):
        # The lowest bit, and the one between small letters and capitals.
        for bit in (0x01, 0x20):
            assert_refused(cache, path, whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
    path.write_bytes(whole)
    assert cache.get(key(1)) == state(1)


def test_cut_short_anywhere_or_too_long(opened: Open, folder: Path) -> None:
    path, whole = write_by_hand(folder, 1), written(1)
    cache = opened(memory_bytes=0)
    for length in range(len(whole)):
        assert_refused(cache, path, whole[:length])
    assert_refused(cache, path, whole + b"\0")
    assert_refused(cache, path, b"\n" + whole)


def test_a_whole_file_of_something_else(opened: Open, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_by_hand(folder, 1)
    cache = opened(memory_bytes=0)
    assert_refused(cache, path, written(2))
    assert_refused(cache, path, written(1, identity=OLDER_MODEL))
    assert_refused(cache, path, written(1).replace(b"state 1 ", b"state 2 "))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert str(path) in caplog.text


def test_a_damaged_state_is_not_held_in_memory_and_can_be_put_again(opened: Open, folder: Path) -> None:
    cache = opened()
    assert_refused(cache, write_by_hand(folder, 1), written(1)[:-1])
    assert cache.sizes() == CacheSizes(0, 0, 0, 0)
    cache.put(key(1), state(1))
    cache.flush()
    assert opened().get(key(1)) == state(1)


# -- killed ------------------------------------------------------------------------------------------------------------

SIZE = 300_000
NUMBERS = range(16)
# Writes states for ever, half of the time with others waiting; to a disk slow enough to be met while it writes.
# -S: it needs nothing but the standard library.
WRITER = """
import hashlib, os, random, sys, time
from pathlib import Path
from qa.prefill_cache import PrefillCache

fsync = os.fsync
os.fsync = lambda file: (fsync(file), time.sleep(0.002))
cache = PrefillCache(Path(sys.argv[1]), sys.argv[2], disk_bytes=12 * 300_500)
dice = random.Random(int(sys.argv[3]))
keys = [hashlib.sha256(f"passage {number}".encode()).hexdigest() for number in range(16)]
states = {key: hashlib.shake_256(key.encode()).digest(300_000) for key in keys}
print(flush=True)
while True:
    key = dice.choice(keys)
    cache.put(key, states[key])
    if dice.random() < 0.5:
        cache.flush()
"""


def kill_a_writer(folder: Path, number: int, after: float) -> None:
    command = [sys.executable, "-S", "-c", WRITER, str(folder), MODEL, str(number)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"\n"
        time.sleep(after)
        writer.kill()
    assert writer.returncode == -signal.SIGKILL


def test_killed_at_fifty_random_moments(folder: Path, opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    """What `get` gives is always right; and as files get their name when they are whole, none is refused either."""
    dice = random.Random(50)
    states = {number: state(number, SIZE) for number in NUMBERS}
    read = cut_short = 0
    for round_number in range(50):
        kill_a_writer(folder, round_number, after=dice.uniform(0, 0.05))
        left = [path for path in files(folder) if path.suffix != ".state"]
        for path in left:
            os.utime(path, (time.time() - 200,) * 2)
        cut_short += len(left)
        cache = opened(memory_bytes=0)
        for number in stored(folder):  # the temporary file is gone
            assert cache.get(key(number)) == states[number]
            read += 1
        cache.close()
    assert caplog.records == []
    assert read > 100
    assert cut_short > 10  # killed while it wrote, and not between two writes


def test_temporary_files_of_the_living_are_left_alone(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    young, old, future = (path_of(folder, n).with_suffix(f".0000000{n}.partial") for n in range(3))

    def leave_all() -> None:
        for path, seconds in ((young, 30), (old, 200), (future, -10_000)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"sourcier-kv-")
            os.utime(path, (time.time() - seconds,) * 2)

    leave_all()
    monkeypatch.setattr(prefill_cache, "PAUSE_SECONDS", 0.0)
    cache = opened()
    assert files(folder) == [young]
    # Not only at the start: a server runs for months.
    leave_all()
    cache.put(key(5), state(5))
    cache.flush()
    assert files(folder) == sorted([young, path_of(folder, 5)])


# -- a disk that fails -------------------------------------------------------------------------------------------------


class FailingDisk:
    """Makes calls fail, from `break_down` to `mend`; counts how often that was tried."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.failures = 0
        self._patch = patch
        self._error = 0
        self._real_open = io.open

    def break_down(self, error: int, *calls: str) -> None:
        self._error = error
        for call in calls:
            if call == "open":
                self._patch.setattr(io, "open", self._open)
            else:
                self._patch.setattr(os, call, self._fail)

    def mend(self) -> None:
        self._patch.undo()

    def _fail(self, *_: object, **__: object) -> None:
        self.failures += 1
        raise OSError(self._error, os.strerror(self._error))

    def _open(self, file: str, mode: str = "r", *more: object) -> object:
        return self._real_open(file, mode, *more) if mode == "rb" else self._fail()  # type: ignore[call-overload]  # mode is any


@pytest.fixture
def failing_disk() -> Iterator[FailingDisk]:
    with pytest.MonkeyPatch.context() as patch:
        yield FailingDisk(patch)


@pytest.mark.parametrize("call", ["open", "fsync", "replace", "mkdir"])
def test_a_full_disk(
    opened: Open,
    folder: Path,
    failing_disk: FailingDisk,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    cache = opened()
    failing_disk.break_down(errno.ENOSPC, call)
    for number in range(3):
        cache.put(key(number), state(number))
        cache.flush()
        assert cache.get(key(number)) == state(number)
    assert failing_disk.failures == 1  # not tried again for each state
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert os.strerror(errno.ENOSPC) in caplog.text
    assert files(folder) == []
    failing_disk.mend()
    later = time.monotonic() + prefill_cache.PAUSE_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    cache.put(key(3), state(3))
    cache.flush()
    assert stored(folder) == {3}
    assert len(caplog.records) == 1


def test_a_full_disk_can_still_be_read(opened: Open, folder: Path, failing_disk: FailingDisk) -> None:
    write_by_hand(folder, 1)
    cache = opened(memory_bytes=0)
    failing_disk.break_down(errno.ENOSPC, "fsync")
    cache.put(key(2), state(2))
    cache.flush()
    assert failing_disk.failures == 1
    assert cache.get(key(1)) == state(1)


def test_a_read_only_folder(
    opened: Open, folder: Path, failing_disk: FailingDisk, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3):
        write_by_hand(folder, number, used=10 - number)
    path_of(folder, 3).write_bytes(written(3)[:-1])
    failing_disk.break_down(errno.EROFS, "open", "mkdir", "unlink", "utime", "replace")
    cache = opened(disk_bytes=2 * len(written(1)))  # it would remove one at once
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    cache.put(key(4), state(4))
    cache.flush()
    assert cache.get(key(4)) == state(4)
    assert cache.get(key(1)) == state(1)
    assert cache.get(key(3)) is None
    assert stored(folder) == {1, 2, 3}


def test_a_folder_that_is_a_file(opened: Open, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.write_bytes(b"")
    cache = opened(memory_bytes=200)
    for number in range(3):
        cache.put(key(number), state(number))
    cache.flush()
    assert [cache.get(key(number)) for number in range(3)] == [None, state(1), state(2)]
    assert key(0) not in cache
    assert cache.keep_only([key(1)]) == 1
    assert cache.sizes() == CacheSizes(1, 100, 0, 0)
    assert len(caplog.records) == 1


# -- the model never waits for the disk --------------------------------------------------------------------------------


def test_put_does_not_wait_for_the_disk(opened: Open, folder: Path, slow_disk: Gate) -> None:
    cache = opened()
    for number in range(20):
        cache.put(key(number), state(number))
        assert slow_disk.reached.wait(5)
    assert [cache.get(key(number)) for number in range(20)] == [state(number) for number in range(20)]
    slow_disk.opened.set()
    cache.flush()
    # The first was being written; of those that waited the last eight.
    assert stored(folder) == {0, *range(12, 20)}


def test_what_waits_is_bounded_in_bytes(
    opened: Open, folder: Path, slow_disk: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefill_cache, "BACKLOG_BYTES", 350)
    cache = opened()
    for number in range(6):
        cache.put(key(number), state(number))
        assert slow_disk.reached.wait(5)
    slow_disk.opened.set()
    cache.flush()
    assert stored(folder) == {0, 3, 4, 5}
    # One that is larger by itself is written all the same.
    cache.put(key(6), state(6, 1000))
    cache.flush()
    assert 6 in stored(folder)


def test_what_waits_can_be_had(opened: Open, slow_disk: Gate) -> None:
    cache = opened(memory_bytes=0)
    for number in range(3):
        cache.put(key(number), state(number))
    assert slow_disk.reached.wait(5)
    assert all(key(number) in cache for number in range(3))
    assert [cache.get(key(number)) for number in range(3)] == [state(number) for number in range(3)]


def test_put_again_while_it_is_written(opened: Open, slow_disk: Gate) -> None:
    cache = opened()
    cache.put(key(1), b"old")
    assert slow_disk.reached.wait(5)
    cache.put(key(1), b"new")
    slow_disk.opened.set()
    cache.flush()
    assert opened().get(key(1)) == b"new"


def test_put_while_an_older_one_is_read(opened: Open, folder: Path, slow_read: Gate) -> None:
    write_by_hand(folder, 1)
    cache = opened()
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(cache.get, key(1))
        assert slow_read.reached.wait(5)
        cache.put(key(1), b"new")
        slow_read.opened.set()
        assert reading.result(5) == state(1)
    assert cache.get(key(1)) == b"new"


def test_close_writes_what_waits(opened: Open, folder: Path) -> None:
    cache = opened()
    for number in range(5):
        cache.put(key(number), state(number))
    cache.close()
    assert stored(folder) == {0, 1, 2, 3, 4}
    cache.put(key(5), state(5))
    cache.flush()
    cache.close()
    assert cache.get(key(5)) == state(5)
    assert stored(folder) == {0, 1, 2, 3, 4}


def test_nobody_waits_for_a_file_that_another_reads(opened: Open, folder: Path, slow_read: Gate) -> None:
    write_by_hand(folder, 1)
    cache = opened()
    cache.put(key(2), state(2))
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(cache.get, key(1))
        assert slow_read.reached.wait(5)
        assert cache.get(key(2)) == state(2)
        cache.put(key(3), state(3))
        cache.flush()
        assert not reading.done()
        slow_read.opened.set()
        assert reading.result(5) == state(1)


# -- articles that were deleted ----------------------------------------------------------------------------------------


def test_keep_only_drops_everywhere(opened: Open, folder: Path) -> None:
    write_by_hand(folder, 7)
    write_by_hand(folder, 8, OLDER_MODEL)
    cache = opened(memory_bytes=200)
    for number in range(5):
        cache.put(key(number), state(number))
    cache.flush()
    unfinished = path_of(folder, 9).with_suffix(".00000000.partial")
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"of a deleted article")
    assert cache.keep_only([key(1), key(4), key(50)]) == 5  # 0, 2, 3, 7, 8
    assert stored(folder) == {1, 4}
    assert [n for n in range(10) if cache.get(key(n)) is not None] == [1, 4]
    assert cache.keep_only([key(1), key(4)]) == 0
    assert cache.keep_only([]) == 2
    assert cache.sizes() == CacheSizes(0, 0, 0, 0)


def test_keep_only_drops_what_waits_and_what_is_being_written(opened: Open, folder: Path, slow_disk: Gate) -> None:
    cache = opened()
    for number in range(4):
        cache.put(key(number), state(number))
    assert slow_disk.reached.wait(5)  # 0 is being written, the others wait
    with ThreadPoolExecutor() as threads:
        dropping = threads.submit(cache.keep_only, [key(2)])
        until = time.monotonic() + 5
        while key(3) in cache and time.monotonic() < until:
            time.sleep(0.01)
        assert {n for n in range(4) if key(n) in cache} == {2}
        time.sleep(0.05)
        assert not dropping.done()
        slow_disk.opened.set()
        assert dropping.result(5) == 3
    assert {n for n in range(4) if key(n) in cache} == {2}
    cache.flush()
    assert stored(folder) == {2}
    cache.put(key(0), state(0))
    cache.flush()
    assert stored(folder) == {0, 2}


def test_keep_only_while_it_is_read(opened: Open, folder: Path, slow_read: Gate) -> None:
    write_by_hand(folder, 1)
    cache = opened()
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(cache.get, key(1))
        assert slow_read.reached.wait(5)
        assert cache.keep_only([]) == 1
        slow_read.opened.set()
        assert reading.result(5) == state(1)
    assert key(1) not in cache
    assert cache.get(key(1)) is None


def test_keep_only_while_it_is_read_and_held_again(opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = opened()
    for number in (1, 2):
        cache.put(key(number), state(number))
    cache.flush()
    gate, unlink = Gate(), os.unlink
    monkeypatch.setattr(os, "unlink", lambda *path: (gate(), unlink(*path)))
    with ThreadPoolExecutor() as threads:
        dropping = threads.submit(cache.keep_only, [key(2)])
        assert gate.reached.wait(5)
        assert cache.get(key(1)) == state(1)
        assert cache.sizes().memory_states == 2
        gate.opened.set()
        assert dropping.result(5) == 1
    assert key(1) not in cache
    assert cache.sizes().memory_states == 1


def test_keep_only_says_what_it_could_not_remove(
    opened: Open, folder: Path, failing_disk: FailingDisk, caplog: pytest.LogCaptureFixture
) -> None:
    cache = opened()
    cache.put(key(1), state(1))
    cache.flush()
    failing_disk.break_down(errno.EROFS, "unlink")
    assert cache.keep_only([]) == 1  # from memory
    assert cache.sizes().memory_states == 0
    assert "KV states that should go are still in" in caplog.text


def test_drop_stored_states(folder: Path, failing_disk: FailingDisk) -> None:
    assert drop_stored_states(folder, []) == 0
    for number in range(4):
        write_by_hand(folder, number)
        write_by_hand(folder, number, OLDER_MODEL)
    unfinished = [path_of(folder, n).with_suffix(".0123abcd.partial") for n in (1, 2)]
    for path in unfinished:
        path.write_bytes(b"")
    foreign = [folder / "README.md", folder / MODEL / "notes.state", path_of(folder, 3).with_name("mine.state")]
    for path in foreign:
        path.write_text("not ours")
    for error, call in ((errno.EROFS, "unlink"), (errno.EACCES, "listdir")):
        failing_disk.break_down(error, call)
        with pytest.raises(OSError, match=os.strerror(error)):
            drop_stored_states(folder, [key(1)])
        failing_disk.mend()
    assert drop_stored_states(folder, [key(1), key(50)]) == 6
    left = [path_of(folder, 1), path_of(folder, 1, OLDER_MODEL), unfinished[0], *foreign]
    assert files(folder) == sorted(left)
    assert drop_stored_states(folder, []) == 2
    assert files(folder) == sorted(foreign)


# -- many threads ------------------------------------------------------------------------------------------------------


def test_eight_threads(opened: Open, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two caches over one folder, four threads on each, with room for a part of what they use."""
    room = 8 * len(written(1, 1000))
    caches = [opened(memory_bytes=4000, disk_bytes=room) for _ in range(2)]

    def use(thread: int) -> int:
        dice, cache, found = random.Random(thread), caches[thread % 2], 0
        for step in range(150):
            number = dice.randrange(12)
            if step % 50 == 49:
                cache.keep_only([key(n) for n in range(12) if n != number])
            elif dice.random() < 0.5:
                cache.put(key(number), state(number, 1000))
            else:
                content = cache.get(key(number))
                assert content in (None, state(number, 1000))
                found += content is not None
            assert cache.sizes().memory_bytes <= 4000
        return found

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(use, range(8)))
    assert min(found) > 10
    for cache in caches:
        cache.flush()
    assert caplog.records == []
    assert all(path.suffix == ".state" for path in files(folder))
    caches[0].put(key(20), state(20, 1000))
    caches[0].flush()
    reader = opened(memory_bytes=0)
    assert stored(folder) >= {20}
    for number in stored(folder):
        assert reader.get(key(number)) == state(number, 1000)
