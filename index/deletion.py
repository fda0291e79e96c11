"""Articles taken out of the index for good: a new generation without them, and no other one to go back to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rapidfuzz import process

from index.contents import Contents
from index.earlier_articles import EarlierArticles
from index.embedder import Vectors
from index.errors import IndexProblem, UnknownArticle
from index.generation import Generation, current_folder, index_folder
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
from index.new_generation import blocks_of, finish_generation, index_vectors, rows_of
from index.readings import readings_without
from index.storage.vector_blocks import as_keys, write_blocks
from index.traces import Traces

_NEAR_IDS = 3


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """What was taken out. `words`: those that no other article has; `files`: how many were searched for traces."""

    generation: str
    articles: list[str]
    passages: int
    sentences: int
    words: int
    files: int
    left: int
    seconds: float


def delete(home: Path, ids: Sequence[str]) -> DeletionReport:
    """Take these articles out of the index under `home`: rows, words and vectors, in every generation.

    A build, and with it a rollback, cannot bring them back before they are read again. What an unfinished build has
    embedded goes too, for it may be theirs. Then the files are searched: raises IndexProblem where something of the
    articles is left. Raises NoIndex, UnknownArticle, BuildInProgress, and IndexProblem when no other article would be
    left, or the disk is full; the index then stays as it was.
    """
    started = time.monotonic()
    root = index_folder(home)
    current_folder(home)
    with disk_problems(root), build_lock(root):
        remove_unserved(home)
        generations = earlier_generations(home)
        if not generations or not generations[0].whole or generations[0].folder != current_folder(home):
            Generation(current_folder(home)).retire()  # says which file is broken
        rows = rows_of(generations)
        if rows is None:
            raise IndexProblem(f"The index in {root} cannot be read. Rebuild it with: sourcier build")
        with closing(rows):
            gone = _numbers(rows, ids)
            traces = Traces(rows, gone)
            try:
                name = _publish_without(root, rows, gone, generations)
            finally:
                remove_unserved(home)
        (root / UNFINISHED_FILE).unlink(missing_ok=True)
        files = traces.search(root)
        articles = [article for article in rows if article.number in gone]
        return DeletionReport(
            generation=name,
            articles=list(dict.fromkeys(ids)),
            passages=sum(article.passages for article in articles),
            sentences=sum(article.sentences for article in articles),
            words=len(traces.words),
            files=files,
            left=len(list(rows)) - len(gone),
            seconds=time.monotonic() - started,
        )


def _numbers(rows: EarlierArticles, ids: Sequence[str]) -> frozenset[int]:
    """The numbers of the articles. Raises UnknownArticle, and IndexProblem where they are all there are."""
    found = {article_id: rows.number(article_id) for article_id in ids}
    for article_id, number in found.items():
        if number is None:
            near = process.extract(article_id, rows.ids, limit=_NEAR_IDS, score_cutoff=60)
            raise UnknownArticle(article_id, [match[0] for match in near])
    numbers = frozenset(number for number in found.values() if number is not None)
    if len(numbers) == len(rows.ids):
        raise IndexProblem(
            "No article would be left, and an index without any answers nothing. "
            "The index is as it was. Remove its folder to delete everything, or build it from other articles."
        )
    return numbers


def _publish_without(root: Path, rows: EarlierArticles, gone: frozenset[int], generations: list[Earlier]) -> str:
    """Make a generation of all other articles, and serve it alone."""
    manifest = generations[0].manifest
    with building_folder(root) as folder:
        with closing(Contents(folder, None, rows)) as contents:
            for article in rows:
                if article.number not in gone:
                    contents.keep(article)
            contents.finish(*readings_without(rows, gone))
            blocks = blocks_of(generations, manifest.embedder_digest)
            keys = as_keys(contents.sentence_keys())
            written = write_blocks(folder, keys, blocks, _nothing_is_new, manifest.dim)
        manifest = replace(
            manifest,
            generation=next_name(root),
            articles=contents.articles,
            passages=contents.passages,
            sentences=contents.sentences,
            languages=contents.languages,
            corpus_digest=contents.digest,
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
            approximation=index_vectors(folder, keys, manifest, generations, lambda *_: None),
        )
        finish_generation(folder, manifest, written, generations, previous=None)
    return manifest.generation


def _nothing_is_new(key: bytes) -> Vectors:
    raise IndexProblem(f"The index has a sentence without a vector ({key.hex()}). Rebuild it with: sourcier build")
