"""Who else says a sentence: passages of other articles that have its numbers, its names and its meaning; and how many
of those who are cited are sources of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from index.embedder import Embedder
from index.search import Hit
from qa.grounding import Grounds, brings_claims, check_sentence

# Cosine with the sentence that says the same; the model has not read these passages, so nearly all of it must be there.
SAME = 0.80
MOST_OTHERS = 2


def corroborating(
    sentence: str, language: str, question: str, read_in: Hit, hits: Sequence[Hit], embedder: Embedder
) -> list[tuple[Hit, Grounds]]:
    """The passages among `hits` that say the sentence too, best first: of articles that are no copies of the one it
    was read in, nor of each other, in the sentence's own language.

    One sentence there must have everything that this one brings, and it must bring a number or a name: of words alone
    ("the bridge has reopened") nobody can tell whether they are about the same.
    """
    found: list[tuple[Hit, Grounds]] = []
    if not brings_claims(sentence, language, question):
        return found
    independent = {read_in.origin}
    for hit in hits:
        if hit.origin in independent or hit.article.language != language or len(found) == MOST_OTHERS:
            continue
        grounds = check_sentence(sentence, language, question, hit, embedder)
        if grounds.support == "supported" and grounds.score >= SAME and len(grounds.spans) == 1:
            found.append((hit, grounds))
            independent.add(hit.origin)
    return found


def independent_sources(cited: Iterable[Hit]) -> int:
    """How many of them could not have it from each other: articles that say nearly the same are one source, and so are
    the articles of one paper."""
    groups: list[set[str]] = []
    for hit in cited:
        marks = {hit.origin, f"paper {hit.article.source}"} if hit.article.source else {hit.origin}
        same = [group for group in groups if group & marks]
        groups = [group for group in groups if group not in same] + [marks.union(*same)]
    return len(groups)
