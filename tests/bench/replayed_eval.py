"""`sourcier eval`, with the model's part done on a machine with a CUDA card: 300 questions in minutes, not an hour.

    .venv/bin/python tests/bench/replayed_eval.py record prompts.jsonl odd-piaf.json --language fr --sample 300 \\
        --articles ../shared/data/piaf/piaf-v1.1.json
    .venv/bin/python tests/bench/replayed_eval.py pack prompts.jsonl prompts.json.gz
    python probe_states_gpu.py read model.gguf prompts.json.gz states.npz --adapter adapter.npz       # there
    .venv/bin/python tests/bench/replayed_eval.py replay prompts.jsonl states.npz odd-piaf.json --language fr \\
        --sample 300 --articles ../shared/data/piaf/piaf-v1.1.json --json

`record` searches for each question and notes every prompt that could be asked; `replay` answers the questions with what
the model made of them. All but the model runs here and is what runs for a reader: search, both probes, checks,
citations. Follow-ups are left out, for what they mean is asked of the model too.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from probe_states_gpu import LONGEST_TOKENS, Tokens

from index.commands import load_embedder
from index.search import Index
from qa.answerability import DECLINE_BELOW, Answerability, probe_for
from qa.answers import Answerer
from qa.commands import language_model_file
from qa.entailment import Entailment, entailment_probe
from qa.evaluation import evaluate
from qa.language_model import Message
from qa.measuring.eval_command import EVAL_FOLDER, folder_name, index_paragraphs, questions_and_paragraphs
from qa.measuring.evaluation_summary import summarise, table
from qa.measuring.labelled_questions import LabelledQuestion, one_half, sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="note the prompts that questions lead to")
    record.add_argument("prompts", type=Path)
    pack = commands.add_parser("pack", help="prompts to tokens")
    pack.add_argument("prompts", type=Path)
    pack.add_argument("out", type=Path)
    replay = commands.add_parser("replay", help="answer the questions with what the model made of the prompts")
    replay.add_argument("prompts", type=Path)
    replay.add_argument("states", type=Path, help="what probe_states_gpu.py made of them")
    replay.add_argument("--decline-below", type=float, default=DECLINE_BELOW)
    replay.add_argument("--json", action="store_true")
    for command in (record, replay):  # as `sourcier eval`
        command.add_argument("questions", type=Path)
        command.add_argument("--articles", type=Path)
        command.add_argument("--language")
        command.add_argument("--half", choices=["even", "odd", "all"], default="all")
        command.add_argument("--sample", type=int)
        command.add_argument("--home", type=Path, default=Path(".sourcier"))
    given = parser.parse_args()
    if given.command == "record":
        _record(given)
    elif given.command == "pack":
        _pack(given.prompts, given.out)
    else:
        _replay(given)


class _Recorder:
    """A model that notes what it is asked, and of which nothing can be shown."""

    context_tokens = 4096

    def __init__(self) -> None:
        self.prompts: dict[tuple[str, ...], None] = {}

    def generate(self, messages: Sequence[Message], *_: Any) -> _Recorded:
        self.prompts[messages[-1].pieces] = None
        return _Recorded(0.0, None, None, "")


class _Player:
    """A model that replies what was recorded: by the pieces of the last message."""

    context_tokens = 4096

    def __init__(self, known: dict[tuple[str, ...], _Recorded]) -> None:
        self._known = known

    def generate(self, messages: Sequence[Message], *_: Any) -> _Recorded:
        return self._known[messages[-1].pieces].afresh()


class _Recorded:
    """A reply in one piece; what the model made of it is told for the whole."""

    def __init__(self, nothing: float, question: Any, reply: Any, text: str) -> None:
        self._facts, self._left = (nothing, question, reply, text), [text]

    def afresh(self) -> _Recorded:
        return _Recorded(*self._facts)

    def scores(self) -> list[float]:
        return [self._facts[0]]

    def hidden(self) -> Any:
        return self._facts[1]

    def hidden_of(self, _start: int, _end: int) -> Any:
        return self._facts[2]

    def __iter__(self) -> _Recorded:
        return self

    def __next__(self) -> str:
        if not self._left:
            raise StopIteration
        return self._left.pop()

    def close(self) -> None:
        pass


class _Hopeless(Answerability):
    def of(self, *_: Any) -> float:
        return 0.0


def _questions(given: argparse.Namespace, embedder: Any, name: str) -> tuple[list[LabelledQuestion], Index]:
    per_file, paragraphs = questions_and_paragraphs((given.questions,), given.articles, given.language)
    questions = sample([one for own in per_file for one in one_half(own, given.half)], given.sample, 0)
    home = given.home
    if paragraphs is not None:
        home = home / EVAL_FOLDER / folder_name((given.questions,), given.articles, paragraphs, given.language)
        index_paragraphs(paragraphs, home, embedder, name, given.language)
    return [one for one in questions if not one.history], Index(home, embedder)


def _record(given: argparse.Namespace) -> None:
    embedder, name = load_embedder(None)
    questions, index = _questions(given, embedder, name)
    recorder: Any = _Recorder()
    for _ in evaluate(Answerer(index, embedder, recorder, answerability=_Hopeless()), index, questions):
        pass
    lines = "".join(json.dumps(pieces, ensure_ascii=False) + "\n" for pieces in recorder.prompts)
    given.prompts.write_text(lines, encoding="utf-8")
    print(f"{len(questions)} questions, {len(recorder.prompts)} prompts")


def _pack(prompts: Path, out: Path) -> None:
    tokens, packed = Tokens(), []
    for number, pieces in enumerate(_prompts(prompts)):
        passage, question = tokens.of_pieces(pieces)
        if len(passage) <= LONGEST_TOKENS:
            packed.append([number, passage, question, None])
    with gzip.open(out, "wt") as file:
        json.dump({"pairs": packed, **tokens.facts()}, file)


def _prompts(path: Path) -> list[tuple[str, ...]]:
    return [tuple(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _replay(given: argparse.Namespace) -> None:
    from index.storage.checksums import digest_of

    prompts, digest = _prompts(given.prompts), digest_of(language_model_file(None))
    with np.load(given.states) as read:
        made = zip(
            read["pair"], read["nothing"], read["question"].astype(np.float32), read["reply"].astype(np.float32),
            read["text"], strict=True,
        )  # fmt: skip
        known = {
            prompts[pair]: _Recorded(float(nothing), question, reply, str(text))
            for pair, nothing, question, reply, text in made
        }
    embedder, name = load_embedder(None)
    questions, index = _questions(given, embedder, name)
    player: Any = _Player(known)
    answerability, entailment = Answerability(probe_for(digest)), Entailment(player, entailment_probe(digest))
    answerer = Answerer(index, embedder, player, given.decline_below, answerability, entailment)
    outcomes = list(evaluate(answerer, index, questions))
    summary = summarise(outcomes)
    if given.json:
        facts = {"settings": {"decline_below": given.decline_below}, "asked": len(outcomes), **asdict(summary)}
        print(json.dumps({**facts, "questions": [asdict(one) for one in outcomes]}, ensure_ascii=False))
    else:
        print(table(summary))


if __name__ == "__main__":
    main()
