"""QED as a file in SQuAD format whose marked answers are the sentences that support the answer, for `sourcier eval`.

    .venv/bin/python tests/bench/qed_to_squad.py ../shared/data/qed/qed-dev.jsonl qed.json
    .venv/bin/sourcier eval qed.json --half odd --rows qed.rows

Only the questions that one sentence of their paragraph answers (explanation_type single_sentence) are asked; the other
paragraphs are there to be found by mistake. The citations' precision is then the share of cited sentences that are the
one that annotators chose. What QED wrote with spaces ("`` Beep Boop '' ( 1963 ) .") is left as it is.

Source: Lamm et al., "QED: A Framework and Dataset for Explanations in Question Answering", TACL 2021.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="QED, one JSON object a line")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    lines = given.file.read_text(encoding="utf-8").splitlines()
    squad = {"version": "1.1", "data": [_article(json.loads(line)) for line in lines]}
    given.out.write_text(json.dumps(squad, ensure_ascii=False), encoding="utf-8")


def _article(row: dict[str, Any]) -> dict[str, Any]:
    context, annotation = row["paragraph_text"], row["annotation"]
    asked = []
    if annotation["explanation_type"] == "single_sentence":
        start, end = annotation["selected_sentence"]["start"], annotation["selected_sentence"]["end"]
        answer = {"text": context[start:end].rstrip(), "answer_start": start}
        asked.append({"id": str(row["example_id"]), "question": row["question_text"], "answers": [answer]})
    return {"title": row["title_text"], "paragraphs": [{"context": context, "qas": asked}]}


if __name__ == "__main__":
    main()
