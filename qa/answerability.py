"""Does a passage answer the question? A probability, before anything is written."""

from __future__ import annotations

import math

from index.search import Hit
from qa.language_model import Cancelled, LanguageModel, never
from qa.prompt import judge_messages

# A logistic regression on two signals: the difference of the log-probabilities of "yes" and "no" when the model is
# asked whether the passage contains the answer, and the cosine of the passage's best sentence with the question.
_YES_NO = 1.0
_COSINE = 0.0
_INTERCEPT = 0.0
# Answer from this probability on.
THRESHOLD = 0.5


def answerability(hit: Hit, question: str, model: LanguageModel, cancelled: Cancelled = never) -> float:
    """Probability, in 0..1, that the hit's passage answers the question."""
    yes, no = model.score(judge_messages(hit, question), ("yes", "no"), cancelled)
    return probability(yes - no, hit.vector)


def probability(yes_no: float, cosine: float) -> float:
    """The fitted curve: `yes_no` in log-probability (natural), `cosine` in -1..1."""
    return 1.0 / (1.0 + math.exp(-(_YES_NO * yes_no + _COSINE * cosine + _INTERCEPT)))
