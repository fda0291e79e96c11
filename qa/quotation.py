"""Which sentences of a passage to quote, where it likely answers and no reply could be shown.

The one nearest to the question, and the next where it is about as near: what is asked for may stand in either. Where
the model's words were likely but did not stand in the passage, the one nearest to these too: "Le pont a rouvert le 8
novembre" is withheld of a passage that says "vendredi", and leads to that sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.passages import Span
from index.search import Hit
from index.sentences import is_heading
from qa.grounding import takes_up
from qa.wording.orders import is_order

# Share of the question's words that a quotation must have: "ratatouille ratatouille" is the nearest sentence to many a
# question of that article. Of 52 passages with an unlikely reply 12 have a nearest sentence with fewer; 9 of these have
# more together with the second, and 8 answer.
_TAKEN_UP = 0.25
# What the cosine with the model's own words counts for beside that with the question. Of 224 first passages of tuning
# halves that answer, with a likely reply that was stopped, the sentence holds the marked answer in 174 without, 181
# with .5, 180 with 1. Of 412 with an unlikely reply in 301, 294 and 297: there these words do not count.
_REPLY_WEIGHT = 0.5
# How much less near a second sentence may be. Of 267 passages of tuning halves that answer in the question's language,
# with an unlikely reply, at least half of the answer's words stand in the nearest sentence in .80, with a second within
# .10 in .88, within .15 in .90, with any second in .92 (30, 44, 48 and 58 words); of 40 in another language in .65,
# .82, .85, .85.
_ABOUT_AS_NEAR = 0.15
# For a model without a probe. Of the passages that answer, in how many the quoted sentences do: of 224 of tuning halves
# with a likely reply that was stopped, the one that it leads to holds the marked answer in 181. Of 98 that the adapter
# was not trained on, with an unlikely reply, the nearest have at least half of its words in 89 (2026-11-27).
LED_TO_CHANCE = 0.80
NEAREST_CHANCE = 0.90


@dataclass(frozen=True, slots=True)
class Quotation:
    """Sentences of a passage, in reading order; those that stand side by side are one run. `chance`: the probability,
    in 0..1, that they answer if the passage does."""

    runs: tuple[tuple[Span, ...], ...]
    chance: float


def quotation(question: str, language: str, withheld: str, hit: Hit, embedder: Embedder) -> Quotation | None:
    """What of the hit's passage may be quoted in answer to the question: a sentence, two, or nothing.

    `withheld`: what the model wrote from it, where that was likely to be right; in one language it leads to a single
    sentence. Where there is nothing, only the nearest sentence will do as the first: of 19 others on tuning halves 5
    were right.
    """
    article, sentences = hit.article, hit.passage.sentences
    across = language != article.language  # then words say nothing
    nearness = hit.vectors @ embedder.embed_query(question)
    if withheld:
        (written,) = embedder.embed_texts([SourceText(heading_of(article), withheld)])
        nearness = (nearness + _REPLY_WEIGHT * (hit.vectors @ written)) / (1 + _REPLY_WEIGHT)

    def words(places: Sequence[int]) -> str:
        return " ".join(article.text[sentences[place].start : sentences[place].end] for place in sorted(places))

    def may_stand(places: Sequence[int]) -> bool:
        return across or takes_up(words(places), question, language, _TAKEN_UP)

    order = np.argsort(-nearness, kind="stable").tolist()
    stating = [place for place in order if not is_heading(article.text, sentences[place])]
    plain = [place for place in stating if not is_order(words([place]))]
    if withheld and not across:
        led_to = next((place for place in plain if may_stand([place])), None)
        return None if led_to is None else Quotation(((sentences[led_to],),), LED_TO_CHANCE)
    if not plain or (not withheld and plain[0] != stating[0]):
        return None
    near = [place for place in plain if nearness[place] >= nearness[plain[0]] - _ABOUT_AS_NEAR][:2]
    if not may_stand(near):
        return None
    return Quotation(_runs([sentences[place] for place in sorted(near)], article.text), NEAREST_CHANCE)


def _runs(spans: Sequence[Span], text: str) -> tuple[tuple[Span, ...], ...]:
    """Spans of a text in reading order, those together between which there is nothing but spaces."""
    runs: list[tuple[Span, ...]] = []
    for span in spans:
        if runs and not text[runs[-1][-1].end : span.start].strip(" "):
            runs[-1] += (span,)
        else:
            runs.append((span,))
    return tuple(runs)
