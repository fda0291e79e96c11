"""Fit the probes of qa/answerability.py (will this passage answer?) and qa/entailment.py (does this reply?).

    .venv/bin/python tests/bench/probe_pairs.py ../shared/data pairs.jsonl --corpus corpus/questions.jsonl
    .venv/bin/python tests/bench/probe_states.py pairs.jsonl states.npz
    .venv/bin/python tests/bench/fit_probes.py pairs.jsonl states.npz
    .venv/bin/python tests/bench/fit_probes.py odd.jsonl odd-states.npz --report

Both are logistic regressions on what the model has made of a prompt in three of its layers: the first behind the
question, the second of the reply (behind its last word, and the mean over all its words). A curve over what each says
of pairs that it was not fitted to, and over a few other signals, makes a probability of it.

A reply is right where its passage answers and it holds the marked answer; what is between right and wrong is left out.

It prints areas under the ROC curve: of held-out pairs (five folds, by paragraph or query), or with --report of pairs
that nothing was fitted to. For NoMIRACL a query counts once, with its likeliest passage of the first three.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from probe_pairs import Pair, read_pairs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from index.storage.checksums import digest_of
from qa import answerability, entailment
from qa.commands import language_model_file
from qa.language_model import prefix_key
from qa.measuring.measures import answer_recall, holds
from qa.prompt import no_passage_messages

# How much the weights are held back. Held out, AUROC of the first (squad2, PIAF, own, XQuAD ar) with .0003: .831 .949
# .930 .887; .001: .846 .950 .925 .884; .003: .851 .948 .916 .873. A perceptron with 64 hidden units: .857 .954 .926
# .886.
QUESTION_FREEDOM = 1e-3
REPLY_FREEDOM = 3e-4
# How much of what the model says itself (the log-probability of NOTHING) is added to what the probe says.
NOTHING_SHARE = 0.1
# What a pair of squad2 counts for. Its questions were made to mislead: with 1, 2, 4, 6 its AUROC is .846 .872 .883
# .886, and PIAF's .950 .949 .945 .943.
SQUAD2_WEIGHT = 4.0
# What a passage of NoMIRACL that does not answer counts for: there are ten of a query.
NOMIRACL_WEIGHT = 0.3
# Shares of the marked answer's words in a reply: from the first on it is right, below the second it is wrong.
RIGHT, WRONG = 0.8, 0.4
FOLDS = 5

States = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Read:
    """Pairs and what the model made of them: (pairs, features), each layer's state scaled to length 1."""

    pairs: Sequence[Pair]
    question: States
    reply: States
    nothing: Numbers
    replies: Sequence[str]

    @property
    def groups(self) -> list[str]:
        """XQuAD has the same paragraphs in each language."""
        return [f"{pair.set.partition('.')[0]} {pair.group}" for pair in self.pairs]

    def of(self, *names: str) -> Flags:
        return np.array([pair.set.partition(".")[0] in names for pair in self.pairs])


@dataclass(frozen=True)
class Fitted:
    """A logistic regression over standardised features, as weights over the features as they are."""

    weights: Numbers
    intercept: float

    def logits(self, states: States) -> Numbers:
        return states @ self.weights + self.intercept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="what probe_pairs.py wrote")
    parser.add_argument("states", type=Path, help="what probe_states.py made of them")
    parser.add_argument("--report", action="store_true", help="fit nothing: tell of the probes as they are")
    given = parser.parse_args()
    read = _read(given.pairs, given.states)
    if given.report:
        _report(read)
    else:
        _fit(read)


def _read(pairs: Path, states: Path) -> Read:
    with np.load(states) as read:
        known = read_pairs(pairs)
        return Read(
            [known[number] for number in read["pair"]],  # those too long for the window were not read
            _flat(read["question"]),
            _flat(read["reply"]),
            read["nothing"].astype(np.float64),
            [str(text) for text in read["text"]],
        )


def _flat(states: npt.NDArray[np.float16]) -> States:
    """(pairs, layers, width) to (pairs, layers * width), each layer's state scaled to length 1."""
    scaled = states.astype(np.float32)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=2, keepdims=True), 1e-9)
    return scaled.reshape(len(scaled), -1)


# -- labels ------------------------------------------------------------------------------------------------------------


def _answers(read: Read) -> tuple[npt.NDArray[np.int64], Flags]:
    """Whether each passage answers, and of which pairs that is known; a reply that was forced answers no question."""
    labels = np.array([-1 if pair.answers is None else int(pair.answers) for pair in read.pairs])
    return labels, (labels >= 0) & ~read.of("rte3")


def _right(read: Read) -> tuple[npt.NDArray[np.int64], Flags]:
    """Whether each reply is right, and of which pairs that is known."""
    labels = np.array([_is_right(pair, text) for pair, text in zip(read.pairs, read.replies, strict=True)])
    return labels, labels >= 0


def _is_right(pair: Pair, reply: str) -> int:
    """-1: not known."""
    if pair.answers is None:
        return -1
    if pair.forced or not pair.answers:
        return int(pair.answers)
    if pair.facts:
        return int(any(holds(reply, forms) for forms in pair.facts))
    recall = answer_recall(reply, pair.marked) if pair.marked else (RIGHT + WRONG) / 2
    return 1 if recall >= RIGHT else 0 if recall < WRONG else -1


def _weights(read: Read) -> Numbers:
    return np.where(read.of("squad2"), SQUAD2_WEIGHT, 1.0) * np.where(read.of("nomiracl"), NOMIRACL_WEIGHT, 1.0)


def _levelled(read: Read, labels: npt.NDArray[np.int64]) -> Numbers:
    """For curves: halfway to counting a set with few pairs as much as one with many, and of each those that are right
    as much as the others."""
    kinds = [(pair.set, label) for pair, label in zip(read.pairs, labels.tolist(), strict=True)]
    counts = Counter(kinds)
    return np.array([counts[kind] ** -0.5 for kind in kinds])


# -- fitting -----------------------------------------------------------------------------------------------------------


def _fit(read: Read) -> None:
    later = np.array([not pair.first for pair in read.pairs], float)
    answers, known = _answers(read)
    question, held_out = _fit_question(read, answers, known)
    signals = np.stack([held_out - NOTHING_SHARE * read.nothing, later], axis=1)
    curve, chances = _curve(read, signals, answers, known)
    _tell("the passage answers", read, chances, answers, known)
    share, not_first = curve.coef_[0]
    values = {
        "probe": share,
        "nothing": -NOTHING_SHARE * share,
        "not_first": not_first,
        "intercept": curve.intercept_[0],
    }
    _write(answerability.PROBE_FILE, read, question, values)

    right, judged = _right(read)
    weights = _weights(read)
    reply, said = (
        _regression(read.reply, right, weights, judged, REPLY_FREEDOM),
        _held_out(read, read.reply, right, weights, judged, REPLY_FREEDOM),
    )
    odds = np.log(chances / (1 - chances))
    curve, chances = _curve(read, np.stack([said, odds, later], axis=1), right, judged & ~read.of("rte3"))
    _tell("the reply is right", read, chances, right, judged)
    _tell("the passage answers, as the reply tells", read, chances, answers, known)
    values = dict(zip(("probe", "answerability", "not_first"), curve.coef_[0], strict=True))
    _write(entailment.PROBE_FILE, read, reply, {**values, "intercept": curve.intercept_[0]})


def _fit_question(read: Read, answers: npt.NDArray[np.int64], known: Flags) -> tuple[Fitted, Numbers]:
    """The likeliest passage of an answerable NoMIRACL query counts as one that answers: the likeliest to the model
    itself, then to a probe that was fitted so, in other folds."""
    likely: Numbers = -read.nothing
    weights = _weights(read)
    for _ in range(2):
        labels, use, mine = answers.copy(), known.copy(), weights.copy()
        for best in _likeliest(read, answers, likely):
            labels[best], use[best], mine[best] = 1, True, 1.0
        likely = _held_out(read, read.question, labels, mine, use, QUESTION_FREEDOM)
    return _regression(read.question, labels, mine, use, QUESTION_FREEDOM), likely


def _likeliest(read: Read, answers: npt.NDArray[np.int64], likely: Numbers) -> list[int]:
    passages: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number in np.flatnonzero(answers < 0):
        passages[read.pairs[number].set, read.pairs[number].group].append(int(number))
    return [max(numbers, key=lambda number: likely[number]) for numbers in passages.values()]


def _held_out(
    read: Read, states: States, labels: npt.NDArray[np.int64], weights: Numbers, use: Flags, freedom: float
) -> Numbers:
    """Each pair's logit by a probe that was fitted to other groups."""
    logits = np.empty(len(labels))
    for fitted, others in GroupKFold(FOLDS).split(states, labels, read.groups):
        among = np.zeros(len(labels), bool)
        among[fitted] = True
        logits[others] = _regression(states, labels, weights, use & among, freedom).logits(states[others])
    return logits


def _regression(states: States, labels: npt.NDArray[np.int64], weights: Numbers, use: Flags, freedom: float) -> Fitted:
    mean, spread = states.mean(axis=0), states.std(axis=0) + 1e-9
    fit = LogisticRegression(C=freedom, max_iter=300, tol=1e-3)
    fit.fit((states[use] - mean) / spread, labels[use], weights[use])
    over_states = (fit.coef_[0] / spread).astype(np.float64)
    return Fitted(over_states, float(fit.intercept_[0] - over_states @ mean))


def _curve(
    read: Read, signals: Numbers, labels: npt.NDArray[np.int64], use: Flags
) -> tuple[LogisticRegression, Numbers]:
    """Over all of `use`; and each pair's probability by a curve of other groups."""
    weights, chances = _levelled(read, labels), np.empty(len(labels))
    for fitted, others in GroupKFold(FOLDS).split(signals, labels, read.groups):
        among = np.zeros(len(labels), bool)
        among[fitted] = True
        among &= use
        curve = LogisticRegression(C=10.0).fit(signals[among], labels[among], weights[among])
        chances[others] = curve.predict_proba(signals[others])[:, 1]
    return LogisticRegression(C=10.0).fit(signals[use], labels[use], weights[use]), chances


def _write(path: Path, read: Read, fitted: Fitted, curve: dict[str, float]) -> None:
    width = read.question.shape[1] // len(answerability.LAYERS)
    probe = {
        "model": digest_of(language_model_file(None)),
        "prompt": prefix_key(no_passage_messages()),
        "pairs": dict(Counter(pair.set for pair in read.pairs)),
        "curve": {name: round(float(value), 3) for name, value in curve.items()},
        "layers": answerability.LAYERS,
        "intercept": round(fitted.intercept, 3),
        "weights": [[round(float(weight), 2) for weight in layer] for layer in fitted.weights.reshape(-1, width)],
    }
    path.write_text(json.dumps(probe) + "\n", encoding="utf-8")


# -- telling -----------------------------------------------------------------------------------------------------------


def _report(read: Read) -> None:
    digest = digest_of(language_model_file(None))
    asked, said = answerability.probe_for(digest), entailment.entailment_probe(digest)
    if asked is None or said is None:
        raise SystemExit("The probes belong to another model or prompt: fit them.")
    layers = len(answerability.LAYERS)
    chances, replies = np.empty(len(read.pairs)), np.empty(len(read.pairs))
    for number, pair in enumerate(read.pairs):
        hidden = read.question[number].reshape(layers, -1)
        chances[number] = asked.probability(hidden, nothing=read.nothing[number], not_first=not pair.first)
        of_reply = read.reply[number].reshape(2 * layers, -1)
        odds = float(np.log(chances[number] / (1 - chances[number])))
        replies[number] = said.probability(of_reply, answerability=odds, not_first=not pair.first)
    answers, known = _answers(read)
    right, judged = _right(read)
    _tell("the passage answers", read, chances, answers, known)
    _tell("the reply is right", read, replies, right, judged)
    _tell("the passage answers, as the reply tells", read, replies, answers, known)


def _tell(what: str, read: Read, chances: Numbers, labels: npt.NDArray[np.int64], known: Flags) -> None:
    print(f"\n{what}\n{'':12}{'pairs':>7}{'true':>7}{'AUROC':>7}{'rightly judged at .5':>22}")
    for name in dict.fromkeys(pair.set for pair in read.pairs):
        own = np.array([pair.set == name for pair in read.pairs])
        if name.startswith("nomiracl"):
            queries = _queries(read, own)
            likely = np.array([chances[numbers[:3]].max() for numbers in queries])
            truth = np.array([labels[numbers[0]] != 0 for numbers in queries], int)
        else:
            likely, truth = chances[own & known], labels[own & known]
        if len(set(truth.tolist())) == 2:
            area, share = roc_auc_score(truth, likely), ((likely >= 0.5) == truth).mean()
            print(f"{name:12}{len(truth):7}{truth.sum():7}{area:7.3f}{share:22.2f}")


def _queries(read: Read, own: Flags) -> list[list[int]]:
    """The passages of each query."""
    queries: dict[str, list[int]] = defaultdict(list)
    for number in np.flatnonzero(own):
        queries[read.pairs[number].group].append(int(number))
    return list(queries.values())


if __name__ == "__main__":
    main()
