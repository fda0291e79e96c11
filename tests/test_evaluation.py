"""Asking and marking, over a fake model: found, right, cited, and whether quotations are as written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_language_model import FakeLanguageModel
from fakes import FakeEmbedder, write_articles

from index.articles import Article
from index.build import build
from index.errors import SourcierError
from index.passages import Span
from index.search import Hit, Index
from qa.answers import Answerer
from qa.conversation import Turn
from qa.evaluation import MarkedAnswer, Outcome, evaluate, mark
from qa.events import Answer
from qa.measuring.labelled_questions import LabelledQuestion

BRIDGE = "Le pont des Tanneurs a rouvert vendredi. Les travaux du pont des Tanneurs ont coûté 618 000 euros."
CIDER = "La récolte de cidre a été abondante. Les pommes étaient sucrées."
COST = "Les travaux du pont des Tanneurs ont coûté 618 000 euros."
# Log-probabilities of saying that the passage has no answer.
YES, NO = (-14.0,), (-0.01,)
QUESTION = LabelledQuestion(
    id="q1",
    kind="set",
    question="Combien ont coûté les travaux du pont des Tanneurs ?",
    answerable=True,
    articles=("pont",),
    answers=("618 000 euros", "618 000"),
    spans=(Span(84, 97), Span(84, 91)),
)
TURNS = (Turn("Quand le pont des Tanneurs a-t-il rouvert ?", "Vendredi."),)
IMPOSSIBLE = LabelledQuestion("q2", "set", "Qui a coupé le ruban du pont des Tanneurs ?", False, ())
FACTS = LabelledQuestion("q3", "plain", QUESTION.question, True, ("pont", "rue"), (("618 000", "618.000"), ("euro",)))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    write_articles(tmp_path / "some.jsonl", {"pont": BRIDGE, "cidre": CIDER})
    build([tmp_path / "some.jsonl"], tmp_path / "home", FakeEmbedder(), "fake")
    return Index(tmp_path / "home", FakeEmbedder())


def ask(index: Index, question: LabelledQuestion, model: FakeLanguageModel) -> Outcome:
    (outcome,) = evaluate(Answerer(index, FakeEmbedder(), model), index, [question], 2)
    return outcome


def marks(outcome: Outcome) -> MarkedAnswer:
    assert outcome.answer is not None
    return outcome.answer


def test_the_spans_of_this_test_are_those_of_the_answer() -> None:
    assert [BRIDGE[span.start : span.end] for span in QUESTION.spans] == list(QUESTION.answers)


def test_a_right_answer_with_its_citation(index: Index) -> None:
    outcome = ask(index, QUESTION, FakeLanguageModel([COST], [YES]))
    answer = marks(outcome)
    assert (outcome.rank, outcome.expected) == (1, QUESTION.answers)
    assert (answer.answered, answer.right, answer.cited, answer.shown) == (True, True, True, True)
    assert answer.recall == 1
    assert answer.f1 == pytest.approx(2 * 3 / (11 + 3))  # by hand: three of the eleven words were marked
    assert answer.exact is False
    assert answer.answerability > 0.9
    (citation,) = answer.citations
    assert (citation.article_id, BRIDGE[citation.start : citation.end]) == ("pont", COST)
    assert (citation.as_written, citation.overlaps) == (True, True)
    assert answer.total_ms >= (answer.first_sentence_ms or 0) >= (answer.first_token_ms or 0) > 0


def test_an_answer_from_beside_the_marked_one(index: Index) -> None:
    beside = replace(QUESTION, answers=("vendredi",), spans=(Span(31, 39),))
    answer = marks(ask(index, beside, FakeLanguageModel([COST], [YES])))
    assert (answer.answered, answer.right, answer.cited, answer.shown) == (True, False, True, False)
    assert [citation.overlaps for citation in answer.citations] == [False]
    assert (answer.recall, answer.f1) == (0, 0)


def test_half_of_the_marked_words_is_right_and_less_is_not(index: Index) -> None:
    half = replace(QUESTION, answers=("618 000 francs lourds",))
    assert marks(ask(index, half, FakeLanguageModel([COST], [YES]))).right
    less = replace(QUESTION, answers=("618 mille francs lourds",))
    assert not marks(ask(index, less, FakeLanguageModel([COST], [YES]))).right


def test_a_declined_question_shows_nothing(index: Index) -> None:
    answer = marks(ask(index, QUESTION, FakeLanguageModel([COST] * 2, [NO, NO])))
    assert (answer.answered, answer.right, answer.cited, answer.shown) == (False, False, None, None)
    assert (answer.recall, answer.f1, answer.exact) == (0, 0, False)
    assert answer.answerability < 0.3
    assert answer.citations == ()


def test_what_cannot_be_answered_is_right_when_it_is_declined(index: Index) -> None:
    declined = ask(index, IMPOSSIBLE, FakeLanguageModel([COST] * 2, [NO, NO]))
    assert declined.rank is None
    assert marks(declined).right
    answered = marks(ask(index, IMPOSSIBLE, FakeLanguageModel([COST], [YES])))
    assert (answered.answered, answered.right, answered.cited, answered.shown) == (True, False, None, None)
    assert (answered.recall, answered.f1, answered.exact) == (None, None, None)
    assert [citation.overlaps for citation in answered.citations] == [None]


def test_every_fact_must_be_given(index: Index) -> None:
    outcome = ask(index, FACTS, FakeLanguageModel([COST], [YES]))
    assert outcome.expected == ("618 000", "euro")
    answer = marks(outcome)
    assert (answer.right, answer.cited, answer.recall, answer.shown) == (True, True, None, None)
    missing = replace(FACTS, facts=(*FACTS.facts, ("francs",)))
    assert not marks(ask(index, missing, FakeLanguageModel([COST], [YES]))).right
    # A declining sentence is no answer, whatever words it has.
    words = replace(FACTS, facts=(("articles",),))
    assert not marks(ask(index, words, FakeLanguageModel([COST] * 2, [NO, NO]))).right


def test_a_follow_up_is_searched_as_it_was_completed(index: Index) -> None:
    follow_up = replace(QUESTION, question="Combien ont coûté les travaux ?", history=TURNS)
    outcome = ask(index, follow_up, FakeLanguageModel([QUESTION.question, COST], [YES]))
    assert marks(outcome).standalone_question == QUESTION.question
    assert outcome.rank == 1


def test_the_rank_is_that_of_the_article_and_not_of_the_passage(tmp_path: Path) -> None:
    filler = "\n\n".join(f"Le pont des Tanneurs, alinéa {number}. " + "Rien de plus ici. " * 70 for number in range(4))
    write_articles(tmp_path / "some.jsonl", {"long": filler, "court": "Un pont ailleurs."}, title="Sans titre")
    build([tmp_path / "some.jsonl"], tmp_path / "home", FakeEmbedder(), "fake")
    index = Index(tmp_path / "home", FakeEmbedder())
    asked = replace(QUESTION, question="Le pont des Tanneurs, alinéa ?", articles=("court",))
    hits = [hit.article.id for hit in index.search(asked.question, 20)]
    assert hits.index("court") > 1  # after several passages of the other one
    (outcome,) = evaluate(None, index, [asked])
    assert (outcome.rank, outcome.answer) == (2, None)


def test_an_article_that_is_not_among_the_ten_has_no_rank(tmp_path: Path) -> None:
    articles = {f"a{number}": "Le pont des Tanneurs a rouvert." for number in range(10)}
    write_articles(tmp_path / "some.jsonl", {**articles, "z": "Rien."}, title="Sans titre")
    build([tmp_path / "some.jsonl"], tmp_path / "home", FakeEmbedder(), "fake")
    index = Index(tmp_path / "home", FakeEmbedder())
    asked = replace(QUESTION, question="Le pont des Tanneurs ?")
    ranks = [next(evaluate(None, index, [replace(asked, articles=(own,))])).rank for own in ("a0", "a9", "z")]
    assert ranks == [1, 10, None]


class OtherIndex:
    """An index whose article says something else at the characters that were cited."""

    def __init__(self, index: Index, text: str | None) -> None:
        self._index = index
        self._text = text

    def search(self, query: str, k: int) -> Sequence[Hit]:
        return self._index.search(query, k)

    def article(self, article_id: str) -> Article | None:
        found = self._index.article(article_id)
        return replace(found, text=self._text) if found and self._text is not None else None


@pytest.mark.parametrize("text", [f" {BRIDGE}", BRIDGE.upper(), "", None])
def test_a_quotation_that_the_article_does_not_have_is_seen(index: Index, text: str | None) -> None:
    events = Answerer(index, FakeEmbedder(), FakeLanguageModel([COST], [YES])).ask(QUESTION.question, (), 2)
    answer = next(event for event in events if isinstance(event, Answer))
    assert [citation.as_written for citation in mark(QUESTION, answer, index).citations] == [True]
    assert [citation.as_written for citation in mark(QUESTION, answer, OtherIndex(index, text)).citations] == [False]


def test_a_question_that_cannot_be_asked_is_named(index: Index) -> None:
    with pytest.raises(SourcierError, match="Question q1 of set: The question has 5000 characters"):
        next(evaluate(None, index, [replace(QUESTION, question="x" * 5000)]))
