"""Does a passage answer the question? A probability, before anything is written."""

from __future__ import annotations

import math

from index.search import Hit
from qa.language_model import Cancelled, LanguageModel, never
from qa.prompt import judge_messages

# A logistic curve over two signals: the difference of the log-probabilities of "yes" and "no" when the model is asked
# whether the passage contains the answer (AUROC .97 on 17 PIAF and .95 on 9 squad2 pairs of tuning halves; asking for
# "the exact answer" gave .91 and .90), and the cosine of the best sentence with the question (.77, .60). Set by
# hand from those 26 pairs and a few questions about one article: too few to fit, and the threshold is what they bear.
_YES_NO = 3.0
_COSINE = 3.0
_INTERCEPT = -2.7
# Answer from this probability on.
THRESHOLD = 0.45


def answerability(hit: Hit, question: str, model: LanguageModel, cancelled: Cancelled = never) -> float:
    """Probability, in 0..1, that the hit's passage answers the question."""
    yes, no = model.score(judge_messages(hit, question), ("yes", "no"), cancelled)
    return probability(yes - no, hit.vector)


def probability(yes_no: float, cosine: float) -> float:
    """The fitted curve: `yes_no` in log-probability (natural), `cosine` in -1..1."""
    return 1.0 / (1.0 + math.exp(-(_YES_NO * yes_no + _COSINE * cosine + _INTERCEPT)))
