"""SQuAD files: paragraphs, questions, where answers stand, and one line for each thing that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import beside_the_checkout

from index.errors import SourcierError
from index.passages import Span
from qa.measuring.squad import SquadFile, asked_over, read_squad


def asked(own: str, question: str, *answers: tuple[str, int]) -> dict[str, Any]:
    marked = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": own, "question": question, "answers": marked}


def write(path: Path, *paragraphs: tuple[str, list[dict[str, Any]]], title: str = "Le_pont") -> Path:
    records = [{"context": context, "qas": qas} for context, qas in paragraphs]
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": title, "paragraphs": records}]}), encoding="utf-8")
    return path


def read(tmp_path: Path, *paragraphs: tuple[str, list[dict[str, Any]]]) -> SquadFile:
    return read_squad(write(tmp_path / "set.json", *paragraphs))


def test_a_paragraph_is_an_article_and_its_answers_stand_in_it(tmp_path: Path) -> None:
    text = "Le pont a coûté 618 000 euros. Il a rouvert."
    both = asked("q1", "Combien ?", ("618 000", 16), ("618 000 euros", 16), ("618 000", 16))
    found = read(tmp_path, (text, [both]))
    (paragraph,) = found.paragraphs
    (question,) = found.questions
    assert (paragraph.title, paragraph.text) == ("Le pont", text)
    assert question.articles == (paragraph.id,)
    assert (question.kind, question.id, question.answerable) == ("set", "q1", True)
    assert question.answers == ("618 000", "618 000 euros")
    assert [text[span.start : span.end] for span in question.spans] == ["618 000", "618 000 euros"]


def test_an_impossible_question_has_no_article_and_no_answer(tmp_path: Path) -> None:
    impossible = {**asked("q1", "Quand ?"), "is_impossible": True, "plausible_answers": [{"text": "x"}]}
    (question,) = read(tmp_path, ("Le pont.", [impossible])).questions
    assert (question.answerable, question.articles, question.answers, question.spans) == (False, (), (), ())


@pytest.mark.parametrize(
    ("context", "start", "expected"),
    [
        ("un 7, un 7", 9, 9),  # the second one was marked
        ("un 7, un 7", 8, 9),  # a letter off
        ("a\r\nb\r\n7", 6, 4),  # the article has \n line ends
        ("7 \u0085 7", 4, 4),  # replaced one for one
        ("un 8", 0, None),  # nowhere: its words still count
    ],
)
def test_where_an_answer_stands(tmp_path: Path, context: str, start: int, expected: int | None) -> None:
    found = read(tmp_path, (context, [asked("q", "?", ("7", start))]))
    (question,) = found.questions
    assert question.spans == ((Span(expected, expected + 1),) if expected is not None else ())
    assert question.answers == ("7",)
    if expected is not None:
        assert found.paragraphs[0].text[expected] == "7"


def test_the_id_of_a_paragraph_is_the_same_in_any_file(tmp_path: Path) -> None:
    one = write(tmp_path / "a.json", ("Le pont.", []), ("La rue.", []))
    other = write(tmp_path / "b.json", ("La rue.", []))
    elsewhere = write(tmp_path / "c.json", ("La rue.", []), title="Les rues")
    ids = [paragraph.id for path in (one, other, elsewhere) for paragraph in read_squad(path).paragraphs]
    assert ids[1] == ids[2]
    assert len(set(ids)) == 3


def test_questions_of_one_language_over_the_paragraphs_of_another(tmp_path: Path) -> None:
    spanish = write(tmp_path / "es.json", ("El puente costó mil.", [asked("q1", "¿Cuánto costó?", ("mil", 16))]))
    english = write(
        tmp_path / "en.json",
        (
            "The bridge cost a thousand.",
            [asked("q1", "How much?", ("a thousand", 16)), asked("q2", "?", ("bridge", 4))],
        ),
    )
    over = read_squad(english)
    (question,) = asked_over(read_squad(spanish).questions, over, english)
    assert (question.kind, question.question) == ("es", "¿Cuánto costó?")
    assert question.articles == (over.paragraphs[0].id,)
    assert question.answers == ("a thousand", "mil")  # an answer in Spanish is as right as one in English
    assert question.spans == (Span(16, 26),)
    with pytest.raises(SourcierError, match=r"es\.json has no question q2, which is asked of en"):
        asked_over(over.questions, read_squad(spanish), spanish)


GOOD = asked("q1", "Combien ?", ("7", 0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1,\n2,", ":2: not JSON (Expecting value)."),
        ("[]", ": not a JSON object."),
        ("{}", ": 'data' is missing."),
        ({"data": {}}, ": 'data' must be a list."),
        ({"data": [{}]}, ": data[0]: 'title' is missing."),
        ({"data": [{"title": "T", "paragraphs": [3]}]}, ": data[0].paragraphs[0]: not a JSON object."),
        ([(" ", [])], ": data[0].paragraphs[0]: the context is empty."),
        ([("7", [GOOD, {**GOOD, "id": 5}])], ": data[0].paragraphs[0].qas[1]: 'id' must be text."),
        ([("7", [{**GOOD, "question": " "}])], ": data[0].paragraphs[0].qas[0]: the question is empty."),
        ([("7", [asked("q", "?")])], ": data[0].paragraphs[0].qas[0]: no answer, and no is_impossible."),
        (
            [("7", [{**GOOD, "answers": [{"text": "7", "answer_start": True}]}])],
            ": data[0].paragraphs[0].qas[0].answers[0]: 'answer_start' must be a whole number.",
        ),
        ("[" * 100_000, ": the JSON is nested too deeply."),
        (b"\xff\xfe\xfa", " is not UTF-8 (byte 0). Save it as UTF-8."),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "set.json"
    if isinstance(content, list):
        write(path, *content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(SourcierError) as problem:
        read_squad(path)
    assert str(problem.value) == f"{path}{message}"


@pytest.mark.parametrize(
    ("name", "paragraphs", "questions", "unanswerable", "unmarked"),
    [("piaf/piaf-v1.1.json", 686, 3418, 0, 0), ("squad2-dev-half/dev-v2.0-cs224n.json", 279, 2622, 1331, 0)],
)
def test_the_published_sets(name: str, paragraphs: int, questions: int, unanswerable: int, unmarked: int) -> None:
    found = read_squad(beside_the_checkout("data") / name)
    texts = {paragraph.id: paragraph.text for paragraph in found.paragraphs}
    assert (len(texts), len(found.questions)) == (paragraphs, questions)
    assert sum(not question.answerable for question in found.questions) == unanswerable
    assert sum(question.answerable and not question.spans for question in found.questions) == unmarked
    for question in found.questions:
        for span in question.spans:
            assert texts[question.articles[0]][span.start : span.end] in question.answers
