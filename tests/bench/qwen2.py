"""Qwen 2 in plain torch over the weights of a GGUF, for the scripts beside it that run on a machine with a CUDA card.

It needs torch, numpy and gguf. With a LoRA adapter of qa/adapter.py's format (as .npz) it computes what llama.cpp does
with model and adapter (cosine of the hidden states of one prompt .9999; of the logits .9994, 2026-11-27).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear, scaled_dot_product_attention, silu

DEVICE = os.environ.get("DEVICE", "cuda")  # cpu: for a look at a few pairs, a minute each
KIND = torch.bfloat16 if DEVICE == "cuda" else torch.float32
LAYERS = (16, 20)  # as in qa/answerability.py, which is not there
RANK, SCALE = 8, 2.0
# All seven matrices of a layer make reading and writing a fifth slower on two cores, these four a twentieth.
ADAPTED = ("attn_q", "attn_v", "attn_output", "ffn_down")

Cache = list[tuple[Any, Any]]  # keys and values of each layer: (1, heads, tokens, width of a head)


class Qwen2:
    """Tokens in, hidden states out. States are (batch, tokens, width)."""

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader
        from gguf.quants import dequantize

        file = GGUFReader(path)

        def said(name: str) -> float:
            return float(file.fields[f"qwen2.{name}"].contents())

        def tensor_of(one: Any) -> tuple[str, Any]:
            values = torch.from_numpy(dequantize(one.data, one.tensor_type).astype(np.float32))
            return one.name, values.to(DEVICE, torch.float32 if "norm" in one.name else KIND)

        self.layers, self._heads = int(said("block_count")), int(said("attention.head_count"))
        self.kv_heads, self._width = int(said("attention.head_count_kv")), int(said("embedding_length"))
        self._epsilon, self.head = said("attention.layer_norm_rms_epsilon"), self._width // self._heads
        halves = torch.arange(0, self.head, 2, device=DEVICE, dtype=torch.float32)
        self._frequencies = said("rope.freq_base") ** (-halves / self.head)
        with ThreadPoolExecutor() as pool:
            self._weights = dict(pool.map(tensor_of, file.tensors))
        self._weights.setdefault("output.weight", self._weights["token_embd.weight"])
        self.adapter: dict[str, tuple[Any, Any]] = {}

    # -- the adapter ---------------------------------------------------------------------------------------------------

    def start_adapter(self) -> list[Any]:
        """One that changes nothing yet: (rank, into) of small random numbers and (out, rank) of zeros for each matrix.
        Its parameters."""
        torch.manual_seed(0)
        for name, weight in self._weights.items():
            parts = name.split(".")
            if len(parts) == 4 and parts[2] in ADAPTED and parts[3] == "weight":
                out, into = weight.shape
                low = (torch.randn(RANK, into, device=DEVICE) / into**0.5).requires_grad_()
                self.adapter[name] = (low, torch.zeros(out, RANK, device=DEVICE).requires_grad_())
        return [part for both in self.adapter.values() for part in both]

    def go_on_with_adapter(self, path: Path, first_layer: int) -> list[Any]:
        """One as llama.cpp reads it (train_adapter.py writes it filled up with zeros). The parameters of this layer and
        those above; the others stay as they are."""
        from gguf import GGUFReader

        parts = {one.name: torch.from_numpy(np.array(one.data, np.float32)) for one in GGUFReader(path).tensors}
        parameters = []
        for name in sorted({key.rpartition(".")[0] for key in parts}):
            low = parts[f"{name}.lora_a"][:RANK].clone().to(DEVICE)
            high = parts[f"{name}.lora_b"][:, :RANK].clone().to(DEVICE)
            if int(name.split(".")[1]) >= first_layer:
                parameters += [low.requires_grad_(), high.requires_grad_()]
            self.adapter[name] = (low, high)
        return parameters

    def save_adapter(self, path: Path) -> None:
        arrays = {
            f"{name}.lora_{letter}": part.detach().half().cpu().numpy()
            for name, both in self.adapter.items()
            for letter, part in zip("ab", both, strict=True)
        }
        np.savez(path, **arrays)

    def add_adapter(self, path: Path) -> None:
        """Add a saved one to the weights."""
        with np.load(path) as saved:
            for name in {key.rpartition(".")[0] for key in saved.files}:
                low, high = (torch.from_numpy(saved[f"{name}.lora_{letter}"]).to(DEVICE).float() for letter in "ab")
                self._weights[name] = (self._weights[name].float() + SCALE * (high @ low)).to(KIND)

    # -- reading -------------------------------------------------------------------------------------------------------

    def embed(self, tokens: Any) -> Any:
        return self._weights["token_embd.weight"][tokens].float()

    def layer(self, number: int, states: Any, places: Any, attend: Callable[[Any, Any, Any], Any]) -> Any:
        """What a layer makes of `states` at these `places` (batch, tokens) of their prompts. `attend` gets queries
        (batch, kv_heads, queries of a key head * tokens, head), keys and values (batch, kv_heads, tokens, head)."""
        batch, count, _ = states.shape
        together, name = self._heads // self.kv_heads, f"blk.{number}."
        normal = self._normal(states, f"{name}attn_norm.weight")
        query, key, value = (
            self._linear(normal, f"{name}attn_{part}", self._weights[f"{name}attn_{part}.bias"]).view(
                batch, count, -1, self.head
            )
            for part in "qkv"
        )
        query = self._turned(query, places).view(batch, count, self.kv_heads, together, self.head)
        query = query.permute(0, 2, 3, 1, 4).reshape(batch, self.kv_heads, together * count, self.head)
        looked = attend(query, self._turned(key, places).transpose(1, 2), value.transpose(1, 2))
        looked = looked.view(batch, self.kv_heads, together, count, self.head).permute(0, 3, 1, 2, 4)
        states = states + self._linear(looked.reshape(batch, count, self._width), f"{name}attn_output").float()
        normal = self._normal(states, f"{name}ffn_norm.weight")
        inner = silu(self._linear(normal, f"{name}ffn_gate")) * self._linear(normal, f"{name}ffn_up")
        return states + self._linear(inner, f"{name}ffn_down").float()

    def logits(self, states: Any) -> Any:
        return linear(self._normal(states, "output_norm.weight"), self._weights["output.weight"]).float()

    def repeated(self, seen: Any) -> Any:
        """A mask (..., tokens, keys) for the queries of a layer."""
        return seen.repeat(*(1 for _ in seen.shape[:-2]), self._heads // self.kv_heads, 1)

    def _linear(self, states: Any, name: str, bias: Any = None) -> Any:
        made = linear(states, self._weights[f"{name}.weight"], bias)
        if f"{name}.weight" in self.adapter:
            low, high = (part.to(KIND) for part in self.adapter[f"{name}.weight"])
            made = made + SCALE * linear(linear(states, low), high)
        return made

    def _normal(self, states: Any, name: str) -> Any:
        scale = torch.rsqrt(states.pow(2).mean(-1, keepdim=True) + self._epsilon)
        return (states * scale * self._weights[name]).to(KIND)

    def _turned(self, states: Any, places: Any) -> Any:
        """Rotary positions (Su et al. 2021), halves of a head together."""
        angles = places[:, :, None, None].float() * self._frequencies
        sine, cosine = torch.cat([angles.sin()] * 2, -1), torch.cat([angles.cos()] * 2, -1)
        left, right = states.float().chunk(2, dim=-1)
        return (states.float() * cosine + torch.cat([-right, left], -1) * sine).to(KIND)


def read_prefix(qwen: Qwen2, tokens: Sequence[int]) -> Cache:
    """The keys and values of what all prompts begin with."""
    seen = qwen.repeated(torch.ones(len(tokens), len(tokens), dtype=torch.bool, device=DEVICE).tril())
    places, states = torch.arange(len(tokens), device=DEVICE)[None], qwen.embed(torch.tensor([tokens], device=DEVICE))
    cache: Cache = []

    def attend(query: Any, key: Any, value: Any) -> Any:
        cache.append((key, value))
        return scaled_dot_product_attention(query, key, value, attn_mask=seen)

    for number in range(qwen.layers):
        states = qwen.layer(number, states, places, attend)
    return cache


def read_behind(qwen: Qwen2, prefix: Cache, tokens: Any) -> Any:
    """States (batch, tokens, width) of texts (batch, tokens) behind a prefix; a shorter one has anything at its end."""
    batch, count = tokens.shape
    before = prefix[0][0].shape[2]
    places = before + torch.arange(count, device=DEVICE)[None].expand(batch, -1)
    all_before = torch.ones(count, before, dtype=torch.bool, device=DEVICE)
    seen = qwen.repeated(torch.cat([all_before, torch.ones(count, count, dtype=torch.bool, device=DEVICE).tril()], 1))
    states = qwen.embed(tokens)
    for number, (keys, values) in enumerate(prefix):

        def attend(query: Any, key: Any, value: Any, keys: Any = keys, values: Any = values) -> Any:
            whole = [torch.cat([old.expand(batch, -1, -1, -1), new], 2) for old, new in ((keys, key), (values, value))]
            return scaled_dot_product_attention(query, *whole, attn_mask=seen)

        states = qwen.layer(number, states, places, attend)
    return states


class Writing:
    """Prompts behind one prefix, the shorter ones with a gap before them, so that all end at the same place, and then
    up to `room` words more. `states` (batch, LAYERS, width) and `logits` are those behind the last word."""

    def __init__(self, qwen: Qwen2, prefix: Cache, prompts: Sequence[Sequence[int]], room: int) -> None:
        batch, longest, held = len(prompts), max(map(len, prompts)), prefix[0][0].shape[2]
        self._qwen, self._end = qwen, held
        shape = (2, qwen.layers, batch, qwen.kv_heads, held + longest + room, qwen.head)
        self._cache = torch.zeros(shape, dtype=KIND, device=DEVICE)
        for number, both in enumerate(prefix):
            for which, values in enumerate(both):
                self._cache[which, number, :, :, :held] = values
        gaps = torch.tensor([longest - len(prompt) for prompt in prompts], device=DEVICE)
        tokens = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=DEVICE)
        columns = torch.arange(longest, device=DEVICE)
        real = columns[None] >= gaps[:, None]
        before = torch.ones(batch, held, dtype=torch.bool, device=DEVICE)
        causal = torch.ones(longest, longest, dtype=torch.bool, device=DEVICE).tril()
        # A gap looks at itself: a row that looks at nothing has no numbers.
        own = (causal & real[:, None]) | torch.eye(longest, dtype=torch.bool, device=DEVICE)
        seen = torch.cat([before[:, None].expand(-1, longest, -1), own], 2)[:, None]
        places = (held + columns[None] - gaps[:, None]).clamp(min=0)
        self._place = places[:, -1]
        self.states, self.logits = self._read(tokens, places, seen)
        later = torch.ones(batch, room, dtype=torch.bool, device=DEVICE)
        self._seen = torch.cat([before, real, later], 1)[:, None, None]

    def write(self, tokens: Any, _going_on: Any) -> Any:
        """Logits behind one more token each, also where a reply has ended: a card does not mind."""
        self._place = self._place + 1
        seen = self._seen[..., : self._end + 1]
        self.states, logits = self._read(tokens[:, None], self._place[:, None], seen)
        return logits

    def _read(self, tokens: Any, places: Any, seen: Any) -> tuple[Any, Any]:
        start, self._end = self._end, self._end + tokens.shape[1]
        # Added to what is looked at; made once for all layers.
        bias = torch.zeros(seen.shape, dtype=KIND, device=DEVICE).masked_fill_(~seen, -1e4)
        bias, states, wanted = self._qwen.repeated(bias), self._qwen.embed(tokens), []
        for number in range(self._qwen.layers):

            def attend(query: Any, key: Any, value: Any, number: int = number) -> Any:
                whole = self._cache[:, number, :, :, : self._end]
                whole[0, :, :, start:], whole[1, :, :, start:] = key, value
                return scaled_dot_product_attention(query, whole[0], whole[1], attn_mask=bias)

            states = self._qwen.layer(number, states, places, attend)
            if number in LAYERS:
                wanted.append(states[:, -1])
        return torch.stack(wanted, dim=1), self._qwen.logits(states[:, -1])
