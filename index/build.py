"""Articles to the next generation of the index: unchanged sentences keep their vector; one atomic switch at the end.

Order matters, so that a crash at any line leaves the old generation serving:
write beside -> vectors -> fsync -> checksums -> manifest -> rename -> CURRENT -> remove what CURRENT does not name.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import faiss
import numpy as np

from index.articles import Article, read_articles
from index.contents import Contents
from index.durable_files import replace_text, sync_file
from index.embedder import Embedder, Vectors
from index.errors import ArticleError, IndexProblem
from index.generation import Generation, current_folder, index_folder
from index.generations import (
    UNFINISHED_FILE,
    build_lock,
    building_folder,
    disk_problems,
    next_name,
    open_served,
    publish,
    remove_unserved,
)
from index.generations import rollback as rollback
from index.headings import heading_of as heading_of
from index.manifest import ARTICLES_FILE, FORMAT_VERSION, MANIFEST_FILE, VECTORS_FILE, Manifest, sha256_of
from index.passages import PASSAGE_TOKENS
from index.unfinished_vectors import UnfinishedVectors

Progress = Callable[[str, int, int], None]
"""(what is being done, done so far, total; 0 when not known)."""

# Sentences embedded between two notes on disk and two steps of the progress bar: five to fifteen seconds of work, the
# most that a kill can lose. Twice the embedder's batch, so that sentences of one length still go together.
CHECKPOINT = 64
# Paths named in an error; a list may hold thousands.
_NAMED = 5
# Vectors copied together into the new index: 25 MB of 768 dimensions.
_COPIED_TOGETHER = 8192


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


def build(
    paths: Sequence[Path],
    home: Path,
    embedder: Embedder,
    embedder_name: str,
    progress: Progress = lambda *_: None,
    *,
    listed: Sequence[Path] = (),
    strict: bool = False,
) -> BuildReport:
    """Make the articles under `paths` the whole content of the index under `home`, with the `listed` ones behind them.

    Raises BuildInProgress, and IndexProblem when nothing could be read or the disk is full; the index then stays as it
    was, and what was embedded so far is kept for the next try. If `strict`, raises the first ArticleError too, before
    anything is embedded.
    """
    started = time.monotonic()
    root = index_folder(home)
    report = BuildReport()
    with disk_problems(root):
        root.mkdir(parents=True, exist_ok=True)
        with build_lock(root):
            # First, because what a kill or a rollback left may be what fills the disk.
            remove_unserved(home)
            previous = open_served(home)
            try:
                found = _strictly(read_articles(paths, listed)) if strict else read_articles(paths, listed)
                names = ", ".join(map(str, [*paths, *listed][:_NAMED])) or "nothing"
                _build(found, names, home, previous, embedder, embedder_name, report, progress)
            finally:
                if previous is not None:
                    previous.retire()
                remove_unserved(home)
            (root / UNFINISHED_FILE).unlink(missing_ok=True)
    report.seconds = time.monotonic() - started
    return report


def _strictly(found: Iterable[Article | ArticleError]) -> Iterator[Article]:
    for article in found:
        if isinstance(article, ArticleError):
            raise article
        yield article


def _build(
    found: Iterable[Article | ArticleError],
    names: str,
    home: Path,
    previous: Generation | None,
    embedder: Embedder,
    embedder_name: str,
    report: BuildReport,
    progress: Progress,
) -> None:
    root = index_folder(home)
    with building_folder(root) as folder:
        with closing(Contents(folder / ARTICLES_FILE, embedder)) as contents:
            _read(found, names, contents, report, progress)
            if previous is not None and _is_current_and_same(home, previous.manifest, contents, embedder):
                report.unchanged, report.generation = True, previous.manifest.generation
                return
            with closing(UnfinishedVectors(root / UNFINISHED_FILE, embedder.dim)) as unfinished:
                _write_vectors(folder / VECTORS_FILE, contents, previous, unfinished, embedder, report, progress)
            contents.finish()
        report.generation = next_name(root)
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
            languages=contents.languages,
            corpus_digest=contents.digest,
            checksums={name: sha256_of(folder / name) for name in (ARTICLES_FILE, VECTORS_FILE)},
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        replace_text(folder / MANIFEST_FILE, manifest.to_json())
        # As a server will open it, while nothing points to it yet.
        Generation(folder).retire()
        publish(folder, report.generation, previous.manifest.generation if previous else None)


def _read(
    found: Iterable[Article | ArticleError], names: str, contents: Contents, report: BuildReport, progress: Progress
) -> None:
    """Put every article that can be read into the contents. Raises IndexProblem when there is none."""
    for article in found:
        if isinstance(article, ArticleError):
            report.unreadable.append(article)
        else:
            contents.add(article)
            progress("reading", contents.articles, 0)
    report.articles, report.passages, report.sentences = contents.articles, contents.passages, contents.sentences
    if report.articles == 0:
        why = f" ({report.unreadable[0]})" if report.unreadable else ""
        raise IndexProblem(
            f"No article could be read from {names}{why}. The index is as it was. Give files or folders of articles."
        )


def _is_current_and_same(home: Path, manifest: Manifest, contents: Contents, embedder: Embedder) -> bool:
    return (manifest.generation, manifest.corpus_digest, manifest.embedder_digest) == (
        current_folder(home).name,
        contents.digest,
        embedder.digest,
    )


def _write_vectors(
    path: Path,
    contents: Contents,
    previous: Generation | None,
    unfinished: UnfinishedVectors,
    embedder: Embedder,
    report: BuildReport,
    progress: Progress,
) -> None:
    """One vector a sentence, in sentence order: taken over where the key is known, embedded where not."""
    known = _known_rows(previous, embedder)
    missing: dict[bytes, tuple[int, int]] = {}
    for number, key, length in contents.sentence_keys():
        if key not in known and key not in unfinished:
            missing.setdefault(key, (length, number))
    # Longest first: batches of one length waste no padding, and a memory shortage shows at once rather than at the end.
    order = sorted(missing, key=lambda key: -missing[key][0])
    if order:
        progress("embedding", 0, len(order))
    for first in range(0, len(order), CHECKPOINT):
        some = order[first : first + CHECKPOINT]
        fresh = embedder.embed_texts(contents.sources([missing[key][1] for key in some]))
        unfinished.append(some, _checked(fresh, len(some), embedder))
        report.embedded += len(some)
        progress("embedding", report.embedded, len(order))

    flat = faiss.IndexFlatIP(embedder.dim)
    for some in _batched((key for _, key, _ in contents.sentence_keys()), _COPIED_TOGETHER):
        rows = np.array([known.get(key, -1) for key in some], np.int64)
        block = np.empty((len(some), embedder.dim), np.float32)
        if previous is not None and (rows >= 0).any():
            block[rows >= 0] = previous.vectors(rows[rows >= 0])
        for position in np.flatnonzero(rows < 0):
            block[position] = unfinished[some[position]]
        flat.add(block)
    # Given a path, FAISS does not notice a disk that is full when the file is closed, and leaves a short file.
    with path.open("wb") as file:
        faiss.write_index(flat, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]  # not in its stubs


def _checked(vectors: Vectors, count: int, embedder: Embedder) -> Vectors:
    """The vectors, if every one of them can be compared. A NaN would be found by every query, or by none."""
    if vectors.shape != (count, embedder.dim):
        raise IndexProblem(
            f"The embedder gave {vectors.shape} vectors for {count} of {embedder.dim} dimensions. {_ADVICE}"
        )
    lengths = np.linalg.norm(vectors, axis=1)
    if not (np.abs(lengths - 1) < 1e-3).all():
        raise IndexProblem(f"The embedder gave a vector of length {lengths.min()}, not 1. {_ADVICE}")
    return vectors


_ADVICE = "The index is as it was. Use another embedding model."


def _known_rows(previous: Generation | None, embedder: Embedder) -> dict[bytes, int]:
    """Key -> row of the previous generation's vectors, when they are of the same embedder."""
    if previous is None or previous.manifest.embedder_digest != embedder.digest:
        return {}
    return {row["key"]: row["number"] for row in previous.rows("SELECT number, key FROM sentences")}


def _batched(keys: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Runs of at most `size` keys (itertools.batched comes with Python 3.12)."""
    keys = iter(keys)
    while some := list(itertools.islice(keys, size)):
        yield some
