"""What was read of files for the generation before: a file that is as it was is not read again.

Reading is most of a build's work: YAML, web pages, and the language of every article that does not name its own take
ten milliseconds an article. A file is known again by the digest of its name, its place and its content; dates and sizes
of files would be quicker to compare, and are wrong after a restored backup.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from index.articles import Article
from index.earlier_articles import EarlierArticles
from index.languages import detect_language
from index.manifest import sha256_of

_SMALL_BYTES = 1 << 20


class Readings:
    """Readings (index/articles.py) with a memory. `files` and `detected` are what the next build will want to know:
    digest of a file -> number of its first article and how many; digest of a text -> its language."""

    def __init__(self, earlier: EarlierArticles | None) -> None:
        self._earlier = earlier
        self._earlier_files: dict[bytes, tuple[int, int]] = {}
        self._earlier_detected: dict[bytes, str] = {}
        if earlier is not None:
            rows = earlier.rows("SELECT digest, first, count FROM files")
            self._earlier_files = {row["digest"]: (row["first"], row["count"]) for row in rows}
            rows = earlier.rows("SELECT digest, language FROM detected_languages")
            self._earlier_detected = {row["digest"]: row["language"] for row in rows}
        self.files: dict[bytes, tuple[int, int]] = {}
        self.detected: dict[bytes, str] = {}
        self._articles = 0
        self._reading: tuple[bytes, os.stat_result] | None = None

    def known(self, file: Path, file_id: str) -> list[Article] | None:
        self._reading = None
        try:
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):
                return None  # a pipe can be read once
            # Small files at once: hashlib's reader makes a buffer of 256 KiB for each.
            small = status.st_size < _SMALL_BYTES
            content = hashlib.sha256(file.read_bytes()).hexdigest() if small else sha256_of(file)
        except OSError:
            return None  # who reads it says what is wrong
        digest = hashlib.sha256("\0".join((file_id, file.name, content)).encode("utf-8", "surrogateescape")).digest()
        self._reading = digest, status
        if self._earlier is None or digest not in self._earlier_files:
            return None
        first, count = self._earlier_files[digest]
        articles = self._earlier.read(first, count)
        for article in articles:
            text = _digest_of(f"{article.title}\n{article.text}")
            if text in self._earlier_detected:
                self.detected[text] = self._earlier_detected[text]
        return articles

    def note(self, file: Path, articles: int, whole: bool) -> None:
        first, self._articles = self._articles, self._articles + articles
        if self._reading is None or not whole:
            return
        digest, before = self._reading
        # Not when it was written to meanwhile: who knows which content was read?
        after = file.stat()
        if (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino):
            self.files[digest] = first, articles

    def language_of(self, text: str) -> str:
        digest = _digest_of(text)
        if digest not in self.detected:
            self.detected[digest] = self._earlier_detected.get(digest) or detect_language(text)
        return self.detected[digest]


def readings_without(
    earlier: EarlierArticles, gone: frozenset[int]
) -> tuple[dict[bytes, tuple[int, int]], dict[bytes, str]]:
    """`files` and `detected` of an earlier generation after these articles were taken out.

    A file that any of them came from is not known any more: the next build reads it, and finds them again.
    """
    files = {}
    for row in earlier.rows("SELECT digest, first, count FROM files"):
        if gone.isdisjoint(range(row["first"], row["first"] + row["count"])):
            before = sum(number < row["first"] for number in gone)
            files[row["digest"]] = row["first"] - before, row["count"]
    left_out = {_digest_of(f"{article.title}\n{article.text}") for article in map(earlier.article, gone)}
    detected = earlier.rows("SELECT digest, language FROM detected_languages")
    return files, {row["digest"]: row["language"] for row in detected if row["digest"] not in left_out}


def _digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
