"""Fit the probe of qa/entailment.py: does a passage say a sentence?

    .venv/bin/python tests/bench/entailment.py read rte.jsonl ../shared/data/rte3-fr/RTE3-FR-dev-set-3class.tsv
    .venv/bin/python tests/bench/entailment.py read squad.jsonl ../shared/data/squad2-dev-half/dev-v2.0-cs224n.json
    .venv/bin/python tests/bench/entailment.py read piaf.jsonl ../shared/data/piaf/piaf-v1.1.json
    .venv/bin/python tests/bench/entailment.py fit rte.jsonl squad.jsonl piaf.jsonl
    .venv/bin/python tests/bench/entailment.py read r.jsonl ../shared/data/rte3-fr/RTE3-FR-dev-set-3class.tsv --half odd
    .venv/bin/python tests/bench/entailment.py report r.jsonl

`read` lets the model read sentences behind passages, and writes what it made of them to a file, one a line;
interrupted, it goes on where it was. Two seconds each on two cores, five where a reply is written first.

- Pairs of premise and hypothesis (RTE3): a premise says a hypothesis that is entailed, and does not say the others.
- SQuAD format: the model's replies to questions of a sample of paragraphs. A passage says a reply that holds the marked
  answer; it does not say the same reply with another name or number of that passage in the answer's place.

`--half even` takes every second pair or paragraph, to fit; `odd` the others, to report. `fit` writes
qa/entailment.json, and prints over sentences that were not fitted to (five folds, by passage), as `report` does: area
under the ROC curve of the odds of Yes, of the probe, of both with the cosine, and the share that is judged rightly.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from answerability import LAYERS, read_rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

import qa  # noqa: F401 - says how OpenMP threads wait, before llama_cpp or torch is loaded
from index.articles import Article
from index.commands import load_embedder
from index.embedder import Embedder, SourceText, Vectors
from index.languages import detect_language
from index.progress import TerminalProgress
from index.sentences import split_sentences
from index.storage.checksums import digest_of
from qa.commands import language_model_file
from qa.entailment import PROBE_FILE, entailment_probe
from qa.llama_model import LlamaModel
from qa.measuring.measures import answer_recall
from qa.prompt import NO, NOTHING, SAYS_END, YES, answer_messages_about, says_digest, says_messages_about

# How much the weights are held back, and what the odds and the cosine are worth: chosen on the fitted half.
FREEDOM = 0.0003
REPLY_TOKENS = 100
RIGHT_RECALL = 0.8
Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A passage, a sentence, and whether the passage says it. `group`: what must not stand on both sides of a fit."""

    set: str
    group: str
    title: str
    text: str
    language: str
    sentence: str
    said: bool


@dataclass(frozen=True)
class Asked:
    """A question to be replied to from a passage; claims are made of the reply."""

    set: str
    title: str
    text: str
    language: str
    question: str
    answers: tuple[str, ...]
    others: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    read = commands.add_parser("read", help="let the model read sentences")
    read.add_argument("rows", type=Path, help="where what it made of them goes, as JSON lines")
    read.add_argument("file", type=Path, help="RTE3 (.tsv) or SQuAD format (.json)")
    read.add_argument("--half", choices=["even", "odd"], default="even", help="even: to fit; odd: to report")
    read.add_argument("--sample", type=int, default=1000, help="pairs or paragraphs; seed 4")
    for name in ("fit", "report"):
        commands.add_parser(name).add_argument("rows", type=Path, nargs="+", help="what `read` wrote")
    given = parser.parse_args()
    if given.command == "read":
        half = 0 if given.half == "even" else 1
        of = _of_rte if given.file.suffix == ".tsv" else _of_squad
        _read(of(given.file, half, given.sample, random.Random(4)), given.rows)
    elif given.command == "fit":
        _fit([row for path in given.rows for row in read_rows(path)])
    else:
        _report([row for path in given.rows for row in read_rows(path)])


# -- what is read ------------------------------------------------------------------------------------------------------


def _of_rte(path: Path, half: int, sample: int, dice: random.Random) -> list[Claim | Asked]:
    with path.open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file, delimiter="\t"))[half::2]
    return [
        Claim("rte3", row["premise"][:80], "", row["premise"], "fr", row["hypothesis"], row["label"] == "0")
        for row in dice.sample(pairs, min(sample, len(pairs)))
    ]


def _of_squad(path: Path, half: int, sample: int, dice: random.Random) -> list[Claim | Asked]:
    """Three questions of a paragraph: what it takes longest to read is read once."""
    paragraphs = [
        (article["title"].replace("_", " "), one["context"], [asked for asked in one["qas"] if asked["answers"]])
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for one in article["paragraphs"]
    ][half::2]
    found: list[Claim | Asked] = []
    for title, text, questions in dice.sample(paragraphs, min(sample, len(paragraphs))):
        language = detect_language(text)
        for asked in dice.sample(questions, min(3, len(questions))):
            answers = tuple(dict.fromkeys(answer["text"] for answer in asked["answers"]))
            others = tuple(
                answer["text"] for other in questions if other is not asked for answer in other["answers"][:1]
            )
            found.append(Asked(path.stem, title, text, language, asked["question"], answers, others))
    return found


def _claims(asked: Asked, reply: str, dice: random.Random) -> Iterator[Claim]:
    """The reply where it is right, and the same with something else in the answer's place."""
    if answer_recall(reply, asked.answers) < RIGHT_RECALL:
        return
    group = asked.text[:80]
    yield Claim(asked.set, group, asked.title, asked.text, asked.language, reply, True)
    held = [answer for answer in asked.answers if answer in reply]
    if not held:
        return
    answer = max(held, key=len)
    mentions = [one for one in _MENTION.findall(asked.text) if one not in reply and one not in asked.question]
    for candidates in (asked.others, mentions):
        alike = [one for one in candidates if _kind(one) == _kind(answer) and one not in reply and one not in answer]
        if alike:
            false = reply.replace(answer, dice.choice(alike))
            yield Claim(asked.set, group, asked.title, asked.text, asked.language, false, False)
            return


# A number with what belongs to it, or words with a capital that follow each other, not those that open a sentence.
_MENTION = re.compile(r"(?<![.!?] )(?<!^)(?:\d[\d.,  ]*\d|\d|[A-ZÀ-Þ][\w’'-]+(?: [A-ZÀ-Þ][\w’'-]+)*)")


def _kind(text: str) -> tuple[bool, bool]:
    return bool(re.search(r"\d", text)), bool(re.match(r"(?:\w{1,2}['’]|(?:the|le|la|les|un|une|a) )?[A-ZÀ-Þ]", text))


# -- reading -----------------------------------------------------------------------------------------------------------


def _read(wanted: Sequence[Claim | Asked], path: Path) -> None:
    path.touch()
    done = {row["asked"] for row in read_rows(path, hidden=False)}
    missing = [one for one in wanted if _key(one) not in done]
    model = LlamaModel(language_model_file(None), layers=LAYERS)
    embedder, dice = load_embedder(None)[0], random.Random(4)
    with path.open("a", encoding="utf-8") as file, TerminalProgress(unit="sentences") as progress:
        for number, one in enumerate(missing, start=1):
            claims, vectors = _claims_of(one, model, dice), _vectors(one, embedder)
            for row in [_row(claim, model, embedder, vectors) for claim in claims] or [{}]:
                file.write(json.dumps({"asked": _key(one), **row}, ensure_ascii=False) + "\n")
            file.flush()
            progress.advance("reading", number, len(missing))
    model.close()


def _key(one: Claim | Asked) -> str:
    return f"{one.text[:80]} {one.sentence if isinstance(one, Claim) else one.question}"


def _claims_of(one: Claim | Asked, model: LlamaModel, dice: random.Random) -> Sequence[Claim]:
    if isinstance(one, Claim):
        return [one]
    messages = answer_messages_about(_article(one), one.text, one.question, one.language)
    reply = model.generate(messages, REPLY_TOKENS, ("\n\n",), choices=(NOTHING,))
    return list(_claims(one, "".join(reply).strip(), dice))


def _row(claim: Claim, model: LlamaModel, embedder: Embedder, vectors: Vectors) -> Row:
    """`vectors` are those of the passage's sentences."""
    messages = says_messages_about(_article(claim), claim.text, f" {claim.sentence}{SAYS_END}")
    reply = model.generate(messages, 1, (), choices=(YES, NO))
    (yes, no), hidden = reply.scores(), reply.hidden()
    reply.close()
    assert hidden is not None
    (own,) = embedder.embed_texts([SourceText(claim.title, claim.sentence)])
    return {
        **asdict(claim),
        "odds": yes - no,
        "cosine": float((vectors @ own).max()),
        "hidden": base64.b64encode(hidden.astype(np.float16).tobytes()).decode(),
    }


def _vectors(one: Claim | Asked, embedder: Embedder) -> Vectors:
    """Of the sentences of its passage."""
    spans = split_sentences(one.text, one.language)
    return embedder.embed_texts([SourceText(one.title, one.text[span.start : span.end]) for span in spans])


def _article(one: Claim | Asked) -> Article:
    return Article(
        id="-", title=one.title, text=one.text, language=one.language, source=None, published=None, author=None,
        url=None,
    )  # fmt: skip


# -- fitting -----------------------------------------------------------------------------------------------------------


def _fit(rows: Sequence[Row]) -> None:
    states, said, weights = _states(rows), np.array([row["said"] for row in rows]), _weights(rows)
    groups = [f"{row['set']} {row['group']}" for row in rows]
    held_out, chances = np.empty(len(rows)), np.empty(len(rows))
    for fitted, others in GroupKFold(5).split(states, said, groups):
        probe = _probe(states[fitted], said[fitted], weights[fitted])
        held_out[others] = states[others] @ probe[0] + probe[1]
    signals = np.stack([held_out, [row["odds"] for row in rows], [row["cosine"] for row in rows]], axis=1)
    for fitted, others in GroupKFold(5).split(states, said, groups):
        curve = LogisticRegression(C=10.0).fit(signals[fitted], said[fitted], weights[fitted])
        chances[others] = curve.predict_proba(signals[others])[:, 1]
    curve = LogisticRegression(C=10.0).fit(signals, said, weights)
    _tell(rows, held_out, chances)
    probe = _probe(states, said, weights)
    fitted_to = {
        "model": digest_of(language_model_file(None)),
        "prompt": says_digest(),
        "sentences": dict(Counter(row["set"] for row in rows)),
        "curve": {
            **dict(zip(("probe", "odds", "cosine"), (round(float(one), 3) for one in curve.coef_[0]), strict=True)),
            "intercept": round(float(curve.intercept_[0]), 3),
        },
        "layers": LAYERS,
        "intercept": round(probe[1], 3),
        "weights": [[round(float(weight), 2) for weight in layer] for layer in probe[0].reshape(len(LAYERS), -1)],
    }
    plain = LogisticRegression(C=10.0).fit(signals[:, 1:], said, weights)
    print("without a probe:", plain.coef_[0].round(2), plain.intercept_.round(2))
    PROBE_FILE.write_text(json.dumps(fitted_to) + "\n", encoding="utf-8")


def _states(rows: Sequence[Row]) -> npt.NDArray[np.float32]:
    """(rows, layers * width), each layer's state scaled to length 1."""
    states = np.stack([row["hidden"] for row in rows])
    states /= np.linalg.norm(states, axis=2, keepdims=True)
    return states.reshape(len(rows), -1)


def _weights(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """A set with few sentences counts as much as one with many, and what is said in each as much as what is not."""
    counts = Counter((row["set"], row["said"]) for row in rows)
    weights = np.array([1 / counts[row["set"], row["said"]] for row in rows])
    return weights * len(rows) / weights.sum()


def _probe(
    states: npt.NDArray[np.float32], said: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Weights over the states as they are, and the intercept."""
    mean, spread = states.mean(axis=0), states.std(axis=0)
    fitted = LogisticRegression(C=FREEDOM, max_iter=3000).fit((states - mean) / spread, said, weights)
    over_states = fitted.coef_[0] / spread
    return over_states, float(fitted.intercept_[0] - over_states @ mean)


# -- telling -----------------------------------------------------------------------------------------------------------


def _report(rows: Sequence[Row]) -> None:
    probe = entailment_probe(digest_of(language_model_file(None)))
    if probe is None:
        raise SystemExit(f"{PROBE_FILE} belongs to another model or prompt: fit it.")
    logits = [probe.logit(row["hidden"]) for row in rows]
    chances = [probe.probability(row["hidden"], odds=row["odds"], cosine=row["cosine"]) for row in rows]
    _tell(rows, np.array(logits), np.array(chances))


def _tell(rows: Sequence[Row], logits: npt.NDArray[np.float64], chances: npt.NDArray[np.float64]) -> None:
    odds = np.array([row["odds"] for row in rows])
    for name in dict.fromkeys(row["set"] for row in rows):
        own = np.array([row["set"] == name for row in rows])
        said = np.array([row["said"] for row in rows])[own]
        asked, seen, both = (roc_auc_score(said, one[own]) for one in (odds, logits, chances))
        print(f"{name}: {len(said)} sentences, {said.sum()} of them said")
        print(f"AUROC odds {asked:.3f}, probe {seen:.3f}, all {both:.3f}")
        print("threshold  judged rightly  said, withheld  not said, shown")
        for threshold in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            shown = chances[own] >= threshold
            right, withheld, slipped = (shown == said).mean(), (~shown[said]).mean(), shown[~said].mean()
            print(f"{threshold:9.2f}{right:16.3f}{withheld:16.2f}{slipped:17.2f}")


if __name__ == "__main__":
    main()
