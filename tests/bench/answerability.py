"""Fit the curve of qa/answerability.py: is what is asked in the passage?

    .venv/bin/python tests/bench/answerability.py corpus/questions.jsonl --home .sourcier --rows rows.jsonl

For every second question (the others are for reporting) the passages that an answer could be written from are read, and
what the model thought of each is written to --rows, so that an interrupted run goes on and a second one only fits. A
passage counts as answering when its article is one of those that the question names. It prints the coefficients, the
area under the ROC curve, and what each threshold would decline. --half odd reports instead: nothing is fitted, and the
numbers are those of the curve in the repository. A passage that was never read before takes 4 s on two cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import qa  # noqa: F401 - says how OpenMP threads wait, before llama_cpp or torch is loaded
from qa.answerability import probability
from qa.answers import question_language, worth_reading
from qa.commands import load_answerer
from qa.conversation import stand_alone_question
from qa.evaluation import LabelledQuestion, read_questions
from qa.prompt import NOTHING, answer_messages

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", type=Path, help="labelled questions, as of corpus/README.md")
    parser.add_argument("--home", type=Path, required=True, help="where their articles are indexed")
    parser.add_argument("--rows", type=Path, required=True, help="a file for what was measured, as JSON lines")
    parser.add_argument("--half", choices=["even", "odd"], default="even", help="even: to fit; odd: to report")
    given = parser.parse_args()
    questions = read_questions(given.questions)[1 if given.half == "even" else 0 :: 2]
    given.rows.touch()
    known = [json.loads(line) for line in given.rows.read_text(encoding="utf-8").splitlines()]
    missing = [one for one in questions if one.id not in {row["question"] for row in known}]
    if missing:
        _measure(missing, given.home, given.rows)
    asked = {one.id for one in questions}
    rows = [json.loads(line) for line in given.rows.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["question"] in asked]
    if given.half == "even":
        _fit(rows)
    _report(rows)


def _measure(questions: Sequence[LabelledQuestion], home: Path, path: Path) -> None:
    _, index, model = load_answerer(home, None, None)
    with path.open("a", encoding="utf-8") as file:
        for number, asked in enumerate(questions, start=1):
            language = question_language(asked.question, asked.history)
            question = stand_alone_question(asked.history, asked.question, language, model)
            hits = worth_reading(index.search(question, 5))
            for hit in hits:
                (nothing,) = model.score(answer_messages(hit, question, language), (NOTHING,))
                answers = asked.answerable and hit.article.id in asked.articles
                row = {"question": asked.id, "nothing": nothing, "cosine": hit.vector, "rank": hit.rank}
                file.write(json.dumps({**row, "answers": answers, "answerable": asked.answerable}) + "\n")
            if not hits:
                row = {"question": asked.id, "nothing": 0.0, "cosine": 0.0, "rank": 1, "answers": False}
                file.write(json.dumps({**row, "answerable": asked.answerable}) + "\n")
            file.flush()
            print(f"\r{number} of {len(questions)}", end="", flush=True)
    print()
    model.close()


def _fit(rows: Sequence[Row]) -> None:
    signals = np.array([[row["nothing"], row["cosine"], row["rank"] > 1] for row in rows])
    answers = np.array([row["answers"] for row in rows])
    curve = LogisticRegression(C=10.0).fit(signals, answers)
    print(f"_NOTHING = {curve.coef_[0][0]:.2f}")
    print(f"_COSINE = {curve.coef_[0][1]:.2f}")
    print(f"_NOT_FIRST = {curve.coef_[0][2]:.2f}")
    print(f"_INTERCEPT = {curve.intercept_[0]:.2f}")


def _report(rows: Sequence[Row]) -> None:
    """Over passages, and over questions: a question is as answerable as its likeliest passage."""
    chances = [probability(row["nothing"], row["cosine"], row["rank"] == 1) for row in rows]
    answers = [row["answers"] for row in rows]
    print(
        f"{len(rows)} passages, {sum(answers)} of an article that answers: AUROC {roc_auc_score(answers, chances):.3f}"
    )
    best: dict[str, float] = {}
    for row, chance in zip(rows, chances, strict=True):
        best[row["question"]] = max(chance, best.get(row["question"], 0.0))
    answerable = {row["question"]: row["answerable"] for row in rows}
    labels = [answerable[question] for question in best]
    print(f"{len(best)} questions, {sum(labels)} answerable: AUROC {roc_auc_score(labels, list(best.values())):.3f}")
    print("threshold  unanswerable declined  answerable declined")
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        no = [chance < threshold for question, chance in best.items() if not answerable[question]]
        yes = [chance < threshold for question, chance in best.items() if answerable[question]]
        print(f"{threshold:9.2f}{np.mean(no):23.2f}{np.mean(yes):21.2f}")


if __name__ == "__main__":
    main()
