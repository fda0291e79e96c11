"""Numbers in text, whatever way they are written: "deux heures", "2 h", "trois mille", "3 000", "3,000" and "3000"."""

from __future__ import annotations

import re
from functools import lru_cache

from text_to_num import alpha2digit

# Languages whose number words text2num reads; in others only digits count.
_WORDS_READ = frozenset({"fr", "en", "de", "es", "it", "pt", "nl"})
# Digits in groups of three ("3 000", "3.000", "3,000", with any kind of space), with an optional decimal part.
_NUMBER = re.compile(r"\d{1,3}(?:[   .,'’]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?")
_GROUP = re.compile(r"[   .,'’](?=\d{3}(?!\d))")


def numbers_in(text: str, language: str) -> frozenset[str]:
    """Every number a text mentions, as plain digits with "." before decimals; number words from zero included."""
    return _digits(text) | _digits(_spelt_out(text, language))


def numbers_claimed(text: str, language: str) -> frozenset[str]:
    """The numbers a sentence has to answer for. "un", "one", "eine" alone are articles more often than figures."""
    return _digits(text) | (_digits(_spelt_out(text, language)) - {"1", "0"})


@lru_cache(maxsize=512)
def _spelt_out(text: str, language: str) -> str:
    if language not in _WORDS_READ:
        return text
    spelt: str = alpha2digit(text, language, threshold=0)
    return spelt


def _digits(text: str) -> frozenset[str]:
    return frozenset(_plain(match.group()) for match in _NUMBER.finditer(text))


def _plain(number: str) -> str:
    """ "3 000,50" -> "3000.5". A group of exactly three digits after a separator is thousands, as newspapers write."""
    whole = _GROUP.sub("", number) if len(_GROUP.findall(number)) else number
    whole = whole.replace(",", ".")
    if "." in whole:
        whole = whole.rstrip("0").rstrip(".")
    return whole.lstrip("0") or "0"
