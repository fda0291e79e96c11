"""Clusters of near-identical articles: agency copy that several papers print, and the versions of one article.

MinHash (Broder 1997) over runs of words, through datasketch. Two articles belong together when most of the shorter one
stands in the longer one: an update adds paragraphs, a local paper cuts them. Pairs to look at are those that share a
band of their hashes (Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", 3.4), found by sorting: datasketch's
own index of bands takes 4.6 s for 10,000 articles, sorting .1 s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Words in a run: shorter ones are shared by articles about the same thing, longer ones break at every changed word.
_RUN = 4
_PERMUTATIONS = 128
_SCHEME = "affine32"
# Share of the shorter article's runs that stand in the longer one. An estimate is right to about .05.
SHARED = 0.6
# Shorter articles (a line or two) are alike by chance.
FEWEST_RUNS = 20
# Hashes in a band. Of pairs of like length that share SHARED, .97 have one of the 42 bands in common; of pairs that
# share a twentieth, .001.
_BAND = 3
# Odd numbers, that mix the hashes of a band into one.
_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)

Hashes = npt.NDArray[np.uint32]


def runs_of(words: Sequence[str]) -> set[str]:
    """Every four neighbouring words of a text; all of them where there are fewer."""
    return {" ".join(words[at : at + _RUN]) for at in range(max(1, len(words) - _RUN + 1))}


def signature_of(words: Sequence[str]) -> bytes:
    """Half a kilobyte that tells how much of an article stands in another; nothing where it is too short to tell."""
    runs = runs_of(words)
    if len(runs) < FEWEST_RUNS:
        return b""
    from datasketch import MinHash  # brings scipy.integrate, 0.3 s; a server that only searches does without

    made = MinHash(num_perm=_PERMUTATIONS, scheme=_SCHEME)
    made.update_batch(sorted(run.encode() for run in runs))
    return np.array([len(runs), *made.hashvalues], "<u4").tobytes()


def clusters_of(signatures: Sequence[bytes]) -> list[int]:
    """For each article the number of the first article of its cluster: its own where it stands alone."""
    first = list(range(len(signatures)))
    known = [number for number, signature in enumerate(signatures) if signature]
    if known:
        rows = np.frombuffer(b"".join(signatures[number] for number in known), "<u4").reshape(len(known), -1)
        for one, other in _alike(rows[:, 0], rows[:, 1:]):
            _join(first, known[one], known[other])
    return [_root(first, number) for number in range(len(first))]


def _alike(sizes: Hashes, hashes: Hashes) -> list[tuple[int, int]]:
    """Pairs of rows that belong together, not every one of a cluster but enough to link it."""
    pairs = set[tuple[int, int]]()
    for band in range(0, _PERMUTATIONS - _BAND + 1, _BAND):
        keys = (hashes[:, band : band + _BAND] * _MIXERS).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        pairs.update(zip(order[same].tolist(), order[same + 1].tolist(), strict=True))
    alike = []
    for one, other in sorted(pairs):
        jaccard = float(np.mean(hashes[one] == hashes[other]))
        if _shared(jaccard, int(sizes[one]), int(sizes[other])) >= SHARED:
            alike.append((one, other))
    return alike


def _shared(jaccard: float, size: int, other: int) -> float:
    """The share of the smaller set that lies in the larger, from the share of the union that lies in both."""
    return jaccard * (size + other) / (1 + jaccard) / min(size, other)


def _join(first: list[int], one: int, other: int) -> None:
    low, high = sorted((_root(first, one), _root(first, other)))
    first[high] = low


def _root(first: list[int], number: int) -> int:
    while first[number] != number:
        first[number] = first[first[number]]
        number = first[number]
    return number
