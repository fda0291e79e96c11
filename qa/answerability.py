"""Does a passage answer the question? Known before the first word of a reply is written.

What the model would write says little of what it knows: asked about what a passage nearly says, it answers. In the
middle of it the two cases differ, so a linear probe reads the hidden state behind the question (Slobodkin et al., "The
Curious Case of Hallucinatory (Un)answerability", EMNLP 2023). It costs nothing: that state is computed anyway.

The probe belongs to one model file with its adapter (qa/adapter.py) behind one prompt. Another model is judged by how
likely it is to say NOTHING. tests/bench/fit_probes.py fits the probe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qa.adapter import adapter_digest
from qa.language_model import Reply, prefix_key
from qa.probe import Probe, log_odds, logistic, read_probe

if TYPE_CHECKING:
    from index.search import Hit

# Nothing is written from a passage that is less likely to answer than the first: of 720 such replies 5 would be
# likely enough to be shown, and each takes a second (with the adapter before it was trained further). A reply that is
# less likely to be right than the second (qa/entailment.py) is not shown. Of held-out passages that do not answer,
# and of those that do, before quotations and all other checks, .50 declines .85 and .25 of 228 each that questions
# were written about, .88 and .10 of squad2's, .88 and .09 of PIAF's; .55 .87 and .28, .88 and .10, .88 and .09; .60
# .88 and .32, .88 and .15, .89 and .11 (2026-11-29).
# From the third on, measured with the adapter before, the passage's own words are shown where other checks stopped
# what was written, and across languages where the reply itself was unlikely to be right (of the fifth of the pairs
# that it was not trained on 57 such passages answer and 2 do not); in one language there from the fourth on. Of the
# first passages of that fifth, .75 with two sentences instead of .80 with one declines .10 of PIAF's instead of .14,
# and .76 instead of .71 get what was asked for; QED .12 instead of .20, and .69 instead of .61; squad2 as many as
# before (.77 of those without an answer, .09 of the others; of the half that nothing was tuned on .72 instead of .75,
# and .16 as before). From .70 on it would be .75 of that fifth's.
WRITE_FROM = 0.25
DECLINE_BELOW = 0.55
QUOTE_FROM = 0.70
QUOTE_UNLIKELY_FROM = 0.75
# With a probe, sentences are quoted from a passage that answers at least so likely, if they do so alone: what comes
# near to an answer looks like one among all else that the passage says of it. Weights of the natural log-odds of the
# passage and of the sentences read alone, and what is added (tests/bench/quotations.py). Of 265 held-out passages that
# likely answer, of which 140 quotations do, the passage tells which with an AUROC of .74 (written questions, which
# nothing was trained on) and .84 (squad2, which the adapter had seen a part of); both together with .81 and .85.
# What is added was raised, by hand, for the adapter that was trained further and finds near misses less likely: of 161
# held-out quotations that answer and 46 that do not, .86 and .35 are shown; with -1.18 .73 and .26, with -.11 .91 and
# .59. Fitted, with the weights as they are, it would be -.27.
READ_QUOTED_FROM = 0.50
QUOTED_CURVE = (0.34, 0.69, -0.60)
PROBE_FILE = Path(__file__).parent / "answerability.json"
# Of the 28 layers of the default model. On squad2's even half (954 pairs, five folds), without the adapter, layer 12
# alone had an AUROC of .77, 16 of .87, 20 of .86, 24 of .80, the last one of .76. NOTHING alone: .72, and .88 with it.
LAYERS = (16, 20)
# Natural log-odds beyond which it does not matter how likely a passage before was.
FURTHEST_ODDS = 6.0


class Answerability:
    """The probability that a passage answers, for a model with a probe or without."""

    def __init__(self, probe: Probe | None = None) -> None:
        self._probe = probe

    @property
    def has_probe(self) -> bool:
        return self._probe is not None

    def of(self, hit: Hit, reply: Reply, earlier: Sequence[float] = ()) -> float:
        """In 0..1; 0 when cancelled. Waits until the model has read the question.

        `reply` was asked for with NOTHING as the only choice. `earlier` are the probabilities of the passages that were
        read before: where a likely one was, another is seldom needed, and behind hopeless ones it is the one.
        """
        (nothing,) = reply.scores()
        if math.isinf(nothing):
            return 0.0
        hidden = reply.hidden() if self._probe else None
        if self._probe is None or hidden is None:
            return plain_probability(nothing, hit.vector, hit.rank == 1)
        likeliest = log_odds(max(earlier)) if earlier else 0.0
        before = min(max(likeliest, -FURTHEST_ODDS), FURTHEST_ODDS)
        return self._probe.probability(hidden, nothing=nothing, not_first=hit.rank != 1, before=before)

    def of_quotation(self, chance: float, reply: Reply) -> float:
        """How likely sentences of a passage answer that would be quoted, in 0..1; 0 when cancelled. `chance`: how
        likely the passage does. `reply` was asked for as for `of`, with nothing but these sentences for a passage.

        Only for a model with a probe. Without one, it is not known what the two say together.
        """
        (nothing,) = reply.scores()
        hidden = None if self._probe is None or math.isinf(nothing) else reply.hidden()
        if self._probe is None or hidden is None:
            return 0.0
        alone = self._probe.probability(hidden, nothing=nothing, not_first=False, before=0.0)
        passage, sentences, fixed = QUOTED_CURVE
        return logistic(passage * log_odds(chance) + sentences * log_odds(alone) + fixed)


def plain_probability(nothing: float, cosine: float, first: bool) -> float:
    """Without a probe: `cosine` is that of the passage's best sentence with the question, `first` whether no passage
    was found before it."""
    # Over the 90 passages that were read for 60 questions of corpus/questions.jsonl with an even number (AUROC .93, of
    # `nothing` alone .91; 2026-11-23).
    return logistic(-0.46 * nothing + 2.23 * cosine - 1.73 * (not first) - 3.61)


def probe_for(model_digest: str, path: Path = PROBE_FILE) -> Probe | None:
    """The probe that was fitted to a model file of this SHA-256 behind the prompt as it is now, if there is one."""
    from qa.prompt import no_passage_messages

    return read_probe(path, model_digest, prefix_key(no_passage_messages()), adapter_digest(model_digest))
