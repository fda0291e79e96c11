"""Does a passage answer the question? Judged before anything is written, and once more after, where it was in doubt."""

from __future__ import annotations

import math

from index.search import Hit
from qa.language_model import NOBODY, Asker, LanguageModel
from qa.prompt import judge_messages, reply_messages

# A logistic curve over two signals: the difference of the log-probabilities of "yes" and "no" when the model is asked
# whether the passage contains the answer (AUROC .90 on 25 PIAF and .90 on 19 squad2 pairs of the tuning halves; asking
# for "the exact answer" was no better where both were tried), and the cosine of the best sentence with the question
# (.71, .47). Set by hand: the pairs are too few to fit.
_YES_NO = 3.0
_COSINE = 3.0
_INTERCEPT = -2.7
# Below the first the passage is not read; from the second on what the model writes is not asked about again.
DECLINE_BELOW = 0.35
SURE_FROM = 0.90
# "Does the reply answer exactly what was asked?", yes against no: replies beside the point stay below .2 (13 of 16
# wrong ones), right ones in the doubtful zone above .37 (tuning halves and one article). Processors round differently,
# by up to .1, so the bar stands between.
REPLY_FITS = 0.27


def answerability(hit: Hit, question: str, model: LanguageModel, asker: Asker = NOBODY) -> float:
    """Probability, in 0..1, that the hit's passage answers the question; 0 when cancelled."""
    yes, no = model.score(judge_messages(hit, question), ("yes", "no"), asker)
    return 0.0 if math.isinf(yes) else probability(yes - no, hit.vector)


def probability(yes_no: float, cosine: float) -> float:
    """The curve: `yes_no` is a difference of natural log-probabilities, `cosine` is in -1..1."""
    return 1.0 / (1.0 + math.exp(-(_YES_NO * yes_no + _COSINE * cosine + _INTERCEPT)))


def reply_fits(hit: Hit, question: str, reply: str, model: LanguageModel, asker: Asker = NOBODY) -> bool:
    """Whether what the model wrote answers what was asked, in the model's own judgement; False when cancelled."""
    yes, no = model.score(reply_messages(hit, question, reply), ("yes", "no"), asker)
    return not math.isinf(yes) and yes - no >= REPLY_FITS
