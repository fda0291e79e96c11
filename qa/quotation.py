"""Which sentence of a passage to quote, where it very likely answers and no reply could be shown.

The one nearest to the question; and where the model's words were likely but did not stand in the passage, nearest to
these too. "Le pont a rouvert le 8 novembre" is withheld of a passage that says "vendredi", and leads to that sentence.
"""

from __future__ import annotations

import numpy as np

from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.passages import Span
from index.search import Hit
from index.sentences import is_heading
from qa.grounding import takes_up
from qa.wording.orders import is_order

# Share of the question's words that a sentence must have: "ratatouille ratatouille" is the nearest one to many a
# question of that article.
_TAKEN_UP = 0.25
# What the cosine with the model's own words counts for beside that with the question. Of 224 first passages of tuning
# halves that answer, with a likely reply that was stopped, the sentence holds the marked answer in 174 without, 181
# with .5, 180 with 1. Of 412 with an unlikely reply in 301, 294 and 297: there these words do not count.
_REPLY_WEIGHT = 0.5
# Of the passages that answer, in how many the sentence that is quoted does: of 84 that the adapter was not trained on,
# with an unlikely reply, in 65 (tests/bench/quotations.py); of those 224 in 181. Neither the model's probe on the
# sentence, read as if the model had replied so, nor how likely the sentence alone answers as a passage tells well which
# ones (AUROC .57 and .65).
QUOTED_ANSWERS = 0.80


def sentence_to_quote(question: str, language: str, withheld: str, hit: Hit, embedder: Embedder) -> Span | None:
    """The sentence of the hit's passage that may be quoted in answer to the question, if there is one.

    `withheld`: what the model wrote from it, where that was likely to be right. Where there is nothing, only the
    nearest sentence will do: of 19 others on tuning halves 5 were right.
    """
    article, vectors = hit.article, hit.vectors
    nearness = vectors @ embedder.embed_query(question)
    if withheld:
        (written,) = embedder.embed_texts([SourceText(heading_of(article), withheld)])
        nearness = nearness + _REPLY_WEIGHT * (vectors @ written)
    spans: list[Span] = [hit.passage.sentences[place] for place in np.argsort(-nearness, kind="stable")]
    stating = [span for span in spans if not is_heading(article.text, span)]
    for span in stating if withheld else stating[:1]:
        words = article.text[span.start : span.end]
        # Across languages words say nothing.
        taken_up = language != article.language or takes_up(words, question, language, _TAKEN_UP)
        if taken_up and not is_order(words):
            return span
    return None
