"""The same as probe_states.py on a machine with a CUDA card, which needs only torch, numpy and gguf there.

    .venv/bin/python tests/bench/probe_states_gpu.py pack pairs.jsonl pairs.json.gz                 # here
    python probe_states_gpu.py read model.gguf pairs.json.gz states.npz --adapter adapter.npz       # there

`pack` turns pairs to tokens; `read`, there beside qwen2.py, reads prompts of about the same length together: what all
begin with once, then passages and questions, then replies word by word. Without --adapter (train_adapter.py) it is the
model as published. 16,572 pairs took 215 s on one H200 (2026-11-27).

    .venv/bin/python tests/bench/probe_states_gpu.py pack pairs.jsonl pairs.json.gz --most piaf 1000 --most qed 160
    DEVICE=cpu .venv/bin/python tests/bench/probe_states_gpu.py read model.gguf pairs.json.gz states.npz --trees

does it on two cores, questions about the same passage together (qwen2_trees.py): a pair takes one to three seconds.
Interrupted with Ctrl-C it writes what it has. `--most` takes so many pairs of a set, whole groups, as many that the
adapter is not trained on (probe_pairs.held_out_groups) as others.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from probe_pairs import Pair

# As in probe_states.py, which is not there.
REPLY_TOKENS = 80
LONGEST_TOKENS = 900
BATCH = 512
# Of trees: many branches are read and written to in less time each, many passages see nothing of each other in vain.
MOST_BRANCHES, MOST_TREES = 56, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="pairs to tokens")
    pack.add_argument("pairs", type=Path)
    pack.add_argument("out", type=Path)
    pack.add_argument("--most", nargs=2, action="append", default=[], metavar=("SET", "PAIRS"))
    read = commands.add_parser("read", help="let the model read them")
    read.add_argument("model", type=Path, help="a GGUF of Qwen 2")
    read.add_argument("packed", type=Path)
    read.add_argument("out", type=Path)
    read.add_argument("--adapter", type=Path, help="what train_adapter.py made")
    read.add_argument("--trees", action="store_true", help="read questions about the same passage together")
    given = parser.parse_args()
    if given.command == "pack":
        _pack(given.pairs, given.out, {name: int(most) for name, most in given.most})
    else:
        _read(given.model, given.adapter, given.packed, given.out, given.trees)


class Tokens:
    """Prompts as tokens of the default model. `prefix`: what all begin with, once one was made."""

    def __init__(self) -> None:
        from qa.commands import language_model_file
        from qa.decoding.chat_template import ChatTemplate
        from qa.decoding.llama_context import LlamaContext

        self._context = LlamaContext(language_model_file(None), 512, 1, 64, None, "f16", ())
        self._template = ChatTemplate(self._context.chat_template(), self._context.special_texts())
        self._prefix: list[int] = []
        self._end = -1

    def of_pair(self, pair: Pair, hint: str = "") -> tuple[list[int], list[int]]:
        """The tokens of the passage, and of what comes behind it: the question, with the hint behind it."""
        from probe_pairs import article_of

        from qa.prompt import answer_messages_about

        messages = answer_messages_about(article_of(pair), pair.text, pair.question + hint, pair.language)
        return self.of_pieces(messages[-1].pieces)

    def of_pieces(self, pieces: Sequence[str]) -> tuple[list[int], list[int]]:
        """The same of the pieces of a prompt's last message."""
        from qa.language_model import Message
        from qa.prompt import no_passage_messages

        messages = [*no_passage_messages()[:-1], Message("user", tuple(pieces), kept=1)]
        *before, passage, question, end = (
            self._context.tokenize(text, control) for text, control in self._template.render(messages)
        )
        self._prefix, self._end = [token for part in before for token in part], end[0]
        return passage, [*question, *end]

    def of_text(self, text: str) -> list[int]:
        return self._context.tokenize(text, control=False)

    def facts(self) -> dict[str, Any]:
        """What is there besides the pairs: the prefix, the bytes of every token, what ends a reply, and NOTHING."""
        from qa.prompt import NOTHING

        vocabulary = range(self._context._vocabulary_size)
        return {
            "prefix": self._prefix,
            "end": self._end,
            "pieces": [self._context.piece(token).decode("latin-1") for token in vocabulary],
            "ends": [token for token in vocabulary if self._context.is_end(token)],
            "nothing": self.of_text(NOTHING)[0],
        }


def _pack(pairs: Path, out: Path, most: dict[str, int]) -> None:
    from probe_pairs import read_pairs

    tokens, packed, known = Tokens(), [], read_pairs(pairs)
    for number in _chosen(known, most):
        pair = known[number]
        passage, question = tokens.of_pair(pair)
        if len(passage) <= LONGEST_TOKENS:
            packed.append([number, passage, question, tokens.of_text(pair.forced) if pair.forced else None])
    with gzip.open(out, "wt") as file:
        json.dump({"pairs": packed, **tokens.facts()}, file)


def _chosen(pairs: Sequence[Pair], most: dict[str, int]) -> list[int]:
    """The numbers of the pairs that are read."""
    from probe_pairs import group_of, held_out_groups

    held_out, groups = held_out_groups(pairs), sorted(set(map(group_of, pairs)))
    random.Random(4).shuffle(groups)
    place = {group: number for number, group in enumerate(groups)}
    taken: Counter[tuple[str, bool]] = Counter()
    begun: set[tuple[str, str]] = set()
    chosen = []
    for number in sorted(range(len(pairs)), key=lambda number: place[group_of(pairs[number])]):
        name, group = pairs[number].set, group_of(pairs[number])
        kind = (name, group in held_out)
        if 2 * taken[kind] < most.get(name, 2 * len(pairs)) or (name, group) in begun:
            taken[kind] += 1
            begun.add((name, group))
            chosen.append(number)
    return sorted(chosen)


def _read(model: Path, adapter: Path | None, packed: Path, out: Path, trees: bool) -> None:
    import torch
    from qwen2 import Qwen2, Writing, read_prefix
    from qwen2_trees import Trees

    with gzip.open(packed, "rt") as file:
        given = json.load(file)
    qwen = Qwen2(model)
    if adapter:
        qwen.add_adapter(adapter)
    columns: dict[str, list[Any]] = {"pair": [], "question": [], "reply": [], "nothing": [], "text": []}
    with torch.inference_mode(), contextlib.suppress(KeyboardInterrupt):
        prefix = read_prefix(qwen, given["prefix"])
        for some in _by_passage(given["pairs"]) if trees else _by_length(given["pairs"]):
            writing: Any
            if trees:
                grouped = itertools.groupby(some, key=lambda pair: pair[1])
                writing = Trees(qwen, prefix, [(passage, [pair[2] for pair in pairs]) for passage, pairs in grouped])
            else:
                writing = Writing(qwen, prefix, [[*pair[1], *pair[2]] for pair in some], REPLY_TOKENS)
            replies = write_replies(writing, given, REPLY_TOKENS, [pair[3] for pair in some])
            for pair, made in zip(some, replies, strict=True):
                values = (pair[0], made.question, made.reply, made.nothing, made.text)
                for name, value in zip(columns, values, strict=True):
                    columns[name].append(value)
            print(f"{len(columns['pair'])} of {len(given['pairs'])}", flush=True)
    order = np.argsort(columns["pair"])
    np.savez_compressed(out, **{name: np.array(column)[order] for name, column in columns.items()})


def _by_length(pairs: Sequence[Any]) -> Iterator[list[Any]]:
    ordered = sorted(pairs, key=lambda pair: len(pair[1]) + len(pair[2]))
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


def _by_passage(pairs: Sequence[Any]) -> Iterator[list[Any]]:
    """Those about the same passage one behind the other."""
    some: list[Any] = []
    passages = 0
    ordered = sorted(pairs, key=lambda pair: pair[1])
    for asked in [list(about) for _, about in itertools.groupby(ordered, key=lambda pair: pair[1])]:
        for start in range(0, len(asked), MOST_BRANCHES):
            part = asked[start : start + MOST_BRANCHES]
            if some and (passages == MOST_TREES or len(some) + len(part) > MOST_BRANCHES):
                yield some
                some, passages = [], 0
            some, passages = [*some, *part], passages + 1
    if some:
        yield some


@dataclass(frozen=True)
class Made:
    """States behind the question (layers, width) and of the reply (2 * layers, width), the log-probability of NOTHING,
    and the reply."""

    question: Any
    reply: Any
    nothing: float
    tokens: list[int]
    text: str


def write_replies(
    writing: Any, given: dict[str, Any], most: int, forced: Sequence[list[int] | None] = ()
) -> Iterator[Made]:
    """What the model replies instead of NOTHING, in at most so many tokens; or what it is made to say. `writing` is a
    qwen2.Writing or a qwen2_trees.Trees."""
    import torch
    from qwen2 import DEVICE

    pieces = [piece.encode("latin-1") for piece in given["pieces"]]
    stops = sorted({*given["ends"], *(token for token, piece in enumerate(pieces) if b"\n\n" in piece)})
    ending = torch.tensor(stops, device=DEVICE)
    question, logits = writing.states.clone(), writing.logits.clone()
    count = torch.zeros(len(logits), device=DEVICE)
    said = torch.full((len(logits), most), -1)
    for row, words in enumerate(forced):
        if words is not None:
            said[row] = torch.tensor([*words, *[stops[0]] * most][:most])
    said = said.to(DEVICE)
    nothing = logits.log_softmax(-1)[:, given["nothing"]].clone()
    logits[:, given["nothing"]] = -torch.inf  # what it could have begun with instead
    done = torch.zeros(len(logits), dtype=torch.bool, device=DEVICE)
    last, total = torch.zeros_like(question), torch.zeros_like(question)
    written = []
    for step in range(most):
        tokens = torch.where(said[:, step] >= 0, said[:, step], logits.argmax(-1))
        done = done | torch.isin(tokens, ending)
        if done.all():
            break
        written.append(torch.where(done, -1, tokens))
        logits = writing.write(tokens, ~done)
        going_on = ~done[:, None, None]
        last = torch.where(going_on, writing.states, last)
        total += torch.nn.functional.normalize(writing.states, dim=2) * going_on
        count += ~done
    replies = torch.cat([last, total / count.clamp(min=1)[:, None, None]], dim=1)
    rows = torch.stack(written, 1).tolist() if written else [[] for _ in logits]
    states = (question.half().cpu().numpy(), replies.half().cpu().numpy(), nothing.tolist())
    for row, asked, reply, chance in zip(rows, *states, strict=True):
        tokens_written = [token for token in row if token >= 0]
        text = b"".join(pieces[token] for token in tokens_written).decode("utf-8", "replace")
        yield Made(asked, reply, chance, tokens_written, text)


if __name__ == "__main__":
    main()
