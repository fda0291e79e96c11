"""A LanguageModel without a model: it says what it was told to, and remembers what it was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

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
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: Sequence[str] = (),
        asker: Asker = NOBODY,
        choices: Sequence[str] = (),
    ) -> FakeReply:
        scores = self.score(messages, choices, asker) if choices else []
        if not choices:
            self.asked.append(tuple(messages))
        assert self.replies, f"no reply left for: {messages[-1].text}"
        reply = self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        for text in stop:
            reply = reply.partition(text)[0]
        return FakeReply(self, reply.split(" ")[:max_tokens], asker, scores)

    def score(self, messages: Sequence[Message], choices: Sequence[str], asker: Asker = NOBODY) -> list[float]:
        self.asked.append(tuple(messages))
        assert self.scores, f"no scores left for: {messages[-1].text}"
        scores = self.scores.popleft()
        if isinstance(scores, Exception):
            raise scores
        assert len(scores) == len(choices)
        return [float("-inf")] * len(choices) if asker.cancelled() else list(scores)


class FakeReply:
    """A Reply of these words, and the scores of what else it could have begun with."""

    def __init__(self, model: FakeLanguageModel, words: Sequence[str], asker: Asker, scores: Sequence[float]) -> None:
        self._scores = list(scores)
        self._model = model
        self._asker = asker
        self._words = deque(words)

    def __iter__(self) -> FakeReply:
        return self

    def __next__(self) -> str:
        if not self._words or self._asker.cancelled():
            self._words.clear()
            raise StopIteration
        word = self._words.popleft()
        return f"{word} " if self._words else word

    def scores(self) -> list[float]:
        return self._scores

    def hidden(self) -> None:
        return None

    def hidden_of(self, _start: int, _end: int) -> None:
        return None

    def close(self) -> None:
        self._model.closed_early += bool(self._words)
        self._words.clear()
