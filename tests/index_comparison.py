"""Two indexes compared row by row: one that was changed again and again, and one built from nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from index.embedder import Vectors
from index.generation import current_folder

# In which order sentences were embedded is the only difference that is allowed.
TABLES = {
    "articles": "number, id, title, text, language, published, author, source, url, digest, passage, sentence",
    "passages": 'number, article, start, "end"',
    "sentences": 'number, passage, start, "end", key',
    "words": "word, number",
    "files": "digest, first, count",
    "detected_languages": "digest, language",
}


def assert_same_index(home: Path, other: Path, without: Sequence[str] = ()) -> None:
    for table, columns in TABLES.items():
        if table not in without:
            assert rows(home, table, columns) == rows(other, table, columns), table
    assert postings(home) == postings(other)
    assert np.array_equal(vectors(home), vectors(other))
    said, other_said = manifest(home), manifest(other)
    for fact in ("articles", "passages", "sentences", "languages", "corpus_digest", "recipe", "embedder_digest"):
        assert said[fact] == other_said[fact], fact


def database(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(current_folder(home) / "articles.sqlite")


def manifest(home: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((current_folder(home) / "manifest.json").read_text(encoding="utf-8"))
    return content


def rows(home: Path, table: str, columns: str) -> list[tuple[object, ...]]:
    with closing(database(home)) as base:
        return base.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()


def postings(home: Path) -> dict[str, bytes]:
    """Which passages have which word, byte for byte."""
    return {path.name: path.read_bytes() for path in current_folder(home).glob("words-*.npy")}


def vectors(home: Path) -> Vectors:
    """(sentences, dim), as the files say: the vector that stands with each sentence's key."""
    dim = manifest(home)["dim"]
    assert isinstance(dim, int)
    found = {}
    for path in current_folder(home).glob("vectors-*.block"):
        content = path.read_bytes()
        count, rest = divmod(len(content), 32 + 4 * dim)
        assert rest == 0
        for row in range(count):
            at = 32 * count + 4 * dim * row
            key = content[32 * row : 32 * row + 32]
            assert key not in found
            found[key] = np.frombuffer(content[at : at + 4 * dim], "<f4")
    keys = [row[1] for row in rows(home, "sentences", "number, key")]
    assert set(keys) == set(found)  # of each sentence, and of nothing else
    return np.stack([found[key] for key in keys])
