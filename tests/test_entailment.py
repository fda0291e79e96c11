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
from qa.decoding.hidden_states import HiddenState
from qa.entailment import (
    PROBE_FILE,
    WITHOUT_ANSWER_TYPE,
    Entailment,
    entailment_probe,
    held_to_answer_type,
    plain_probability,
)
from qa.language_model import NOBODY, Asker, prefix_key
from qa.probe import Probe, log_odds
from qa.prompt import answer_messages, no_passage_messages

TEXT = "Le pont des Tanneurs a rouvert vendredi. Les travaux ont coûté 618 000 euros."
ARTICLE = Article(
    id="pont", title="Le pont rouvre", text=TEXT, language="fr", source=None, published=None, author=None, url=None
)
HIT: Any = SimpleNamespace(article=ARTICLE, passage=SimpleNamespace(text=TEXT), rank=1)


def said(
    model: FakeLanguageModel,
    cosine: float,
    answerability: float = 0.9,
    probe: Probe | None = None,
    written: HiddenState | None = None,
    asker: Asker = NOBODY,
) -> float:
    return Entailment(model, probe).of("Le pont rouvre {bientôt}.", cosine, HIT, answerability, written, asker)


def test_the_probe_in_the_repository_is_that_of_the_default_model_and_of_the_prompt_as_it_is() -> None:
    """When they were changed, tests/bench/fit_probes.py fits it anew."""
    fitted = json.loads(PROBE_FILE.read_text())
    assert fitted["prompt"] == prefix_key(no_passage_messages())
    (default,) = (model for model in CATALOGUE if model.name == DEFAULT_LANGUAGE_MODEL)
    probe = entailment_probe(default.sha256)
    assert probe is not None
    assert probe.weights.shape == (2 * len(probe.layers), 1536)
    assert min(probe.curve["probe"], probe.curve["answerability"]) > 0
    assert entailment_probe("0" * 64) is None


def test_it_reads_the_layers_that_answerability_reads() -> None:
    from qa.answerability import PROBE_FILE as OTHER

    assert json.loads(PROBE_FILE.read_text())["layers"] == json.loads(OTHER.read_text())["layers"]


def test_with_a_probe_what_the_model_made_of_its_own_words_decides_and_it_is_asked_nothing() -> None:
    curve = {"probe": 2, "answerability": 3, "intercept": -1}
    probe = Probe((5,), np.array([[1.0, 2.0], [0.0, 1.0]], np.float32), -0.2, curve)
    written = np.array([[3.0, 4.0], [1.0, 0.0]], np.float32)
    logit = 2 * (0.6 + 1.6 + 0.0 - 0.2) + 3 * math.log(0.7 / 0.3) - 1
    model = FakeLanguageModel([])
    assert said(model, 0.8, 0.7, probe, written) == pytest.approx(1 / (1 + math.exp(-logit)))
    assert said(model, 0.8, 1.0, probe, written) <= 1.0
    assert not model.asked


def test_the_sentence_is_asked_about_where_a_question_would_be_so_that_the_passage_is_read_once() -> None:
    model = FakeLanguageModel([], [(-0.1, -3.0)])
    said(model, 0.8)
    (asked,) = model.asked
    question = answer_messages(HIT, "Quand ?", "fr")
    assert asked[:-1] == tuple(question[:-1])
    assert asked[-1].pieces[0] == question[-1].pieces[0]
    assert asked[-1].kept == question[-1].kept == 1
    assert ": Le pont rouvre {bientôt}. " in asked[-1].pieces[1]


@pytest.mark.parametrize(("yes", "no"), [(-0.1, -3.0), (-3.0, -0.1)])
@pytest.mark.parametrize("probe", [None, Probe((5,), np.ones((2, 2), np.float32), 0.0, {})])
def test_without_a_probe_or_hidden_states_the_odds_of_yes_decide(yes: float, no: float, probe: Probe | None) -> None:
    chance = said(FakeLanguageModel([], [(yes, no)]), 0.8, probe=probe)
    assert chance == min(0.9, plain_probability(yes - no, 0.8))
    assert (chance > 0.5) == (yes > no)
    assert plain_probability(yes - no, 0.9) > plain_probability(yes - no, 0.8)


def test_without_a_probe_nothing_is_likelier_than_that_the_passage_answers() -> None:
    assert said(FakeLanguageModel([], [(-0.01, -9.0)]), 0.9, 0.3) == 0.3


def test_what_was_cancelled_is_not_said() -> None:
    assert said(FakeLanguageModel([], [(-0.1, -3.0)]), 0.8, asker=Asker("", lambda: True)) == 0.0


def test_a_probe_file_that_is_not_there_is_no_probe(tmp_path: Path) -> None:
    assert entailment_probe("0" * 64, tmp_path / "none.json") is None


def test_an_answer_without_the_name_that_is_asked_for_has_to_be_surer() -> None:
    asked, named, unnamed = "Comment s'appelle l'institutrice ?", "Elle s'appelle Paule Verdier.", "Elle est bloquée."

    def held(probability: float, *said: str) -> float:
        return held_to_answer_type(probability, said, asked, "fr")

    assert held(0.8, named) == held(0.8) == 0.8
    assert log_odds(held(0.8, unnamed)) == pytest.approx(log_odds(0.8) + WITHOUT_ANSWER_TYPE)
    assert held(0.8, named, unnamed) == held(0.8, unnamed, unnamed) == held(0.8, unnamed)
    assert held(0.0, unnamed) == pytest.approx(0.0, abs=1e-5)
