"""Fit the probe of qa/answerability.py: does a passage answer a question?

    .venv/bin/python tests/bench/answerability.py read squad.jsonl ../shared/data/squad2-dev-half/dev-v2.0-cs224n.json
    .venv/bin/python tests/bench/answerability.py read piaf.jsonl ../shared/data/piaf/piaf-v1.1.json --sample 110
    .venv/bin/python tests/bench/answerability.py read own.jsonl corpus/questions.jsonl --home .sourcier
    .venv/bin/python tests/bench/answerability.py read es.jsonl ../shared/data/xquad/xquad.es.json --sample 24 \
        --passages ../shared/data/xquad/xquad.en.json --without odd.json
    .venv/bin/python tests/bench/answerability.py fit squad.jsonl piaf.jsonl own.jsonl es.jsonl
    .venv/bin/python tests/bench/answerability.py read n.jsonl ../shared/data/nomiracl/nomiracl-test-fr.jsonl --half odd
    .venv/bin/python tests/bench/answerability.py report n.jsonl
    .venv/bin/python tests/bench/answerability.py odd ../shared/data/squad2-dev-half/dev-v2.0-cs224n.json odd.json

`read` lets the model read pairs of a passage and a question, and writes what it made of them to a file, one pair a
line; interrupted, it goes on where it was. A new passage takes 3 s on two cores, a question about it 0.4 s.

- SQuAD format: the questions of a sample of paragraphs. Where the file has no impossible questions, those of other
  paragraphs of the same article, and one of another article, stand for them. With --passages, the paragraphs are
  taken from another file of the same shape: the questions are translated, their paragraphs are not. --without leaves
  out paragraphs that another file has, because something is reported on them.
- Labelled questions (corpus/README.md): the passages of --home's index that an answer could be written from. One
  answers when its article is one of those that the question names, and it gives one of the facts asked for.
- NoMIRACL: the three of its passages that are nearest to a query. Of an answerable one nobody says which of them
  answers: the likeliest is taken, as a probe without it sees them.

`--half even` takes every second paragraph or question, to fit; `odd` the others, to report. `fit` writes
qa/answerability.json; `report` fits nothing. Both print the area under the ROC curve of what the model says (NOTHING as
its first word), of the probe, and of both together, and what thresholds decline: `fit` over pairs that were not fitted
to, paragraph by paragraph (five folds); `report` over questions, each as answerable as its likeliest passage.

`odd` writes a file in SQuAD format of the paragraphs that were not fitted to, for `sourcier eval odd.json --articles`.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

import qa  # noqa: F401 - says how OpenMP threads wait, before llama_cpp or torch is loaded
from index.articles import Article
from index.commands import load_embedder
from index.embedder import SourceText
from index.languages import detect_language
from index.progress import TerminalProgress
from index.search import Index
from index.storage.checksums import digest_of
from qa.answerability import PROBE_FILE, probe_for
from qa.answers import question_language, worth_reading
from qa.commands import language_model_file
from qa.language_model import prefix_key
from qa.llama_model import LlamaModel
from qa.measuring.labelled_questions import read_questions
from qa.measuring.measures import holds
from qa.prompt import NOTHING, answer_messages_about, no_passage_messages

# Of the 28 layers of the default model. On squad2's even half (954 pairs, five folds) layer 12 alone had an AUROC of
# .77, 16 of .87, 20 of .86, 24 of .80, the last one of .76; 12, 16 and 20 together .88. NOTHING alone: .72.
LAYERS = (12, 16, 20)
# How much the weights are held back. AUROC held out (squad2, PIAF, sample newspaper, questions across languages) with
# .0003: .858 .957 .919 .960; with .001: .871 .959 .921 .963; with .003: .878 .960 .918 .965.
FREEDOM = 0.002
# How much of what the model says is added to what the probe says. Held out, AUROC (squad2, PIAF, sample newspaper,
# NoMIRACL fr) without: .878 .960 .928 .802; with 0.2: .869 .958 .942 .820.
NOTHING_SHARE = 0.1
Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A passage and a question. `group`: what must not stand on both sides when pairs are held out. `first`: no passage
    was found before it. `one_of_group`: when it `answers`, that means only that one of the group's passages does."""

    set: str
    group: str
    question: str
    language: str
    title: str
    text: str
    text_language: str
    source: str | None
    published: str | None
    answers: bool
    first: bool = True
    one_of_group: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    read = commands.add_parser("read", help="let the model read pairs")
    read.add_argument("rows", type=Path, help="where what it made of them goes, as JSON lines")
    read.add_argument("file", type=Path, help="SQuAD format, labelled questions or NoMIRACL")
    read.add_argument("--home", type=Path, help="where the articles of labelled questions are indexed")
    read.add_argument("--passages", type=Path, help="SQuAD format: where the paragraphs are read instead")
    read.add_argument("--without", type=Path, help="SQuAD format: paragraphs that are not read")
    read.add_argument("--half", choices=["even", "odd"], default="even", help="even: to fit; odd: to report")
    read.add_argument("--sample", type=int, default=100, help="paragraphs, or NoMIRACL queries; seed 4")
    for name in ("fit", "report"):
        commands.add_parser(name).add_argument("rows", type=Path, nargs="+", help="what `read` wrote")
    odd = commands.add_parser("odd", help="write a file of the odd paragraphs")
    odd.add_argument("file", type=Path, help="SQuAD format")
    odd.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.command == "read":
        _read(list(_pairs(given)), given.rows)
    elif given.command == "odd":
        _write_odd(given.file, given.out)
    elif given.command == "fit":
        _fit([row for path in given.rows for row in read_rows(path)])
    else:
        _report([row for path in given.rows for row in read_rows(path)])


# -- pairs -------------------------------------------------------------------------------------------------------------


def _pairs(given: argparse.Namespace) -> Iterator[Pair]:
    dice = random.Random(4)
    half = 0 if given.half == "even" else 1
    if given.file.suffix == ".json":
        return _of_squad(given.file, given.passages, given.without, half, given.sample, dice)
    if "passages" in json.loads(given.file.read_text(encoding="utf-8").split("\n", 1)[0]):
        return _of_nomiracl(given.file, half, given.sample, dice)
    return _of_labelled(given.file, half, given.home)


def _of_squad(
    path: Path, passages: Path | None, without: Path | None, half: int, sample: int, dice: random.Random
) -> Iterator[Pair]:
    paragraphs = [
        (title, read["context"], asked["qas"])
        for (_, asked), (title, read) in zip(_paragraphs(path), _paragraphs(passages or path), strict=True)
    ]
    left_out = {paragraph["context"] for _, paragraph in _paragraphs(without)} if without else set()
    if passages:
        dice = random.Random(path.stem)  # not the same paragraphs in each language
    hard = any(one.get("is_impossible") for _, _, asked in paragraphs for one in asked)
    mine = [one for one in paragraphs[half::2] if one[2]]
    for title, text, asked in dice.sample(mine, min(sample, len(mine))):
        if text in left_out:
            continue
        language = detect_language(text)
        questions = [(one["question"], not one.get("is_impossible", False)) for one in asked]
        if not hard:
            siblings = [one["question"] for other in mine if other[0] == title and other[1] != text for one in other[2]]
            (far,) = dice.sample([other for other in mine if other[0] != title], 1)
            foreign = [*dice.sample(siblings, min(2, len(siblings))), far[2][0]["question"]]
            questions = [*questions[:3], *((question, False) for question in foreign)]
        for question, answers in questions:
            asked_in = detect_language(question) if passages else language
            yield Pair(path.stem, text[:80], question, asked_in, title, text, language, None, None, answers)


def _paragraphs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with the title of its article."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            yield article["title"].replace("_", " "), paragraph


def _write_odd(path: Path, out: Path) -> None:
    squad = json.loads(path.read_text(encoding="utf-8"))
    number = count()
    for article in squad["data"]:
        article["paragraphs"] = [one for one in article["paragraphs"] if next(number) % 2]
    out.write_text(json.dumps(squad, ensure_ascii=False), encoding="utf-8")


def _of_labelled(path: Path, half: int, home: Path | None) -> Iterator[Pair]:
    if home is None:
        raise SystemExit("Labelled questions need --home, where their articles are indexed.")
    index = Index(home, load_embedder(None)[0])
    for number, asked in enumerate(read_questions(path), start=1):  # as their ids are numbered
        if number % 2 != half or asked.history:
            continue
        language = question_language(asked.question, ())
        for hit in worth_reading(index.search(asked.question, 5)):
            article = hit.article
            published = article.published.isoformat() if article.published else None
            gives_one = not asked.facts or any(holds(hit.passage.text, forms) for forms in asked.facts)
            answers = asked.answerable and article.id in asked.articles and gives_one
            yield Pair(
                path.stem, asked.id, asked.question, language, article.title, hit.passage.text, article.language,
                article.source, published, answers, hit.rank == 1,
            )  # fmt: skip


def _of_nomiracl(path: Path, half: int, sample: int, dice: random.Random) -> Iterator[Pair]:
    queries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][half::2]
    embedder, _ = load_embedder(None)
    for asked in dice.sample(queries, min(sample, len(queries))):
        language = detect_language(asked["query"])
        given = [(one["title"], one["text"][:1500]) for one in asked["passages"]]
        cosines = embedder.embed_texts([SourceText(*one) for one in given]) @ embedder.embed_query(asked["query"])
        for place, number in enumerate(np.argsort(-cosines)[:3]):
            title, text = given[number]
            yield Pair(
                path.stem, asked["query_id"], asked["query"], language, title, text, language, None, None,
                asked["answerable"], first=place == 0, one_of_group=True,
            )  # fmt: skip


# -- reading -----------------------------------------------------------------------------------------------------------


def _read(pairs: Sequence[Pair], path: Path) -> None:
    path.touch()
    known = Counter((row["group"], row["question"], row["text"]) for row in read_rows(path, hidden=False))
    missing = [pair for pair in pairs if (pair.group, pair.question, pair.text) not in known]
    model = LlamaModel(language_model_file(None), layers=LAYERS)
    with path.open("a", encoding="utf-8") as file, TerminalProgress(unit="pairs") as progress:
        for number, pair in enumerate(missing, start=1):
            article = Article(
                id="-", title=pair.title, text=pair.text, language=pair.text_language, source=pair.source,
                published=_date(pair.published), author=None, url=None,
            )  # fmt: skip
            messages = answer_messages_about(article, pair.text, pair.question, pair.language)
            reply = model.generate(messages, 1, choices=(NOTHING,))
            hidden = reply.hidden()
            assert hidden is not None
            half_precision = base64.b64encode(hidden.astype(np.float16).tobytes()).decode()
            row = {**asdict(pair), "nothing": reply.scores()[0], "hidden": half_precision}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            progress.advance("reading", number, len(missing))
            reply.close()
    model.close()


def _date(text: str | None) -> datetime.date | None:
    return datetime.datetime.fromisoformat(text).date() if text else None


def read_rows(path: Path, hidden: bool = True) -> list[Row]:
    """What `read` wrote; with `hidden`, those that have a hidden state, as an array (layers, width)."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if hidden:
        rows = [row for row in rows if "hidden" in row]
        for row in rows:
            state = np.frombuffer(base64.b64decode(row["hidden"]), np.float16).astype(np.float32)
            row["hidden"] = state.reshape(len(LAYERS), -1)
    return rows


# -- fitting -----------------------------------------------------------------------------------------------------------


def _fit(rows: Sequence[Row]) -> None:
    rows = _with_likeliest(rows)
    states, answers, weights = _states(rows), _answers(rows), _weights(rows)
    # The curve is fitted to what a probe says of pairs that it was not fitted to; of its own it is too sure.
    held_out = _held_out(rows)
    nothing = np.array([row["nothing"] for row in rows])
    signals = np.stack([held_out - NOTHING_SHARE * nothing, [not row["first"] for row in rows]], axis=1)
    curve = LogisticRegression(C=10.0).fit(signals, answers, sample_weight=weights)
    _tell(rows, held_out, curve.predict_proba(signals)[:, 1])
    probe = _probe(states, answers)
    fitted_to = {
        "model": digest_of(language_model_file(None)),
        "prompt": prefix_key(no_passage_messages()),
        "pairs": dict(Counter(row["set"] for row in rows)),
        "curve": {
            "probe": round(float(curve.coef_[0][0]), 3),
            "nothing": round(-NOTHING_SHARE * float(curve.coef_[0][0]), 3),
            "not_first": round(float(curve.coef_[0][1]), 3),
            "intercept": round(float(curve.intercept_[0]), 3),
        },
        "layers": LAYERS,
        "intercept": round(probe[1], 3),
        "weights": [[round(float(weight), 2) for weight in layer] for layer in probe[0].reshape(len(LAYERS), -1)],
    }
    PROBE_FILE.write_text(json.dumps(fitted_to) + "\n", encoding="utf-8")


def _with_likeliest(rows: Sequence[Row]) -> list[Row]:
    """Of passages of which only one is known to answer, the one that looks most like it to a probe without its group.

    First to a probe of the other sets, then twice to one that was fitted to what was chosen before.
    """
    plain = [row for row in rows if not (row.get("one_of_group") and row["answers"])]
    chosen = plain
    doubtful = [row for row in rows if row.get("one_of_group") and row["answers"]]
    for _ in range(3 if doubtful else 0):
        logits = _logits_without_own_group(chosen, doubtful)
        best: dict[tuple[str, str], tuple[float, Row]] = {}
        for row, logit in zip(doubtful, logits, strict=True):
            key = (row["set"], row["group"])
            if key not in best or logit > best[key][0]:
                best[key] = (logit, row)
        chosen = [*plain, *(row for _, row in best.values())]
    return chosen


def _group(row: Row) -> str:
    return f"{row['set']} {row['group']}"


def _held_out(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """Each pair's logit by a probe that was fitted to other groups, in five folds."""
    states, answers = _states(rows), _answers(rows)
    logits = np.empty(len(rows))
    for fitted, others in GroupKFold(5).split(states, answers, [_group(row) for row in rows]):
        probe = _probe(states[fitted], answers[fitted])
        logits[others] = states[others] @ probe[0] + probe[1]
    return logits


def _logits_without_own_group(fitted: Sequence[Row], asked: Sequence[Row]) -> npt.NDArray[np.float64]:
    """The same for pairs that may be in a fit or not."""
    states, logits = _states(asked), np.empty(len(asked))
    fold = {name: number % 5 for number, name in enumerate(sorted({_group(row) for row in asked}))}
    for held in range(5):
        others = [row for row in fitted if fold.get(_group(row)) != held]
        weights, intercept = _probe(_states(others), _answers(others))
        own = np.array([fold[_group(row)] == held for row in asked])
        logits[own] = states[own] @ weights + intercept
    return logits


def _states(rows: Sequence[Row]) -> npt.NDArray[np.float32]:
    """(rows, layers * width), each layer's state scaled to length 1."""
    states = np.stack([row["hidden"] for row in rows])
    states /= np.linalg.norm(states, axis=2, keepdims=True)
    return states.reshape(len(rows), -1)


def _answers(rows: Sequence[Row]) -> npt.NDArray[np.bool_]:
    return np.array([row["answers"] for row in rows])


def _weights(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """For the curve: halfway to counting a set with few pairs as much as one with many, and in each those that answer
    as much as the others. In the probe's fit each pair counts alike: AUROC held out (squad2, PIAF, sample newspaper,
    NoMIRACL fr) .878 .960 .928 .802; halfway .866 .961 .926 .825; all the way .849 .961 .915 .853."""
    counts = Counter((row["set"], row["answers"]) for row in rows)
    weights = np.array([counts[row["set"], row["answers"]] ** -0.5 for row in rows])
    return weights * len(rows) / weights.sum()


def _probe(states: npt.NDArray[np.float32], answers: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], float]:
    """Weights over the states as they are, and the intercept."""
    mean, spread = states.mean(axis=0), states.std(axis=0)
    fitted = LogisticRegression(C=FREEDOM, max_iter=3000).fit((states - mean) / spread, answers)
    over_states = fitted.coef_[0] / spread
    return over_states, float(fitted.intercept_[0] - over_states @ mean)


# -- telling -----------------------------------------------------------------------------------------------------------


def _report(rows: Sequence[Row]) -> None:
    probe = probe_for(digest_of(language_model_file(None)))
    if probe is None:
        raise SystemExit(f"{PROBE_FILE} belongs to another model or prompt: fit it.")
    logits = [probe.logit(row["hidden"]) for row in rows]
    chances = [probe.probability(row["hidden"], nothing=row["nothing"], not_first=not row["first"]) for row in rows]
    _tell(rows, np.array(logits), np.array(chances))


def _tell(rows: Sequence[Row], logits: npt.NDArray[np.float64], chances: npt.NDArray[np.float64]) -> None:
    """Of each set, its questions: each as answerable as its likeliest passage."""
    questions: dict[str, dict[tuple[str, str], list[int]]] = {}
    for number, row in enumerate(rows):
        questions.setdefault(row["set"], {}).setdefault((row["group"], row["question"]), []).append(number)
    for name, asked in questions.items():
        own = list(asked.values())
        _tell_set(
            name,
            np.array([any(rows[number]["answers"] for number in one) for one in own]),
            np.array([logits[one].max() for one in own]),
            np.array([min(rows[number]["nothing"] for number in one) for one in own]),
            np.array([chances[one].max() for one in own]),
        )


def _tell_set(
    name: str,
    answers: npt.NDArray[np.bool_],
    probed: npt.NDArray[np.float64],
    nothing: npt.NDArray[np.float64],
    chances: npt.NDArray[np.float64],
) -> None:
    said, seen, both = (roc_auc_score(answers, one) for one in (-nothing, probed, chances))
    print(f"{name}: {len(answers)} questions, {answers.sum()} with an answer")
    print(f"AUROC {NOTHING} {said:.3f}, probe {seen:.3f}, both {both:.3f}")
    print("threshold  declined without an answer  declined with one")
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        declined = chances < threshold
        print(f"{threshold:9.2f}{declined[~answers].mean():28.2f}{declined[answers].mean():19.2f}")


if __name__ == "__main__":
    main()
