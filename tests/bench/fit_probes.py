"""Fit the probes of qa/answerability.py (will this passage answer?) and qa/entailment.py (does this reply?).

    .venv/bin/python tests/bench/probe_pairs.py ../shared/data pairs.jsonl --corpus corpus/questions.jsonl
    .venv/bin/python tests/bench/probe_states.py pairs.jsonl states.npz     (with the adapter of train_adapter.py)
    .venv/bin/python tests/bench/fit_probes.py pairs.jsonl states.npz
    .venv/bin/python tests/bench/fit_probes.py odd.jsonl odd-states.npz --report
    .venv/bin/python tests/bench/fit_probes.py pairs.jsonl some.npz --curves       (of probe_states.py --held-out)

Both are logistic regressions on what the model has made of a prompt in two of its layers: the first behind the
question, the second of the reply (behind its last word, and the mean over all its words), fitted to the pairs that the
adapter was trained on. A curve over what each says of the other pairs (a fifth of the paragraphs, or queries), and over
a few other signals, makes a probability of it.

With --curves the weights stay as they are (and the pairs that they were fitted to), and in proportion what counts for
later passages, which are too few among some pairs: what an adapter that was trained further makes of a prompt has moved
a little, and on two cores not all pairs can be read again. For an adapter that had moved further, new weights gained no
more than .005 of AUROC. For a curve as many replies count as right as wrong; to what readers ask more are right, and
--right .7 takes so many to be.

A reply is right where its passage answers and it holds the marked answer; what is between right and wrong is left out.

It prints areas under the ROC curve: of the fifth that only the curve was fitted to, or with --report of pairs that
nothing was fitted to. For NoMIRACL a query counts once, with its likeliest passage of the first three. --report
tells WITHOUT_ANSWER_TYPE of qa/entailment.py, too, which rests on the held-out pairs (pairs.jsonl some.npz --report).
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
from probe_pairs import Pair, group_of, held_out_groups, read_pairs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from index.storage.checksums import digest_of
from qa import answerability, entailment
from qa.adapter import adapter_digest
from qa.commands import language_model_file
from qa.language_model import prefix_key
from qa.measuring.measures import answer_recall, holds
from qa.probe import Probe, logistic
from qa.prompt import no_passage_messages
from qa.wording.answer_types import lacks_answer_type

# How much the weights are held back. Without the adapter, held out, AUROC of the first (squad2, PIAF, own, XQuAD ar)
# with .0003: .831 .949 .930 .887; .001: .846 .950 .925 .884; .003: .851 .948 .916 .873. A perceptron with 64 hidden
# units: .857 .954 .926 .886.
QUESTION_FREEDOM = 1e-3
REPLY_FREEDOM = 3e-4
# How much of what the model says itself (the log-probability of NOTHING) is added to what the probe says. With .1, .5,
# 1 held-out squad2 has an AUROC of .901 .903 .901, PIAF .951 .951 .952, NoMIRACL en .929 .946 .946, ClapNQ .985 .977
# .970.
NOTHING_SHARE = 0.5
# What a pair of squad2 counts for. Its questions were made to mislead: with 1, 2, 4, 6 its AUROC is .846 .872 .883
# .886, and PIAF's .950 .949 .945 .943.
SQUAD2_WEIGHT = 4.0
# What a passage of NoMIRACL that does not answer counts for: there are ten of a query.
NOMIRACL_WEIGHT = 0.3
# RTE3's claims answer no question, and the curve of replies to questions finds them too unlikely: slope and intercept
# of a curve of their own over what the probe says, fitted to the 67 that are held out (_fit prints it). Sourcier shows
# no such claims, so it has no use for it.
CLAIM_CURVE = (1.00, 1.17)
# Shares of the marked answer's words in a reply: from the first on it is right, below the second it is wrong.
RIGHT, WRONG = 0.8, 0.4
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

    def held_out(self) -> Flags:
        """Those that the adapter was not trained on."""
        groups = held_out_groups(self.pairs)
        return np.array([group_of(pair) in groups for pair in self.pairs])

    def written(self) -> Flags:
        """Those that have a reply: probe_states.py --likely leaves out what no reader would be told."""
        return np.array([text != "" for text in self.replies])

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
    parser.add_argument("--curves", action="store_true", help="fit only the curves, over the weights as they are")
    parser.add_argument("--right", type=float, default=0.5, help="the share of replies that are right (default: .5)")
    given = parser.parse_args()
    read = read_made(given.pairs, given.states)
    if given.report:
        _report(read)
    else:
        _fit(read, given.curves, given.right)


def read_made(pairs: Path, states: Path) -> Read:
    """Pairs, and what probe_states.py made of them."""
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
    labels = np.array([is_right(pair, text) for pair, text in zip(read.pairs, read.replies, strict=True)])
    return labels, (labels >= 0) & read.written()


def is_right(pair: Pair, reply: str) -> int:
    """Whether a reply is right, 1 or 0; -1: not known."""
    if pair.answers is None:
        return -1
    if pair.forced or not pair.answers:
        return int(pair.answers)
    if pair.facts:
        return int(any(holds(reply, forms) for forms in pair.facts))
    if pair.answer:  # whoever says it in other words may be right or wrong
        said = max(answer_recall(reply, pair.marked) if pair.marked else 0.0, answer_recall(reply, [pair.answer]))
        return 1 if said >= RIGHT else -1
    recall = answer_recall(reply, pair.marked) if pair.marked else (RIGHT + WRONG) / 2
    return 1 if recall >= RIGHT else 0 if recall < WRONG else -1


def _weights(read: Read) -> Numbers:
    return np.where(read.of("squad2"), SQUAD2_WEIGHT, 1.0) * np.where(read.of("nomiracl"), NOMIRACL_WEIGHT, 1.0)


def _levelled(read: Read, labels: npt.NDArray[np.int64], use: Flags) -> Numbers:
    """For curves: halfway to counting a set with few pairs as much as one with many, and of each those that are right
    as much as the others."""
    kinds = [(pair.set, label) for pair, label in zip(read.pairs, labels.tolist(), strict=True)]
    counts = Counter(kind for kind, used in zip(kinds, use.tolist(), strict=True) if used)
    return np.array([max(counts[kind], 1) ** -0.5 for kind in kinds])


# -- fitting -----------------------------------------------------------------------------------------------------------


def _fit(read: Read, curves: bool, share_right: float) -> None:
    later, held_out = np.array([not pair.first for pair in read.pairs], float), read.held_out()
    answers, known = _answers(read)
    kept = _as_it_is(answerability.PROBE_FILE) if curves else None
    question = kept[0] if kept else _fit_question(read, answers, known & ~held_out)
    said = question.logits(read.question) - NOTHING_SHARE * read.nothing
    # Not NoMIRACL: only of unanswerable queries it is known which later passages answer, and there none does.
    labelled = known & held_out & ~read.of("nomiracl")
    share, fixed, before = 1.0, 0.0, np.zeros(len(read.pairs))
    for _ in range(3):  # how likely the passages before are is told by the curve itself
        before = _before(read, share * said + fixed)
        curve = _curve(read, np.stack([said, later, later * before], axis=1), answers, labelled)
        share, fixed = float(curve.coef_[0][0]), float(curve.intercept_[0])
    chances = curve.predict_proba(np.stack([said, later, later * before], axis=1))[:, 1]
    _tell("the passage answers", read, chances, answers, known, held_out)
    _, not_first, behind = curve.coef_[0]
    if kept:
        not_first, behind = (share * kept[1][name] / kept[1]["probe"] for name in ("not_first", "before"))
    values = {"probe": share, "nothing": -NOTHING_SHARE * share, "not_first": not_first, "before": behind}
    _write(answerability.PROBE_FILE, read, question, {**values, "intercept": fixed}, curves)

    right, judged = _right(read)
    if curves:
        reply, _ = _as_it_is(entailment.PROBE_FILE)
    else:
        reply = _regression(read.reply, right, _weights(read), judged & ~held_out, REPLY_FREEDOM)
    signals = np.stack([reply.logits(read.reply), np.log(chances / (1 - chances))], axis=1)
    curve = _curve(read, signals, right, judged & held_out & ~read.of("rte3", "nomiracl"))
    replies = curve.predict_proba(signals)[:, 1]
    _tell("the reply is right", read, replies, right, judged, held_out)
    _tell("the passage answers, as the reply tells", read, replies, answers, known, held_out)
    claims = judged & held_out & read.of("rte3")
    if claims.any():
        of_claims = LogisticRegression(C=10.0).fit(signals[claims, :1], right[claims])
        print(f"\nCLAIM_CURVE = ({of_claims.coef_[0][0]:.2f}, {of_claims.intercept_[0]:.2f})")
    values = dict(zip(("probe", "answerability"), curve.coef_[0], strict=True))
    prior = np.log(share_right / (1 - share_right))
    _write(entailment.PROBE_FILE, read, reply, {**values, "intercept": curve.intercept_[0] + prior}, curves)


def _as_it_is(path: Path) -> tuple[Fitted, dict[str, float]]:
    """The weights of a probe's file and its curve, whatever adapter they were fitted to."""
    probe = json.loads(path.read_text(encoding="utf-8"))
    return Fitted(np.array(probe["weights"], float).reshape(-1), probe["intercept"]), probe["curve"]


def _fit_question(read: Read, answers: npt.NDArray[np.int64], use: Flags) -> Fitted:
    """The likeliest passage of an answerable NoMIRACL query counts as one that answers: the likeliest to the model
    itself, then to a probe that was fitted so."""
    likely: Numbers = -read.nothing
    held_out = read.held_out()
    for _ in range(2):
        labels, among, weights = answers.copy(), use.copy(), _weights(read)
        for best in _likeliest(read, answers, likely):
            if not held_out[best]:
                labels[best], among[best], weights[best] = 1, True, 1.0
        fitted = _regression(read.question, labels, weights, among, QUESTION_FREEDOM)
        likely = fitted.logits(read.question)
    return fitted


def _likeliest(read: Read, answers: npt.NDArray[np.int64], likely: Numbers) -> list[int]:
    passages: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number in np.flatnonzero(answers < 0):
        passages[read.pairs[number].set, read.pairs[number].group].append(int(number))
    return [max(numbers, key=lambda number: likely[number]) for numbers in passages.values()]


def _before(read: Read, odds: Numbers) -> Numbers:
    """The natural log-odds of the likeliest passage that was found before it for the same question; 0 where none was.

    A paragraph and the one nearest to the question: whichever was found first. Others: in the order of the pairs."""
    furthest = answerability.FURTHEST_ODDS
    kept, before = np.clip(odds, -furthest, furthest), np.zeros(len(read.pairs))
    asked: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, pair in enumerate(read.pairs):
        asked[pair.set, pair.group, pair.question].append(number)
    for numbers in asked.values():
        ordered = sorted(numbers, key=lambda number: not read.pairs[number].first)
        for place, number in enumerate(ordered):
            if not read.pairs[number].first and place:
                before[number] = max(kept[other] for other in ordered[:place])
    return before


def _regression(states: States, labels: npt.NDArray[np.int64], weights: Numbers, use: Flags, freedom: float) -> Fitted:
    mean, spread = states[use].mean(axis=0), states[use].std(axis=0) + 1e-9
    fit = LogisticRegression(C=freedom, max_iter=400, tol=1e-3)
    fit.fit((states[use] - mean) / spread, labels[use], weights[use])
    over_states = (fit.coef_[0] / spread).astype(np.float64)
    return Fitted(over_states, float(fit.intercept_[0] - over_states @ mean))


def _curve(read: Read, signals: Numbers, labels: npt.NDArray[np.int64], use: Flags) -> LogisticRegression:
    return LogisticRegression(C=10.0).fit(signals[use], labels[use], _levelled(read, labels, use)[use])


def _write(path: Path, read: Read, fitted: Fitted, curve: dict[str, float], curve_only: bool) -> None:
    pairs = {"curve_pairs" if curve_only else "pairs": dict(Counter(pair.set for pair in read.pairs))}
    if curve_only:
        pairs["pairs"] = json.loads(path.read_text(encoding="utf-8"))["pairs"]
    width = read.question.shape[1] // len(answerability.LAYERS)
    probe = {
        "model": digest_of(language_model_file(None)),
        "prompt": prefix_key(no_passage_messages()),
        "adapter": adapter_digest(digest_of(language_model_file(None))),
        **pairs,
        "curve": {name: round(float(value), 3) for name, value in curve.items()},
        "layers": answerability.LAYERS,
        "intercept": round(fitted.intercept, 3),
        "weights": [[round(float(weight), 2) for weight in layer] for layer in fitted.weights.reshape(-1, width)],
    }
    path.write_text(json.dumps(probe) + "\n", encoding="utf-8")


# -- telling -----------------------------------------------------------------------------------------------------------


def _report(read: Read) -> None:
    chances, replies = chances_of(read)
    answers, known = _answers(read)
    right, judged = _right(read)
    _tell("the passage answers", read, chances, answers, known)
    _tell("the reply is right", read, replies, right, judged)
    _tell("the passage answers, as the reply tells", read, replies, answers, known)
    _tell("the passage says the claim", read, _of_claims(read), right, judged, read.of("rte3"))
    _tell_without_answer_type(read, replies, right, judged & ~read.of("rte3", "nomiracl"))


def _of_claims(read: Read) -> Numbers:
    """Of each pair the probability, in 0..1, that the passage says the reply, whatever was asked."""
    _, said = probes()
    slope, fixed = CLAIM_CURVE
    claims = np.zeros(len(read.pairs))
    for number in np.flatnonzero(read.written()):
        claims[number] = logistic(slope * said.logit(_layered(read.reply[number])) + fixed)
    return claims


def _layered(reply: States) -> States:
    """(features,) to (states, width)."""
    return reply.reshape(2 * len(answerability.LAYERS), -1)


def probes() -> tuple[Probe, Probe]:
    """Those of qa/answerability.py and qa/entailment.py, as they are."""
    digest = digest_of(language_model_file(None))
    asked, said = answerability.probe_for(digest), entailment.entailment_probe(digest)
    if asked is None or said is None:
        raise SystemExit("The probes belong to another model, adapter or prompt: fit them.")
    return asked, said


def chances_of(read: Read) -> tuple[Numbers, Numbers]:
    """Of each pair the probabilities, in 0..1, that the passage answers and that the reply is right, by the probes as
    they are."""
    asked, said = probes()
    layers, pairs = len(answerability.LAYERS), read.pairs

    def chance(number: int, before: float, not_first: bool) -> float:
        hidden = read.question[number].reshape(layers, -1)
        signals = {"nothing": float(read.nothing[number]), "not_first": not_first, "before": before}
        return asked.probability(hidden, **signals)

    alone = np.array([chance(number, 0.0, False) for number in range(len(pairs))])
    before = _before(read, np.log(alone / (1 - alone)))
    chances, replies, written = np.empty(len(pairs)), np.zeros(len(pairs)), read.written()
    for number, pair in enumerate(pairs):
        chances[number] = chance(number, before[number], not pair.first)
        if written[number]:
            odds = float(np.log(chances[number] / (1 - chances[number])))
            said_so = said.probability(_layered(read.reply[number]), answerability=odds)
            replies[number] = entailment.held_to_answer_type(
                said_so, [read.replies[number]], pair.question, pair.language
            )
    return chances, replies


def _tell(
    what: str, read: Read, chances: Numbers, labels: npt.NDArray[np.int64], known: Flags, among: Flags | bool = True
) -> None:
    print(f"\n{what}\n{'':12}{'pairs':>7}{'true':>7}{'AUROC':>7}{'rightly judged at .5':>22}")
    for name in dict.fromkeys(pair.set for pair in read.pairs):
        own = np.array([pair.set == name for pair in read.pairs]) & among
        if name.startswith("nomiracl"):
            queries = _queries(read, own)
            likely = np.array([chances[numbers[:3]].max() for numbers in queries])
            truth = np.array([labels[numbers[0]] != 0 for numbers in queries], int)
        else:
            likely, truth = chances[own & known], labels[own & known]
        if len(set(truth.tolist())) == 2:
            area, share = roc_auc_score(truth, likely), ((likely >= 0.5) == truth).mean()
            print(f"{name:12}{len(truth):7}{truth.sum():7}{area:7.3f}{share:22.2f}")


def _tell_without_answer_type(read: Read, replies: Numbers, right: npt.NDArray[np.int64], use: Flags) -> None:
    """What has to be added to the log-odds of replies that have no name or number where one is asked for."""
    pairs = zip(read.replies, read.pairs, strict=True)
    lacking = use & np.array([lacks_answer_type(text, pair.question, pair.language) for text, pair in pairs])
    if not lacking.any():
        return
    odds, labels = np.log(replies[lacking] / (1 - replies[lacking])) - entailment.WITHOUT_ANSWER_TYPE, right[lacking]
    added = np.linspace(-5, 5, 101)
    likelihoods = [np.log1p(np.exp((1 - 2 * labels) * (odds + one))).sum() for one in added]
    before = [", ".join(f"{logistic(one):.2f}" for one in sorted(odds[labels == label])) for label in (1, 0)]
    print(f"\nwithout a name or number that is asked for: right {before[0]}; wrong {before[1]}")
    print(f"WITHOUT_ANSWER_TYPE = {added[int(np.argmin(likelihoods))]:.1f}")


def _queries(read: Read, own: Flags) -> list[list[int]]:
    """The passages of each query."""
    queries: dict[str, list[int]] = defaultdict(list)
    for number in np.flatnonzero(own):
        queries[read.pairs[number].group].append(int(number))
    return list(queries.values())


if __name__ == "__main__":
    main()
