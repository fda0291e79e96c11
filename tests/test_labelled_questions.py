"""Labelled questions from JSON lines, and which of them are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.errors import SourcierError
from qa.conversation import Turn
from qa.measuring.labelled_questions import LabelledQuestion, check_distinct, one_half, read_questions, sample

ROW = {
    "id": "q1",
    "kind": "two_turn",
    "question": "Et quand ?",
    "answerable": True,
    "articles": ["pont"],
    "facts": [["9 400", "9400"], ["mai"]],
    "history": [{"question": "Combien ?", "answer": "9 400."}],
}


def some(count: int) -> list[LabelledQuestion]:
    return [LabelledQuestion(f"q{number}", "kind", "?", True, ()) for number in range(count)]


def test_one_object_a_line_and_blank_lines_between(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n\n{json.dumps({**ROW, 'id': 'q2', 'history': []})}\n", encoding="utf-8")
    first, second = read_questions(path)
    assert first.history == (Turn("Combien ?", "9 400."),)
    assert first.facts == (("9 400", "9400"), ("mai",))
    assert (second.id, second.history) == ("q2", ())


def test_the_questions_of_the_sample_corpus() -> None:
    questions = read_questions(Path(__file__).parent.parent / "corpus" / "questions.jsonl")
    assert len(questions) == 226
    assert (questions[0].id, questions[-1].id) == ("q001", "q226")
    check_distinct(questions)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "questions.jsonl:2: not JSON (Expecting property name"),
        ("[1]", "questions.jsonl:2: not a JSON object."),
        (json.dumps({**ROW, "articles": "pont"}), "questions.jsonl:2: 'articles' must be a list."),
        (json.dumps({**ROW, "facts": ["mai"]}), "questions.jsonl:2: facts must be texts."),
        (json.dumps({**ROW, "answerable": 1}), "questions.jsonl:2: 'answerable' must be true or false."),
        (json.dumps({**ROW, "history": [{"question": "?"}]}), "questions.jsonl:2: 'answer' is missing."),
        (json.dumps({"id": "q"}), "questions.jsonl:2: 'kind' is missing."),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{line}\n", encoding="utf-8")
    with pytest.raises(SourcierError) as problem:
        read_questions(path)
    assert message in str(problem.value)


def test_halves_count_from_zero() -> None:
    questions = some(5)
    assert [one.id for one in one_half(questions, "even")] == ["q0", "q2", "q4"]
    assert [one.id for one in one_half(questions, "odd")] == ["q1", "q3"]
    assert one_half(questions, "all") == questions


def test_a_sample_is_the_same_for_its_seed_and_keeps_the_order() -> None:
    questions = some(100)
    chosen = sample(questions, 20, 7)
    assert chosen == sample(questions, 20, 7)
    assert chosen != sample(questions, 20, 8)
    assert chosen == [one for one in questions if one in chosen]
    assert len(chosen) == 20
    assert sample(questions, None, 7) == sample(questions, 200, 7) == questions


def test_two_questions_that_cannot_be_told_apart() -> None:
    with pytest.raises(SourcierError, match="Two questions of kind have the id q0"):
        check_distinct(some(2) + some(1))
