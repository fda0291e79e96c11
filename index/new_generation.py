"""The end of every change: files made durable, described by a manifest, looked at once more, then served."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from index.durable_files import replace_text, sync_file
from index.earlier_articles import EarlierArticles
from index.errors import BrokenIndex
from index.generation import check_file
from index.generations import Earlier, publish
from index.manifest import ARTICLES_FILE, MANIFEST_FILE, Manifest, sha256_of
from index.recipe import recipe
from index.tables import uri_of
from index.vector_blocks import BLOCK_NAME, Block


def rows_of(generations: list[Earlier]) -> EarlierArticles | None:
    """The rows to take over: those of the newest generation, where its articles.sqlite is whole. To be closed."""
    if not generations or ARTICLES_FILE not in generations[0].whole_files:
        return None
    return EarlierArticles(generations[0].folder / ARTICLES_FILE, generations[0].manifest.recipe == recipe())


def blocks_of(generations: list[Earlier], embedder_digest: str) -> list[Block]:
    """Every whole block of vectors of this embedder, those of the newest generation first."""
    blocks = [block for one in generations if one.manifest.embedder_digest == embedder_digest for block in one.blocks]
    return list({block.path.name: block for block in reversed(blocks)}.values())[::-1]


def finish_generation(
    folder: Path, manifest: Manifest, written: dict[str, str], generations: list[Earlier], previous: str | None
) -> None:
    """Seal what lies in the folder and serve it. `written`: the SHA-256 of the blocks that are new in it; those of the
    linked ones are known from the earlier generations, whose files were checked when this build began."""
    known = {name: digest for one in generations for name, digest in one.manifest.checksums.items()}
    blocks = {path.name: written.get(path.name) or known[path.name] for path in sorted(folder.glob(BLOCK_NAME))}
    sync_file(folder / ARTICLES_FILE)
    manifest = replace(manifest, checksums={ARTICLES_FILE: sha256_of(folder / ARTICLES_FILE), **blocks})
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
