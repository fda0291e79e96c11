"""The vectors of a generation as they are searched: one block of memory, in the order of the sentences."""

from __future__ import annotations

from pathlib import Path

import faiss

from index.errors import BrokenIndex
from index.manifest import ARTICLES_FILE, Manifest
from index.vector_blocks import Block, Keys, copy_vectors, find, keys_of


def read_vectors(folder: Path, manifest: Manifest, keys: Keys) -> faiss.Index:
    """The vectors of the sentences with these keys, in their order, out of all blocks."""
    vectors = faiss.IndexFlatIP(manifest.dim)
    # Each block is copied to where its rows belong: put together first, they would take twice the memory.
    vectors.codes.resize(4 * manifest.dim * len(keys))
    vectors.ntotal = len(keys)
    rows = faiss.rev_swig_ptr(vectors.get_xb(), manifest.dim * len(keys)).reshape(len(keys), manifest.dim)
    try:
        blocks = [Block.open(folder / name, manifest.dim) for name in manifest.block_names]
    except (OSError, ValueError) as error:
        raise BrokenIndex(folder, f"a block of vectors cannot be read ({error})") from error
    homes = find(keys, keys_of(blocks))
    if (homes < 0).any() or len(keys) != manifest.sentences:
        raise BrokenIndex(
            folder / ARTICLES_FILE, f"{len(keys)} sentences, {int((homes >= 0).sum())} of them have vectors"
        )
    copy_vectors(rows, homes, blocks)
    return vectors
