"""What the default model, with its adapter, makes of pairs of a passage and a question: the states that fit_probes.py
fits probes to.

    .venv/bin/python tests/bench/probe_states.py pairs.jsonl states.npz
    .venv/bin/python tests/bench/probe_states.py odd.jsonl nomiracl.npz --sets nomiracl --passages 3 --sample 240
    .venv/bin/python tests/bench/probe_states.py pairs.jsonl some.npz --held-out --likely --sets written own squad2 \
        piaf xquad.es xquad.de qed --most piaf 120 --most piaf.written 64 --most xquad.es 40 --most xquad.de 40

A new passage takes 3 s on two cores, a question about it and the reply 1 to 2 s: 11,324 pairs take half a day. Those in
the repository were read on one H200 in five minutes by probe_states_gpu.py; both read the same (cosine .9998 of the
states of 13 pairs, and the same replies but for ties).

`--sample` takes so many pairs, whole groups, seed 4; `--most` does so with one set.
`--held-out` takes only pairs that the adapter was not trained on. With `--likely` replies are written only where the
probe that is there finds it as likely as a reader's question would need. Interrupted with Ctrl-C it writes what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from probe_pairs import Pair, article_of, group_of, held_out_groups, read_pairs

import qa  # noqa: F401 - says how OpenMP threads wait, before llama_cpp or torch is loaded
from index.progress import TerminalProgress
from index.storage.checksums import digest_of
from qa.answerability import LAYERS, WRITE_FROM, probe_for
from qa.commands import adapter_of, language_model_file
from qa.decoding.hidden_states import HiddenState
from qa.decoding.reply_stream import ReplyStream
from qa.decoding.request import Request, in_slices
from qa.language_model import Message
from qa.llama_model import LlamaModel
from qa.probe import Probe
from qa.prompt import NOTHING, answer_messages_about

REPLY_TOKENS = 80
# Longer passages are none of the index's.
LONGEST_TOKENS = 900


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="what probe_pairs.py wrote")
    parser.add_argument("out", type=Path, help="the states (.npz)")
    parser.add_argument("--sets", nargs="*", help="only these, as squad2, nomiracl or xquad.es")
    parser.add_argument("--passages", type=int, help="only the first so many of a NoMIRACL query")
    parser.add_argument("--sample", type=int, help="so many pairs")
    parser.add_argument("--most", nargs=2, action="append", default=[], metavar=("SET", "PAIRS"), help="so many of it")
    parser.add_argument("--held-out", action="store_true", help="only those that the adapter was not trained on")
    parser.add_argument("--likely", action="store_true", help="no reply from passages that hardly answer")
    given = parser.parse_args()
    pairs = read_pairs(given.pairs)
    chosen = [number for number, pair in enumerate(pairs) if _is_of(pair, given.sets)]
    if given.held_out:
        groups = held_out_groups(pairs)
        chosen = [number for number in chosen if group_of(pairs[number]) in groups]
    chosen = _some_of_each(chosen, pairs, {name: int(most) for name, most in given.most})
    wanted = _sample(_first_passages(chosen, pairs, given.passages), pairs, given.sample)
    path = language_model_file(None)
    model = LlamaModel(path, layers=LAYERS, adapter=adapter_of(path))
    asked = probe_for(digest_of(path)) if given.likely else None
    rows: list[dict[str, Any]] = []
    with contextlib.suppress(KeyboardInterrupt), TerminalProgress(unit="pairs") as progress:
        for done, number in enumerate(wanted, start=1):
            row = _row(pairs[number], model, asked)
            if row is not None:
                rows.append({"pair": number, **row})
            progress.advance("reading", done, len(wanted))
    model.close()
    np.savez_compressed(given.out, **{name: np.array([row[name] for row in rows]) for name in rows[0]})


def _is_of(pair: Pair, sets: Sequence[str] | None) -> bool:
    return not sets or pair.set in sets or pair.set.partition(".")[0] in sets


def _first_passages(numbers: list[int], pairs: Sequence[Pair], most: int | None) -> list[int]:
    seen: Counter[tuple[str, str]] = Counter()
    chosen = []
    for number in numbers:
        pair = pairs[number]
        seen[pair.set, pair.group] += 1
        if most is None or not pair.set.startswith("nomiracl") or seen[pair.set, pair.group] <= most:
            chosen.append(number)
    return chosen


def _sample(numbers: list[int], pairs: Sequence[Pair], size: int | None) -> list[int]:
    if size is None:
        return numbers
    groups: dict[tuple[str, str], list[int]] = {}
    for number in numbers:
        groups.setdefault((pairs[number].set, pairs[number].group), []).append(number)
    chosen: list[int] = []
    for group in random.Random(4).sample(list(groups), len(groups)):
        if len(chosen) < size:
            chosen += groups[group]
    return sorted(chosen)


def _some_of_each(numbers: list[int], pairs: Sequence[Pair], most: Mapping[str, int]) -> list[int]:
    of_set: dict[str, list[int]] = {}
    for number in numbers:
        of_set.setdefault(pairs[number].set, []).append(number)
    return sorted(number for name, own in of_set.items() for number in _sample(own, pairs, most.get(name)))


def _row(pair: Pair, model: LlamaModel, asked: Probe | None) -> dict[str, Any] | None:
    if model.count_tokens(pair.text) > LONGEST_TOKENS:
        return None
    messages = answer_messages_about(article_of(pair), pair.text, pair.question, pair.language)
    reply = model.generate(messages, 1 if pair.forced else REPLY_TOKENS, ("\n\n",), choices=(NOTHING,))
    (nothing,), question = reply.scores(), reply.hidden()
    assert question is not None
    if pair.forced:
        text, states = pair.forced, _forced(model, messages, pair.forced)
    elif asked and asked.probability(question, nothing=nothing, not_first=not pair.first, before=0.0) < WRITE_FROM:
        text, states = "", np.zeros((2 * len(LAYERS), question.shape[1]), np.float32)
    else:
        text = "".join(reply)
        states = reply.hidden_of(0, len(text))
    reply.close()
    if states is None:
        return None
    return {
        "question": question.astype(np.float16), "reply": states.astype(np.float16), "nothing": nothing, "text": text
    }  # fmt: skip


def _forced(model: LlamaModel, messages: Sequence[Message], text: str) -> HiddenState:
    """The same of words that the model did not choose: it is asked behind each of them, as if nothing more came."""
    prompt = model._prompt(messages, 0)
    asked = [token for part in prompt.slices[prompt.kept :] for token in part]
    words = model._tokens(text)
    states = []
    for end in range(1, len(words) + 1):
        longer = replace(prompt, slices=prompt.slices[: prompt.kept] + in_slices([*asked, *words[:end]]))
        request = Request(longer, 0, (words[0],))
        model._loop.submit(request)
        state = ReplyStream(request, (), model.wake).hidden()
        assert state is not None
        states.append(state)
    directions = np.stack([state / np.linalg.norm(state, axis=1, keepdims=True) for state in states])
    return np.concatenate([states[-1], directions.mean(axis=0)])


if __name__ == "__main__":
    main()
