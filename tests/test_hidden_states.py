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
from qa.decoding.reply_stream import ReplyStream
from qa.decoding.request import Prompt, Request, in_slices
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


LONG = about("The bridge of Vannes. " * 6, "What was said of the bridge? " * 4)


def expected_behind(model: LlamaModel, text: str) -> HiddenState:
    """What it makes of a prompt of the same tokens."""
    tokens = [*model._context.tokenize(chat(LONG), control=True), *model._context.tokenize(text, control=False)]
    prompt = Prompt(in_slices(tokens), 0, 0)
    reply = ReplyStream(Request(prompt, 0, (ord("y"),)), (), model.wake)
    model._loop.submit(reply._request)
    state = reply.hidden()
    assert state is not None
    return state


def unit(state: HiddenState) -> HiddenState:
    return state / np.linalg.norm(state, axis=1, keepdims=True)


@pytest.mark.parametrize("choices", [[], ["y"]], ids=["at once", "held"])
def test_of_words_it_is_that_behind_the_last_and_the_mean_of_all(model: LlamaModel, choices: list[str]) -> None:
    reply = model.generate(LONG, 60, choices=choices)
    text, known = "", {}
    for piece in reply:
        for end in range(1, len(text)):
            known[end] = reply.hidden_of(0, end)  # before anything behind it was seen
        text += piece
    assert len(text) > 30
    behind = {end: expected_behind(model, text[:end]) for end in range(1, 13)}  # the tiny model writes letter by letter
    for start, end in ((0, 1), (0, 12), (5, 12), (11, 12)):
        state = reply.hidden_of(start, end)
        assert state is not None
        mean = np.mean([unit(behind[place]) for place in range(start + 1, end + 1)], axis=0)
        np.testing.assert_allclose(state, np.concatenate([behind[end], mean]), atol=ROUNDING)
        if start == 0:
            np.testing.assert_array_equal(state, known[end])
    states = [state for state in known.values() if state is not None]
    assert len(states) == len(known)
    assert np.ptp(states, axis=0).max() > 0.1


def test_of_the_last_words_it_is_known_when_the_reply_has_ended(model: LlamaModel) -> None:
    ended = model.generate(LONG, 500)
    text = "".join(ended)
    assert len(text) < 500  # it ended its turn
    state = ended.hidden_of(len(text) - 1, len(text))
    assert state is not None
    np.testing.assert_allclose(state[: len(state) // 2], expected_behind(model, text), atol=ROUNDING)
    cut = model.generate(LONG, 8)
    assert len("".join(cut)) == 8
    np.testing.assert_array_equal(cut.hidden_of(0, 8), cut.hidden_of(0, 7))  # nothing was chosen behind the last one
    assert cut.hidden_of(7, 8) is None


def test_a_stop_string_leaves_what_was_before_it_known(model: LlamaModel) -> None:
    text = "".join(model.generate(LONG, 40))
    stop = text[20:22]
    reply = model.generate(LONG, 40, [stop])
    before = "".join(reply)
    assert before == text[: text.index(stop)]
    assert reply.hidden_of(0, len(before)) is not None


def test_of_a_model_without_layers_there_is_none(tiny_model: Path) -> None:
    deaf = LlamaModel(tiny_model, threads=1)
    reply = deaf.generate(LONG, 20)
    text = "".join(reply)
    deaf.close()
    assert [reply.hidden_of(0, length) for length in range(len(text))] == [None] * len(text)
