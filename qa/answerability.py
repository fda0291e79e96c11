"""Does a passage answer the question? Known before the first word of a reply is written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qa.language_model import Reply

if TYPE_CHECKING:
    from index.search import Hit

# A logistic curve over the 90 passages that were read for 60 questions of corpus/questions.jsonl with an even number
# (AUROC .93, of `nothing` alone .91; 2026-11-23). It is older than the wording of one example in qa/prompt.py.
# tests/bench/answerability.py fits it anew.
_NOTHING = -0.46
_COSINE = 2.23
_NOT_FIRST = -1.73
_INTERCEPT = -3.61
# Below the first nothing is written from a passage: of 25 unanswerable questions of that half this declines 18, of 35
# answerable ones 2 (at 0.4: 19 and 4). From the second on the passage's own words are shown where nothing else can be.
DECLINE_BELOW = 0.30
QUOTE_FROM = 0.90


def answerability(hit: Hit, reply: Reply) -> float:
    """Probability, in 0..1, that the hit's passage answers the question; 0 when cancelled.

    `reply` was asked for with NOTHING as the only choice. Waits until the model has read the question.
    """
    (nothing,) = reply.scores()
    return 0.0 if math.isinf(nothing) else probability(nothing, hit.vector, hit.rank == 1)


def probability(nothing: float, cosine: float, first: bool) -> float:
    """The curve: `nothing` is the natural log-probability that the model says there is no answer, `cosine` that of the
    passage's best sentence with the question, `first` whether no passage was found before it."""
    logit = _NOTHING * nothing + _COSINE * cosine + _NOT_FIRST * (not first) + _INTERCEPT
    return 1.0 / (1.0 + math.exp(-logit))
