"""Outcomes to measures, and measures to a table: for people, and as JSON for programs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from qa.evaluation import MarkedAnswer, Outcome
from qa.measuring.measures import CurvePoint, Share, area_under_risk, auroc, reciprocal_rank, risk_coverage, share


@dataclass(frozen=True, slots=True)
class Group:
    """The measures over the questions of one kind; None where there is nothing to take one over.

    `recall_at_1`, `recall_at_5`, `mrr_at_10`: of the right article among those found. `right`: answered as demanded, or
    rightly declined. `answer_recall`, `answer_f1`, `answer_exact`: of the marked answers' words, 0 when declined;
    `recall_when_answered`: the first of them without those declined. `cited`: of those answered, a right article is.
    """

    kind: str
    questions: int
    recall_at_1: Share | None
    recall_at_5: Share | None
    mrr_at_10: Share | None
    right: Share | None
    declined: Share | None
    answer_recall: Share | None
    recall_when_answered: Share | None
    answer_f1: Share | None
    answer_exact: Share | None
    cited: Share | None


@dataclass(frozen=True, slots=True)
class Declining:
    """`auroc`: does answerability tell answerable questions from the others? `refused`: of the unanswerable ones those
    declined; `falsely_refused`: of the answerable ones."""

    auroc: float | None
    refused: Share | None
    falsely_refused: Share | None


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """At the end of the curve, where the run stands: `coverage` of all questions were answered, `risk` of these wrong.

    That another bar would have let another passage be tried is not in the curve; a run of its own tells that.
    """

    coverage: Share | None
    risk: Share | None
    aurc: float | None
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class CitationMeasures:
    """Of answered questions whose answer was marked: `precision`, the share of cited spans that overlap a marked answer
    in the right article; `recall`, the share of questions of which one cited span holds a marked answer whole.

    Of all citations: `median_characters` of a cited span, and how many are `not_as_written`, which must be 0.
    """

    citations: int
    precision: Share | None
    recall: Share | None
    median_characters: float | None
    not_as_written: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Medians in milliseconds since a question was asked, over the questions where it happened."""

    search: float | None
    first_token: float | None
    first_sentence: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """`groups` are the kinds in alphabetical order, then all answerable and all unanswerable questions.

    The rest is over all questions, and None when they were only searched for.
    """

    groups: tuple[Group, ...]
    declining: Declining | None
    risk_coverage: RiskCoverage | None
    citations: CitationMeasures | None
    median_ms: Waits | None


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    asked = any(outcome.answer for outcome in outcomes)
    return Summary(
        groups=tuple(_group(kind, part) for kind, part in _parts(outcomes).items()),
        declining=_declining(outcomes) if asked else None,
        risk_coverage=_risk_coverage(outcomes) if asked else None,
        citations=_citations(outcomes) if asked else None,
        median_ms=_waits(outcomes) if asked else None,
    )


def _parts(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """By kind; a kind with answerable and unanswerable questions gives two."""
    parts: dict[str, list[Outcome]] = {}
    for kind in sorted({outcome.kind for outcome in outcomes}):
        both = {
            answerable: [one for one in outcomes if one.kind == kind and one.answerable is answerable]
            for answerable in (True, False)
        }
        if both[True] and both[False]:
            parts |= {f"{kind}, answerable": both[True], f"{kind}, unanswerable": both[False]}
        else:
            parts[kind] = both[True] or both[False]
    parts["all answerable"] = [outcome for outcome in outcomes if outcome.answerable]
    parts["all unanswerable"] = [outcome for outcome in outcomes if not outcome.answerable]
    return {kind: part for kind, part in parts.items() if part}


def _group(kind: str, outcomes: Sequence[Outcome]) -> Group:
    ranks = [outcome.rank for outcome in outcomes if outcome.answerable]

    def over(measure: Callable[[MarkedAnswer], float | None]) -> Share | None:
        return share(measure(outcome.answer) for outcome in outcomes if outcome.answer)

    return Group(
        kind=kind,
        questions=len(outcomes),
        recall_at_1=share(rank is not None and rank <= 1 for rank in ranks),
        recall_at_5=share(rank is not None and rank <= 5 for rank in ranks),
        mrr_at_10=share(reciprocal_rank(rank) for rank in ranks),
        right=over(lambda answer: answer.right),
        declined=over(lambda answer: not answer.answered),
        answer_recall=over(lambda answer: answer.recall),
        recall_when_answered=over(lambda answer: answer.recall if answer.answered else None),
        answer_f1=over(lambda answer: answer.f1),
        answer_exact=over(lambda answer: answer.exact),
        cited=over(lambda answer: answer.cited),
    )


def _declining(outcomes: Sequence[Outcome]) -> Declining:
    answerable = [outcome.answer for outcome in outcomes if outcome.answer and outcome.answerable]
    unanswerable = [outcome.answer for outcome in outcomes if outcome.answer and not outcome.answerable]
    return Declining(
        auroc=auroc([one.answerability for one in answerable], [one.answerability for one in unanswerable]),
        refused=share(not one.answered for one in unanswerable),
        falsely_refused=share(not one.answered for one in answerable),
    )


def _risk_coverage(outcomes: Sequence[Outcome]) -> RiskCoverage:
    asked = [outcome.answer for outcome in outcomes if outcome.answer]
    answered = [one for one in asked if one.answered]
    points = risk_coverage([(one.answerability, one.right) for one in answered], len(asked))
    return RiskCoverage(
        coverage=share(one.answered for one in asked),
        risk=share(not one.right for one in answered),
        aurc=area_under_risk(points),
        points=tuple(points),
    )


def _citations(outcomes: Sequence[Outcome]) -> CitationMeasures:
    answered = [outcome.answer for outcome in outcomes if outcome.answer and outcome.answer.answered]
    citations = [citation for one in answered for citation in one.citations]
    return CitationMeasures(
        citations=len(citations),
        precision=share(citation.overlaps for citation in citations),
        recall=share(one.shown for one in answered),
        median_characters=_median(citation.end - citation.start for citation in citations),
        not_as_written=sum(not citation.as_written for citation in citations),
    )


def _waits(outcomes: Sequence[Outcome]) -> Waits:
    asked = [outcome.answer for outcome in outcomes if outcome.answer]
    return Waits(
        search=_median(one.search_ms for one in asked),
        first_token=_median(one.first_token_ms for one in asked),
        first_sentence=_median(one.first_sentence_ms for one in asked),
        total=_median(one.total_ms for one in asked),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


# -- for people --------------------------------------------------------------------------------------------------------

_COLUMNS: dict[str, Callable[[Group], Share | None]] = {
    "R@1": lambda group: group.recall_at_1,
    "R@5": lambda group: group.recall_at_5,
    "MRR@10": lambda group: group.mrr_at_10,
    "right": lambda group: group.right,
    "declined": lambda group: group.declined,
    "recall": lambda group: group.answer_recall,
    "answered": lambda group: group.recall_when_answered,
    "F1": lambda group: group.answer_f1,
    "exact": lambda group: group.answer_exact,
    "cited": lambda group: group.cited,
}


def table(summary: Summary) -> str:
    """A line for each group, without the columns that hold nothing, and below it what is taken over all questions."""
    columns = {name: of for name, of in _COLUMNS.items() if any(of(group) for group in summary.groups)}
    width = max(len(group.kind) for group in summary.groups)
    lines = [f"{'':{width}} {'questions':>9}" + "".join(f"{name:>9}" for name in columns)]
    for group in summary.groups:
        shares = "".join(f"{_number(of(group)):>9}" for of in columns.values())
        lines.append(f"{group.kind:{width}} {group.questions:9d}{shares}")
    return "\n".join([*lines, *_sentences(summary)])


def _sentences(summary: Summary) -> list[str]:
    lines: list[str] = []
    if (declining := summary.declining) and declining.auroc is not None:
        lines.append(
            f"declining   AUROC {declining.auroc:.3f}; refused {_of(declining.refused, 'unanswerable')}, "
            f"falsely refused {_of(declining.falsely_refused, 'answerable')}"
        )
    if (curve := summary.risk_coverage) and curve.aurc is not None:
        lines.append(
            f"risk        {_of(curve.risk, 'answers')} not right, at a coverage of {_of(curve.coverage, 'questions')}; "
            f"AURC {curve.aurc:.3f}"
        )
    if (cited := summary.citations) and cited.citations:
        support = (
            f"precision {_of(cited.precision, 'spans')}, recall {_of(cited.recall, 'answers')}; "
            if cited.precision
            else ""
        )
        checked = "every quotation is as written" if not cited.not_as_written else ""
        lines.append(
            f"citations   {support}median span {cited.median_characters:.0f} characters; "
            + (checked or f"{cited.not_as_written} of {cited.citations} QUOTATIONS ARE NOT AS WRITTEN")
        )
    if waits := summary.median_ms:
        lines.append(
            f"seconds     evidence {_seconds(waits.search)}, first word {_seconds(waits.first_token)}, "
            f"first checked sentence {_seconds(waits.first_sentence)}, all {_seconds(waits.total)} (medians)"
        )
    return ["", *lines] if lines else []


def _number(one: Share | None) -> str:
    return f"{one.value:.3f}" if one else "–"


def _of(one: Share | None, what: str) -> str:
    return f"{one.value:.3f} of {one.count} {what}" if one else f"– of 0 {what}"


def _seconds(ms: float | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.2f}"
