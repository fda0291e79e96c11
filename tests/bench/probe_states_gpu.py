"""The same as probe_states.py on a machine with a CUDA card, which needs only torch, numpy and gguf there.

    .venv/bin/python tests/bench/probe_states_gpu.py pack pairs.jsonl pairs.json.gz                 # here
    python probe_states_gpu.py read qwen2.5-coder-1.5b-instruct-q4_k_m.gguf pairs.json.gz states.npz   # there

`pack` turns pairs to tokens; `read` is Qwen 2 in plain torch over the GGUF's weights (bfloat16), prompts of about the
same length together: what all begin with is read once, then passages and questions, then replies word by word.
11,324 pairs took 260 s on one H200 (2026-11-27).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DEVICE = os.environ.get("DEVICE", "cuda")  # cpu: for a look at a few pairs, a minute each
# As in qa/answerability.py and probe_states.py, which are not there.
LAYERS = (12, 16, 20)
REPLY_TOKENS = 80
LONGEST_TOKENS = 900
BATCH = 640


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="pairs to tokens")
    pack.add_argument("pairs", type=Path)
    pack.add_argument("out", type=Path)
    read = commands.add_parser("read", help="let the model read them")
    read.add_argument("model", type=Path, help="a GGUF of Qwen 2")
    read.add_argument("packed", type=Path)
    read.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.command == "pack":
        _pack(given.pairs, given.out)
    else:
        _read(given.model, given.packed, given.out)


def _pack(pairs: Path, out: Path) -> None:
    """The tokens of each pair's passage and of what comes behind it; those of what all begin with, once."""
    from probe_pairs import article_of, read_pairs

    from qa.commands import language_model_file
    from qa.decoding.chat_template import ChatTemplate
    from qa.decoding.llama_context import LlamaContext
    from qa.prompt import NOTHING, answer_messages_about

    context = LlamaContext(language_model_file(None), 512, 1, 64, None, "f16", ())
    template = ChatTemplate(context.chat_template(), context.special_texts())
    packed: dict[str, Any] = {"pairs": []}
    for number, pair in enumerate(read_pairs(pairs)):
        messages = answer_messages_about(article_of(pair), pair.text, pair.question, pair.language)
        parts = [context.tokenize(text, control) for text, control in template.render(messages)]
        *before, passage, question, end = parts
        packed["prefix"] = [token for part in before for token in part]
        if len(passage) <= LONGEST_TOKENS:
            forced = context.tokenize(pair.forced, control=False) if pair.forced else None
            packed["pairs"].append([number, passage, [*question, *end], forced])
    vocabulary = range(context._vocabulary_size)
    packed["pieces"] = [context.piece(token).decode("latin-1") for token in vocabulary]
    packed["ends"] = [token for token in vocabulary if context.is_end(token)]
    packed["nothing"] = context.tokenize(NOTHING, control=False)[0]
    with gzip.open(out, "wt") as file:
        json.dump(packed, file)


def _read(model: Path, packed: Path, out: Path) -> None:
    import torch

    with gzip.open(packed, "rt") as file:
        given = json.load(file)
    pieces = [piece.encode("latin-1") for piece in given["pieces"]]
    stops = {*given["ends"], *(token for token, piece in enumerate(pieces) if b"\n\n" in piece)}
    qwen = _Qwen2(model)
    pairs = sorted(given["pairs"], key=lambda pair: len(pair[1]) + len(pair[2]))
    columns: dict[str, list[Any]] = {"pair": [], "question": [], "reply": [], "nothing": [], "text": []}
    with torch.inference_mode():
        prefix = qwen.read_prefix(given["prefix"])
        for start in range(0, len(pairs), BATCH):
            some = pairs[start : start + BATCH]
            for pair, row in zip(some, _read_batch(qwen, prefix, some, given["nothing"], stops), strict=True):
                *states, nothing, tokens = row
                text = b"".join(pieces[token] for token in tokens).decode("utf-8", "replace")
                for name, value in zip(columns, (pair[0], *states, nothing, text), strict=True):
                    columns[name].append(value)
            print(f"{start + len(some)} of {len(pairs)}", flush=True)
    order = np.argsort(columns["pair"])
    np.savez_compressed(out, **{name: np.array(column)[order] for name, column in columns.items()})


def _read_batch(qwen: Any, prefix: Any, pairs: Sequence[Any], nothing: int, stops: set[int]) -> Iterator[Any]:
    """For each pair: states behind the question, those of the reply, log-probability of `nothing`, and the reply."""
    import torch

    forced = [pair[3] for pair in pairs]
    reading = qwen.start(prefix, [[*pair[1], *pair[2]] for pair in pairs], REPLY_TOKENS)
    question, logits = reading.states, reading.logits
    chances = logits.log_softmax(-1)[:, nothing]
    logits[:, nothing] = -torch.inf  # what it could have begun with instead
    done = torch.zeros(len(pairs), dtype=torch.bool, device=logits.device)
    last, total = torch.zeros_like(question), torch.zeros_like(question)
    count = torch.zeros(len(pairs), device=logits.device)
    written: list[list[int]] = [[] for _ in pairs]
    for step in range(REPLY_TOKENS):
        tokens = logits.argmax(-1)
        for row, words in enumerate(forced):
            if words is not None:
                tokens[row] = words[step] if step < len(words) else min(stops)
        chosen = tokens.tolist()
        done = done | torch.tensor([token in stops for token in chosen], device=done.device)
        if done.all():
            break
        for row, ended in enumerate(done.tolist()):
            if not ended:
                written[row].append(chosen[row])
        logits = reading.write(tokens)
        going_on = ~done[:, None, None]
        last = torch.where(going_on, reading.states, last)
        total += torch.nn.functional.normalize(reading.states, dim=2) * going_on
        count += ~done
    replies = torch.cat([last, total / count.clamp(min=1)[:, None, None]], dim=1)
    yield from zip(
        question.half().cpu().numpy(), replies.half().cpu().numpy(), chances.cpu().numpy(), written, strict=True
    )


class _Qwen2:
    """Weights of a GGUF on the card. States are (batch, len(LAYERS), width), float32: the sums behind these layers."""

    def __init__(self, path: Path) -> None:
        import torch
        from gguf import GGUFReader
        from gguf.quants import dequantize

        file = GGUFReader(path)

        def said(name: str) -> float:
            return float(file.fields[f"qwen2.{name}"].contents())

        self.layers, self.heads = int(said("block_count")), int(said("attention.head_count"))
        self.kv_heads, self.width = int(said("attention.head_count_kv")), int(said("embedding_length"))
        self.epsilon = said("attention.layer_norm_rms_epsilon")
        self.head = self.width // self.heads
        halves = torch.arange(0, self.head, 2, device=DEVICE, dtype=torch.float32)
        self.frequencies = said("rope.freq_base") ** (-halves / self.head)
        self.kind = torch.bfloat16 if DEVICE == "cuda" else torch.float32
        self.weights = {}
        for tensor in file.tensors:
            values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
            kind = torch.float32 if "norm" in tensor.name else self.kind
            self.weights[tensor.name] = values.to(DEVICE, kind)
        self.weights.setdefault("output.weight", self.weights["token_embd.weight"])

    def read_prefix(self, tokens: Sequence[int]) -> Any:
        """The keys and values of what all prompts begin with."""
        import torch

        length = len(tokens)
        cache = self.cache(1, length)
        seen = torch.ones(length, length, dtype=torch.bool, device=DEVICE).tril()[None, None]
        places = torch.arange(length, device=DEVICE)[None]
        self.forward(torch.tensor([list(tokens)], device=DEVICE), places, cache, 0, seen)
        return cache

    def cache(self, batch: int, length: int) -> Any:
        import torch

        shape = (2, self.layers, batch, self.kv_heads, length, self.head)
        return torch.zeros(shape, dtype=self.kind, device=DEVICE)

    def start(self, prefix: Any, prompts: Sequence[Sequence[int]], room: int) -> _Reading:
        return _Reading(self, prefix, prompts, room)

    def forward(self, tokens: Any, places: Any, cache: Any, start: int, seen: Any) -> tuple[Any, Any]:
        """States and logits behind the last of `tokens` (batch, count), which stand at `start` of the cache and at
        these `places` of their prompts; `seen` (batch, 1, count, start + count) says what each may look at."""
        import torch
        from torch.nn.functional import linear, scaled_dot_product_attention, silu

        batch, count = tokens.shape
        total = self.weights["token_embd.weight"][tokens].float()
        states = []
        for layer in range(self.layers):
            weights = {name: self.weights.get(f"blk.{layer}.{name}") for name in _PARTS}
            normal = self.normal(total, weights["attn_norm.weight"])
            query, key, value = (
                linear(normal, weights[f"attn_{name}.weight"], weights[f"attn_{name}.bias"])
                .view(batch, count, -1, self.head)
                .transpose(1, 2)
                for name in "qkv"
            )
            cache[0, layer, :, :, start : start + count] = self.turned(key, places)
            cache[1, layer, :, :, start : start + count] = value
            keys, values = cache[:, layer, :, :, : start + count].repeat_interleave(self.heads // self.kv_heads, 2)
            looked = scaled_dot_product_attention(self.turned(query, places), keys, values, attn_mask=seen)
            total = total + linear(looked.transpose(1, 2).flatten(2), weights["attn_output.weight"]).float()
            normal = self.normal(total, weights["ffn_norm.weight"])
            gate = silu(linear(normal, weights["ffn_gate.weight"]))
            total = total + linear(gate * linear(normal, weights["ffn_up.weight"]), weights["ffn_down.weight"]).float()
            if layer in LAYERS:
                states.append(total[:, -1])
        last = self.normal(total[:, -1], self.weights["output_norm.weight"])
        return torch.stack(states, dim=1), linear(last, self.weights["output.weight"]).float()

    def normal(self, states: Any, weight: Any) -> Any:
        import torch

        return (states * torch.rsqrt(states.pow(2).mean(-1, keepdim=True) + self.epsilon) * weight).to(self.kind)

    def turned(self, states: Any, places: Any) -> Any:
        """Rotary positions (Su et al. 2021), halves of a head together."""
        import torch

        angles = places[:, None, :, None].float() * self.frequencies
        sine, cosine = torch.cat([angles.sin()] * 2, -1), torch.cat([angles.cos()] * 2, -1)
        left, right = states.float().chunk(2, dim=-1)
        return (states.float() * cosine + torch.cat([-right, left], -1) * sine).to(self.kind)


_PARTS = (
    "attn_norm.weight", "attn_q.weight", "attn_q.bias", "attn_k.weight", "attn_k.bias", "attn_v.weight", "attn_v.bias",
    "attn_output.weight", "ffn_norm.weight", "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight",
)  # fmt: skip


class _Reading:
    """Prompts behind one prefix, the shorter ones with a gap before them, so that all end at the same place."""

    def __init__(self, qwen: _Qwen2, prefix: Any, prompts: Sequence[Sequence[int]], room: int) -> None:
        import torch

        batch, longest, self._held = len(prompts), max(map(len, prompts)), prefix.shape[4]
        self._qwen, self._end = qwen, self._held + longest
        self._cache = qwen.cache(batch, self._end + room)
        self._cache[:, :, :, :, : self._held] = prefix
        gaps = torch.tensor([longest - len(prompt) for prompt in prompts], device=DEVICE)
        tokens = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=DEVICE)
        columns = torch.arange(longest, device=DEVICE)
        places = (self._held + columns[None] - gaps[:, None]).clamp(min=0)
        real = columns[None] >= gaps[:, None]
        before = torch.ones(batch, self._held, dtype=torch.bool, device=DEVICE)
        causal = torch.ones(longest, longest, dtype=torch.bool, device=DEVICE).tril()
        seen = torch.cat([before[:, None].expand(-1, longest, -1), causal & real[:, None]], dim=2)[:, None]
        self.states, self.logits = qwen.forward(tokens, places, self._cache, self._held, seen)
        self._seen = torch.cat([before, real, torch.ones(batch, room, dtype=torch.bool, device=DEVICE)], dim=1)
        self._place = places[:, -1]

    def write(self, tokens: Any) -> Any:
        """Logits behind one more token each."""
        self._place = self._place + 1
        seen = self._seen[:, None, None, : self._end + 1]
        self.states, logits = self._qwen.forward(tokens[:, None], self._place[:, None], self._cache, self._end, seen)
        self._end += 1
        return logits


if __name__ == "__main__":
    main()
