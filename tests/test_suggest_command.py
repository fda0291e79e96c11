"""An editor's hand over what the page suggests: see it, add to it, refuse, have it made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_language_model import FakeLanguageModel
from fakes import FakeEmbedder, write_articles

from index.build import build
from index.filters import Filters
from index.search import Index
from qa import suggest_command
from qa.conversation import Turn
from qa.events import Answer, AnswerSentence, Event
from qa.grounding import Citation
from qa.language_model import Asker
from qa.suggestions import Suggestion, SuggestionFile, articles_on_disk, digest_of_article
from tests.web_fixtures import TIMINGS
from web.commands import sourcier

RIBBON = "Hélène Marchand a coupé le ruban du pont des Tanneurs."
QUESTION = "Qui a coupé le ruban du pont des Tanneurs ?"
OWN = "Le pont des Tanneurs a-t-il un ruban ?"
TITLE = "Le pont des Tanneurs a rouvert"
Run = Callable[..., Result]


class Answerer:
    """Answers everything but what is declined with the ribbon, from the index."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def ask(self, question: str, history: Sequence[Turn], k: int, asker: Asker, filters: Filters) -> Iterator[Event]:
        hits = tuple(self._index.search(RIBBON, k, filters))
        sentences = (AnswerSentence(RIBBON, (1,), "supported", 1.0),) if "ruban" in question else ()
        citations = (Citation(1, hits[0].article, 0, len(RIBBON)),) if sentences else ()
        yield Answer(RIBBON, bool(sentences), "fr", question, sentences, citations, hits, 0.9, 0, TIMINGS)


class Model(FakeLanguageModel):
    def close(self) -> None: ...


@pytest.fixture
def home(tmp_path: Path) -> Path:
    articles = {"pont": f"{RIBBON} Un feu règle le passage.", "foire": "La foire aux pommes a lieu."}
    write_articles(tmp_path / "a.jsonl", articles, title=TITLE)
    build([tmp_path / "a.jsonl"], tmp_path / "home", FakeEmbedder(), "fake")
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def load(home: Path, *_: object) -> tuple[Answerer, Index, Model]:
        index = Index(home, FakeEmbedder())
        return Answerer(index), index, Model([QUESTION])

    monkeypatch.setattr(suggest_command, "load_answerer", load)
    return lambda *arguments: CliRunner().invoke(sourcier, ["suggest", "--home", str(home), *arguments])


def test_the_model_makes_them_once_and_they_are_listed_with_their_article(run: Run, home: Path) -> None:
    assert "sourcier suggest --make" in run().stderr
    assert run("--make").stdout == f"proposed  fr  {QUESTION}  (pont)\n"
    assert run("--make").stdout == f"proposed  fr  {QUESTION}  (pont)\n"  # nothing is asked of the model again
    rows = json.loads(run("--json").stdout)
    assert rows == [{"question": QUESTION, "language": "fr", "article_id": "pont", "state": "proposed"}]
    assert {one.article_id for one in SuggestionFile(home).read()} == {"pont", "foire"}


def test_an_editors_question_is_taken_if_it_is_answered(run: Run) -> None:
    assert run("--add", OWN).stdout == f"accepted  fr  {OWN}  (pont)\n"
    refused = run("--add", "Qui a gagné le match ?")
    assert refused.exit_code == 1
    assert "do not answer" in str(refused.exception)
    assert run().stdout == f"accepted  fr  {OWN}  (pont)\n"


def test_a_refused_question_is_not_made_again(run: Run) -> None:
    run("--make")
    assert run("--refuse", QUESTION).stdout == ""
    assert run("--make").stdout == ""
    again = run("--refuse", QUESTION)
    assert again.exit_code == 1
    assert "neither suggested nor proposed" in str(again.exception)


def test_a_proposed_question_is_accepted(run: Run) -> None:
    run("--make")
    assert run("--accept", QUESTION).stdout == f"accepted  fr  {QUESTION}  (pont)\n"
    again = run("--accept", QUESTION)
    assert again.exit_code == 1
    assert "is not proposed" in str(again.exception)


def test_a_deleted_article_takes_its_questions_with_it(home: Path) -> None:
    article = articles_on_disk(home)("pont")
    assert article
    suggestion = Suggestion("pont", digest_of_article(article), "fr", QUESTION)
    SuggestionFile(home).add(suggestion, articles_on_disk(home))
    deleted = CliRunner().invoke(sourcier, ["delete", "pont", "--home", str(home), "--json"])
    assert json.loads(deleted.stdout)["suggestions"] == 1
    assert "ruban" not in (home / "suggestions.json").read_text(encoding="utf-8")


def test_a_build_and_a_rollback_take_them_along(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.commands.load_embedder", lambda _: (FakeEmbedder(), "fake"))
    run("--make")
    write_articles(tmp_path / "a.jsonl", {"pont": "Autre chose.", "foire": "La foire a lieu."}, title=TITLE)
    built = CliRunner().invoke(sourcier, ["build", str(tmp_path / "a.jsonl"), "--home", str(home)])
    assert "Removed 1 suggested questions" in built.stderr
    assert SuggestionFile(home).read() == []
