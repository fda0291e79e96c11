"""A LanguageModel without a model: it says what it was told to, and remembers what it was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from qa.language_model import NOBODY, Asker, Message


class FakeLanguageModel:
    """Replies and scores come from queues, in order; when one is empty, asking is an AssertionError.

    A reply is a text, given word by word, or an exception, raised instead. `asked` holds the messages of every call.
    """

    def __init__(
        self,
        replies: Iterable[str | Exception] = (),
        scores: Iterable[Sequence[float] | Exception] = (),
        context_tokens: int = 4096,
    ) -> None:
        self.replies = deque(replies)
        self.scores = deque(scores)
        self.asked: list[tuple[Message, ...]] = []
        self.closed_early = 0
        self._context_tokens = context_tokens

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(
        self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = (), asker: Asker = NOBODY
    ) -> Iterator[str]:
        self.asked.append(tuple(messages))
        assert self.replies, f"no reply left for: {messages[-1].text}"
        reply = self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        for text in stop:
            reply = reply.partition(text)[0]
        words = reply.split(" ")[:max_tokens]
        try:
            for word, following in zip_longest(words, words[1:]):
                if asker.cancelled():
                    return
                yield word if following is None else f"{word} "
        except GeneratorExit:
            self.closed_early += 1
            raise

    def score(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> list[float]:
        self.asked.append(tuple(messages))
        assert self.scores, f"no scores left for: {messages[-1].text}"
        scores = self.scores.popleft()
        if isinstance(scores, Exception):
            raise scores
        assert len(scores) == len(choices)
        return [float("-inf")] * len(choices) if asker.cancelled() else list(scores)
