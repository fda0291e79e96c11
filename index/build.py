"""Articles to the next generation of the index: unchanged sentences keep their vector; one atomic switch at the end.

Order matters, so that a crash at any line leaves the old generation serving:
write beside -> vectors -> fsync -> checksums -> manifest -> rename -> CURRENT -> remove what is older than the previous.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import faiss
import filelock
import numpy as np

from index.articles import Article, read_articles
from index.durable_files import replace_text, sync_file, sync_folder
from index.embedder import Embedder, SourceText, Vectors
from index.errors import ArticleError, BrokenIndex, BuildInProgress, IndexProblem, NoIndex
from index.generation import (
    ARTICLES_FILE,
    CURRENT_FILE,
    FORMAT_VERSION,
    MANIFEST_FILE,
    SCHEMA,
    VECTORS_FILE,
    Generation,
    Manifest,
    current_folder,
    index_folder,
    sha256_of,
)
from index.languages import stem_words
from index.passages import PASSAGE_TOKENS, Passage, split_article
from index.unfinished_vectors import UnfinishedVectors

Progress = Callable[[str, int, int], None]
"""(what is being done, done so far, total; 0 when not known)."""

# Sentences embedded between two notes on disk: about half a minute of work is the most that a kill can lose.
CHECKPOINT = 256


@dataclass(slots=True)
class BuildReport:
    """What a build did. `unreadable` holds one error a file or line that was left out; `seconds` is wall time."""

    generation: str = ""
    unchanged: bool = False
    articles: int = 0
    passages: int = 0
    sentences: int = 0
    embedded: int = 0
    unreadable: list[ArticleError] = field(default_factory=list)
    seconds: float = 0.0


def heading_of(article: Article) -> str:
    """What goes with every sentence when it is embedded, and with the passage when the model reads it."""
    day = article.published.strftime("%Y-%m-%d") if article.published else None
    origin = ", ".join(part for part in (article.source, day) if part)
    return f"{article.title} ({origin})" if origin else article.title


def build(
    paths: Sequence[Path], home: Path, embedder: Embedder, embedder_name: str, progress: Progress = lambda *_: None
) -> BuildReport:
    """Make the articles under `paths` the whole content of the index under `home`.

    Raises BuildInProgress, and IndexProblem when nothing could be read or the disk is full; the index then stays as it
    was, and what was embedded so far is kept for the next try.
    """
    started = time.monotonic()
    root = index_folder(home)
    root.mkdir(parents=True, exist_ok=True)
    with build_lock(root):
        _remove_leftovers(root)
        previous = _previous_generation(home)
        folder = root / "building"
        folder.mkdir()
        try:
            report = _write_generation(paths, folder, root, previous, embedder, embedder_name, progress)
        except (OSError, sqlite3.Error) as error:
            if _disk_is_full(error):
                raise IndexProblem(f"The disk that holds {root} is full. The index is as it was; free space.") from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if previous is not None:
                previous.retire()
        if not report.unchanged:
            _remove_old_generations(root)
    report.seconds = time.monotonic() - started
    return report


def rollback(home: Path) -> str:
    """Serve the generation before the current one again; its name. Raises NoIndex, IndexProblem, BrokenIndex."""
    root = index_folder(home)
    current = current_folder(home)
    with build_lock(root):
        older = [folder for folder in _generations(root) if folder.name < current.name]
        if not older:
            raise IndexProblem(f"There is no generation before {current.name}. Rebuild with: sourcier build")
        target = older[-1]
        Generation(target).retire()
        replace_text(root / CURRENT_FILE, target.name + "\n")
    return target.name


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


# -- writing one generation --------------------------------------------------------------------------------------------


def _write_generation(
    paths: Sequence[Path],
    folder: Path,
    root: Path,
    previous: Generation | None,
    embedder: Embedder,
    embedder_name: str,
    progress: Progress,
) -> BuildReport:
    report = BuildReport()
    with closing(sqlite3.connect(folder / ARTICLES_FILE)) as database:
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)
        contents = _Contents(database, embedder, report)
        for article in read_articles(paths):
            if isinstance(article, ArticleError):
                report.unreadable.append(article)
            else:
                contents.add(article)
                progress("reading", report.articles, 0)
        if report.articles == 0:
            names = ", ".join(str(path) for path in paths)
            raise IndexProblem(
                f"No article could be read from {names}. The index is as it was. Give a folder or files of "
                ".md .txt .html .jsonl"
            )
        database.commit()
        if previous is not None and _says_the_same(previous.manifest, contents.digest(), embedder):
            report.unchanged, report.generation = True, previous.manifest.generation
            return report
        languages = [row[0] for row in database.execute("SELECT DISTINCT language FROM articles ORDER BY language")]
        with closing(UnfinishedVectors(root / "unfinished.vectors", embedder.dim)) as unfinished:
            vectors = _vectors(contents, previous, unfinished, embedder, report, progress)
            database.execute("INSERT INTO words (words) VALUES ('optimize')")
            database.commit()
            database.execute("VACUUM")
        report.generation = _next_name(root)
    flat = faiss.IndexFlatIP(embedder.dim)
    flat.add(vectors)
    faiss.write_index(flat, str(folder / VECTORS_FILE))
    for name in (ARTICLES_FILE, VECTORS_FILE):
        sync_file(folder / name)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        generation=report.generation,
        embedder=embedder_name,
        embedder_digest=embedder.digest,
        dim=embedder.dim,
        passage_tokens=PASSAGE_TOKENS,
        articles=report.articles,
        passages=report.passages,
        sentences=report.sentences,
        languages=tuple(languages),
        corpus_digest=contents.digest(),
        checksums={name: sha256_of(folder / name) for name in (ARTICLES_FILE, VECTORS_FILE)},
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    replace_text(folder / MANIFEST_FILE, manifest.to_json())
    folder.rename(root / report.generation)
    sync_folder(root)
    replace_text(root / CURRENT_FILE, report.generation + "\n")
    (root / "unfinished.vectors").unlink(missing_ok=True)
    return report


class _Contents:
    """Articles, passages, sentences and words on their way into the database, numbered as they come."""

    def __init__(self, database: sqlite3.Connection, embedder: Embedder, report: BuildReport) -> None:
        self._database = database
        self._embedder = embedder
        self._report = report
        self._digest = hashlib.sha256()
        self.keys: list[bytes] = []
        self.texts: list[SourceText] = []

    def digest(self) -> str:
        return self._digest.hexdigest()

    def add(self, article: Article) -> None:
        number = self._report.articles
        published = article.published.isoformat() if article.published else None
        row = (article.id, article.title, article.text, article.language, published)
        row += (article.author, article.source, article.url)
        self._digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._database.execute("INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *row))
        self._report.articles += 1
        heading = heading_of(article)
        title_words = " ".join(stem_words(article.title, article.language))
        for passage in split_article(article, self._embedder.count_tokens, PASSAGE_TOKENS):
            self._add_passage(number, article, passage, heading, title_words)

    def _add_passage(self, article_number: int, article: Article, passage: Passage, heading: str, title: str) -> None:
        number = self._report.passages
        self._report.passages += 1
        self._database.execute(
            "INSERT INTO passages VALUES (?, ?, ?, ?)", (number, article_number, passage.start, passage.end)
        )
        body = " ".join(stem_words(passage.text, article.language))
        self._database.execute("INSERT INTO words (rowid, title, body) VALUES (?, ?, ?)", (number, title, body))
        for span in passage.sentences:
            source = SourceText(heading, article.text[span.start : span.end])
            key = _key(self._embedder.digest, source)
            self._database.execute(
                "INSERT INTO sentences VALUES (?, ?, ?, ?, ?)",
                (self._report.sentences, number, span.start, span.end, key),
            )
            self._report.sentences += 1
            self.keys.append(key)
            self.texts.append(source)


def _key(embedder_digest: str, source: SourceText) -> bytes:
    parts = "\0".join((embedder_digest, source.heading, source.text))
    return hashlib.sha256(parts.encode()).digest()


def _vectors(
    contents: _Contents,
    previous: Generation | None,
    unfinished: UnfinishedVectors,
    embedder: Embedder,
    report: BuildReport,
    progress: Progress,
) -> Vectors:
    """(sentences, dim) float32 in sentence order: taken over where the key is known, embedded where not."""
    vectors = np.empty((len(contents.keys), embedder.dim), np.float32)
    known = _known_rows(previous, embedder)
    missing: dict[bytes, list[int]] = {}
    for number, key in enumerate(contents.keys):
        if previous is not None and key in known:
            vectors[number] = previous.vectors.reconstruct(known[key])
        elif (vector := unfinished.get(key)) is not None:
            vectors[number] = vector
        else:
            missing.setdefault(key, []).append(number)
    # Longest first: batches of one length waste no padding, and a memory shortage shows at once rather than at the end.
    order = sorted(missing, key=lambda key: -len(contents.texts[missing[key][0]].text))
    for first in range(0, len(order), CHECKPOINT):
        some = order[first : first + CHECKPOINT]
        fresh = embedder.embed_texts([contents.texts[missing[key][0]] for key in some])
        unfinished.append(some, fresh)
        for key, vector in zip(some, fresh, strict=True):
            vectors[missing[key]] = vector
        report.embedded += len(some)
        progress("embedding", report.embedded, len(order))
    return vectors


def _known_rows(previous: Generation | None, embedder: Embedder) -> dict[bytes, int]:
    if previous is None or previous.manifest.embedder_digest != embedder.digest:
        return {}
    return {row["key"]: row["number"] for row in previous.rows("SELECT number, key FROM sentences")}


# -- the folder of generations -----------------------------------------------------------------------------------------


def _generations(root: Path) -> list[Path]:
    """Finished generations, oldest first."""
    return sorted(path for path in root.iterdir() if path.name.isdigit() and (path / MANIFEST_FILE).is_file())


def _next_name(root: Path) -> str:
    numbers: Iterable[int] = (int(path.name) for path in root.iterdir() if path.name.isdigit())
    return f"{max(numbers, default=0) + 1:06d}"


def _previous_generation(home: Path) -> Generation | None:
    """The generation in service, to take vectors from; None when there is none or it cannot be trusted."""
    try:
        return Generation(current_folder(home))
    except (NoIndex, BrokenIndex):
        return None


def _says_the_same(manifest: Manifest, corpus_digest: str, embedder: Embedder) -> bool:
    return (manifest.corpus_digest, manifest.embedder_digest, manifest.passage_tokens) == (
        corpus_digest,
        embedder.digest,
        PASSAGE_TOKENS,
    )


def _remove_leftovers(root: Path) -> None:
    """What a killed build left; the lock is held, so nobody is writing it."""
    shutil.rmtree(root / "building", ignore_errors=True)


def _remove_old_generations(root: Path) -> None:
    """Keep the one in service and the one before it."""
    current = (root / CURRENT_FILE).read_text(encoding="utf-8").strip()
    older = [folder for folder in _generations(root) if folder.name != current]
    for folder in older[:-1]:
        shutil.rmtree(folder, ignore_errors=True)


def _disk_is_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or "disk is full" in str(error)
