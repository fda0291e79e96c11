"""The probability that a passage answers: the probe belongs to a model and a prompt, and says what was fitted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from index.models.model_catalogue import CATALOGUE, DEFAULT_LANGUAGE_MODEL
from qa.answerability import PROBE_FILE, QUOTED_CURVE, Answerability, plain_probability, probe_for
from qa.decoding.hidden_states import HiddenState
from qa.language_model import prefix_key
from qa.probe import Probe, log_odds
from qa.prompt import no_passage_messages

HIT: Any = SimpleNamespace(vector=0.5, rank=1)


class Read:
    """A reply before it is written."""

    def __init__(self, nothing: float, hidden: HiddenState | None = None) -> None:
        self._nothing, self._hidden = nothing, hidden

    def scores(self) -> list[float]:
        return [self._nothing]

    def hidden(self) -> HiddenState | None:
        return self._hidden


def reply(nothing: float, hidden: HiddenState | None = None) -> Any:
    return Read(nothing, hidden)


def test_the_probe_in_the_repository_is_that_of_the_default_model_and_of_the_prompt_as_it_is() -> None:
    """When the prompt was changed, tests/bench/fit_probes.py fits it anew."""
    fitted = json.loads(PROBE_FILE.read_text())
    assert fitted["prompt"] == prefix_key(no_passage_messages())
    (default,) = (model for model in CATALOGUE if model.name == DEFAULT_LANGUAGE_MODEL)
    probe = probe_for(default.sha256)
    assert probe is not None
    assert probe.weights.shape == (len(probe.layers), 1536)
    assert probe.curve["probe"] > 0 > max(probe.curve["nothing"], probe.curve["before"])


@pytest.mark.parametrize("changed", ["model", "prompt", None])
def test_a_probe_of_another_model_or_prompt_is_not_used(tmp_path: Path, changed: str | None) -> None:
    path = tmp_path / "probe.json"
    fitted = {
        "model": "abc", "prompt": prefix_key(no_passage_messages()), "layers": [3], "weights": [[1, 2]],
        "intercept": 0.5, "curve": {"probe": 1, "nothing": 0, "not_first": 0, "before": 0, "intercept": 0},
    }  # fmt: skip
    assert probe_for("abc", path) is None  # no file
    path.write_text(json.dumps(fitted | ({changed: "other"} if changed else {})))
    assert (probe_for("abc", path) is None) == (changed is not None)


def probe() -> Probe:
    weights = np.array([[1.0, 0.0, 2.0], [0.0, -3.0, 0.0]], np.float32)
    curve = {"probe": 2.0, "nothing": -0.5, "not_first": -3.0, "before": -0.4, "intercept": 1.0}
    return Probe((4, 9), weights, 0.25, curve)


def test_what_it_says_is_a_weighted_sum_over_states_of_length_1() -> None:
    hidden = np.array([[3.0, 0.0, 4.0], [0.0, 7.0, 0.0]], np.float32)
    assert probe().logit(hidden) == pytest.approx(0.6 + 2 * 0.8 - 3 + 0.25)
    assert probe().logit(hidden * [[10], [0.1]]) == pytest.approx(probe().logit(hidden))
    logit = 2 * (0.6 + 2 * 0.8 - 3 + 0.25) - 0.5 * -4 + 1
    assert Answerability(probe()).of(HIT, reply(-4.0, hidden)) == pytest.approx(1 / (1 + math.exp(-logit)))
    second: Any = SimpleNamespace(vector=0.5, rank=2)
    assert Answerability(probe()).of(second, reply(-4.0, hidden)) == pytest.approx(1 / (1 + math.exp(3 - logit)))


def test_behind_hopeless_passages_a_later_one_is_likelier_than_behind_one_that_answers() -> None:
    hidden = np.array([[3.0, 0.0, 4.0], [0.0, 7.0, 0.0]], np.float32)
    second: Any = SimpleNamespace(vector=0.5, rank=2)

    def behind(*earlier: float) -> float:
        return log_odds(Answerability(probe()).of(second, reply(-4.0, hidden), earlier))

    assert behind(0.2) - behind(0.5) == pytest.approx(0.4 * math.log(4))
    assert behind(0.1, 0.8, 0.3) == pytest.approx(behind(0.8))  # the likeliest counts
    assert behind(0.0) == pytest.approx(behind(0.5) + 0.4 * 6)  # from 1 in 400 on all are as hopeless
    assert behind(1.0) == pytest.approx(behind(0.5) - 0.4 * 6)
    assert behind() == pytest.approx(behind(0.5))


def test_without_a_probe_or_without_a_hidden_state_the_first_word_decides() -> None:
    hidden = np.ones((2, 3), np.float32)
    expected = plain_probability(-4.0, 0.5, first=True)
    assert Answerability().of(HIT, reply(-4.0, hidden)) == expected
    assert Answerability(probe()).of(HIT, reply(-4.0)) == expected
    assert plain_probability(-8.0, 0.5, True) > expected > plain_probability(-1.0, 0.5, True)
    assert expected > plain_probability(-4.0, 0.5, False)


def test_a_quotation_answers_as_likely_as_its_passage_and_its_sentences_alone_do() -> None:
    near, far = (np.array([[first, 0.0, 4.0], [0.0, 1.0, 0.0]], np.float32) for first in (3.0, -3.0))
    judge = Answerability(probe())
    alone = log_odds(judge.of(HIT, reply(-4.0, near)))
    of_passage, of_sentences, fixed = QUOTED_CURVE
    expected = of_passage * math.log(3) + of_sentences * alone + fixed
    assert log_odds(judge.of_quotation(0.75, reply(-4.0, near))) == pytest.approx(expected)
    assert judge.of_quotation(0.75, reply(-4.0, near)) > judge.of_quotation(0.75, reply(-4.0, far))
    assert judge.of_quotation(0.75, reply(-4.0, near)) > judge.of_quotation(0.25, reply(-4.0, near))
    assert 0 < judge.of_quotation(0.0, reply(-4.0, near)) < judge.of_quotation(1.0, reply(-4.0, near)) < 1


def test_what_was_cancelled_is_not_answerable() -> None:
    assert Answerability(probe()).of(HIT, reply(-math.inf)) == 0.0
    assert Answerability(probe()).of_quotation(0.9, reply(-math.inf)) == 0.0
