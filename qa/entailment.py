"""Does a passage say a sentence? Asked of the model before a reader sees the sentence.

Numbers, names and words can all stand in the passage and the sentence be false: "Germany's neighbour in the south is
France", where France is in the west. So the model, which has just read the passage, is asked whether the passage says
that. Its odds of Yes against No, and a linear probe on its hidden state behind the question (qa/probe.py), give the
probability; another model than the probe's is judged by the odds alone. The passage is not read again, and the
sentence is read while it is written, beside it.

tests/bench/entailment.py fits the probe and the curve.
"""

from __future__ import annotations

import math
from pathlib import Path

from index.search import Hit
from qa.language_model import NOBODY, Asker, LanguageModel, Listening, Reply
from qa.probe import Probe, logistic, read_probe
from qa.prompt import NO, SAYS_END, YES, says_digest, says_messages

PROBE_FILE = Path(__file__).parent / "entailment.json"


class Entailment:
    """Asks `model`; with the probe that belongs to it, or without one."""

    def __init__(self, model: LanguageModel, probe: Probe | None = None) -> None:
        self._model = model
        self._probe = probe

    def hearing(self, hit: Hit, asker: Asker = NOBODY) -> Hearing:
        """For one sentence about the hit's passage."""
        return Hearing(self._model, self._probe, hit, asker)


class Hearing:
    """A sentence is put to the model while it is being written, so that little is left to be read at its end."""

    def __init__(self, model: LanguageModel, probe: Probe | None, hit: Hit, asker: Asker) -> None:
        self._model = model
        self._probe = probe
        self._hit = hit
        self._asker = asker
        self._listening: Listening | None = None
        self._early: tuple[str, Reply] | None = None  # what was asked before it was sure to be all

    def hear(self, text: str) -> None:
        """The sentence as far as it goes by now."""
        if self._early:
            self._forget()
        self._begun().hear(f" {text}")

    def hear_all(self, sentence: str) -> None:
        """It looks finished: ask about it now, while the model writes what tells whether it is."""
        if self._early is None:
            self._early = sentence, self._begun().end(f" {sentence}{SAYS_END}")

    def said(self, sentence: str, cosine: float) -> float:
        """The probability, in 0..1, that the passage says the whole sentence; 0 when cancelled.

        `cosine` is that of the sentence with the closest one of the passage. What was heard may have been another.
        """
        if self._early and self._early[0] == sentence:
            reply = self._early[1]
        else:
            if self._early:
                self._forget()
            reply = self._begun().end(f" {sentence}{SAYS_END}")
        yes, no = reply.scores()
        if math.isinf(yes):
            return 0.0
        hidden = reply.hidden() if self._probe else None
        if self._probe is None or hidden is None:
            return plain_probability(yes - no, cosine)
        return self._probe.probability(hidden, odds=yes - no, cosine=cosine)

    def close(self) -> None:
        """The sentence is not asked about."""
        self._forget()

    def _forget(self) -> None:
        if self._early:
            self._early[1].close()
        if self._listening:
            self._listening.close()
        self._early = self._listening = None

    def _begun(self) -> Listening:
        if self._listening is None:
            self._listening = self._model.listen(says_messages(self._hit), (YES, NO), self._asker)
        return self._listening


def plain_probability(odds: float, cosine: float) -> float:
    """Without a probe. `odds` are the natural log-odds of Yes against No."""
    return logistic(1.0 * odds + 4.0 * cosine - 4.0)


def entailment_probe(model_digest: str, path: Path = PROBE_FILE) -> Probe | None:
    """The probe that was fitted to a model file of this SHA-256 behind the question as it is now, if there is one."""
    return read_probe(path, model_digest, says_digest())
