"""A second context over the same model, which reads prefixes and passages where that is quicker than in the first one.

llama.cpp rearranges weights in memory, so that few rows are multiplied by them quickly. Some processors multiply many
rows quicker by weights as they lie in the file (LlamaContext.reads_quicker_as_filed). There passages are read by a
context of the second kind, and what it has made of them is put into the first, which reads questions and writes. The
weights of the second are pages of the file: besides them it takes 170 MB, for cells and buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from qa.decoding.llama_context import LlamaContext, Row
from qa.decoding.read_before import SCRATCH, Reading
from qa.errors import PromptTooLong

# Of the context that reads: one sequence holds the prompt that was read last, the other what is put in or taken out.
_PROMPT, _PIECE = 0, 1
SEQUENCES = 2


class PassageReader:
    """Of two contexts; only the thread that owns both may call it."""

    def __init__(self, reading: LlamaContext, writing: LlamaContext) -> None:
        self._reading = reading
        self._writing = writing
        self._here = _Place(reading, _PROMPT, _PIECE)
        self._held: tuple[int, ...] = ()  # tokens of the prompt that was read last

    def read(self, one: Reading, tokens: Sequence[int], abort: Callable[[], bool] | None = None) -> None:
        """Read the next tokens of a prompt into its sequence of the context that writes.

        Raises Aborted soon after `abort` says so; nothing is read then.
        """
        self._hold(one)
        start, end = one.position, one.position + len(tokens)
        self._reading.decode([Row(token, place, _PROMPT, False) for place, token in enumerate(tokens, start)], abort)
        self._held += tuple(tokens)
        _carry(self._here, self._there(one), start, end)

    def _hold(self, one: Reading) -> None:
        """Have what is read of this prompt: as much of the last one as both begin with, the rest from the other
        context."""
        before = tuple(islice(chain.from_iterable(one.prompt.slices), one.position))
        common = _common(self._held, before)
        self._reading.forget(_PROMPT, common)
        self._held = before[:common]
        if common < len(before):
            _carry(self._there(one), self._here, common, len(before))
            self._held = before

    def _there(self, one: Reading) -> _Place:
        return _Place(self._writing, one.sequence, SCRATCH)

    def forget(self) -> None:
        """The context is empty again."""
        self._reading.forget_all()
        self._held = ()

    def close(self) -> None:
        self._reading.close()


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    differ = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differ, min(len(one), len(other)))


@dataclass(frozen=True, slots=True)
class _Place:
    """A sequence of a context, and an empty one to save and restore by."""

    context: LlamaContext
    sequence: int
    scratch: int


def _carry(source: _Place, target: _Place, start: int, end: int) -> None:
    """Put what the model has made of the tokens from `start` to `end` from one context into the other."""
    source.context.copy(source.sequence, source.scratch, start, end)
    state = source.context.save(source.scratch)
    source.context.forget(source.scratch)
    if not target.context.restore(target.scratch, state):
        raise PromptTooLong(f"There is no room for {end - start} tokens more; the context window is too small.")
    target.context.copy(target.scratch, target.sequence, start, end)
    target.context.forget(target.scratch)
