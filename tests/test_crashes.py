"""Killed at any moment, and a disk that fills up at any stage: the index serves on, and the next change works."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from missing import impossible

from index import build as build_module
from index.build import build
from index.deletion import delete
from index.errors import IndexProblem
from index.search import Hit, Index
from tests.fakes import FakeEmbedder, some_articles, write_articles

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = 4
OLD = some_articles(3, seed=1)
NEW = {**OLD, **{f"new-{name}": text for name, text in some_articles(4, seed=2).items()}}

# Imports once, then forks a child for every line it reads: the child kills itself, or is killed, and nothing of it is
# left. One thread, and no FAISS before the fork.
BUILDERS = """
import json, os, signal, sys
from pathlib import Path
from index import build as build_module
from index.deletion import delete
from index.generations import remove_unserved
from tests.fakes import FakeEmbedder

STEPS = {
    "open", "os.link", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree",
    "sqlite3.connect",
}

def run(task):
    build_module.CHECKPOINT = task["checkpoint"]
    events = [0]
    def kill_at(name, arguments):
        # Everything that changes a name or opens a file below the home.
        if name in STEPS:
            if any(task["home"] in str(argument) for argument in arguments):
                events[0] += 1
                if events[0] == task["kill_at"]:
                    os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(kill_at)
    home = Path(task["home"])
    if task["what"] == "rollback":
        build_module.rollback(home)
    elif task["what"] == "delete":
        delete(home, task["ids"])
    elif task["what"] == "clean-up":
        remove_unserved(home)
    else:
        embedder = FakeEmbedder(seconds_a_text=task["seconds_a_text"], log=Path(task["log"]))
        build_module.build([Path(task["articles"])], home, embedder, "fake")

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            run(json.loads(line))
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Builders:
    """Changes of the index in processes of their own."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", BUILDERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(
        self, home: Path, what: str = "build", kill_at: int = 0, kill_after: float | None = None, **task: object
    ) -> int:
        """The exit status, -9 when killed: at the event of this number, or after so many seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        task = {"home": str(home), "what": what, "kill_at": kill_at, "checkpoint": CHECKPOINT, **task}
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            # Not reaped yet, so the number is still this child's, or that of a zombie; after that it is gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def builders() -> Iterator[Builders]:
    builders = Builders()
    yield builders
    builders.close()


@pytest.fixture(autouse=True)
def small_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "CHECKPOINT", CHECKPOINT)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An index of the old articles."""
    home = tmp_path / "home"
    build([write_articles(tmp_path / "old.jsonl", OLD)], home, FakeEmbedder(), "fake")
    return home


def served(home: Path, embedder: FakeEmbedder | None = None) -> list[str]:
    """The ids that the index answers with, after a search that must find all of them."""
    index = Index(home, embedder or FakeEmbedder())
    ids = sorted(article.id for article in index.articles(0, 100))
    assert sorted({hit.article.id for hit in index.search("mota ca fu", 100)}) == ids
    index.close()
    return ids


def batches(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def assert_tidy(home: Path) -> None:
    """Nothing beside the generations that CURRENT names."""
    root = home / "index"
    names = (root / "CURRENT").read_text().split()
    assert sorted(path.name for path in root.iterdir()) == sorted([*names, "CURRENT", "build.lock"])
    for name in names:
        files = {path.name for path in (root / name).iterdir()}
        assert files == {"manifest.json", *json.loads((root / name / "manifest.json").read_text())["checksums"]}


@pytest.mark.slow
def test_killed_at_twenty_random_moments(tmp_path: Path, home: Path, builders: Builders) -> None:
    """84 new sentences at 5 ms each, noted four at a time: none that was noted is embedded again."""
    dice = random.Random(20)
    killed = finished = 0
    for round_number in range(20):
        now = {f"r{round_number}-{name}": text.replace(".", f" r{round_number}.") for name, text in NEW.items()}
        articles = write_articles(tmp_path / "new.jsonl", now)
        before, log = served(home), tmp_path / f"log-{round_number}"
        task = {"articles": str(articles), "log": str(log), "seconds_a_text": 0.005}
        status = builders.run(home, kill_after=dice.uniform(0.02, 0.45), **task)
        killed, finished = killed + (status == -signal.SIGKILL), finished + (status == 0)
        assert status in (0, -signal.SIGKILL)
        assert served(home) in (before, sorted(now))
        # The last batch may have been embedded and not noted.
        kept = {text for batch in batches(log)[:-1] for text in batch}
        embedder = FakeEmbedder()
        report = build([articles], home, embedder, "fake")
        assert served(home) == sorted(now)
        assert not kept & set(embedder.embedded)
        assert report.unchanged or len(embedder.embedded) + len(kept) <= 84
        assert_tidy(home)
    assert killed >= 10, (killed, finished)


@pytest.mark.slow
def test_killed_at_every_step_on_the_disk(tmp_path: Path, home: Path, builders: Builders) -> None:
    """Before each file it opens and each name it changes, until a build comes through alive."""
    articles = write_articles(tmp_path / "new.jsonl", NEW)
    log = tmp_path / "log"
    task = {"articles": str(articles), "log": str(log), "seconds_a_text": 0.0}
    served_new = 0
    for step in range(1, 200):
        status = builders.run(home, kill_at=step, **task)
        now = served(home)
        assert now in (sorted(OLD), sorted(NEW))
        served_new += now == sorted(NEW)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        if now == sorted(NEW):
            # Once the new ones are served: a build tidies up, and the next round starts from the old ones again.
            embedder = FakeEmbedder()
            assert build([articles], home, embedder, "fake").unchanged
            assert_tidy(home)
            build([tmp_path / "old.jsonl"], home, FakeEmbedder(), "fake")
    assert step > 20
    assert served_new > 3
    assert served(home) == sorted(NEW)
    assert_tidy(home)


def test_killed_at_every_step_of_a_rollback(tmp_path: Path, home: Path, builders: Builders) -> None:
    articles = write_articles(tmp_path / "new.jsonl", NEW)
    build([articles], home, FakeEmbedder(), "fake")
    pointer = (home / "index" / "CURRENT").read_text()
    seen = []
    for step in range(1, 100):
        status = builders.run(home, "rollback", kill_at=step)
        seen.append(served(home))
        assert seen[-1] in (sorted(OLD), sorted(NEW))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        (home / "index" / "CURRENT").write_text(pointer)
    assert step > 5
    assert seen[0] == sorted(NEW)
    assert seen[-1] == sorted(OLD)
    build([articles], home, FakeEmbedder(), "fake")
    assert served(home) == sorted(NEW)
    assert_tidy(home)


def test_killed_at_every_step_of_a_deletion(tmp_path: Path, home: Path, builders: Builders) -> None:
    articles = write_articles(tmp_path / "new.jsonl", NEW)
    build([articles], home, FakeEmbedder(), "fake")
    whole, gone = tmp_path / "whole", sorted(OLD)[0]
    shutil.copytree(home, whole)
    left = sorted(name for name in NEW if name != gone)
    seen = []
    for step in range(1, 300):
        status = builders.run(home, "delete", kill_at=step, ids=[gone])
        seen.append(served(home))
        assert seen[-1] in (sorted(NEW), left)
        # Nothing to go back to once it is gone.
        assert seen[-1] == sorted(NEW) or len((home / "index" / "CURRENT").read_text().split()) == 1
        if status == 0:
            break
        assert status == -signal.SIGKILL
        if seen[-1] == left:
            # Whatever comes next takes away what had it.
            delete(home, [left[0]])
            assert_tidy(home)
        shutil.rmtree(home)
        shutil.copytree(whole, home)
    assert step > 30
    assert seen[0] == sorted(NEW)
    assert seen.count(left) > 3
    assert_tidy(home)


def answers(home: Path) -> list[Hit]:
    """Everything a reader can find, with scores."""
    index = Index(home, FakeEmbedder())
    hits = index.search("mota ca fu", 100)
    index.close()
    return hits


@pytest.mark.slow
def test_killed_at_a_hundred_random_moments_of_anything(tmp_path: Path, home: Path, builders: Builders) -> None:
    """Each time from the same two generations, and one that nobody serves: it answers as before, or as after."""
    articles = write_articles(tmp_path / "new.jsonl", NEW)
    build([articles], home, FakeEmbedder(), "fake")
    shutil.copytree(home / "index" / "000002", home / "index" / "000007")
    newer = write_articles(tmp_path / "newer.jsonl", {**NEW, "newest": "Mota ca fu, dit le plus neuf. " * 40})
    tasks: dict[str, dict[str, object]] = {
        "build": {"articles": str(newer), "log": str(tmp_path / "log"), "seconds_a_text": 0.0},
        "delete": {"ids": [sorted(OLD)[0]]},
        "rollback": {},
        "clean-up": {},
    }
    whole = tmp_path / "whole"
    shutil.copytree(home, whole)
    before, after, seconds = answers(home), {}, {}
    for what, task in tasks.items():
        started = time.monotonic()
        assert builders.run(home, what, **task) == 0
        seconds[what], after[what] = time.monotonic() - started, answers(home)
        shutil.rmtree(home)
        shutil.copytree(whole, home)
    assert len({len(before), len(after["build"]), len(after["delete"]), len(after["rollback"])}) == 4
    dice = random.Random(100)
    killed: Counter[str] = Counter()
    outcomes = set()
    for round_number in range(400):
        what = list(tasks)[round_number % 4]
        status = builders.run(home, what, kill_after=dice.uniform(0, seconds[what]), **tasks[what])
        assert status in (0, -signal.SIGKILL)
        killed[what] += status != 0
        # One that came too late says how long it takes now.
        seconds[what] *= 1 if status else 0.95
        now = answers(home)
        assert now in (before, after[what]), (round_number, what)
        outcomes.add((what, status, now == before))
        # And it can be changed on.
        build([articles], home, FakeEmbedder(), "fake")
        assert_tidy(home)
        shutil.rmtree(home)
        shutil.copytree(whole, home)
        if killed.total() == 100:
            break
    assert killed.total() == 100
    assert min(killed.values()) >= 10, killed
    assert {("build", -9, True), ("delete", -9, True)} <= outcomes


# -- a full disk -------------------------------------------------------------------------------------------------------

Mount = Callable[[int], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mount]:
    """Mount a disk of so many bytes; unmounted after the test."""
    if os.geteuid() != 0:
        impossible("mounting a small disk needs root")
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        if not mounted:
            place = tmp_path / "disk"
            place.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
            if subprocess.run(command, capture_output=True, check=False).returncode != 0:
                impossible("no tmpfs can be mounted here, although we are root (a container without that right?)")
            mounted.append(place)
        else:
            subprocess.run(["mount", "-o", f"remount,size={size}", str(mounted[0])], check=True)
        return mounted[0]

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_at_every_stage(tmp_path: Path, small_disk: Mount) -> None:
    """From no room at all in steps of a page, so that each large file in turn is the one that does not fit."""
    disk = small_disk(1 << 30)
    home = disk / "home"
    embedder = FakeEmbedder(dim=512)
    new = OLD | {f"more-{name}": text for name, text in some_articles(12, seed=9).items()}
    build([write_articles(tmp_path / "old.jsonl", OLD)], home, embedder, "fake")
    used = bytes_used(disk)
    articles = write_articles(tmp_path / "new.jsonl", new)
    failed_in: list[str] = []
    embedder.embedded.clear()
    for size in range(used, used + (2 << 20), 4096):
        small_disk(size)
        try:
            report = build([articles], home, embedder, "fake")
            break
        except IndexProblem as problem:
            failed_in.append(function_of(problem.__cause__))
            told = str(problem)
        assert "is full. The index is as it was." in told
        assert served(home, embedder) == sorted(OLD)
        names = {path.name for path in (home / "index").iterdir()}
        assert names <= {"000001", "CURRENT", "build.lock", "unfinished.vectors"}
    assert report.generation == "000002"
    assert served(home, embedder) == sorted(new)
    assert_tidy(home)
    # What was embedded on a disk too full for the rest was kept, so at most the last batch of a try was done again.
    assert len(embedder.embedded) <= 144 + CHECKPOINT * len(failed_in)
    for stage in ("Contents.__init__", "UnfinishedVectors.", "_write_vectors", "Contents.finish"):
        assert any(stage in found for found in failed_in), (stage, "\n".join(failed_in))


def test_a_full_disk_at_every_stage_of_a_deletion(tmp_path: Path, small_disk: Mount) -> None:
    disk = small_disk(1 << 30)
    home = disk / "home"
    embedder = FakeEmbedder(dim=512)
    articles = NEW | {f"more-{name}": text for name, text in some_articles(12, seed=9).items()}
    build([write_articles(tmp_path / "old.jsonl", articles)], home, embedder, "fake")
    used = bytes_used(disk)
    gone, failed_in = sorted(OLD)[0], []
    for size in range(used, used + (2 << 20), 4096):
        small_disk(size)
        try:
            report = delete(home, [gone])
            break
        except IndexProblem as problem:
            failed_in.append(function_of(problem.__cause__))
            told = str(problem)
        assert "is full. The index is as it was." in told
        assert served(home, embedder) == sorted(articles)
        assert {path.name for path in (home / "index").iterdir()} == {"000001", "CURRENT", "build.lock"}
    assert report.generation == "000002"
    assert served(home, embedder) == sorted(name for name in articles if name != gone)
    assert_tidy(home)
    for stage in ("Contents.__init__", "write_blocks", "Contents.finish"):
        assert any(stage in found for found in failed_in), (stage, "\n".join(failed_in))


@pytest.mark.parametrize("name", ["articles.sqlite", "vectors-", ".manifest.json", ".CURRENT"])
def test_a_disk_that_says_it_is_full_when_a_file_is_synced(
    tmp_path: Path, home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where blocks are given out late, fsync is the first to know."""
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.startswith(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    articles = write_articles(tmp_path / "new.jsonl", NEW)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(IndexProblem, match="is full"):
            build([articles], home, FakeEmbedder(), "fake")
    assert served(home) == sorted(OLD)
    names = sorted(path.name for path in (home / "index").iterdir())
    assert names == ["000001", "CURRENT", "build.lock", "unfinished.vectors"]
    embedder = FakeEmbedder()
    build([articles], home, embedder, "fake")
    assert (served(home), embedder.embedded) == (sorted(NEW), [])
    assert_tidy(home)


def test_a_disk_that_can_only_be_read_serves_and_says_so_to_a_builder(tmp_path: Path, small_disk: Mount) -> None:
    disk = small_disk(1 << 30)
    home = disk / "home"
    articles = write_articles(tmp_path / "old.jsonl", OLD)
    build([articles], home, FakeEmbedder(), "fake")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert served(home) == sorted(OLD)
    for place in (home, disk / "other"):
        with pytest.raises(IndexProblem, match="cannot be written"):
            build([articles], place, FakeEmbedder(), "fake")


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(IndexProblem, match="cannot be written"):
            build([write_articles(tmp_path / "old.jsonl", OLD)], home, FakeEmbedder(), "fake")


def bytes_used(disk: Path) -> int:
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def function_of(error: BaseException | None) -> str:
    """What could not write, as the traceback tells it."""
    names = []
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_qualname)
        traceback = traceback.tb_next
    return " ".join(names[2:])
