"""Bytes of files within a limit, and what goes wrong with them said on one line (encodings: test_articles.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.formats.encodings import read_bytes, reason_of


def test_nothing_larger_than_the_limit_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert read_bytes(path, 100) == b"x" * 100
    with pytest.raises(ValueError, match="the file is larger than 99 bytes"):
        read_bytes(path, 99)


def test_reasons_are_one_printable_line() -> None:
    assert reason_of(ValueError("a\n  b\x1b[31mc\u202ed")) == "a b [31mc d"
    assert reason_of(FileNotFoundError(2, "No such file or directory", "/a/b")) == "No such file or directory"
    long = reason_of(ValueError("x" * 1000))
    assert (len(long), long[-1]) == (300, "…")
