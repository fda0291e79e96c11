"""Does a passage answer the question? Known before the first word of a reply is written."""

from __future__ import annotations

import math

from index.search import Hit
from qa.language_model import Reply

# A logistic curve, fitted by tests/bench/answerability.py; what it was fitted on is said there.
_NOTHING = -0.46
_COSINE = 2.23
_NOT_FIRST = -1.73
_INTERCEPT = -3.61
# Below the first nothing is written from the passage; from the second on no other passage is looked at. From the third
# on the passage's own words are shown where nothing else can be.
DECLINE_BELOW = 0.40
SURE_FROM = 0.60
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
