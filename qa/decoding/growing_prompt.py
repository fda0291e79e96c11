"""A prompt that is read while its end is still being written: what listens to a reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qa.decoding.reply_stream import ReplyStream
from qa.decoding.request import Request, in_slices
from qa.language_model import Message

if TYPE_CHECKING:
    from qa.llama_model import LlamaModel


class GrowingPrompt:
    """A prompt that goes on: whole words of it are given to the loop, which reads them beside whatever is written."""

    def __init__(
        self,
        model: LlamaModel,
        messages: Sequence[Message],
        choices: Sequence[str],
        request: Request,
        piece: list[int],
        end: list[int],
        room: int,
    ) -> None:
        self._model = model
        self._messages = messages
        self._choices = choices
        self._request = request
        self._given = piece  # of the last piece
        self._end = end
        self._most = len(piece) + room
        self._ended = False

    def hear(self, text: str) -> None:
        """See Listening.hear. What follows a word can still change its tokens, but not across a space."""
        tokens = self._tokens(text[: text.rstrip().rfind(" ") + 1].rstrip())
        if self._goes_on(tokens):
            self._give(tokens, [])

    def end(self, text: str) -> ReplyStream:
        """See Listening.end."""
        tokens = self._tokens(text)
        if not self._goes_on(tokens):
            self.close()
            return self._model.scored_reply(self._with(text), self._choices, self._request.asker)
        self._request.scored = self._model.firsts(self._choices)
        self._give(tokens, self._end)
        self._request.growing = False  # not before all has come
        self._ended = True
        self._model.wake()
        return ReplyStream(self._request, (), self._model.wake)

    def close(self) -> None:
        """See Listening.close."""
        if not self._ended:
            self._ended = self._request.left = True
            self._model.wake()

    def _tokens(self, text: str) -> list[int]:
        return self._model.tokens_of(self._with(text)[-1].pieces[-1])

    def _with(self, text: str) -> list[Message]:
        *others, last = self._messages
        return [*others, Message(last.role, (*last.pieces[:-1], f"{last.pieces[-1]}{text}"), last.kept)]

    def _goes_on(self, tokens: Sequence[int]) -> bool:
        return tokens[: len(self._given)] == self._given and len(tokens) <= self._most

    def _give(self, tokens: list[int], end: list[int]) -> None:
        self._request.more.extend(in_slices([*tokens[len(self._given) :], *end]))
        self._given = tokens
        self._model.wake()

    def __del__(self) -> None:
        self.close()
