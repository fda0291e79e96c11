"""Measures over labelled questions: is an answer right, is its source right, is what cannot be answered declined?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import SourcierError
from qa.answers import Answer, Answerer
from qa.conversation import Turn
from qa.names import folded

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question with what a fair marker would demand: see corpus/README.md.

    `facts` holds, for each fact that the answer must give, the forms in which it counts.
    """

    id: str
    kind: str
    language: str
    question: str
    answerable: bool
    articles: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]
    history: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question and what came of it.

    `right`: answered with every fact, or rightly declined. `found`: one of its articles is among the hits; `cited`: one
    of them is cited. None where there is nothing to find or to cite.
    """

    question: LabelledQuestion
    answer: Answer
    right: bool
    found: bool | None
    cited: bool | None

    @property
    def declined(self) -> bool:
        return not self.answer.answered


def read_questions(path: Path) -> list[LabelledQuestion]:
    """One JSON object a line. Raises SourcierError naming the line that cannot be used."""
    questions: list[LabelledQuestion] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            questions.append(
                LabelledQuestion(
                    id=row["id"],
                    kind=row["kind"],
                    language=row["language"],
                    question=row["question"],
                    answerable=row["answerable"],
                    articles=tuple(row["articles"]),
                    facts=tuple(tuple(forms) for forms in row["facts"]),
                    history=tuple(Turn(turn["question"], turn["answer"]) for turn in row.get("history", ())),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SourcierError(f"{path}:{number}: not a labelled question ({error}). See corpus/README.md.") from error
    return questions


def evaluate(answerer: Answerer, questions: Sequence[LabelledQuestion], k: int = 5) -> Iterator[Outcome]:
    """Ask every question, in order."""
    for question in questions:
        answer = next(
            event for event in answerer.ask(question.question, question.history, k) if isinstance(event, Answer)
        )
        yield outcome_of(question, answer)


def outcome_of(question: LabelledQuestion, answer: Answer) -> Outcome:
    """Mark one answer."""
    if not question.answerable:
        return Outcome(question, answer, right=not answer.answered, found=None, cited=None)
    cited = {citation.article.id for citation in answer.citations}
    return Outcome(
        question,
        answer,
        right=answer.answered and all(holds(answer.text, forms) for forms in question.facts),
        found=any(hit.article.id in question.articles for hit in answer.hits),
        cited=bool(cited.intersection(question.articles)) if answer.answered else None,
    )


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


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares in 0..1 over some questions; None where there is nothing to count."""

    kind: str
    questions: int
    right: float
    declined: float
    found: float | None
    cited: float | None


def summarise(kind: str, outcomes: Sequence[Outcome]) -> Summary:
    return Summary(
        kind,
        len(outcomes),
        _share([outcome.right for outcome in outcomes]) or 0.0,
        _share([outcome.declined for outcome in outcomes]) or 0.0,
        _share([outcome.found for outcome in outcomes]),
        _share([outcome.cited for outcome in outcomes]),
    )


def _share(values: Sequence[bool | None]) -> float | None:
    counted = [value for value in values if value is not None]
    return sum(counted) / len(counted) if counted else None
