"""A request that has a sequence of the context: how far it is read, and what is written for it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from itertools import chain

from qa.decoding.read_before import Reading
from qa.decoding.request import Request

# A question of so many tokens with what stands around it ("Que fait Amara ?": 10) is a short one; most have 16 to 28.
SHORT_QUESTION = 12


@dataclass(eq=False, slots=True, kw_only=True)
class Running(Reading):
    """Only the thread that owns the context touches it."""

    request: Request
    served: float = 0  # tokens decoded for it while it was being read, those of its question at their cost
    gave_way: bool = False  # to somebody who came
    token: int | None = None  # chosen, not decoded yet
    written: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)  # what guesses are taken from
    text: str = ""  # written, and not sent yet
    length: int = 0  # characters of all that was written
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    @property
    def behind_passage(self) -> bool:
        """Whether what many prompts have in common is read, and only what is asked about it is left."""
        return self.slices >= self.prompt.kept

    @property
    def token_cost(self) -> float:
        """What it costs to have a token of its question read, in turns: 1 for a short question, down to 0.5 for one of
        twice as many tokens. So both are read to their ends together, where they come together."""
        prompt = self.prompt
        return max(SHORT_QUESTION / max(prompt.tokens - prompt.length(prompt.kept), SHORT_QUESTION), 0.5)

    @property
    def unread(self) -> bool:
        return self.slices < len(self.prompt.slices)

    @property
    def tokens_left(self) -> int:
        """How many it may still write."""
        return self.request.max_tokens - len(self.written)

    def rest_of_slices(self, slices: int = 1) -> tuple[int, ...]:
        """The tokens that are not read yet of the next `slices` slices."""
        tokens = chain.from_iterable(self.prompt.slices[self.slices : self.slices + slices])
        return tuple(tokens)[self.position - self.prompt.length(self.slices) :]
