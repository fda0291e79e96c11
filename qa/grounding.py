"""Which source sentence supports a sentence of the answer, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.articles import Article

Support = Literal["supported", "partial", "unsupported"]


@dataclass(frozen=True, slots=True)
class Citation:
    """The characters of an article that a sentence was read in: `article.text[start:end] == quote`.

    Made by code from the article, never from the model's words. `number` is what the reader sees, from 1.
    """

    number: int
    article: Article
    start: int
    end: int

    @property
    def quote(self) -> str:
        return self.article.text[self.start : self.end]
