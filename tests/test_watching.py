"""The index follows a folder: what is half written is waited for, what is nobody's business is passed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from index import watching
from index.errors import IndexProblem
from index.watching import changes

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "pont.md").write_text("# Le pont\n\nLe pont a rouvert.")
    return folder


class Watcher:
    """Watches in a thread; what it yields is in a queue."""

    def __init__(self, paths: list[Path], home: Path) -> None:
        self.found: Queue[int] = Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(paths, home))
        self._thread.start()
        assert self.found.get(timeout=10) == 0

    def _run(self, paths: list[Path], home: Path) -> None:
        for files in changes(paths, home, self._stop):
            self.found.put(files)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def watcher(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    monkeypatch.setattr(watching, "SETTLED", 0.3)
    watcher = Watcher([folder], folder / "home")
    yield watcher
    watcher.close()


def test_a_file_that_is_being_written_is_waited_for(folder: Path, watcher: Watcher) -> None:
    started = time.monotonic()
    with (folder / "long.md").open("w") as file:
        for _ in range(10):
            file.write("Une phrase. ")
            file.flush()
            time.sleep(0.1)
    assert watcher.found.get(timeout=10) == 1
    assert time.monotonic() - started > 1.2
    with pytest.raises(Empty):
        watcher.found.get(timeout=0.6)


def test_changed_moved_and_removed_files_are_changes(folder: Path, watcher: Watcher) -> None:
    (folder / "pont.md").write_text("Un autre texte.")
    assert watcher.found.get(timeout=10) == 1
    (folder / "pont.md").rename(folder / "gare.md")
    assert watcher.found.get(timeout=10) == 2
    (folder / "below").mkdir()
    (folder / "below" / "new.md").write_text("Un texte.")
    assert watcher.found.get(timeout=10) >= 1
    (folder / "gare.md").unlink()
    assert watcher.found.get(timeout=10) == 1


def test_hidden_files_and_the_index_are_no_changes(folder: Path, watcher: Watcher) -> None:
    (folder / ".pont.md.swp").write_text("what an editor keeps")
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("")
    (folder / "home").mkdir()
    (folder / "home" / "CURRENT").write_text("000001\n")
    with pytest.raises(Empty):
        watcher.found.get(timeout=1)
    (folder / "gare.md").write_text("Un texte.")
    assert watcher.found.get(timeout=10) == 1


def test_a_file_that_an_editor_replaces_is_watched_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SETTLED", 0.3)
    watcher = Watcher([folder / "pont.md"], tmp_path / "home")
    for text in ("Un.", "Deux."):
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").replace(folder / "pont.md")
        assert watcher.found.get(timeout=10) == 1
    (folder / "other.md").write_text("Un texte.")
    with pytest.raises(Empty):
        watcher.found.get(timeout=1)
    watcher.close()


def test_changes_without_end_are_not_waited_for_forever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LONGEST", 1.0)
    watcher = Watcher([folder], folder / "home")
    for number in range(20):
        (folder / "log.md").write_text(str(number))
        time.sleep(0.1)
    assert watcher.found.get(timeout=0) == 1
    watcher.close()


def test_nothing_there_to_watch_is_said(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem, match=r"no file or folder .*missing to watch"):
        next(changes([tmp_path / "missing"], tmp_path / "home"))


# The command, with an embedder that needs no model.
COMMAND = """
import signal
import sys
# A process that was started in the background is told to leave Ctrl-C alone.
signal.signal(signal.SIGINT, signal.default_int_handler)
import index.commands
from index import watching
from tests.fakes import FakeEmbedder
index.commands.load_embedder = lambda _: (FakeEmbedder(), "fake")
watching.SETTLED = 0.3
from web.commands import main
main()
"""


def test_the_command_follows_a_folder_through_a_failed_build_until_it_is_stopped(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", COMMAND, "build", "--watch", str(folder), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "SOURCIER_HOME": str(home)},
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["generation"] == "000001"
        (folder / "gare.md").write_text("# La gare\n\nElle est fermée. Elle a brûlé.")
        built = json.loads(process.stdout.readline())
        assert (built["generation"], built["articles"], built["embedded"]) == ("000002", 2, 3)
        # Nothing left to read: that build fails, the index stays.
        texts = {path: path.read_text() for path in folder.iterdir()}
        for path in texts:
            path.unlink()
        lines = []
        while not lines or "No article could be read" not in lines[-1]:
            lines.append(process.stderr.readline())
        for path, text in texts.items():
            path.write_text(text + " Et voilà.")
        assert json.loads(process.stdout.readline())["generation"] == "000003"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        assert (process.returncode, stdout) == (130, "")
        assert "Stopped." in stderr
        assert "Traceback" not in stderr
    finally:
        process.kill()
        process.communicate(timeout=10)
