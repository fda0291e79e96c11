"""Copies among what is found: a passage that several articles print is one hit, and the other articles are named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from index.articles import Article
from index.duplicates import SHARED, runs_of
from index.generation import Generation
from index.passages import Passage

# How many passages are looked through for one that is shown: an agency's report may stand in so many papers.
COPIES = 10


@dataclass(slots=True)
class _Group:
    """Passages that say the same, the best first; `runs` are those of the best."""

    numbers: list[int]
    runs: set[str] = field(default_factory=set)
    found: list[tuple[Article, Passage]] = field(default_factory=list)


def without_copies(generation: Generation, ranked: Sequence[int], k: int) -> list[tuple[int, tuple[Article, ...]]]:
    """Return the first `k` passages that are no copies of each other, each with the other articles that print it.

    `ranked` are numbers of passages, the best first. Of copies the newest stands for all: it may be the corrected one.
    Only articles of one cluster are compared; passages of one article, and what only one of them says, stay apart.
    """
    groups: list[_Group] = []
    clustered: dict[int, list[_Group]] = {}
    for number in ranked:
        cluster = generation.cluster(number)
        if cluster is None:
            if len(groups) < k:
                groups.append(_Group([number]))
            continue
        article, passage = generation.passage(number)
        runs = runs_of(re.findall(r"\w+", passage.text.casefold()))
        same = next((group for group in clustered.get(cluster, ()) if _is_copy(article, runs, group)), None)
        if same is not None:
            same.numbers.append(number)
            same.found.append((article, passage))
        elif len(groups) < k:
            groups.append(_Group([number], runs, [(article, passage)]))
            clustered.setdefault(cluster, []).append(groups[-1])
    return [_standing_for(group) for group in groups]


def _is_copy(article: Article, runs: set[str], group: _Group) -> bool:
    if any(article.id == other.id for other, _ in group.found):
        return False
    shared = len(runs & group.runs)
    return shared > 0 and shared >= SHARED * min(len(runs), len(group.runs))


def _standing_for(group: _Group) -> tuple[int, tuple[Article, ...]]:
    """The newest of a group, the better one of two of a day, and the articles of the others."""
    if not group.found:
        return group.numbers[0], ()
    days = [article.published.isoformat()[:10] if article.published else "" for article, _ in group.found]
    newest = days.index(max(days))
    others = [article for place, (article, _) in enumerate(group.found) if place != newest]
    return group.numbers[newest], tuple(others)
