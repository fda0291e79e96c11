"""The end of every change: files made durable, described by a manifest, looked at once more, then served."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from index.earlier_articles import EarlierArticles
from index.errors import BrokenIndex
from index.generation import check_file
from index.generations import Earlier, publish
from index.manifest import ARTICLES_FILE, MANIFEST_FILE, Approximation, Manifest, sha256_of
from index.storage.durable_files import replace_text, sync_file
from index.storage.inverted_file import INVERTED_FILE, EarlierFile, Rows, Step, write_inverted_file
from index.storage.sentence_vectors import EXACT_UP_TO
from index.storage.tables import uri_of
from index.storage.vector_blocks import BLOCK_NAME, Block, Keys, find, keys_of


def rows_of(generations: list[Earlier]) -> EarlierArticles | None:
    """The rows to take over: those of the newest generation, where they are whole. To be closed."""
    return EarlierArticles(generations[0].folder) if generations and generations[0].rows_fit else None


def blocks_of(generations: list[Earlier], embedder_digest: str) -> list[Block]:
    """Every whole block of vectors of this embedder, those of the newest generation first."""
    blocks = [block for one in generations if one.manifest.embedder_digest == embedder_digest for block in one.blocks]
    return list({block.path.name: block for block in reversed(blocks)}.values())[::-1]


def index_vectors(
    folder: Path, keys: Keys, manifest: Manifest, generations: list[Earlier], step: Step
) -> Approximation | None:
    """Make the sentences with these keys quick to search, once their vectors are in the folder; None for few."""
    if len(keys) <= EXACT_UP_TO:
        return None
    blocks = [Block.open(path, manifest.dim) for path in sorted(folder.glob(BLOCK_NAME))]
    rows = Rows(find(keys, keys_of(blocks)), blocks, manifest.dim)
    return write_inverted_file(folder, rows, _earlier_file(keys, manifest.embedder_digest, generations), step)


def _earlier_file(keys: Keys, embedder_digest: str, generations: list[Earlier]) -> EarlierFile | None:
    newest = rows_of(generations)
    if newest is None:
        return None
    with closing(newest):
        manifest = generations[0].manifest
        if manifest.approximation is None or manifest.embedder_digest != embedder_digest:
            return None
        same = find(keys, newest.sentence_keys())
    return EarlierFile(generations[0].folder / INVERTED_FILE, manifest.approximation, same)


def finish_generation(
    folder: Path, manifest: Manifest, written: dict[str, str], generations: list[Earlier], previous: str | None
) -> None:
    """Seal what lies in the folder and serve it. `written`: the SHA-256 of the blocks that are new in it; those of the
    linked ones are known from the earlier generations, whose files were checked when this build began."""
    known = {name: digest for one in generations for name, digest in one.manifest.checksums.items()}
    checksums = {}
    for path in sorted(folder.iterdir()):
        if path.match(BLOCK_NAME):
            checksums[path.name] = written.get(path.name) or known[path.name]
        else:
            sync_file(path)
            checksums[path.name] = sha256_of(path)
    manifest = replace(manifest, checksums=checksums)
    replace_text(folder / MANIFEST_FILE, manifest.to_json())
    _look_at(folder, written)
    publish(folder, manifest.generation, previous)


def _look_at(folder: Path, written: dict[str, str]) -> None:
    """As a server will open it, while nothing points to it yet; what was linked has been read already."""
    manifest = Manifest.read(folder)
    for name, digest in written.items():
        check_file(folder / name, digest)
    with closing(sqlite3.connect(uri_of(folder / ARTICLES_FILE), uri=True)) as rows:
        tables = ("articles", "passages", "sentences")
        counts = tuple(rows.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables)  # noqa: S608 - our own names
    if counts != (manifest.articles, manifest.passages, manifest.sentences):
        raise BrokenIndex(folder / ARTICLES_FILE, f"its counts {counts} are not those of the manifest")
