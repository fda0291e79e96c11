"""Questions about one passage read together, beside qwen2.py: the passage once, each question as a branch behind it.

On two cores a passage takes as long to read as eight questions about it. A tree is a passage and its branches; several
trees stand behind one prefix in one row of tokens. A branch sees the prefix, its passage and itself, and stands at the
places it would have if it were alone: it is computed as it would be alone (furthest state 2e-5 apart, 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from qwen2 import DEVICE, LAYERS, Cache, Qwen2
from torch.nn.functional import scaled_dot_product_attention

Tree = tuple[Sequence[int], Sequence[Sequence[int]]]  # tokens of a passage, and of each branch behind it


class Trees:
    """Trees behind a prefix, and what is written behind each branch, a word a branch at a time, as qwen2.Writing.

    `last`: what the last layer makes of every token, (tokens, width), trees one behind the other, of each the passage
    first. `ends`: where there each branch ends. `states` (branches, LAYERS, width) and `logits` are those behind the
    last word of each branch. `given`: what the layer of number `keep` is given of every token, (1, tokens, width); with
    that of the same trees as `begun` nothing below that layer is computed again, and nothing can be written behind.
    """

    def __init__(
        self, qwen: Qwen2, prefix: Cache, trees: Sequence[Tree], keep: int | None = None, begun: Any = None
    ) -> None:
        tokens: list[int] = []
        places: list[int] = []
        owners: list[tuple[int, int]] = []  # of each token its tree, and its branch or -1
        self.ends: list[int] = []
        for number, (passage, branches) in enumerate(trees):
            tokens += passage
            places += range(len(passage))
            owners += [(number, -1)] * len(passage)
            for branch in branches:
                tokens += branch
                places += range(len(passage), len(passage) + len(branch))
                owners += [(number, len(self.ends))] * len(branch)
                self.ends.append(len(tokens) - 1)
        before = prefix[0][0].shape[2]
        self._keep = keep
        self._qwen, self._cache, ends = qwen, list(prefix), torch.tensor(self.ends, device=DEVICE)
        seen = torch.cat([torch.ones(len(tokens), before, dtype=torch.bool), _seen(owners)], 1).to(DEVICE)
        at = before + torch.tensor(places, device=DEVICE)
        self.last, middle = self._read(torch.tensor(tokens, device=DEVICE), at, seen, begun)
        self.states, self._seen, self._place = middle[ends], seen[ends], at[ends]

    @cached_property
    def logits(self) -> Any:
        return self._qwen.logits(self.last[torch.tensor(self.ends, device=DEVICE)])

    def write(self, tokens: Any, going_on: Any) -> Any:
        """Logits behind one more token each; branches that do not go on keep what they had."""
        (rows,) = going_on.nonzero(as_tuple=True)
        own = torch.zeros(len(tokens), len(rows), dtype=torch.bool, device=DEVICE)
        own[rows, torch.arange(len(rows), device=DEVICE)] = True
        self._seen, self._place = torch.cat([self._seen, own], 1), self._place + 1
        last, self.states[rows] = self._read(tokens[rows], self._place[rows], self._seen[rows])
        self.logits[rows] = self._qwen.logits(last)
        return self.logits

    def _read(self, tokens: Any, places: Any, seen: Any, begun: Any = None) -> tuple[Any, Any]:
        """(tokens, width) of the last layer, (tokens, LAYERS, width)."""
        bias = self._qwen.repeated(torch.zeros(seen.shape, device=DEVICE).masked_fill_(~seen, -1e4))
        states, wanted = self._qwen.embed(tokens[None]) if begun is None else begun, []
        for number in range(0 if begun is None else self._keep, self._qwen.layers):
            if number == self._keep:
                self.given = states

            def attend(query: Any, key: Any, value: Any, number: int = number) -> Any:
                keys, values = self._cache[number]
                whole = torch.cat([keys, key], 2), torch.cat([values, value], 2)
                self._cache[number] = whole
                return scaled_dot_product_attention(query, *whole, attn_mask=bias.to(query.dtype))

            states = self._qwen.layer(number, states, places[None], attend)
            if number in LAYERS:
                wanted.append(states[0])
        return states[0], torch.stack(wanted, dim=1)


def _seen(owners: Sequence[tuple[int, int]]) -> Any:
    """(tokens, tokens): what each token sees of those before it: its passage and its own branch."""
    tree, branch = torch.tensor(owners).T
    same = (tree[:, None] == tree[None]) & ((branch[None] == -1) | (branch[:, None] == branch[None]))
    return same & torch.ones(len(owners), len(owners), dtype=torch.bool).tril()
