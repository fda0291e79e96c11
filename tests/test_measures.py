"""The measures against values worked out by hand, published examples, and scikit-learn and SciPy."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from index.passages import Span
from qa.measuring.measures import (
    CurvePoint,
    answer_recall,
    area_under_risk,
    auroc,
    encloses,
    exact_match,
    holds,
    overlaps,
    reciprocal_rank,
    risk_coverage,
    share,
    squad_normalised,
    token_f1,
    wilson,
)


@pytest.mark.parametrize(
    ("text", "forms", "expected"),
    [
        ("Environ 9\u202f400 véhicules.", ["9 400"], True),
        ("Les EUROS de l’été", ["ete"], True),
        ("1380 euros", ["38"], False),
        ("38,5 euros", ["38"], True),
        ("Aucun", ["un autre", "nul"], False),
    ],
)
def test_a_fact_is_held_in_one_of_its_forms(text: str, forms: list[str], expected: bool) -> None:
    assert holds(text, forms) is expected


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        # By hand, from the script of SQuAD: lower case, punctuation out, then articles, then spaces.
        ("The Denver Broncos.", "denver broncos"),
        ("an  ex-president's\ttheory", "expresidents theory"),
        ("«\u00a0Été\u00a0»", "« été »"),  # only ASCII punctuation
        ("The a an", ""),
        ("A.an", "aan"),  # joined before articles are looked for
    ],
)
def test_normalised_as_the_script_of_squad_does(text: str, normalised: str) -> None:
    assert squad_normalised(text) == normalised


def test_words_are_compared_with_the_best_of_the_marked_answers() -> None:
    marked = ("Denver Broncos", "the Broncos of Denver")
    # 2 of 5 words said, 2 of 2 marked: 2 * 2 / (5 + 2).
    assert token_f1("It was Denver Broncos there.", marked[:1]) == pytest.approx(4 / 7)
    # 3 of 5 and 3 of 3.
    assert token_f1("Broncos of the Denver they are", marked) == pytest.approx(2 * 3 / (5 + 3))
    # A word said twice is in the marked answer once.
    assert token_f1("Denver Denver", ("Denver Broncos",)) == pytest.approx(0.5)
    assert token_f1("", marked) == 0
    assert token_f1("anything", ()) == 0
    assert exact_match("The Broncos of Denver!", marked)
    assert not exact_match("Broncos", marked)


def test_recall_counts_the_marked_words_that_are_said() -> None:
    assert answer_recall("Elle a coûté 618 000 euros, dit-on.", ("618 000 Euros",)) == 1
    assert answer_recall("Hélène Marchand l’a dit", ("Helene Petit",)) == 0.5
    assert answer_recall("Marchand", ("Hélène Marchand", "la maire Marchand")) == 0.5
    assert answer_recall("Rien", ("!",)) == 0
    assert answer_recall("618", ("1618",)) == 0


def test_a_span_overlaps_from_the_first_shared_character() -> None:
    cited = Span(10, 20)
    assert [overlaps(cited, [Span(*ends)]) for ends in ((0, 10), (0, 11), (19, 30), (20, 30), (12, 14))] == [
        False, True, True, False, True,
    ]  # fmt: skip
    assert [encloses(cited, [Span(*ends)]) for ends in ((10, 20), (9, 12), (19, 21), (12, 14))] == [
        True, False, False, True,
    ]  # fmt: skip
    assert encloses(cited, [Span(0, 5), Span(11, 12)])
    assert not overlaps(cited, [])


def test_reciprocal_rank() -> None:
    assert [reciprocal_rank(rank) for rank in (1, 4, None)] == [1, 0.25, 0]


def test_auroc_is_that_of_scikit_learn_ties_included() -> None:
    draw = random.Random(3)
    for _ in range(20):
        positive = [draw.randint(2, 12) / 10 for _ in range(draw.randint(1, 30))]
        negative = [draw.randint(0, 10) / 10 for _ in range(draw.randint(1, 30))]
        labels = [True] * len(positive) + [False] * len(negative)
        assert auroc(positive, negative) == pytest.approx(roc_auc_score(labels, positive + negative))


def test_auroc_by_hand() -> None:
    # Pairs: .9>.5, .9>.4, .5=.5 (half), .5>.4: 3.5 of 4.
    assert auroc([0.9, 0.5], [0.5, 0.4]) == 0.875
    assert auroc([0.9], []) is None
    assert auroc([], [0.9]) is None


def test_the_risk_coverage_curve_by_hand() -> None:
    answers = [(0.9, True), (0.8, False), (0.8, True), (0.4, False)]
    points = risk_coverage(answers, 5)
    # The two at 0.8 come together; the fifth question was declined, so coverage ends at 4 of 5.
    assert points == [CurvePoint(0.9, 0.2, 0.0), CurvePoint(0.8, 0.6, 1 / 3), CurvePoint(0.4, 0.8, 0.5)]
    assert risk_coverage(answers[::-1], 5) == points
    # (0 * .2 + 1/3 * .4 + .5 * .2) / .8
    assert area_under_risk(points) == pytest.approx((0.4 / 3 + 0.1) / 0.8)


def test_the_area_without_ties_is_the_mean_risk_over_the_answers() -> None:
    draw = random.Random(5)
    answers = [(draw.random(), draw.random() < 0.6) for _ in range(50)]
    rights = [right for _, right in sorted(answers, reverse=True)]
    risks = [rights[:number].count(False) / number for number in range(1, 51)]
    assert area_under_risk(risk_coverage(answers, 70)) == pytest.approx(sum(risks) / 50)
    assert area_under_risk([]) is None


@pytest.mark.parametrize(("right", "count"), [(0, 5), (1, 1), (7, 10), (61, 100), (999, 1000)])
def test_the_interval_is_wilsons(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_a_share_leaves_out_what_does_not_apply() -> None:
    one = share([True, None, False, True])
    assert one is not None
    assert (one.value, one.count) == (pytest.approx(2 / 3), 3)
    assert one.low < one.value < one.high
    assert share([None, None]) is None
    assert share([]) is None
