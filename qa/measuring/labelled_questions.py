"""Questions with what a fair marker would demand, and which of them to ask."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from index.errors import SourcierError
from index.formats.article_fields import clean_text
from index.passages import Span
from qa.conversation import Turn

Half = Literal["even", "odd", "all"]
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question, and what is right about its answer. No two of one run share both `kind` and `id`.

    `articles`: any of them holds the answer. What an answer must say is told in one of two ways: `facts` holds, for
    each fact, the forms in which it counts (corpus/README.md); `answers` are the words that annotators marked, each an
    answer by itself, and `spans` the characters of the first article where they stand (SQuAD).
    """

    id: str
    kind: str
    question: str
    answerable: bool
    articles: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...] = ()
    history: tuple[Turn, ...] = ()
    answers: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


def read_questions(path: Path) -> list[LabelledQuestion]:
    """One JSON object a line, as of corpus/README.md. Raises SourcierError naming the line that cannot be used."""
    questions: list[LabelledQuestion] = []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            place = f"{path}:{number}"
            try:
                questions.append(_labelled(json.loads(line), place))
            except (ValueError, RecursionError) as error:
                raise SourcierError(f"{place}: not JSON ({error}). See corpus/README.md.") from error
    return questions


def _labelled(row: object, place: str) -> LabelledQuestion:
    turns = field_of(row, "history", list, place) if isinstance(row, dict) and "history" in row else []
    return LabelledQuestion(
        id=field_of(row, "id", str, place),
        kind=field_of(row, "kind", str, place),
        question=question_of(row, place),
        answerable=field_of(row, "answerable", bool, place),
        articles=_strings(field_of(row, "articles", list, place), "articles", place),
        facts=tuple(_strings(forms, "facts", place) for forms in field_of(row, "facts", list, place)),
        history=tuple(
            Turn(field_of(turn, "question", str, place), field_of(turn, "answer", str, place)) for turn in turns
        ),
    )


def _strings(values: object, key: str, place: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise SourcierError(f"{place}: {key} must be texts. See corpus/README.md.")
    return tuple(values)


def text_of(path: Path) -> str:
    """The text of a UTF-8 file. Raises SourcierError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourcierError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SourcierError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error


_NAMES = {str: "text", bool: "true or false", int: "a whole number", list: "a list"}


def field_of(record: object, key: str, kind: type[_Kind], place: str) -> _Kind:
    """A value of a JSON object. Raises SourcierError naming the place when it is missing or of another kind."""
    if not isinstance(record, dict):
        raise SourcierError(f"{place}: not a JSON object.")
    value = record.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        said = "is missing" if key not in record else f"must be {_NAMES[kind]}"
        raise SourcierError(f"{place}: '{key}' {said}.")
    return value


def question_of(record: object, place: str) -> str:
    """The question of a JSON object, which must say something."""
    question = field_of(record, "question", str, place)
    if not question.strip():
        raise SourcierError(f"{place}: the question is empty.")
    return clean_text(question)


def one_half(questions: Sequence[LabelledQuestion], half: Half) -> list[LabelledQuestion]:
    """Those of a file with an even or an odd number; the first one has the number 0."""
    return list(questions[{"even": slice(0, None, 2), "odd": slice(1, None, 2), "all": slice(None)}[half]])


def sample(questions: Sequence[LabelledQuestion], size: int | None, seed: int) -> list[LabelledQuestion]:
    """So many of them, the same ones for the same seed, in their order; all where there are no more than that."""
    if size is None or size >= len(questions):
        return list(questions)
    chosen = random.Random(seed).sample(range(len(questions)), size)  # noqa: S311 - a sample, not a secret
    return [questions[number] for number in sorted(chosen)]


def check_distinct(questions: Sequence[LabelledQuestion]) -> None:
    """Raises SourcierError when two questions cannot be told apart."""
    seen: set[tuple[str, str]] = set()
    for question in questions:
        if (question.kind, question.id) in seen:
            raise SourcierError(
                f"Two questions of {question.kind} have the id {question.id}. Give each its own, or name a file once."
            )
        seen.add((question.kind, question.id))
