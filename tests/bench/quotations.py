"""Sentences that would be quoted: how likely do they answer, and in how many passages do they?

    .venv/bin/python tests/bench/quotations.py count pairs.jsonl states.npz
    .venv/bin/python tests/bench/quotations.py pairs pairs.jsonl states.npz quoted.jsonl
    .venv/bin/python tests/bench/probe_states.py quoted.jsonl quoted-states.npz          (or probe_states_gpu.py)
    .venv/bin/python tests/bench/quotations.py fit pairs.jsonl states.npz quoted.jsonl quoted-states.npz

Over the pairs that fit_probes.py fits curves to, those that the adapter was not trained on. `count`: of passages that
answer, with a reply that is unlikely to be right, do the sentences that are quoted? It is what NEAREST_CHANCE of
qa/quotation.py rests on. `pairs` makes of each passage that likely answers the sentences that would be quoted of it,
for a passage of their own; `fit` fits QUOTED_CURVE of qa/answerability.py to what the model makes of both.

Sentences answer that have at least half of a marked answer's words; XQuAD's are marked in both languages.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fit_probes import Read, chances_of, probes, read_made
from probe_pairs import Pair, article_of
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from index.commands import load_embedder
from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.passages import Passage
from index.search import Hit
from index.sentences import split_sentences
from qa.answerability import DECLINE_BELOW, LAYERS, QUOTE_FROM, QUOTE_UNLIKELY_FROM, READ_QUOTED_FROM
from qa.measuring.measures import answer_recall, holds
from qa.probe import log_odds
from qa.quotation import quotation

# Share of a marked answer's words, as for what the README calls right.
RIGHT = 0.5
# How many quotations answer where they are needed, of tuning halves: 482 of 636 (qa/quotation.py). Among the pairs that
# the curve is fitted to they count as half.
NEEDED_AND_RIGHT = 0.75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    count = commands.add_parser("count", help="count those that answer")
    pairs = commands.add_parser("pairs", help="make them passages of their own")
    fit = commands.add_parser("fit", help="fit how likely they answer")
    for command in (count, pairs, fit):
        command.add_argument("pairs", type=Path, help="what probe_pairs.py wrote")
        command.add_argument("states", type=Path, help="what probe_states.py made of them")
    for command in (pairs, fit):
        command.add_argument("quoted", type=Path, help="the quoted sentences, as pairs.jsonl")
    fit.add_argument("quoted_states", type=Path, help="what probe_states.py made of those")
    given = parser.parse_args()
    read, embedder = read_made(given.pairs, given.states), load_embedder(None)[0]
    if given.command == "count":
        _count(read, embedder)
    elif given.command == "pairs":
        lines = (json.dumps(asdict(quoted), ensure_ascii=False) for quoted, _ in _likely(read, embedder))
        given.quoted.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    else:
        likely = {_key(quoted): chance for quoted, chance in _likely(read, embedder)}
        _fit(likely, read_made(given.quoted, given.quoted_states))


def _count(read: Read, embedder: Embedder) -> None:
    chances, replies = chances_of(read)
    asked = [
        (pair, chance)
        for pair, held_out, chance, reply in zip(read.pairs, read.held_out(), chances, replies, strict=True)
        if held_out and pair.answers and pair.marked and not pair.forced and reply < DECLINE_BELOW
    ]
    print(f"{'':36}{'answer':>8}{'quoted':>8}{'right':>8}{'words':>8}")
    for kind, across, least in (
        ("in one language", False, QUOTE_UNLIKELY_FROM),
        ("across languages", True, QUOTE_FROM),
    ):
        for bar in (least, 0.6):
            pairs = [
                pair for pair, chance in asked if chance >= bar and (pair.language != pair.text_language) == across
            ]
            sentences = [_quoted(pair, embedder) for pair in pairs]
            right = sum(map(_is_right, pairs, sentences))
            words = sum(len(one.split()) for one in sentences) / max(sum(map(bool, sentences)), 1)
            told = f"{len(pairs):8}{sum(map(bool, sentences)):8}{right:8}{words:8.0f}"
            print(f"{f'{kind}, from {bar} on':36}{told}", flush=True)


def _likely(read: Read, embedder: Embedder) -> Iterator[tuple[Pair, float]]:
    """Of each passage that answers likely enough the sentences that would be quoted, which answer or do not, and how
    likely the passage does. It is known of a passage that answers only where it is marked what with."""
    chances, _ = chances_of(read)
    for pair, held_out, chance in zip(read.pairs, read.held_out(), chances.tolist(), strict=True):
        unknown = pair.answers is None or (pair.answers and not (pair.marked or pair.facts))
        if not held_out or unknown or pair.forced or chance < READ_QUOTED_FROM:
            continue
        if quoted := _quoted(pair, embedder):
            yield replace(pair, text=quoted, answers=bool(pair.answers) and _is_right(pair, quoted)), chance


def _key(pair: Pair) -> tuple[str, str, str]:
    return pair.set, pair.question, pair.text


def _fit(likely: dict[tuple[str, str, str], float], read: Read) -> None:
    """Each set counts as much as every other, and of each those that answer as much as the rest."""
    asked, layers = probes()[0], len(LAYERS)
    alone = [
        log_odds(asked.probability(states.reshape(layers, -1), nothing=nothing, not_first=0.0, before=0.0))
        for states, nothing in zip(read.question, read.nothing.tolist(), strict=True)
    ]
    signals = np.stack([[log_odds(likely[_key(pair)]) for pair in read.pairs], alone], axis=1)
    labels, names = np.array([bool(pair.answers) for pair in read.pairs]), [pair.set for pair in read.pairs]
    kinds = list(zip(names, labels.tolist(), strict=True))
    weights = np.array([1 / Counter(kinds)[kind] for kind in kinds])
    weights /= weights.mean()

    def fitted(use: npt.NDArray[np.int64]) -> LogisticRegression:
        return LogisticRegression(C=10.0).fit(signals[use], labels[use], weights[use])

    chances = np.zeros(len(labels))
    for some, others in GroupKFold(8).split(signals, groups=[pair.group for pair in read.pairs]):
        chances[others] = expit(fitted(some).decision_function(signals[others]) + log_odds(NEEDED_AND_RIGHT))
    print(f"{'':14}{'right':>7}{'wrong':>7}{'AUROC':>7}{'of the passage':>16}{'quoted of each':>16}")
    for name in dict.fromkeys(names):
        own = np.array(names) == name
        if len(set(labels[own].tolist())) == 2:
            areas = [roc_auc_score(labels[own], likeliest[own]) for likeliest in (chances, signals[:, 0])]
            kept = [(chances[own & (labels == label)] >= DECLINE_BELOW).mean() for label in (True, False)]
            counted = f"{labels[own].sum():7}{(~labels[own]).sum():7}"
            print(f"{name:14}{counted}{areas[0]:7.3f}{areas[1]:16.3f}{kept[0]:11.2f}{kept[1]:5.2f}")
    curve = fitted(np.arange(len(labels)))
    (of_passage, of_sentences), fixed = curve.coef_[0], curve.intercept_[0] + log_odds(NEEDED_AND_RIGHT)
    print(f"\nQUOTED_CURVE = ({of_passage:.2f}, {of_sentences:.2f}, {fixed:.2f})")


def _quoted(pair: Pair, embedder: Embedder) -> str:
    article = article_of(pair)
    sentences = tuple(split_sentences(pair.text, pair.text_language))
    texts = [SourceText(heading_of(article), pair.text[span.start : span.end]) for span in sentences]
    passage = Passage("-", article.id, 0, len(pair.text), pair.text, sentences)
    hit = Hit(article, passage, sentences[0], 0.0, 0.0, 0.0, 1, embedder.embed_texts(texts))
    chosen = quotation(pair.question, pair.language, "", hit, embedder)
    return " ".join(pair.text[run[0].start : run[-1].end] for run in chosen.runs) if chosen else ""


def _is_right(pair: Pair, quoted: str) -> bool:
    if pair.facts:
        return any(holds(quoted, forms) for forms in pair.facts)
    return answer_recall(quoted, pair.marked) >= RIGHT


if __name__ == "__main__":
    main()
