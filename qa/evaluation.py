"""Asking labelled questions, and marking what comes: is an answer right, is its source right, is it declined?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from index.articles import Article
from index.errors import SourcierError
from index.passages import Span
from index.search import Hit
from qa.answers import Answerer
from qa.events import Answer
from qa.grounding import Citation, Support
from qa.measuring.labelled_questions import LabelledQuestion
from qa.measuring.measures import answer_recall, encloses, exact_match, holds, overlaps, token_f1

# An answer is right where it holds at least half of the words that were marked: a full name is often marked where a
# surname answers, and a whole clause where its noun does.
RIGHT_RECALL = 0.5
# Articles among which the right one is sought, as in MRR@10, and passages searched to have so many: long articles give
# several. The same numbers as in tests/bench/piaf_search.py ever since.
ARTICLES_SOUGHT = 10
_PASSAGES_SEARCHED = 20


@dataclass(frozen=True, slots=True)
class MarkedCitation:
    """A cited span. `as_written`: the article has the quoted words at these characters, which must always be so.

    `overlaps`: it shares characters with a marked answer of the right article; None where no answer was marked.
    """

    article_id: str
    start: int
    end: int
    as_written: bool
    overlaps: bool | None


@dataclass(frozen=True, slots=True)
class MarkedAnswer:
    """What was answered, marked.

    `support`: of each sentence that was shown, the verdict and its score (AnswerSentence). `right`: answered as
    demanded, or rightly declined. `cited`: one of the right articles is cited; `shown`: one cited span holds a marked
    answer whole. Both are None when it was declined, or where nothing was marked to compare with. `recall`, `f1` and
    `exact` compare words with the marked answers, and are 0 and False when it was declined; None where no answer was
    marked.
    """

    standalone_question: str
    text: str
    answered: bool
    answerability: float
    withheld: int
    support: tuple[tuple[Support, float], ...]
    right: bool
    cited: bool | None
    shown: bool | None
    recall: float | None
    f1: float | None
    exact: bool | None
    citations: tuple[MarkedCitation, ...]
    search_ms: float
    first_token_ms: float | None
    first_sentence_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question and what came of it: all that the measures are made from.

    `rank` is that of the first right article among the ten found, from 1; None when there is none among them, or
    nothing to find. `answer` is None when it was only searched for.
    """

    kind: str
    id: str
    question: str
    answerable: bool
    expected: tuple[str, ...]
    rank: int | None
    answer: MarkedAnswer | None


class Searchable(Protocol):
    """What is asked of the index here."""

    def search(self, query: str, k: int) -> Sequence[Hit]: ...

    def article(self, article_id: str) -> Article | None: ...


def evaluate(
    answerer: Answerer | None, index: Searchable, questions: Sequence[LabelledQuestion], k: int = 5
) -> Iterator[Outcome]:
    """Ask every question, in order; without an answerer they are only searched for, as they stand."""
    for question in questions:
        try:
            answer = _answer(answerer, question, k) if answerer else None
            rank = _rank(index, answer.standalone_question if answer else question.question, question.articles)
        except SourcierError as error:
            raise SourcierError(f"Question {question.id} of {question.kind}: {error}") from error
        yield Outcome(
            kind=question.kind,
            id=question.id,
            question=question.question,
            answerable=question.answerable,
            expected=question.answers or tuple(forms[0] for forms in question.facts if forms),
            rank=rank,
            answer=mark(question, answer, index) if answer else None,
        )


def _answer(answerer: Answerer, question: LabelledQuestion, k: int) -> Answer:
    return next(event for event in answerer.ask(question.question, question.history, k) if isinstance(event, Answer))


def _rank(index: Searchable, query: str, articles: Sequence[str]) -> int | None:
    """A search of its own, as an answer is made from fewer passages than this wants to see."""
    if not articles:
        return None
    found = list(dict.fromkeys(hit.article.id for hit in index.search(query, _PASSAGES_SEARCHED)))[:ARTICLES_SOUGHT]
    return next((rank for rank, article in enumerate(found, start=1) if article in articles), None)


def mark(question: LabelledQuestion, answer: Answer, index: Searchable) -> MarkedAnswer:
    """Hold an answer against what is right, and its quotations against the articles of the index."""
    said = answer.text if answer.answered else ""
    recall = answer_recall(said, question.answers) if question.answers else None
    cited = {citation.article.id for citation in answer.citations}
    return MarkedAnswer(
        standalone_question=answer.standalone_question,
        text=answer.text,
        answered=answer.answered,
        answerability=answer.answerability,
        withheld=answer.withheld,
        support=tuple((sentence.support, sentence.score) for sentence in answer.sentences),
        right=_right(question, said, recall),
        cited=bool(cited.intersection(question.articles)) if question.answerable and answer.answered else None,
        shown=_shown(question, answer) if question.spans and answer.answered else None,
        recall=recall,
        f1=token_f1(said, question.answers) if question.answers else None,
        exact=exact_match(said, question.answers) if question.answers else None,
        citations=tuple(_marked(citation, question, index) for citation in answer.citations),
        search_ms=answer.timings.search_ms,
        first_token_ms=answer.timings.first_token_ms,
        first_sentence_ms=answer.timings.first_sentence_ms,
        total_ms=answer.timings.total_ms,
    )


def _right(question: LabelledQuestion, said: str, recall: float | None) -> bool:
    """`said` is empty when it was declined."""
    if not question.answerable:
        return not said
    if recall is not None:
        return recall >= RIGHT_RECALL
    return bool(said) and all(holds(said, forms) for forms in question.facts)


def _shown(question: LabelledQuestion, answer: Answer) -> bool:
    return any(encloses(_span(one), question.spans) for one in answer.citations if _in_right_article(one, question))


def _marked(citation: Citation, question: LabelledQuestion, index: Searchable) -> MarkedCitation:
    stored = index.article(citation.article.id)
    return MarkedCitation(
        article_id=citation.article.id,
        start=citation.start,
        end=citation.end,
        as_written=bool(citation.quote and stored and stored.text[citation.start : citation.end] == citation.quote),
        overlaps=(
            _in_right_article(citation, question) and overlaps(_span(citation), question.spans)
            if question.spans
            else None
        ),
    )


def _in_right_article(citation: Citation, question: LabelledQuestion) -> bool:
    return citation.article.id in question.articles


def _span(citation: Citation) -> Span:
    return Span(citation.start, citation.end)
