"""The adapter: it is the one of the default model, and a model with it is what the sum of both weights would be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from test_llama_model import ROUNDING, WHEN, WRITABLE, about
from tiny_gguf import plain_adapter, plain_model

from index.errors import ModelFileError
from index.models.model_catalogue import CATALOGUE, DEFAULT_LANGUAGE_MODEL
from qa.adapter import ADAPTER_FACTS, ADAPTER_FILE, adapter_digest, adapter_for
from qa.answerability import PROBE_FILE
from qa.entailment import PROBE_FILE as ENTAILMENT_FILE
from qa.language_model import prefix_key
from qa.llama_model import LlamaModel
from qa.prefill_cache import PrefillCache
from qa.prompt import no_passage_messages

MODEL = next(model.sha256 for model in CATALOGUE if model.name == DEFAULT_LANGUAGE_MODEL)


def test_the_adapter_in_the_repository_is_that_of_the_default_model_and_of_the_prompt_as_it_is() -> None:
    """When they were changed, tests/bench/train_adapter.py trains it anew."""
    assert adapter_for(MODEL) == ADAPTER_FILE
    assert adapter_digest(MODEL) == hashlib.sha256(ADAPTER_FILE.read_bytes()).hexdigest()
    assert adapter_for("0" * 64) is None
    assert adapter_digest("0" * 64) is None


@pytest.mark.parametrize("probe", [PROBE_FILE, ENTAILMENT_FILE])
def test_the_probes_were_fitted_to_what_the_model_makes_of_a_prompt_with_it(probe: Path) -> None:
    assert json.loads(probe.read_text())["adapter"] == json.loads(ADAPTER_FACTS.read_text())["sha256"]


@pytest.mark.parametrize("changed", ["model", "prompt", None])
def test_that_of_another_model_or_prompt_is_not_used(tmp_path: Path, changed: str | None) -> None:
    facts = tmp_path / "adapter.json"
    assert adapter_for("abc", tmp_path / "adapter.gguf", facts) is None  # there is none
    said = {"model": "abc", "prompt": prefix_key(no_passage_messages()), "sha256": "def"}
    facts.write_text(json.dumps(said | ({changed: "other"} if changed else {})))
    assert adapter_digest("abc", facts) == (None if changed else "def")
    assert adapter_for("abc", tmp_path / "adapter.gguf", facts) == (None if changed else tmp_path / "adapter.gguf")


def test_a_model_with_an_adapter_is_the_model_with_the_product_added_to_its_weights(tmp_path: Path) -> None:
    random = np.random.RandomState(4)
    names = ["blk.0.attn_q.weight", "blk.1.attn_output.weight"]
    low = {
        name: (
            random.standard_normal((2, 64)).astype(np.float32) / 8,
            random.standard_normal((64, 2)).astype(np.float32),
        )
        for name in names
    }
    path, adapter = plain_model(tmp_path / "model.gguf"), plain_adapter(tmp_path / "adapter.gguf", low, alpha=4.0)
    merged = plain_model(tmp_path / "merged.gguf", {name: 2.0 * b @ a for name, (a, b) in low.items()})
    plain, with_adapter, expected = (
        LlamaModel(path, threads=1),
        LlamaModel(path, threads=1, adapter=adapter),
        LlamaModel(merged, threads=1),
    )
    said = [model.score(WHEN, WRITABLE) for model in (plain, with_adapter, expected)]
    np.testing.assert_allclose(said[1], said[2], atol=ROUNDING)
    assert np.abs(np.subtract(said[1], said[0])).max() > 0.5
    for model in (plain, with_adapter, expected):
        model.close()


def test_a_stored_state_of_it_is_what_it_would_read_again(tmp_path: Path) -> None:
    low = {"blk.0.attn_v.weight": (np.full((1, 64), 0.1, np.float32), np.ones((32, 1), np.float32))}
    path, adapter = plain_model(tmp_path / "model.gguf"), plain_adapter(tmp_path / "adapter.gguf", low, alpha=1.0)
    asked, scores = about("A passage. " * 9, "Which?"), []
    for _ in range(2):
        model = LlamaModel(path, threads=1, states=PrefillCache(tmp_path / "states", "00"), adapter=adapter)
        scores.append(model.score(asked, WRITABLE))
        model.states.flush()
        model.close()
    np.testing.assert_allclose(scores[0], scores[1], atol=ROUNDING)


def test_what_is_no_adapter_of_the_model_is_a_clear_error(tmp_path: Path) -> None:
    path, other = plain_model(tmp_path / "model.gguf"), tmp_path / "adapter.gguf"
    other.write_bytes(b"GGUF and nothing else")
    with pytest.raises(ModelFileError, match="adapter"):
        LlamaModel(path, threads=1, adapter=other)
