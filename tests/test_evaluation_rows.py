"""The file of an evaluation: what was asked is kept, a run goes on, and other settings are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import SourcierError
from qa.evaluation import MarkedAnswer, MarkedCitation, Outcome
from qa.measuring.evaluation_rows import Rows

SETTINGS = {"sample": 40, "files": [{"name": "set.json", "sha256": "ab"}], "decline_below": 0.3, "articles": None}
ANSWER = MarkedAnswer(
    standalone_question="Combien ?",
    text="Il a coûté 7.",
    answered=True,
    answerability=0.91,
    withheld=1,
    support=(("supported", 0.9),),
    right=True,
    cited=True,
    shown=None,
    recall=0.5,
    f1=1 / 3,
    exact=False,
    citations=(MarkedCitation("pont", 3, 9, True, None), MarkedCitation("rue", 0, 4, True, False)),
    search_ms=100.5,
    first_token_ms=None,
    first_sentence_ms=300.25,
    total_ms=400.0,
)
ONE = Outcome("set", "q1", "Combien ?", True, ("7", "sept"), 2, ANSWER)
OTHER = Outcome("set", "q2", "Où ?", False, (), None, None)


def test_a_later_run_knows_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with Rows(path, SETTINGS) as rows:
        assert rows.known == {}
        rows.add(ONE)
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2  # kept at once
    with Rows(path, SETTINGS) as rows:
        assert rows.known == {("set", "q1"): ONE}
        rows.add(OTHER)
    with Rows(path, SETTINGS) as rows:
        assert list(rows.known.values()) == [ONE, OTHER]
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(header) == {"sourcier_eval": 1, "settings": SETTINGS}
    assert [json.loads(line)["id"] for line in lines] == ["q1", "q2"]


def test_without_a_file_it_only_remembers() -> None:
    with Rows(None, SETTINGS) as rows:
        rows.add(ONE)
    assert rows.known == {("set", "q1"): ONE}


@pytest.mark.parametrize("kept", range(1, 40, 6))
def test_a_line_that_a_kill_cut_short_is_asked_again(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "rows.jsonl"
    with Rows(path, SETTINGS) as rows:
        rows.add(ONE)
        whole = path.read_bytes()
        rows.add(replace(ONE, id="é"))
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    with Rows(path, SETTINGS) as rows:
        assert list(rows.known.values()) == [ONE]
        rows.add(OTHER)
    with Rows(path, SETTINGS) as rows:
        assert list(rows.known.values()) == [ONE, OTHER]


def test_other_settings_are_named_and_the_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with Rows(path, SETTINGS) as rows:
        rows.add(ONE)
    before = path.read_bytes()
    with pytest.raises(SourcierError, match=r"other settings: decline_below was 0\.3, is 0, sample was 40, is null\."):
        Rows(path, {**SETTINGS, "sample": None, "decline_below": 0})
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ['{"id": "q1"}\n', "[]\n", "Le pont a rouvert.\n", "Le pont a rouvert."])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourcierError, match="is not the file of an evaluation"):
        Rows(path, SETTINGS)
    assert path.read_text(encoding="utf-8") == content


def test_a_row_in_the_middle_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with Rows(path, SETTINGS) as rows:
        rows.add(ONE)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": "q3"}\n')
    with pytest.raises(SourcierError, match=r"rows\.jsonl:3: not a row"):
        Rows(path, SETTINGS)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourcierError, match=r"rows\.jsonl cannot be kept: No such file"):
        Rows(tmp_path / "nowhere" / "rows.jsonl", SETTINGS)
