"""Days in a sentence of an answer, with their dates: "mardi" says nothing to who reads it a month later."""

from __future__ import annotations

import re

from index.articles import Article
from index.dates import NamedDay, named_days

# Between a weekday and its date: "mardi 28 octobre 2025", "Tuesday, October 28, 2025".
_BETWEEN = {"fr": " ", "en": ", "}


def with_dates(sentence: str, language: str, article: Article, source: str) -> str:
    """The sentence as it is shown; `source` is the text of the article that it was written from.

    What the model took over in brackets, "mardi (28 octobre 2025)", is written as newspapers do. Where it left the date
    out it is added, if that word stands only once in the source. In another language than the article's it is left.
    """
    if language != article.language:
        return sentence
    for day in named_days(source, language, article.published):
        word = source[day.start : day.end]
        dated = _dated(day, language)
        sentence = re.sub(rf"(?<!\w)({re.escape(word)}) \({re.escape(day.written)}\)", dated, sentence, flags=re.I)
        if len(_found(word, source)) == 1 and len(_found(word, sentence)) == 1:
            # Not where a date stands behind it already.
            sentence = re.sub(rf"(?<!\w)({re.escape(word)})(?!\w|,?\s+\(?(?:\w+ )?\d)", dated, sentence, flags=re.I)
    return sentence


def _dated(day: NamedDay, language: str) -> str:
    return rf"\1{_BETWEEN[language]}{day.written}" if day.is_weekday else rf"\1 ({day.written})"


def _found(word: str, text: str) -> list[str]:
    return re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
