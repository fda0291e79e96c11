"""Turns of a conversation, and a follow-up turned into a question that stands alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange. The client sends the conversation; the server keeps none."""

    question: str
    answer: str
