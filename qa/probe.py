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
    """Weights over hidden states of one model, (states, width), each state scaled to length 1, and a logistic curve
    over what comes out ("probe") and other signals, by their names. The states are those of `layers`, once or several
    times.
    """

    layers: tuple[int, ...]
    weights: HiddenState
    intercept: float
    curve: Mapping[str, float]

    def logit(self, hidden: HiddenState) -> float:
        """How much hidden states (states, width) look like those of the positive cases that it was fitted to."""
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


def log_odds(probability: float) -> float:
    """Natural; of a probability in 0..1, kept finite."""
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


def read_probe(
    path: Path, model_digest: str, prompt_digest: str | None, adapter_digest: str | None = None
) -> Probe | None:
    """The probe of a file, if it was fitted to a model file of this SHA-256 behind this prompt, with the adapter of
    this SHA-256 or with none."""
    import numpy as np

    if not path.is_file():
        return None
    fitted = json.loads(path.read_text(encoding="utf-8"))
    fitted_to = (fitted["model"], fitted["prompt"], fitted.get("adapter"))
    if fitted_to != (model_digest, prompt_digest, adapter_digest):
        return None
    weights = np.array(fitted["weights"], np.float32)
    return Probe(tuple(fitted["layers"]), weights, fitted["intercept"], fitted["curve"])
