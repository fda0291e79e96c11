"""Does a passage answer the question? Known before the first word of a reply is written.

What the model would write says little of what it knows: asked about what a passage nearly says, it answers. In the
middle of it the two cases differ, so a linear probe reads the hidden state behind the question (Slobodkin et al., "The
Curious Case of Hallucinatory (Un)answerability", EMNLP 2023). It costs nothing: that state is computed anyway.

The probe belongs to one model file behind one prompt. Another model is judged by how likely it is to say NOTHING.
tests/bench/answerability.py fits the probe, and tells what each threshold declines.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from qa.language_model import Reply, prefix_key
from qa.probe import Probe, logistic, read_probe

if TYPE_CHECKING:
    from index.search import Hit

# Below the first nothing is written from a passage, unless the model is sure of it (qa/answers.py). Of questions held
# out of the fit, 0.4 declines .70 of those without an answer and .10 of those with one on squad2, .92 and .17 on PIAF,
# .59 and .04 on the sample newspaper; 0.5 declines .76 and .16, .93 and .19, .77 and .05. Sentences that are not said
# after all are stopped later (qa/entailment.py).
# From the second on the passage's own words are shown where nothing else can be: of 134 questions of tuning halves, in
# the 13 where a passage was at .5 or more and nothing written from it could be shown, the question has an answer in all
# and the passage is of the right article in 12.
DECLINE_BELOW = 0.50
QUOTE_FROM = 0.70
PROBE_FILE = Path(__file__).parent / "answerability.json"


class Answerability:
    """The probability that a passage answers, for a model with a probe or without."""

    def __init__(self, probe: Probe | None = None) -> None:
        self._probe = probe

    def of(self, hit: Hit, reply: Reply) -> float:
        """In 0..1; 0 when cancelled. Waits until the model has read the question.

        `reply` was asked for with NOTHING as the only choice.
        """
        (nothing,) = reply.scores()
        if math.isinf(nothing):
            return 0.0
        hidden = reply.hidden() if self._probe else None
        if self._probe is None or hidden is None:
            return plain_probability(nothing, hit.vector, hit.rank == 1)
        return self._probe.probability(hidden, nothing=nothing, not_first=hit.rank != 1)


def plain_probability(nothing: float, cosine: float, first: bool) -> float:
    """Without a probe: `cosine` is that of the passage's best sentence with the question, `first` whether no passage
    was found before it."""
    # Over the 90 passages that were read for 60 questions of corpus/questions.jsonl with an even number (AUROC .93, of
    # `nothing` alone .91; 2026-11-23).
    return logistic(-0.46 * nothing + 2.23 * cosine - 1.73 * (not first) - 3.61)


def probe_for(model_digest: str, path: Path = PROBE_FILE) -> Probe | None:
    """The probe that was fitted to a model file of this SHA-256 behind the prompt as it is now, if there is one."""
    from qa.prompt import no_passage_messages

    return read_probe(path, model_digest, prefix_key(no_passage_messages()))
