"""What can go wrong while answering, below SourcierError (index/errors.py).

SourcierError
├── Busy               every reader's place is taken; carries when to come back
├── QuestionTooLong    the question does not fit the model's context window
└── PromptTooLong      a prompt does not fit it, or cannot be read
"""

from __future__ import annotations

from index.errors import SourcierError


class Busy(SourcierError):
    """More readers are waiting than the queue holds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"Too many questions are waiting. Try again in {retry_after:.0f} s.")
        self.retry_after = retry_after  # seconds


class QuestionTooLong(SourcierError):
    """The question does not fit the model's context window."""


class PromptTooLong(SourcierError):
    """A prompt and its reply do not fit the model's context window, or llama.cpp refused it."""
