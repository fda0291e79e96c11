"""What the answering room asks of a language model, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat. All of it is text: nothing in it can become a control token of the chat format.

    The pieces are tokenized one by one and joined as tokens. What the model has read of two prompts is shared up to the
    first piece that differs, so what changes least stands first, and a piece ends where sharing should end.
    """

    role: Literal["system", "user", "assistant"]
    pieces: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


Cancelled = Callable[[], bool]


def never() -> bool:
    """For callers that cannot be cancelled."""
    return False


class LanguageModel(Protocol):
    """Greedy and deterministic. Raises qa.errors.Busy when too many wait, PromptTooLong when it does not fit."""

    @property
    def context_tokens(self) -> int:
        """The context window: prompt and reply together."""

    def count_tokens(self, text: str) -> int: ...

    def generate(
        self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = (), cancelled: Cancelled = never
    ) -> Iterator[str]:
        """The reply in pieces of whole characters. Ends at the end of the turn, at a stop string (left out), after
        `max_tokens`, or soon after `cancelled()` is true. Close the iterator when leaving it early."""

    def score(self, messages: Sequence[Message], choices: Sequence[str], cancelled: Cancelled = never) -> list[float]:
        """Natural log-probability of each choice's first token as the first of the reply, in the order given."""
