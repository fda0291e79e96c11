"""Train the adapter of qa/adapter.py: to answer from one passage in a whole sentence, or to say NONE.

    .venv/bin/python tests/bench/probe_pairs.py ../shared/data pairs.jsonl --corpus corpus/questions.jsonl
    .venv/bin/python tests/bench/probe_states.py pairs.jsonl states.npz             # what the model makes of them now
    .venv/bin/python tests/bench/train_adapter.py pack pairs.jsonl states.npz packed.json.gz
    python train_adapter.py train model.gguf packed.json.gz adapter.npz    # with a CUDA card, beside qwen2.py
    .venv/bin/python tests/bench/train_adapter.py write adapter.npz
    .venv/bin/python tests/bench/fit_probes.py pairs.jsonl new-states.npz           # behind probe_states.py once more

Four fifths of the pairs of even halves are trained on (probe_pairs.held_out_groups). What the model is to reply:

- NONE, where the passage does not answer.
- What it wrote itself, where that is right and a whole sentence without numbers and names from elsewhere (rejection
  sampling, as in Yuan et al. 2023, arXiv:2308.01825).
- Else what it writes when it is told the marked words (Zelikman et al., "STaR", NeurIPS 2022), if that is such a
  sentence; else the passage's own sentence with these words, where the question is in its language; else nothing.
- Of an answerable NoMIRACL query, where nobody says which passage answers: what it wrote from the likeliest one, if
  that is likely to be right; NONE from hopeless ones, counted half.

One pass over 7,919 pairs took 100 s on one H200 (2026-11-27), in steps of 32; steps whose gradient was no number were
left out (2 of 248). Writing needs the gguf package.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fit_probes import Read
    from probe_pairs import Pair

STEP = 32
# What the file is filled up to, with zeros: where there is AVX-512, llama.cpp's blocked product takes 16 numbers at a
# time or none. With rank 8 the adapter makes reading there 9 % slower, filled up 3.5 %; without AVX-512 4 % either way.
WRITTEN_RANK = 16
RATE = 3e-4  # with rank 8 and scale 2; falls to nothing by a cosine
TOGETHER = 512  # prompts that replies are written to at once
HINTED_TOKENS = 60
# Words in the reply: fewer are a mere name, more are a paragraph.
FEWEST_WORDS, MOST_WORDS = 4, 45
# What a pair of these sets counts for.
WEIGHTS = {"squad2": 1.5, "own": 2.0}
# Of NoMIRACL's passages that nobody judged.
LIKELY, HOPELESS, HOPELESS_WEIGHT = 0.5, 0.05, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="pairs to tokens, and to what should be replied")
    for name in ("pairs", "states", "out"):
        pack.add_argument(name, type=Path)
    train = commands.add_parser("train", help="let the model learn it")
    for name in ("model", "packed", "out"):
        train.add_argument(name, type=Path)
    write = commands.add_parser("write", help="make it the adapter of the default model")
    write.add_argument("adapter", type=Path, help="what train made")
    given = parser.parse_args()
    if given.command == "pack":
        _pack(given.pairs, given.states, given.out)
    elif given.command == "train":
        _train(given.model, given.packed, given.out)
    else:
        _write(given.adapter)


# -- what should be replied --------------------------------------------------------------------------------------------


def _pack(pairs: Path, states: Path, out: Path) -> None:
    from fit_probes import chances_of, read_made
    from probe_pairs import group_of, held_out_groups
    from probe_states_gpu import LONGEST_TOKENS, Tokens

    read = read_made(pairs, states)
    chances, likely = chances_of(read)
    held_out, best, tokens = held_out_groups(read.pairs), _likeliest(read, likely), Tokens()
    examples: list[dict[str, Any]] = []
    for number, (pair, reply) in enumerate(zip(read.pairs, read.replies, strict=True)):
        if pair.forced or group_of(pair) in held_out:
            continue
        hopeless = max(chances[number], likely[number]) < HOPELESS
        wanted = _wanted(pair, reply.strip(), float(likely[number]), number in best, hopeless)
        passage, question = tokens.of_pair(pair)
        if wanted and len(passage) <= LONGEST_TOKENS:
            texts = {name: tokens.of_text(wanted[name]) for name in ("reply", "fallback") if wanted.get(name)}
            hinted = tokens.of_pair(pair, wanted["hint"])[1] if wanted.get("hint") else None
            examples.append({**wanted, **texts, "passage": passage, "question": question, "hinted": hinted})
    with gzip.open(out, "wt") as file:
        json.dump({**tokens.facts(), "examples": examples}, file)


def _likeliest(read: Read, likely: Any) -> set[int]:
    """Of each NoMIRACL query with an answer the passage whose reply is likeliest to be right."""
    best: dict[tuple[str, str], int] = {}
    for number, pair in enumerate(read.pairs):
        key = (pair.set, pair.group)
        if pair.answers is None and (key not in best or likely[number] > likely[best[key]]):
            best[key] = number
    return set(best.values())


def _wanted(pair: Pair, reply: str, likely: float, best: bool, hopeless: bool) -> dict[str, Any] | None:
    """The reply to learn and what it counts for, or how to come by it; None where nothing is to be learned."""
    from fit_probes import is_right

    from qa.measuring.measures import holds
    from qa.prompt import NOTHING

    weight = WEIGHTS.get(pair.set, 1.0)
    seen = " ".join((pair.title, pair.text, pair.question, *pair.marked))
    same = pair.language == pair.text_language
    sound = is_sound(reply, seen, same)
    if pair.answers is None:
        if best and likely >= LIKELY:
            return {"reply": reply, "weight": weight} if sound else None
        return {"reply": NOTHING, "weight": HOPELESS_WEIGHT} if hopeless else None
    if not pair.answers:
        return {"reply": NOTHING, "weight": weight}
    if sound and is_right(pair, reply) == 1:
        return {"reply": reply, "weight": weight}
    marked = list(pair.marked) or [forms[0] for forms in pair.facts if holds(pair.text, forms)]
    if not marked:
        return None
    return {
        "reply": None, "weight": weight, "marked": marked, "seen": seen, "same": same, "hint": _hint(pair, marked[0]),
        "fallback": _own_sentence(pair, marked) if same else None,
    }  # fmt: skip


def is_sound(reply: str, seen: str, same_language: bool) -> bool:
    """A whole sentence with no number, and in the same language no name, that was not seen."""
    if not FEWEST_WORDS <= len(reply.split()) <= MOST_WORDS or reply.rstrip()[-1] not in '.!?»"”)؟':
        return False
    known = set(_words(seen))
    figures = [word for word in known if word[0].isdigit()]
    if any(not any(number in figure for figure in figures) for number in re.findall(r"\d+", reply)):
        return False
    names = re.findall(r"(?<!^)(?<![.!?] )\b[A-ZÀ-Þ][\w’'-]+", reply) if same_language else []
    return all(known.issuperset(_words(name)) for name in names)


def _hint(pair: Pair, marked: str) -> str:
    if pair.language == pair.text_language == "fr":
        return f"\n\n(La réponse est dans ces mots du passage : « {marked} ». Réponds en une phrase entière.)"
    return f"\n\n(The answer is in these words of the passage: “{marked}”. Answer in one whole sentence.)"


def _own_sentence(pair: Pair, marked: Sequence[str]) -> str | None:
    from index.sentences import split_sentences

    sentences = (pair.text[span.start : span.end].strip() for span in split_sentences(pair.text, pair.text_language))
    fitting = (one for one in sentences if FEWEST_WORDS <= len(one.split()) <= MOST_WORDS)
    return next((one for one in fitting if any(words in one for words in marked)), None)


def _words(text: str) -> list[str]:
    """As qa/measuring/measures.py, which is not there."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.findall(r"\w+", plain)


def _recall(reply: str, answers: Sequence[str]) -> float:
    said = set(_words(reply))
    return max((sum(word in said for word in _words(one)) / max(len(_words(one)), 1) for one in answers), default=0.0)


# -- learning it -------------------------------------------------------------------------------------------------------


def _train(model: Path, packed: Path, out: Path) -> None:
    import torch
    from qwen2 import Qwen2

    with gzip.open(packed, "rt") as file:
        given = json.load(file)
    qwen = Qwen2(model)
    _write_hinted(qwen, given)
    examples = [one for one in given["examples"] if one["reply"]]
    parameters = qwen.start_adapter()
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.99), weight_decay=0.0)
    batches = list(_batches(examples))
    for step, batch in enumerate(batches):
        falling = 0.5 * (1 + math.cos(math.pi * step / len(batches)))
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 15) * max(0.02, falling)
        loss = _loss(qwen, given, batch)
        optimizer.zero_grad()
        loss.backward()
        size = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        if not torch.isfinite(size):
            print(f"step {step} left out: its gradient is no number", flush=True)
            continue
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step} of {len(batches)}: loss {loss.item():.3f}", flush=True)
    qwen.save_adapter(out)


def _write_hinted(qwen: Any, given: dict[str, Any]) -> None:
    """What the model writes when it is told the marked words, where that can be learned."""
    import torch
    from probe_states_gpu import write_replies
    from qwen2 import Writing, read_prefix

    open_ones = [one for one in given["examples"] if one["reply"] is None]
    open_ones.sort(key=lambda one: len(one["passage"]) + len(one["hinted"]))
    with torch.inference_mode():
        prefix = read_prefix(qwen, given["prefix"])
        for start in range(0, len(open_ones), TOGETHER):
            some = open_ones[start : start + TOGETHER]
            prompts = [[*one["passage"], *one["hinted"]] for one in some]
            writing = Writing(qwen, prefix, prompts, HINTED_TOKENS)
            for one, made in zip(some, write_replies(writing, given, HINTED_TOKENS), strict=True):
                text = made.text.strip()
                told = _recall(text, one["marked"]) >= 0.8 and is_sound(text, one["seen"], one["same"])
                one["reply"] = made.tokens if told else one["fallback"]


def _batches(examples: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Each example once, those of about the same length together, batches in any order."""
    order, shuffled = random.Random(0), list(examples)
    order.shuffle(shuffled)
    batches = []
    for start in range(0, len(shuffled), STEP * 16):
        some = sorted(shuffled[start : start + STEP * 16], key=lambda one: len(one["passage"]) + len(one["question"]))
        batches += [some[place : place + STEP] for place in range(0, len(some), STEP)]
    order.shuffle(batches)
    yield from batches


def _loss(qwen: Any, given: dict[str, Any], batch: Sequence[dict[str, Any]]) -> Any:
    """Of each word of the replies and of their ends, by weight; what stands before is only read."""
    import torch
    from qwen2 import DEVICE, read_behind, read_prefix

    prompts = [[*one["passage"], *one["question"]] for one in batch]
    replies = [[*one["reply"], given["end"]] for one in batch]
    longest = max(len(prompt) + len(reply) for prompt, reply in zip(prompts, replies, strict=True)) - 1
    tokens = torch.zeros(len(batch), longest, dtype=torch.long)
    places: list[int] = []
    for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
        whole = [*prompt, *reply[:-1]]
        tokens[row, : len(whole)] = torch.tensor(whole)
        first = row * longest + len(prompt) - 1
        places += range(first, first + len(reply))
    # The prefix is read again in each step: what the adapter makes of it is learned too.
    states = read_behind(qwen, read_prefix(qwen, given["prefix"]), tokens.to(DEVICE))
    logits = qwen.logits(states.flatten(0, 1)[torch.tensor(places, device=DEVICE)])
    words = torch.tensor([word for reply in replies for word in reply], device=DEVICE)
    weights = [one["weight"] for one, reply in zip(batch, replies, strict=True) for _ in reply]
    lost = torch.nn.functional.cross_entropy(logits, words, reduction="none")
    return (lost * torch.tensor(weights, device=DEVICE)).sum() / (8 * len(batch))


# -- the file ----------------------------------------------------------------------------------------------------------


def _write(adapter: Path) -> None:
    """As llama.cpp reads it (src/llama-adapter.cpp), with what it belongs to beside it."""
    from gguf import GGUFWriter
    from qwen2 import SCALE

    from index.storage.checksums import digest_of
    from qa.adapter import ADAPTER_FACTS, ADAPTER_FILE
    from qa.commands import language_model_file
    from qa.language_model import prefix_key
    from qa.prompt import no_passage_messages

    with np.load(adapter) as saved:
        writer = GGUFWriter(ADAPTER_FILE, "qwen2")
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", SCALE * WRITTEN_RANK)  # llama.cpp divides it by the rank
        for name in sorted(saved.files):
            more = WRITTEN_RANK - min(saved[name].shape)
            sides = ((0, more), (0, 0)) if name.endswith("lora_a") else ((0, 0), (0, more))
            writer.add_tensor(name, np.pad(saved[name], sides))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    facts = {
        "model": digest_of(language_model_file(None)),
        "prompt": prefix_key(no_passage_messages()),
        "sha256": hashlib.sha256(ADAPTER_FILE.read_bytes()).hexdigest(),
    }
    ADAPTER_FACTS.write_text(json.dumps(facts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
