"""Does a passage say a sentence, in answer to the question? Judged before a reader sees the sentence.

Numbers, names and words can all stand in the passage and the sentence be false: "Germany's neighbour in the south is
France", where France is in the west. What the model has made of passage, question and sentence while it wrote the
sentence tells more than what it says when it is asked afterwards, so a linear probe reads its hidden states, behind the
last word and on average over all of them (Orgad et al., "LLMs Know More Than They Show", ICLR 2025). It costs nothing:
these states are computed anyway. Of replies to held-out questions it has an AUROC of .92 (squad2), .94 (PIAF) and .94
(sample newspaper). Without the adapter it had .88, .93 and .93, and a probe on the model's state behind "Does the
passage say that: ... Yes or no?" .73, .84 and .84, which adds nothing to it.

The probe belongs to one model file with its adapter (qa/adapter.py) behind one prompt. Another model is asked whether
its passage says the sentence, and its odds of Yes against No count: half a second more for each sentence on two cores.
tests/bench/fit_probes.py fits the probe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index.search import Hit
from qa.adapter import adapter_digest
from qa.language_model import NOBODY, Asker, LanguageModel, prefix_key
from qa.probe import Probe, log_odds, logistic, read_probe
from qa.prompt import NO, YES, no_passage_messages, says_messages
from qa.wording.answer_types import lacks_answer_type

if TYPE_CHECKING:
    from qa.decoding.hidden_states import HiddenState

PROBE_FILE = Path(__file__).parent / "entailment.json"
# What is added to the natural log-odds of a sentence that has no name, or no number, where one is asked for. Of 17 such
# replies from held-out passages six are right, all of which were as likely as .86 before, and eleven wrong, none of
# them likelier than .84: -1.6 keeps the six above the bar and the others below it (tests/bench/fit_probes.py --report
# prints them; -1.9 is likeliest). Of what would be quoted behind six such replies from passages that likely answer, the
# two that answer had .96 and .88 before, the others .74 and less.
WITHOUT_ANSWER_TYPE = -1.6


class Entailment:
    """For sentences that `model` has written; with the probe that belongs to it, or without one."""

    def __init__(self, model: LanguageModel, probe: Probe | None = None) -> None:
        self._model = model
        self._probe = probe

    def of(
        self,
        claim: str,
        cosine: float,
        hit: Hit,
        answerability: float,
        written: HiddenState | None,
        asker: Asker = NOBODY,
    ) -> float:
        """The probability, in 0..1, that the hit's passage says the sentence in answer to the question; 0 when
        cancelled.

        `answerability` is the probability that the passage answers it, in 0..1; `written` is Reply.hidden_of the
        sentence, where the model tells it. Another model is asked about `claim`, in words that can be understood alone;
        `cosine` is that of the sentence with the closest one of the passage.
        """
        if self._probe is not None and written is not None:
            odds = log_odds(answerability)
            return self._probe.probability(written, answerability=odds)
        yes, no = self._model.score(says_messages(hit, claim), (YES, NO), asker)
        return 0.0 if math.isinf(yes) else min(answerability, plain_probability(yes - no, cosine))


def held_to_answer_type(probability: float, said: Sequence[str], question: str, language: str) -> float:
    """The probability, in 0..1, of an answer, with what was said (a sentence, or what was written and what is quoted
    instead) held against what kind of thing the question asks for. All are in the same language."""
    if not any(lacks_answer_type(one, question, language) for one in said):
        return probability
    return logistic(log_odds(probability) + WITHOUT_ANSWER_TYPE)


def plain_probability(odds: float, cosine: float) -> float:
    """Without a probe. `odds` are the natural log-odds of Yes against No."""
    return logistic(1.0 * odds + 4.0 * cosine - 4.0)


def entailment_probe(model_digest: str, path: Path = PROBE_FILE) -> Probe | None:
    """The probe that was fitted to a model file of this SHA-256 behind the prompt as it is now, if there is one."""
    return read_probe(path, model_digest, prefix_key(no_passage_messages()), adapter_digest(model_digest))
