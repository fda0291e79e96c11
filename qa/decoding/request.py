"""What is asked of the decode loop: a prompt in slices, and what should come of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue

from qa.decoding.hidden_states import HiddenState
from qa.language_model import NOBODY, Asker

log = logging.getLogger(__name__)

# Tokens of a passage decoded in one go: nobody waits for longer than that (1 s on two cores). Slices of 128 are
# read no faster on some cores (63 tokens/s against 66, 2026-11-22), 4 % faster on others (with VNNI, 2026-11-28).
SLICE_TOKENS = 64
# Kernels take rows in blocks of 4, 8 or 16, and fewer than 4 in another way. Behind whole blocks a slice makes the same
# numbers as in a batch of its own, to the last bit; a shorter one would cost as much as a whole block.
BLOCK_ROWS = 16
# The rest of a piece belongs to its last slice, where it is shorter than a block.
LONGEST_SLICE = SLICE_TOKENS + BLOCK_ROWS - 1


@dataclass(frozen=True, slots=True)
class Impression:
    """What the model makes of a prompt before it writes: the log-probabilities that were asked for, and its hidden
    state (layers, width) where the context listens to some layers."""

    scores: list[float]
    hidden: HiddenState | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """The hidden state (layers, width) behind the first `length` characters of a reply: what the model has made of the
    prompt and of so much that it wrote."""

    length: int
    hidden: HiddenState


# Words, and what the model makes of them, then None at the end; before them an impression, where scores were asked for;
# or what went wrong.
Outcome = str | Behind | Impression | Exception | None

Slices = tuple[tuple[int, ...], ...]


def in_slices(tokens: Sequence[int]) -> Slices:
    """The tokens in pieces that are decoded in one go."""
    starts = range(0, max(len(tokens) - BLOCK_ROWS + 1, 1), SLICE_TOKENS) if tokens else ()
    return tuple(tuple(tokens[start:end]) for start, end in pairwise((*starts, len(tokens))))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in the slices it is decoded in, each of at most LONGEST_SLICE tokens.

    The first `prefix` slices are those of every prompt of this kind, and worth storing under `prefix_key`. Those behind
    them up to `kept` are worth storing under `key`. What has no key is not stored.
    """

    slices: Slices
    prefix: int
    kept: int
    key: str | None = None
    prefix_key: str | None = None

    @property
    def tokens(self) -> int:
        return sum(map(len, self.slices))

    def length(self, slices: int) -> int:
        """Tokens in the first `slices` slices."""
        return sum(map(len, self.slices[:slices]))


@dataclass(eq=False, slots=True)
class Request:
    """What a reader's thread asks of the loop; the answer comes piece by piece through `outbox`.

    With `scored`, first the natural log-probabilities of these tokens as the next one; then a reply of `max_tokens` at
    most. With neither, the prompt is only read, and stored. What goes on in the `background` gives way to everything
    else, even in the middle of a slice.
    """

    prompt: Prompt
    max_tokens: int
    scored: tuple[int, ...]
    asker: Asker = NOBODY
    background: bool = False
    outbox: SimpleQueue[Outcome] = field(default_factory=SimpleQueue)
    arrived: float = field(default_factory=time.monotonic)
    held: bool = False  # after the first token nothing is written until this is False; then wake the loop
    left: bool = False  # the reader's thread has gone
    begun: bool = False  # part of an answer that has begun: never refused because others wait

    def given_up(self) -> bool:
        try:
            return self.left or self.asker.cancelled()
        except Exception as error:  # a caller's function; this thread works for all the others too
            log.warning("a request is given up, for it cannot be asked whether it was cancelled: %r", error)
            return True


def common_slices(one: Slices, other: Slices) -> int:
    """How many slices both begin with."""
    for position, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return position
    return min(len(one), len(other))
