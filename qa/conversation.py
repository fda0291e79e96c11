"""Turns of a conversation, and a follow-up turned into a question that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.languages import stem_words
from qa.language_model import NOBODY, Asker, LanguageModel
from qa.prompt import stand_alone_messages
from qa.wording.names import missing_names
from qa.wording.numbers import numbers_claimed, numbers_in

# A follow-up leans on what was said last; older turns cost prefill (about 12 ms a token) and mislead a small model.
TURNS_READ = 3
ANSWER_CHARACTERS = 300
REWRITE_TOKENS = 80


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange. The client sends the conversation; the server keeps none."""

    question: str
    answer: str


def stand_alone_question(
    history: Sequence[Turn], question: str, language: str, model: LanguageModel, asker: Asker = NOBODY
) -> str:
    """The question with what it leans on filled in from the earlier turns; the question itself when there are none.

    A rewrite that brings in a name, a number or many words which nobody said, or drops what was asked, is not used:
    then the previous question is put before this one, which finds the same articles if less exactly.
    """
    if not history:
        return question
    recent = [Turn(turn.question, turn.answer[:ANSWER_CHARACTERS]) for turn in history[-TURNS_READ:]]
    messages = stand_alone_messages([(turn.question, turn.answer) for turn in recent], question)
    reply = "".join(model.generate(messages, REWRITE_TOKENS, ("\n",), asker)).strip()
    if _is_faithful(reply, question, recent, language):
        return reply
    return f"{recent[-1].question} {question}"


def _is_faithful(rewrite: str, question: str, history: Sequence[Turn], language: str) -> bool:
    words = set(stem_words(rewrite, language))
    asked = set(stem_words(question, language))
    said_text = "\n".join([*(f"{turn.question}\n{turn.answer}" for turn in history), question])
    said = set(stem_words(said_text, language))
    if not words or len(rewrite) > 3 * len(question) + 200:
        return False
    if missing_names(rewrite, language, said_text, language):
        return False
    if not numbers_claimed(rewrite, language) <= numbers_in(said_text, language):
        return False
    invented = len(words - said) / len(words)
    kept = len(words & asked) / max(1, len(asked))
    return invented <= 0.25 and kept >= 0.4
