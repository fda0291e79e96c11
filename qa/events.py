"""What comes of a question, event by event, as `qa.answers.Answerer.ask` yields it: Found, then Draft and Checked, then
Answer."""

from __future__ import annotations

from dataclasses import dataclass

from index.search import Hit
from qa.grounding import Citation, Support


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """A sentence that was checked against its source. `citations` are numbers; `score` is in 0..1, higher is better."""

    text: str
    citations: tuple[int, ...]
    support: Support
    score: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the question arrived; None where it did not happen."""

    search_ms: float
    first_token_ms: float | None
    first_sentence_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Found:
    """First event: the evidence, before the model has written anything."""

    hits: tuple[Hit, ...]
    standalone_question: str
    language: str
    search_ms: float


@dataclass(frozen=True, slots=True)
class Draft:
    """A piece of the model's words, not checked yet; only for a client that asks for it."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence that may be shown, with the citations it points to."""

    sentence: AnswerSentence
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The last event. `answered` is False when declined; then `text` says so in the question's language.

    `answerability` is the probability, in 0..1, that what was written or quoted answers the question, or where nothing
    was, that what was read does: that of the likeliest passage.
    `withheld` counts the sentences that the model wrote and the check stopped. `independent_sources` counts the
    articles that are cited, those that say nearly the same once, and those of one paper once.
    """

    text: str
    answered: bool
    language: str
    standalone_question: str
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    answerability: float
    withheld: int
    timings: Timings
    independent_sources: int = 0


Event = Found | Draft | Checked | Answer
