"""`sourcier eval` as a user meets it: files in, a table or JSON out, stopped and gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_language_model import FakeLanguageModel
from fakes import FakeEmbedder, write_articles

import qa.measuring.eval_command
from index.build import build
from qa.answers import Answerer
from web.commands import sourcier

COST = "Les travaux du pont des Tanneurs ont coûté 618 000 euros."
BRIDGE = f"Le pont des Tanneurs a rouvert vendredi. {COST}"
CIDER = "La récolte de cidre a été abondante. Les pommes étaient sucrées."
YES, NO = (-14.0,), (-0.01,)
ASKED = "Combien ont coûté les travaux du pont des Tanneurs ?"


def squad(path: Path, *questions: dict[str, Any], text: str = BRIDGE) -> Path:
    paragraphs = [{"context": text, "qas": list(questions)}, {"context": CIDER, "qas": []}]
    path.write_text(json.dumps({"data": [{"title": "Le_pont", "paragraphs": paragraphs}]}), encoding="utf-8")
    return path


def cost(own: str = "q1", question: str = ASKED) -> dict[str, Any]:
    marked = {"text": "618 000 euros", "answer_start": BRIDGE.index("618")}
    return {"id": own, "question": question, "answers": [marked], "is_impossible": False}


def ribbon(own: str = "q2") -> dict[str, Any]:
    question = "Qui a coupé le ruban du pont des Tanneurs ?"
    return {"id": own, "question": question, "answers": [], "is_impossible": True}


class Model(FakeLanguageModel):
    def close(self) -> None: ...


class Bench:
    """The command over fakes. `embedder` remembers what was embedded; `models` counts how often one was loaded."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.embedder = FakeEmbedder()
        self.loaded = 0
        self.model = Model()
        monkeypatch.setattr(qa.measuring.eval_command, "load_embedder", lambda _: (self.embedder, "fake"))
        monkeypatch.setattr(qa.measuring.eval_command, "language_model_file", lambda _: Path("fake.gguf"))
        monkeypatch.setattr(qa.measuring.eval_command, "load_ready", self._load)
        monkeypatch.setattr(
            qa.measuring.eval_command,
            "answerer_of",
            lambda index, embedder, model, _, bar: Answerer(index, embedder, model, bar),
        )

    def _load(self, *_: object) -> Model:
        self.loaded += 1
        return self.model

    def run(self, *arguments: object, replies: int = 0, nothing: tuple[float] = YES) -> Result:
        self.model = Model([COST] * replies, [nothing] * replies)
        return CliRunner().invoke(sourcier, ["eval", *map(str, arguments), "--home", str(self.home)])

    def json(self, *arguments: object, replies: int = 0, nothing: tuple[float] = YES) -> dict[str, Any]:
        result = self.run(*arguments, "--json", replies=replies, nothing=nothing)
        assert result.exit_code == 0, result.output
        facts: dict[str, Any] = json.loads(result.stdout)
        return facts


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path / "home", monkeypatch)


def test_a_squad_file_is_indexed_and_asked(bench: Bench, tmp_path: Path) -> None:
    path = squad(tmp_path / "set.json", cost(), ribbon())
    found = bench.json(path, replies=2)
    assert (found["asked"], found["chosen"]) == (2, 2)
    one, other = found["questions"]
    assert (one["id"], one["rank"], one["answer"]["right"], one["answer"]["shown"]) == ("q1", 1, True, True)
    assert (other["id"], other["answerable"], other["answer"]["right"]) == ("q2", False, False)
    groups = {group["kind"]: group for group in found["groups"]}
    assert groups["set, answerable"]["answer_recall"]["value"] == 1
    assert groups["all unanswerable"]["declined"] == {
        "value": 0,
        "count": 1,
        "low": 0,
        "high": pytest.approx(0.7935, abs=1e-4),
    }
    assert found["citations"]["not_as_written"] == 0
    assert not (bench.home / "index").exists()  # the reader's own index is left alone


def test_paragraphs_are_embedded_once(bench: Bench, tmp_path: Path) -> None:
    path = squad(tmp_path / "set.json", cost())
    for _ in range(2):
        bench.json(path, "--search-only")
        assert len(bench.embedder.embedded) == 4
    (folder,) = (bench.home / "eval").iterdir()
    assert folder.name.startswith("set-")
    # The same paragraphs under another name, and other questions.
    bench.json(squad(tmp_path / "other.json", cost("q7")), "--search-only", "--articles", squad(path, cost("q7")))
    assert len(bench.embedder.embedded) == 4
    assert list((bench.home / "eval").iterdir()) == [folder]


def test_the_table_is_on_stdout_and_progress_is_not(bench: Bench, tmp_path: Path) -> None:
    result = bench.run(squad(tmp_path / "set.json", cost(), ribbon()), replies=2)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == [
        "questions", "R@1", "R@5", "MRR@10", "right", "declined", "recall", "answered", "F1", "exact", "cited",
    ]  # fmt: skip
    assert "every quotation is as written" in result.stdout
    assert "asking" not in result.stdout
    assert "asking: 2 of 2 questions" in result.stderr


def test_labelled_questions_are_asked_over_the_index_of_the_home(bench: Bench, tmp_path: Path) -> None:
    write_articles(tmp_path / "some.jsonl", {"pont": BRIDGE, "cidre": CIDER})
    build([tmp_path / "some.jsonl"], bench.home, FakeEmbedder(), "fake")
    row = {"id": "a", "kind": "plain", "question": ASKED, "answerable": True, "articles": ["pont"]}
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({**row, "facts": [["618 000"]]}) + "\n", encoding="utf-8")
    found = bench.json(questions, replies=1)
    assert [(one["kind"], one["answer"]["right"], one["answer"]["cited"]) for one in found["questions"]] == [
        ("plain", True, True)
    ]
    assert not (bench.home / "eval").exists()


def test_questions_in_one_language_over_paragraphs_in_another(bench: Bench, tmp_path: Path) -> None:
    french = squad(tmp_path / "fr.json", cost())
    asked = {
        "id": "q1",
        "question": "How much did the pont des Tanneurs cost?",
        "answers": [{"text": "€618k", "answer_start": 0}],
    }
    english = squad(tmp_path / "en.json", asked, text="€618k, no less.")
    found = bench.json(english, "--articles", french, "--search-only")
    (one,) = found["questions"]
    assert (one["kind"], one["question"], one["rank"]) == ("en", asked["question"], 1)
    assert one["expected"] == ["618 000 euros", "€618k"]
    assert {text for text in bench.embedder.embedded if "€" in text} == set()  # only the other file's paragraphs


def test_search_alone_loads_no_language_model(bench: Bench, tmp_path: Path) -> None:
    found = bench.json(squad(tmp_path / "set.json", cost(), ribbon()), "--search-only")
    assert bench.loaded == 0
    assert [one["answer"] for one in found["questions"]] == [None, None]
    assert found["groups"][0]["recall_at_1"]["value"] == 1


def test_halves_are_of_each_file(bench: Bench, tmp_path: Path) -> None:
    one = squad(tmp_path / "one.json", cost("a0"), cost("a1"), cost("a2"))
    other = squad(tmp_path / "other.json", cost("b0"), cost("b1"))
    for half, expected in (
        ("even", ["a0", "a2", "b0"]),
        ("odd", ["a1", "b1"]),
        ("all", ["a0", "a1", "a2", "b0", "b1"]),
    ):
        found = bench.json(one, other, "--search-only", "--half", half)
        assert [row["id"] for row in found["questions"]] == expected


def test_a_sample_is_the_same_for_its_seed(bench: Bench, tmp_path: Path) -> None:
    path = squad(tmp_path / "set.json", *(cost(f"q{number}") for number in range(30)))
    ids = [
        [row["id"] for row in bench.json(path, "--search-only", "--sample", 5, "--seed", seed)["questions"]]
        for seed in (0, 0, 1)
    ]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 5


def test_the_language_of_the_paragraphs_can_be_told(bench: Bench, tmp_path: Path) -> None:
    path = squad(tmp_path / "set.json", cost())
    bench.json(path, "--search-only", "--language", "it")
    (folder,) = (bench.home / "eval").iterdir()
    manifest = json.loads(next(folder.glob("index/*/manifest.json")).read_text(encoding="utf-8"))
    assert list(manifest["languages"]) == ["it"]
    result = bench.run(path, "--language", "italien")
    assert result.exit_code == 2
    assert "'italien' is not a two-letter code" in result.stderr


class CtrlC(Model):
    """Presses Ctrl-C at the third question."""

    def score(self, *arguments: Any) -> list[float]:
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        return super().score(*arguments)


def test_ctrl_c_prints_what_was_asked_and_the_next_run_goes_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = squad(tmp_path / "set.json", *(cost(f"q{number}") for number in range(4)))
    rows = tmp_path / "rows.jsonl"
    stopping = CtrlC([COST] * 4, [YES] * 4)
    monkeypatch.setattr(qa.measuring.eval_command, "load_ready", lambda *_: stopping)
    result = bench.run(path, "--rows", rows)
    assert result.exit_code == 130
    assert "set                    2" in result.stdout
    assert "Stopped after 2 of 4 questions. The same command goes on from here." in result.stderr

    monkeypatch.setattr(qa.measuring.eval_command, "load_ready", bench._load)
    found = bench.json(path, "--rows", rows, replies=2)  # a third reply would be missing
    assert [row["id"] for row in found["questions"]] == ["q0", "q1", "q2", "q3"]
    assert bench.loaded == 1

    again = bench.json(path, "--rows", rows)
    assert bench.loaded == 1  # all is known: the table comes without a model
    assert again == found


def test_rows_of_other_settings_are_refused_before_anything_is_loaded(bench: Bench, tmp_path: Path) -> None:
    path, rows = squad(tmp_path / "set.json", cost()), tmp_path / "rows.jsonl"
    bench.json(path, "--rows", rows, replies=1)
    for arguments, name in (
        (("--decline-below", "0"), "decline_below"),
        (("--half", "even"), "half"),
        (("--seed", "4"), "seed"),
        (("-k", "4"), "k"),
        (("--search-only",), "search_only"),
        (("--kv-type", "q8_0"), "kv_type"),
        (("--language", "fr"), "language"),
    ):
        result = bench.run(path, "--rows", rows, *arguments)
        assert result.exit_code == 1
        assert f"{name} was " in str(result.exception)
    squad(path, cost(question=ASKED.upper()))
    assert "files was " in str(bench.run(path, "--rows", rows).exception)
    assert bench.loaded == 1


def test_rows_over_another_index_are_refused(bench: Bench, tmp_path: Path) -> None:
    row = {"id": "a", "kind": "plain", "question": ASKED, "answerable": True, "articles": ["pont"], "facts": [["6"]]}
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps(row) + "\n", encoding="utf-8")
    for number, text in enumerate((BRIDGE, BRIDGE.upper())):
        write_articles(tmp_path / "some.jsonl", {"pont": text})
        build([tmp_path / "some.jsonl"], bench.home, FakeEmbedder(), "fake")
        result = bench.run(questions, "--rows", tmp_path / "rows.jsonl", replies=1)
        assert result.exit_code == number
    assert "index was " in str(result.exception)


def bad_inputs(folder: Path) -> Iterator[tuple[list[object], str]]:
    good = squad(folder / "set.json", cost())
    lines = folder / "q.jsonl"
    lines.write_text("", encoding="utf-8")
    (folder / "bad.json").write_text('{"data": [{"title": 3}]}', encoding="utf-8")
    (folder / "none.json").write_text('{"data": []}', encoding="utf-8")
    yield [folder / "bad.json"], f"{folder / 'bad.json'}: data[0]: 'title' must be text."
    yield [folder / "none.json"], "There is no question to ask in what was given."
    yield [good, "--half", "odd"], "There is no question to ask in what was given."
    yield [good, lines], "give one kind."
    yield [lines, "--articles", good], "--articles and --language are for files in SQuAD format"
    yield [good, good], "Two questions of set have the id q1."
    yield [lines], "There is no question to ask"


def test_bad_input_is_one_line_before_anything_is_loaded(bench: Bench, tmp_path: Path) -> None:
    for arguments, message in bad_inputs(tmp_path):
        result = bench.run(*arguments)
        assert result.exit_code == 1, arguments
        assert message in str(result.exception)
        assert len(str(result.exception).splitlines()) == 1
    assert bench.embedder.embedded == []


def test_without_an_index_it_says_how_to_make_one(bench: Bench, tmp_path: Path) -> None:
    row = {"id": "a", "kind": "plain", "question": ASKED, "answerable": True, "articles": ["pont"], "facts": [["6"]]}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert "sourcier build" in str(bench.run(tmp_path / "q.jsonl").exception)
