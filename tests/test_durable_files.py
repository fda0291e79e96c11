from __future__ import annotations

import os
from pathlib import Path

import pytest

from index.storage.durable_files import replace_text, sync_file, sync_folder


def test_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "CURRENT"
    replace_text(path, "été\n")
    replace_text(path, "hiver\n")
    assert path.read_bytes() == b"hiver\n"
    assert [found.name for found in tmp_path.iterdir()] == ["CURRENT"]


def test_a_reader_sees_the_old_content_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "CURRENT"
    replace_text(path, "old\n")
    seen: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append(path.read_text()), fsync(descriptor)))
    with path.open() as reader:
        replace_text(path, "new\n")
        assert reader.read() == "old\n"
    # The content is made durable before it gets the name, the name after.
    assert seen == ["old\n", "new\n"]


def test_a_failed_write_leaves_the_old_content_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "CURRENT"
    replace_text(path, "old\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_text(path, "new\n")
    assert path.read_text() == "old\n"
    assert [found.name for found in tmp_path.iterdir()] == ["CURRENT"]


def test_sync_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    sync_file(tmp_path / "file")
    sync_folder(tmp_path)
    assert (tmp_path / "file").read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        sync_file(tmp_path / "other")


def test_a_private_file_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    modes: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (modes.append(os.fstat(file).st_mode & 0o777), fsync(file)))
    replace_text(path, "secret", mode=0o600)
    assert modes[0] == path.stat().st_mode & 0o777 == 0o600
