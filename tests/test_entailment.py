"""Whether a passage says a sentence: what the model is asked, and what is made of its answer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_language_model import FakeLanguageModel

from index.articles import Article
from index.models.model_catalogue import CATALOGUE, DEFAULT_LANGUAGE_MODEL
from qa.entailment import PROBE_FILE, Entailment, entailment_probe, plain_probability
from qa.language_model import NOBODY, Asker
from qa.probe import Probe
from qa.prompt import answer_messages, says_digest

TEXT = "Le pont des Tanneurs a rouvert vendredi. Les travaux ont coûté 618 000 euros."
ARTICLE = Article(
    id="pont", title="Le pont rouvre", text=TEXT, language="fr", source=None, published=None, author=None, url=None
)
HIT: Any = SimpleNamespace(article=ARTICLE, passage=SimpleNamespace(text=TEXT))


class HearingModel(FakeLanguageModel):
    """Tells a hidden state too."""

    def listen(self, *given: Any) -> Any:
        listening: Any = super().listen(*given)
        end = listening.end

        def with_hidden(text: str) -> Any:
            reply = end(text)
            reply.hidden = lambda: np.array([[3.0, 4.0]], np.float32)
            return reply

        listening.end = with_hidden
        return listening


def said(model: FakeLanguageModel, cosine: float, probe: Probe | None = None, asker: Asker = NOBODY) -> float:
    return Entailment(model, probe).hearing(HIT, asker).said("Le pont rouvre {bientôt}.", cosine)


def test_the_probe_in_the_repository_is_that_of_the_default_model_and_of_the_words_as_they_are() -> None:
    """When they were changed, tests/bench/entailment.py fits it anew."""
    fitted = json.loads(PROBE_FILE.read_text())
    assert fitted["prompt"] == says_digest()
    (default,) = (model for model in CATALOGUE if model.name == DEFAULT_LANGUAGE_MODEL)
    probe = entailment_probe(default.sha256)
    assert probe is not None
    assert probe.weights.shape == (len(probe.layers), 1536)
    assert entailment_probe("0" * 64) is None


def test_it_reads_the_layers_that_answerability_reads() -> None:
    from qa.answerability import PROBE_FILE as OTHER

    assert json.loads(PROBE_FILE.read_text())["layers"] == json.loads(OTHER.read_text())["layers"]


def test_the_sentence_is_asked_about_where_a_question_would_be_so_that_the_passage_is_read_once() -> None:
    model = FakeLanguageModel([], [(-0.1, -3.0)])
    said(model, 0.8)
    (asked,) = model.asked
    question = answer_messages(HIT, "Quand ?", "fr")
    assert asked[:-1] == tuple(question[:-1])
    assert asked[-1].pieces[0] == question[-1].pieces[0]
    assert asked[-1].kept == question[-1].kept == 1
    assert ": Le pont rouvre {bientôt}. " in asked[-1].pieces[1]


def test_what_is_heard_begins_as_what_is_asked_in_the_end() -> None:
    model = FakeLanguageModel([], [(-0.1, -3.0)])
    listening: Any = None

    def listen(*given: Any) -> Any:
        nonlocal listening
        listening = FakeLanguageModel.listen(model, *given)
        return listening

    model.listen = listen  # type: ignore[method-assign]
    hearing = Entailment(model).hearing(HIT)
    hearing.hear("Le pont")
    hearing.hear("Le pont rouvre bien")
    hearing.said("Le pont rouvre bientôt.", 0.8)
    (asked,) = model.asked
    (lead,) = {message.pieces[1] for message in listening._messages[-1:]}
    assert [asked[-1].pieces[1].startswith(f"{lead}{heard}") for heard in listening.heard] == [True, True]


def test_what_looks_finished_is_asked_about_once() -> None:
    at_once = "Le pont rouvre bientôt."
    model = FakeLanguageModel([], [(-0.1, -3.0)])
    hearing = Entailment(model).hearing(HIT)
    hearing.hear("Le pont rouvre")
    hearing.hear_all(at_once)
    hearing.hear_all(at_once)
    assert len(model.asked) == 1
    assert hearing.said(at_once, 0.8) > 0.5
    assert len(model.asked) == 1


@pytest.mark.parametrize("hears", [True, False])
def test_what_looked_finished_and_goes_on_is_asked_about_anew(hears: bool) -> None:
    model = FakeLanguageModel([], [(-0.1, -3.0), (-3.0, -0.1)])
    hearing = Entailment(model).hearing(HIT)
    hearing.hear_all("Le pont rouvre le 3.")
    if hears:
        hearing.hear("Le pont rouvre le 3. mars")
    assert hearing.said("Le pont rouvre le 3. mars.", 0.8) < 0.5
    assert [asked[-1].pieces[1].count("mars") for asked in model.asked] == [0, 1]


@pytest.mark.parametrize(("yes", "no"), [(-0.1, -3.0), (-3.0, -0.1)])
def test_without_a_probe_the_odds_of_yes_decide(yes: float, no: float) -> None:
    chance = said(FakeLanguageModel([], [(yes, no)]), 0.8)
    assert chance == plain_probability(yes - no, 0.8)
    assert (chance > 0.5) == (yes > no)
    assert plain_probability(yes - no, 0.9) > chance


def test_with_a_probe_the_hidden_state_counts_too() -> None:
    probe = Probe((5,), np.array([[1.0, 2.0]], np.float32), -0.2, {"probe": 2, "odds": 3, "cosine": 4, "intercept": -5})
    logit = 2 * (0.6 + 1.6 - 0.2) + 3 * 0.5 + 4 * 0.7 - 5
    assert said(HearingModel([], [(-1.0, -1.5)]), 0.7, probe) == pytest.approx(1 / (1 + math.exp(-logit)))


def test_what_was_cancelled_is_not_said() -> None:
    assert said(FakeLanguageModel([], [(-0.1, -3.0)]), 0.8, None, Asker("", lambda: True)) == 0.0


def test_a_probe_file_that_is_not_there_is_no_probe(tmp_path: Path) -> None:
    assert entailment_probe("0" * 64, tmp_path / "none.json") is None
