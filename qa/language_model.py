"""What the answering room asks of a language model, whichever it is."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat. All of it is text: nothing in it can become a control token of the chat format.

    The pieces are tokenized one by one and joined as tokens. What the model has read of two prompts is shared up to the
    first piece that differs, so what changes least stands first, and a piece ends where sharing should end.

    `kept` counts the first pieces of a prompt's last message that many prompts will have in common with it, so that
    what the model made of them is worth storing.
    """

    role: Literal["system", "user", "assistant"]
    pieces: tuple[str, ...]
    kept: int = 0

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def kept_key(messages: Sequence[Message]) -> str | None:
    """SHA-256 (hex) of all that a stored state of this prompt covers; None when nothing of it is worth storing."""
    *before, last = messages
    if not last.kept:
        return None
    return _digest([*before, Message(last.role, last.pieces[: last.kept])])


def prefix_key(messages: Sequence[Message]) -> str | None:
    """SHA-256 (hex) of the messages before the last one, which all prompts of a kind have in common; None without."""
    return _digest(messages[:-1]) if messages[:-1] else None


def _digest(messages: Sequence[Message]) -> str:
    return hashlib.sha256(f"[{', '.join(map(_as_json, messages))}]".encode()).hexdigest()


@lru_cache(maxsize=64)
def _as_json(message: Message) -> str:
    """Kept, for the messages before a passage are long, and the same for thousands of passages."""
    return json.dumps([message.role, *message.pieces])


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom a model works: it is fair between clients, and stops soon after `cancelled()` is true."""

    client: str = ""
    cancelled: Callable[[], bool] = lambda: False
    since: float = field(default_factory=time.monotonic)  # when the question came


NOBODY = Asker()


class Reply(Iterator[str], Protocol):
    """The pieces of a reply as they are written. `close()` ends it early; the model stops writing at its next step."""

    def scores(self) -> list[float]:
        """Natural log-probability of each of the `choices` as the reply's beginning; waits until the prompt is read.

        All are -inf when cancelled.
        """

    def hidden(self) -> npt.NDArray[np.float32] | None:
        """(layers, width) what some layers of the model make of the prompt's last token; waits as `scores` does.

        None for a model that tells none, without `choices`, and when cancelled.
        """

    def hidden_of(self, start: int, end: int) -> npt.NDArray[np.float32] | None:
        """What the model has made of its own words between two characters of the reply, with all it read before:
        float32 (2 * layers, width), the hidden state behind the last of them, and the mean of those behind each, scaled
        to length 1.

        It is known when anything behind them was yielded, or the reply has ended. None where there is none to tell.
        """

    def close(self) -> None: ...


class LanguageModel(Protocol):
    """Greedy. Any number of threads may ask; raises qa.errors.Busy when too many do, PromptTooLong when it is that."""

    @property
    def context_tokens(self) -> int:
        """The context window: prompt and reply together."""

    def count_tokens(self, text: str) -> int: ...

    def generate(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: Sequence[str] = (),
        asker: Asker = NOBODY,
        choices: Sequence[str] = (),
    ) -> Reply:
        """The reply in pieces of whole characters. The model begins at once, not at the first `next()`. With `choices`,
        what else it could have begun with, each choice's first token, has its `scores()`. The reply begins with none of
        them, and nothing is written behind its first token before the first `next()`.

        It ends at the end of the turn, at a stop string (left out), after `max_tokens`, or when cancelled. Close it
        when leaving it early.
        """

    def score(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> list[float]:
        """Natural log-probability of each choice's first token as the first of the reply, in the order given; all are
        -inf when cancelled. It is part of an answer that has begun, so it is not refused because others wait."""
