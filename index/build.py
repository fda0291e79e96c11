"""Articles to the next generation of the index: what did not change is taken over; one atomic switch at the end.

Order matters, so that a crash at any line leaves the old generation serving:
write beside -> vectors -> fsync -> checksums -> manifest -> rename -> CURRENT -> remove what CURRENT does not name.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from index.articles import Article, read_articles
from index.contents import Contents
from index.embedder import Embedder, Vectors
from index.errors import ArticleError, IndexProblem
from index.generation import current_folder, index_folder
from index.generations import (
    UNFINISHED_FILE,
    Earlier,
    build_lock,
    building_folder,
    disk_problems,
    earlier_generations,
    next_name,
    remove_unserved,
)
from index.generations import rollback as rollback
from index.headings import heading_of as heading_of
from index.manifest import FORMAT_VERSION, Manifest
from index.new_generation import blocks_of, finish_generation, index_vectors, rows_of
from index.passages import PASSAGE_TOKENS
from index.readings import Readings
from index.recipe import recipe
from index.storage.unfinished_vectors import UnfinishedVectors
from index.storage.vector_blocks import as_keys, find, keys_of, write_blocks

Progress = Callable[[str, int, int], None]
"""(what is being done, done so far, total; 0 when not known)."""

# Sentences embedded between two notes on disk and two steps of the progress bar: five seconds of work in 8 bits, 25 in
# torch, the most that a kill can lose. Of as many, those of one length go together: with 64 a build embeds .94 as fast
# as the bare model that is given all at once, with 128 .95, with 256 .98 (tests/bench/embedding.py, 2026-11-24).
CHECKPOINT = 256
# Paths named in an error; a list may hold thousands.
_NAMED = 5


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
            try:
                _build(Sought(paths, listed, strict), home, embedder, embedder_name, report, progress)
            finally:
                remove_unserved(home)
            (root / UNFINISHED_FILE).unlink(missing_ok=True)
    report.seconds = time.monotonic() - started
    return report


@dataclass(frozen=True, slots=True)
class Sought:
    """What is to be read; `strict` raises what cannot be instead of leaving it out."""

    paths: Sequence[Path]
    listed: Sequence[Path]
    strict: bool

    def read(self, readings: Readings) -> Iterator[Article | ArticleError]:
        for read in read_articles(self.paths, self.listed, readings):
            if self.strict and isinstance(read, ArticleError):
                raise read
            yield read

    def __str__(self) -> str:
        return ", ".join(map(str, [*self.paths, *self.listed][:_NAMED])) or "nothing"


def _build(
    sought: Sought, home: Path, embedder: Embedder, embedder_name: str, report: BuildReport, progress: Progress
) -> None:
    root = index_folder(home)
    generations = earlier_generations(home)
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(building_folder(root))
        earlier = None
        # Made otherwise, or split by the tokens of another model: nothing of it can be taken over but vectors.
        if generations and generations[0].manifest.made_by(recipe(), embedder.digest):
            earlier = rows_of(generations)
        if earlier is not None:
            opened.callback(earlier.close)
        contents = opened.enter_context(closing(Contents(folder, embedder, earlier)))
        readings = Readings(earlier)
        _read(sought, contents, readings, report, progress)
        if earlier is not None and _is_same(home, generations[0], contents):
            report.unchanged, report.generation = True, generations[0].folder.name
            return
        contents.finish(readings.files, readings.detected)
        with closing(UnfinishedVectors(root / UNFINISHED_FILE, embedder.dim)) as unfinished:
            written = _write_vectors(folder, contents, generations, unfinished, embedder, report, progress)
        keys = as_keys(contents.sentence_keys())
        contents.close()
        report.generation = next_name(root)
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
            recipe=recipe(),
            checksums={},
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        step = partial(progress, "indexing")
        manifest = replace(manifest, approximation=index_vectors(folder, keys, manifest, generations, step))
        previous = next((one.folder.name for one in generations if one.whole), None)
        finish_generation(folder, manifest, written, generations, previous)


def _read(sought: Sought, contents: Contents, readings: Readings, report: BuildReport, progress: Progress) -> None:
    """Put every article that can be read into the contents. Raises IndexProblem when there is none."""
    for article in sought.read(readings):
        if isinstance(article, ArticleError):
            report.unreadable.append(article)
        else:
            contents.add(article)
            progress("reading", contents.articles, 0)
    report.articles, report.passages, report.sentences = contents.articles, contents.passages, contents.sentences
    if report.articles == 0:
        why = f" ({report.unreadable[0]})" if report.unreadable else ""
        raise IndexProblem(
            f"No article could be read from {sought}{why}. The index is as it was. Give files or folders of articles."
        )


def _is_same(home: Path, served: Earlier, contents: Contents) -> bool:
    """Whether what is served, and whole, says the same."""
    return served.whole and served.folder == current_folder(home) and served.manifest.corpus_digest == contents.digest


def _write_vectors(
    folder: Path,
    contents: Contents,
    generations: list[Earlier],
    unfinished: UnfinishedVectors,
    embedder: Embedder,
    report: BuildReport,
    progress: Progress,
) -> dict[str, str]:
    """One vector for each different sentence: taken over where the key is known, embedded where not.

    Returns the names of the blocks that were written, with their SHA-256.
    """
    keys = contents.sentence_keys()
    needed, blocks = as_keys(keys), blocks_of(generations, embedder.digest)
    unknown = [int(number) for number in np.flatnonzero(find(needed, keys_of(blocks)) < 0)]
    missing = {keys[number]: number for number in reversed(unknown) if keys[number] not in unfinished}
    # Longest first: batches of one length waste no padding, and a memory shortage shows at once rather than at the end.
    order = sorted(missing, key=lambda key: (-contents.length(missing[key]), missing[key]))
    if order:
        progress("embedding", 0, len(order))
    for first in range(0, len(order), CHECKPOINT):
        some = order[first : first + CHECKPOINT]
        fresh = embedder.embed_texts(contents.sources([missing[key] for key in some]))
        unfinished.append(some, _checked(fresh, len(some), embedder))
        report.embedded += len(some)
        progress("embedding", report.embedded, len(order))

    return write_blocks(folder, needed, blocks, unfinished.__getitem__, embedder.dim)


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
