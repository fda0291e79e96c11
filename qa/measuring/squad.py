"""Files in SQuAD format (1.1 and 2.0): paragraphs that become articles, and questions with marked answers.

https://rajpurkar.github.io/SQuAD-explorer/: data[].paragraphs[].context and .qas[], whose answers have a text and an
answer_start, counted in characters. A question of 2.0 with is_impossible has no answer in its paragraph.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.errors import SourcierError
from index.formats.article_fields import clean_text
from index.passages import Span
from qa.measuring.labelled_questions import LabelledQuestion, field_of, question_of, text_of


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph as an article of its own. `id` is made from title and text: the same in every file and order."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class SquadFile:
    """What a file holds, in its order. `kind` of the questions is the file's name without its ending."""

    paragraphs: tuple[Paragraph, ...]
    questions: tuple[LabelledQuestion, ...]


def read_squad(path: Path) -> SquadFile:
    """Raises SourcierError naming the place in the file that cannot be used."""
    try:
        content = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise SourcierError(f"{path}:{error.lineno}: not JSON ({error.msg}).") from error
    except RecursionError:
        raise SourcierError(f"{path}: the JSON is nested too deeply.") from None
    paragraphs: list[Paragraph] = []
    questions: list[LabelledQuestion] = []
    for article, where in _each(content, "data", f"{path}: "):
        title = clean_text(field_of(article, "title", str, where)).replace("_", " ")
        for record, place in _each(article, "paragraphs", f"{where}."):
            context = field_of(record, "context", str, place)
            if not context.strip():
                raise SourcierError(f"{place}: the context is empty.")
            paragraph = _paragraph(title, clean_text(context))
            paragraphs.append(paragraph)
            for asked, own_place in _each(record, "qas", f"{place}."):
                questions.append(_question(asked, path.stem, context, paragraph, own_place))
    return SquadFile(tuple(paragraphs), tuple(questions))


def _each(record: object, key: str, place: str) -> Iterator[tuple[object, str]]:
    """The items of a list and their places."""
    for number, item in enumerate(field_of(record, key, list, place.rstrip(": ."))):
        yield item, f"{place}{key}[{number}]"


def _paragraph(title: str, text: str) -> Paragraph:
    digest = hashlib.sha256(f"{title}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return Paragraph(digest[:16], title, text)


def _question(record: object, kind: str, context: str, paragraph: Paragraph, place: str) -> LabelledQuestion:
    answerable = not (isinstance(record, dict) and record.get("is_impossible"))
    marked = [
        (clean_text(field_of(answer, "text", str, own_place)), field_of(answer, "answer_start", int, own_place))
        for answer, own_place in _each(record, "answers", f"{place}.")
    ]
    if answerable and not any(text.strip() for text, _ in marked):
        raise SourcierError(f"{place}: no answer, and no is_impossible.")
    spans = (_standing(text, len(clean_text(context[:start])), paragraph.text) for text, start in marked)
    return LabelledQuestion(
        id=field_of(record, "id", str, place),
        kind=kind,
        question=question_of(record, place),
        answerable=answerable,
        articles=(paragraph.id,) if answerable else (),
        answers=tuple(dict.fromkeys(text for text, _ in marked)) if answerable else (),
        spans=tuple(dict.fromkeys(filter(None, spans))) if answerable else (),
    )


def _standing(answer: str, start: int, text: str) -> Span | None:
    """Where the answer stands, nearest to where it was marked (one of PIAF's 4,282 marks is a letter off); or None."""
    places = [match.start() for match in re.finditer(f"(?={re.escape(answer)})", text)] if answer.strip() else []
    if not places:
        return None
    nearest = min(places, key=lambda place: abs(place - start))
    return Span(nearest, nearest + len(answer))


def asked_over(
    questions: Sequence[LabelledQuestion], articles: SquadFile, articles_path: Path
) -> list[LabelledQuestion]:
    """The questions of one file over the paragraphs of another that holds the same questions in another language.

    Where the answer stands is told by the articles' file. The words of both files' answers count: a reader who asks in
    Spanish is answered in Spanish. Raises SourcierError when a question is not in the articles' file.
    """
    known = {one.id: one for one in articles.questions}
    over: list[LabelledQuestion] = []
    for asked in questions:
        there = known.get(asked.id)
        if there is None:
            raise SourcierError(f"{articles_path} has no question {asked.id}, which is asked of {asked.kind}.")
        answers = tuple(dict.fromkeys((*there.answers, *asked.answers))) if there.answerable else ()
        over.append(replace(there, kind=asked.kind, question=asked.question, answers=answers))
    return over
