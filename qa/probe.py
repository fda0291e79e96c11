"""Linear probes: what a model knows of a prompt, read from its hidden states in the middle layers.

A probe belongs to one model file behind one prompt; scripts in tests/bench fit them and write them as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qa.decoding.hidden_states import HiddenState


@dataclass(frozen=True, slots=True)
class Probe:
    """Weights over the hidden states of one model, (layers, width), each state scaled to length 1, and a logistic curve
    over what comes out ("probe") and other signals, by their names."""

    layers: tuple[int, ...]
    weights: HiddenState
    intercept: float
    curve: Mapping[str, float]

    def logit(self, hidden: HiddenState) -> float:
        """How much a hidden state (layers, width) looks like those of the positive cases that it was fitted to."""
        lengths = (hidden**2).sum(axis=1, keepdims=True) ** 0.5
        return float((self.weights * hidden / lengths).sum()) + self.intercept

    def probability(self, hidden: HiddenState, **signals: float) -> float:
        """In 0..1. Raises KeyError for a signal that the curve does not know."""
        curve = self.curve
        others = sum(curve[name] * value for name, value in signals.items())
        return logistic(curve["probe"] * self.logit(hidden) + others + curve["intercept"])


def logistic(log_odds: float) -> float:
    """The probability, in 0..1, of natural log-odds."""
    return 1.0 / (1.0 + math.exp(-log_odds))


def read_probe(path: Path, model_digest: str, prompt_digest: str | None) -> Probe | None:
    """The probe of a file, if it was fitted to a model file of this SHA-256 behind this prompt."""
    import numpy as np

    if not path.is_file():
        return None
    fitted = json.loads(path.read_text(encoding="utf-8"))
    if (fitted["model"], fitted["prompt"]) != (model_digest, prompt_digest):
        return None
    weights = np.array(fitted["weights"], np.float32)
    return Probe(tuple(fitted["layers"]), weights, fitted["intercept"], fitted["curve"])
