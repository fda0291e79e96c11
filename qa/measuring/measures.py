"""The measures themselves: plain functions of answers, scores and labels, each with its definition and source."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from index.passages import Span
from qa.wording.names import folded

_SPACES = re.compile(r"\s+")
_ENGLISH_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# The 97.5th percentile of the normal distribution: 95 % lie between it and its negative.
_Z = 1.959964


# -- what an answer says -----------------------------------------------------------------------------------------------


def holds(text: str, forms: Sequence[str]) -> bool:
    """Does the text give a fact in one of its forms? Case, accents and kinds of space do not count; "38" is not in
    "1380"."""
    plain = _plain(text)
    return any(re.search(_edged(_plain(form)), plain) for form in forms)


def _plain(text: str) -> str:
    return _SPACES.sub(" ", folded(text)).strip()


def _edged(form: str) -> str:
    before = r"(?<!\d)" if form[:1].isdigit() else ""
    after = r"(?!\d)" if form[-1:].isdigit() else ""
    return before + re.escape(form) + after


def words(text: str) -> list[str]:
    """Lower case, without accents and punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.findall(r"\w+", plain)


def answer_recall(reply: str, answers: Sequence[str]) -> float:
    """The share, in 0..1, of a marked answer's words that the reply holds, for the answer where it is highest.

    Whole sentences are not punished for what else they say, as they are by F1 (the "recall" of Adlakha et al. 2023,
    arXiv:2307.16877, found to agree well with how people judge such answers).
    """
    said = set(words(reply))
    shares = [sum(word in said for word in words(answer)) / len(words(answer)) for answer in answers if words(answer)]
    return max(shares, default=0.0)


def squad_normalised(text: str) -> str:
    """Lower case; ASCII punctuation, the words a, an, the, and spare space taken out: as the script of SQuAD does."""
    bare = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ENGLISH_ARTICLES.sub(" ", bare).split())


def exact_match(reply: str, answers: Sequence[str]) -> bool:
    """Is the normalised reply one of the normalised answers? (Rajpurkar et al. 2016, arXiv:1606.05250)"""
    return squad_normalised(reply) in {squad_normalised(answer) for answer in answers}


def token_f1(reply: str, answers: Sequence[str]) -> float:
    """The harmonic mean of precision and recall over normalised words, each counted as often as it occurs, in 0..1, for
    the answer where it is highest (Rajpurkar et al. 2016, arXiv:1606.05250)."""
    return max((_f1(squad_normalised(reply).split(), squad_normalised(one).split()) for one in answers), default=0.0)


def _f1(said: Sequence[str], marked: Sequence[str]) -> float:
    if not said or not marked:
        return float(said == marked)
    same = sum((Counter(said) & Counter(marked)).values())
    return 2 * same / (len(said) + len(marked))


# -- where it was read -------------------------------------------------------------------------------------------------


def overlaps(cited: Span, spans: Iterable[Span]) -> bool:
    """Does a cited span share a character with one of the spans?"""
    return any(cited.start < span.end and span.start < cited.end for span in spans)


def encloses(cited: Span, spans: Iterable[Span]) -> bool:
    """Does a cited span hold one of the spans from its first character to its last?"""
    return any(cited.start <= span.start and span.end <= cited.end for span in spans)


def reciprocal_rank(rank: int | None) -> float:
    """1 / rank of what was sought, 0 when it is not among the found; its mean over questions is the MRR."""
    return 1 / rank if rank else 0.0


# -- how sure it was ---------------------------------------------------------------------------------------------------


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The chance that a positive one scores higher than a negative one, equal ones counted half; None without both.

    That is the area under the ROC curve (Mann and Whitney's U, divided by the number of pairs): 0.5 is guessing.
    """
    if not positive or not negative:
        return None
    low = np.sort(negative)
    beaten = np.searchsorted(low, positive, "left") + np.searchsorted(low, positive, "right")
    return float(beaten.sum()) / 2 / (len(positive) * len(negative))


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What comes of declining every question whose score is below `threshold`.

    `coverage` is the share of questions that are answered, `risk` the share of those answers that are not right.
    """

    threshold: float
    coverage: float
    risk: float


def risk_coverage(answers: Sequence[tuple[float, bool]], questions: int) -> list[CurvePoint]:
    """The risk-coverage curve (El-Yaniv and Wiener 2010, JMLR 11): one point for each score, the highest first.

    `answers` are (score, right) of the questions that were answered, of so many `questions` asked: the curve ends at
    the coverage of the run. Answers of one score come and go together.
    """
    points: list[CurvePoint] = []
    ordered = sorted(answers, reverse=True)
    wrong = 0
    for number, (score, right) in enumerate(ordered, start=1):
        wrong += not right
        if number == len(ordered) or ordered[number][0] < score:
            points.append(CurvePoint(score, number / questions, wrong / number))
    return points


def area_under_risk(points: Sequence[CurvePoint]) -> float | None:
    """AURC: the mean risk over the coverages that the curve reaches, in 0..1, lower is better (Geifman et al. 2019,
    arXiv:1805.08206); None without a point. Compare it between runs that reach the same coverage."""
    if not points:
        return None
    before = [0.0, *(point.coverage for point in points[:-1])]
    area = sum(point.risk * (point.coverage - start) for point, start in zip(points, before, strict=True))
    return area / points[-1].coverage


# -- how far to trust a number -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """A mean of values in 0..1 over `count` of them; the truth lies between `low` and `high` in 95 of 100 samples."""

    value: float
    count: int
    low: float
    high: float


def share(values: Iterable[float | None]) -> Share | None:
    """The mean of the values, those that are None left out; None when nothing is left.

    The bounds are Wilson's (1927), with the mean in the place of the share of successes: for values between 0 and 1
    they are on the safe side, as none vary more than those that are 0 or 1.
    """
    counted = [float(value) for value in values if value is not None]
    if not counted:
        return None
    count, mean = len(counted), math.fsum(counted) / len(counted)
    low, high = wilson(mean, count)
    return Share(mean, count, low, high)


def wilson(value: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share `value` of `count` (Wilson 1927, without continuity correction)."""
    middle = value + _Z**2 / (2 * count)
    half = _Z * math.sqrt(value * (1 - value) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
