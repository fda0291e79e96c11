"""Hidden states: what a layer really gives, for the right token, whoever else is in the batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tiny_gguf
from test_llama_model import ROUNDING, WHEN, about, chat
from watched_context import PlainReader

from qa.decoding.hidden_states import HiddenState
from qa.language_model import Asker, Message
from qa.llama_model import LlamaModel
from qa.prefill_cache import PrefillCache


@pytest.fixture
def model(tiny_model: Path) -> Iterator[LlamaModel]:
    model = LlamaModel(tiny_model, threads=1, layers=[0])
    yield model
    model.close()


def hidden(model: LlamaModel, messages: list[Message]) -> HiddenState:
    reply = model.generate(messages, 8, choices=["y"])
    state = reply.hidden()
    reply.close()
    assert state is not None
    return state


def test_it_is_what_a_model_of_so_many_layers_ends_with(
    model: LlamaModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights, without the second layer: what the first gives, normalised, times the output's weights."""
    monkeypatch.setattr(tiny_gguf, "_LAYERS", 1)
    shorter = PlainReader(tiny_gguf.plain_model(tmp_path / "one-layer.gguf"))
    expected = shorter.read(shorter.tokens(chat(WHEN)))
    shorter.close()
    (state,) = hidden(model, WHEN)
    output = tiny_gguf._both_ends(np.random.RandomState(1), embedding=1.0)["output.weight"]
    np.testing.assert_allclose(output @ (state / np.sqrt(np.mean(state**2))), expected, atol=1e-3)
    assert expected.std() > 0.5


def test_it_is_the_same_whatever_is_read_beside_it_and_wherever_the_passage_comes_from(
    tiny_model: Path, tmp_path: Path
) -> None:
    prompts = [about(f"Passage {number}. " * 9, f"Is it {number}?") for number in range(8)]
    states = tmp_path / "states"
    alone = LlamaModel(tiny_model, threads=1, layers=[0], states=PrefillCache(states, "00"))
    expected = [hidden(alone, prompt) for prompt in prompts]
    alone.close()
    again = LlamaModel(tiny_model, threads=1, layers=[0], states=PrefillCache(states, "00"))
    with ThreadPoolExecutor(8) as readers:
        together = list(readers.map(lambda prompt: hidden(again, prompt), prompts))
    again.close()
    np.testing.assert_allclose(together, expected, atol=ROUNDING)
    assert np.ptp(expected, axis=0).max() > 0.1  # they are not all the same


def test_there_is_none_without_layers_without_choices_and_for_those_who_left(
    model: LlamaModel, tiny_model: Path
) -> None:
    deaf = LlamaModel(tiny_model, threads=1)
    assert deaf.generate(WHEN, 8, choices=["y"]).hidden() is None
    deaf.close()
    assert model.generate(WHEN, 8).hidden() is None
    assert model.generate(WHEN, 8, choices=["y"], asker=Asker("gone", lambda: True)).hidden() is None
