"""Outcomes to measures: over a handful of outcomes, every figure worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qa.evaluation import MarkedAnswer, MarkedCitation, Outcome
from qa.measuring.evaluation_summary import Summary, summarise, table
from qa.measuring.measures import CurvePoint, Share

RIGHT = MarkedAnswer(
    standalone_question="?",
    text="Oui.",
    answered=True,
    answerability=0.9,
    withheld=0,
    support=(("supported", 0.9),),
    right=True,
    cited=True,
    shown=True,
    recall=1.0,
    f1=0.5,
    exact=False,
    citations=(MarkedCitation("a", 0, 100, True, True), MarkedCitation("a", 200, 220, True, False)),
    search_ms=100,
    first_token_ms=1000,
    first_sentence_ms=2000,
    total_ms=3000,
)
WRONG = replace(
    RIGHT,
    answerability=0.5,
    right=False,
    cited=False,
    shown=False,
    recall=0.2,
    f1=0.1,
    citations=(MarkedCitation("b", 0, 60, True, False),),
    total_ms=5000,
)
DECLINED = replace(
    RIGHT,
    answered=False,
    answerability=0.2,
    right=False,
    cited=None,
    shown=None,
    recall=0.0,
    f1=0.0,
    citations=(),
    first_token_ms=None,
    first_sentence_ms=None,
    total_ms=200,
)
UNMARKED = {"cited": None, "shown": None, "recall": None, "f1": None, "exact": None}
RIGHTLY_DECLINED = replace(DECLINED, **UNMARKED, right=True, answerability=0.1)
INVENTED = replace(RIGHT, **UNMARKED, right=False, answerability=0.5, citations=())


def outcome(number: int, answer: MarkedAnswer | None, rank: int | None = 1, answerable: bool = True) -> Outcome:
    return Outcome("set", f"q{number}", "?", answerable, (), rank, answer)


OUTCOMES = [
    outcome(1, RIGHT, 1),
    outcome(2, WRONG, 4),
    outcome(3, DECLINED, None),
    outcome(4, RIGHTLY_DECLINED, None, answerable=False),
    outcome(5, INVENTED, None, answerable=False),
]


def values(summary: Summary, kind: str) -> dict[str, tuple[float, int] | None]:
    (group,) = [group for group in summary.groups if group.kind == kind]
    shares = {name: getattr(group, name) for name in group.__slots__ if name not in ("kind", "questions")}
    return {name: (round(one.value, 4), one.count) if one else None for name, one in shares.items()}


def test_the_measures_of_a_group() -> None:
    summary = summarise(OUTCOMES)
    assert [(group.kind, group.questions) for group in summary.groups] == [
        ("set, answerable", 3), ("set, unanswerable", 2), ("all answerable", 3), ("all unanswerable", 2),
    ]  # fmt: skip
    assert values(summary, "set, answerable") == {
        "recall_at_1": (0.3333, 3),
        "recall_at_5": (0.6667, 3),
        "mrr_at_10": (round(1.25 / 3, 4), 3),
        "right": (0.3333, 3),
        "declined": (0.3333, 3),
        "answer_recall": (0.4, 3),
        "recall_when_answered": (0.6, 2),
        "answer_f1": (0.2, 3),
        "answer_exact": (0.0, 3),
        "cited": (0.5, 2),
    }
    nothing = dict.fromkeys(values(summary, "set, answerable"))
    assert values(summary, "all unanswerable") == {**nothing, "right": (0.5, 2), "declined": (0.5, 2)}


def test_declining() -> None:
    declining = summarise(OUTCOMES).declining
    assert declining is not None
    # Pairs of .9 .5 .2 with .1 .5: five won and one equal of six, less .2 against .5.
    assert declining.auroc == pytest.approx((2 + 1.5 + 1) / 6)
    assert (declining.refused, declining.falsely_refused) == (share_of(1, 2), share_of(1, 3))


def share_of(right: int, count: int) -> Share:
    from qa.measuring.measures import wilson

    return Share(right / count, count, *wilson(right / count, count))


def test_risk_and_coverage_end_where_the_run_stands() -> None:
    curve = summarise(OUTCOMES).risk_coverage
    assert curve is not None
    # Of five questions three were answered: one right at .9, two wrong at .5, one of them unanswerable.
    assert curve.points == (CurvePoint(0.9, 0.2, 0.0), CurvePoint(0.5, 0.6, 2 / 3))
    assert curve.coverage == share_of(3, 5)
    assert curve.risk == share_of(2, 3)
    assert curve.aurc == pytest.approx((2 / 3 * 0.4) / 0.6)


def test_citations() -> None:
    citations = summarise(OUTCOMES).citations
    assert citations is not None
    assert citations.citations == 3
    assert citations.precision == share_of(1, 3)
    assert citations.recall == share_of(1, 2)
    assert citations.median_characters == 60
    assert citations.not_as_written == 0


def test_an_answer_without_a_citation_counts_as_one_that_does_not_show() -> None:
    citations = summarise([outcome(1, RIGHT), outcome(2, replace(RIGHT, shown=False, citations=()))]).citations
    assert citations is not None
    assert citations.recall == share_of(1, 2)


def test_waits_are_medians_of_what_happened() -> None:
    waits = summarise(OUTCOMES).median_ms
    assert waits is not None
    assert (waits.search, waits.first_token, waits.total) == (100, 1000, 3000)


def test_the_table_for_people() -> None:
    assert table(summarise(OUTCOMES)) == (
        "                  questions      R@1      R@5   MRR@10    right declined   recall answered       F1    exact    cited\n"  # noqa: E501 - a table as it is printed
        "set, answerable           3    0.333    0.667    0.417    0.333    0.333    0.400    0.600    0.200    0.000    0.500\n"  # noqa: E501 - a table as it is printed
        "set, unanswerable         2        –        –        –    0.500    0.500        –        –        –        –        –\n"  # noqa: E501 - a table as it is printed
        "all answerable            3    0.333    0.667    0.417    0.333    0.333    0.400    0.600    0.200    0.000    0.500\n"  # noqa: E501 - a table as it is printed
        "all unanswerable          2        –        –        –    0.500    0.500        –        –        –        –        –\n"  # noqa: E501 - a table as it is printed
        "\n"
        "declining   AUROC 0.750; refused 0.500 of 2 unanswerable, falsely refused 0.333 of 3 answerable\n"
        "risk        0.667 of 3 answers not right, at a coverage of 0.600 of 5 questions; AURC 0.444\n"
        "citations   precision 0.333 of 3 spans, recall 0.500 of 2 answers; median span 60 characters; "
        "every quotation is as written\n"
        "seconds     evidence 0.10, first word 1.00, first checked sentence 2.00, all 3.00 (medians)"
    )


def test_a_quotation_that_is_not_as_written_is_not_overlooked() -> None:
    wrong = replace(RIGHT, citations=(MarkedCitation("a", 0, 5, False, True), *RIGHT.citations))
    assert "1 of 3 QUOTATIONS ARE NOT AS WRITTEN" in table(summarise([outcome(1, wrong)]))


def test_of_a_search_alone_there_is_nothing_about_answers() -> None:
    found = summarise([outcome(1, None, 2), outcome(2, None, None)])
    assert (found.declining, found.risk_coverage, found.citations, found.median_ms) == (None, None, None, None)
    assert table(found).splitlines() == [
        "               questions      R@1      R@5   MRR@10",
        "set                    2    0.000    0.500    0.250",
        "all answerable         2    0.000    0.500    0.250",
    ]


def test_when_all_was_declined_there_is_no_curve() -> None:
    summary = summarise([outcome(1, DECLINED)])
    assert summary.risk_coverage is not None
    assert (summary.risk_coverage.aurc, summary.risk_coverage.points) == (None, ())
    assert "risk" not in table(summary)
