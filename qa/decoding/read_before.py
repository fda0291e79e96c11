"""What has been read is not read again: prefixes are held in the context, passages come from their stored states.

A prompt goes on from wherever another one that begins with the same slices is by now, or from a prefix that is held
(the cells are shared, which costs nothing), and behind the prefix from the stored state of its passage (milliseconds).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qa.decoding.llama_context import LlamaContext
from qa.decoding.request import Prompt, Slices, common_slices
from qa.prefill_cache import PrefillCache

# Prefixes kept in the context: that of answers with its examples, that of stand-alone questions (560 and 176 tokens),
# and one of a caller's own. A longer one than PREFIX_TOKENS is read each time, so that prefixes never take the cells of
# requests.
PREFIXES = 3
PREFIX_TOKENS = 640
# Behind those that hold prefixes comes one to restore and save states in, and then those for requests.
SCRATCH = PREFIXES
FIRST_FREE = SCRATCH + 1


@dataclass(eq=False, slots=True)
class Reading:
    """A prompt and how far it is read."""

    prompt: Prompt
    sequence: int
    slices: int = 0  # read so far
    position: int = 0  # tokens of the sequence in the cache


class ReadBefore:
    """Of one context. It has the sequences below FIRST_FREE, and only the thread that owns the context may call it."""

    def __init__(self, context: LlamaContext, states: PrefillCache) -> None:
        self._context = context
        self._states = states
        self._prefixes: dict[Slices, int] = {}  # the sequence that holds it; the one used last comes last

    def holds_prefix(self, prompt: Prompt) -> bool:
        return prompt.slices[: prompt.prefix] in self._prefixes

    def forget(self) -> None:
        """The context holds nothing any more."""
        self._prefixes.clear()

    def take_over(self, one: Reading, others: Iterable[Reading]) -> None:
        """Go on from the furthest that anybody has read of this prompt."""
        slices = one.prompt.slices
        furthest, source = one.slices, one.sequence
        for sequence, read in self._held(others):
            # The last slice is always decoded: its logits are what we came for.
            if (common := min(common_slices(slices, read), len(slices) - 1)) > furthest:
                furthest, source = common, sequence
        if furthest > one.slices:
            self._go_on_from(one, source, furthest)
        prompt = one.prompt
        if prompt.prefix_key and one.position == 0:
            self._restore(one, prompt.prefix_key, prompt.prefix)
        if prompt.key and one.slices == prompt.prefix:
            self._restore(one, prompt.key, prompt.kept)

    def _held(self, others: Iterable[Reading]) -> Iterator[tuple[int, Slices]]:
        """What sequences hold."""
        for one in others:
            yield one.sequence, one.prompt.slices[: one.slices]
        for slices, sequence in self._prefixes.items():
            yield sequence, slices

    def _go_on_from(self, one: Reading, sequence: int, slices: int) -> None:
        end = one.prompt.length(slices)
        self._context.copy(sequence, one.sequence, one.position, end)
        one.slices, one.position = slices, end

    def _restore(self, one: Reading, key: str, slices: int) -> None:
        """Go on from the stored state of what stands from here to the end of so many slices, if there is one."""
        if not one.slices < slices < len(one.prompt.slices):
            return
        state = self._states.get(key)
        if state is None or not self._context.restore(SCRATCH, state):
            return
        # A state of another length under this key: rather read than believed.
        if self._context.positions(SCRATCH) == (one.position, one.prompt.length(slices)):
            self._go_on_from(one, SCRATCH, slices)
        self._context.forget(SCRATCH)

    def keep(self, one: Reading) -> None:
        """Hold the prefix, and store its state and that of what follows it, when they are read."""
        prompt = one.prompt
        if one.slices >= prompt.prefix:
            self._hold_prefix(one)
        # Only right behind prefix and passage: later there is more in the cache.
        prefix = prompt.length(prompt.prefix)
        if prompt.prefix_key and one.position == prefix:
            self._store(one, prompt.prefix_key, 0)
        if prompt.key and prefix < one.position == prompt.length(prompt.kept):
            self._store(one, prompt.key, prefix)

    def _store(self, one: Reading, key: str, start: int) -> None:
        """What the model made of the tokens from `start` to here."""
        if key not in self._states:
            self._context.copy(one.sequence, SCRATCH, start, one.position)
            self._states.put(key, self._context.save(SCRATCH))
            self._context.forget(SCRATCH)

    def _hold_prefix(self, one: Reading) -> None:
        """Keep the prefix in a sequence of its own; that of the longest unused one is taken when all hold some."""
        prompt = one.prompt
        slices, tokens = prompt.slices[: prompt.prefix], prompt.length(prompt.prefix)
        sequence = self._prefixes.pop(slices, None)
        if sequence is None and 0 < tokens <= PREFIX_TOKENS:
            free = set(range(PREFIXES)) - set(self._prefixes.values())
            sequence = free.pop() if free else self._prefixes.pop(next(iter(self._prefixes)))
            self._context.forget(sequence)
            self._context.copy(one.sequence, sequence, 0, tokens)
        if sequence is not None:
            self._prefixes[slices] = sequence
