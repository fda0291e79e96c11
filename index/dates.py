"""Days that an article names by their distance from its own date ("vendredi", "hier", "last year"), made absolute.

Only where it is certain: a mere weekday is the one before the article's date where the verbs of its sentence are in the
past, the one after it where they are in the future, and left alone where they are both or neither. So is what somebody
says, what happens every week ("le samedi"), and what is a name ("Vendredi saint"). French and English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from functools import lru_cache

from babel import Locale
from babel.dates import format_date

from index.sentences import split_sentences


@dataclass(frozen=True, slots=True)
class NamedDay:
    """`text[start:end]` names a day, month or year by its distance; `written` is which, in the text's language."""

    start: int
    end: int
    written: str
    is_weekday: bool = False  # and nothing else: "mardi", not "mardi dernier"


@dataclass(frozen=True, slots=True)
class _Words:
    """How a language speaks of days; regular expressions. Distances are in days, months or years."""

    not_behind: str  # behind these a weekday is every week's, a range, or part of a name
    not_before: str  # before these too, or its date is said
    more: str  # what may stand behind a weekday and belongs to it
    the_last: str  # behind a weekday, or before it: the one before the article's date
    the_next: str
    past: str
    future: str
    days: dict[str, int]
    months: dict[str, int]
    years: dict[str, int]


_WORDS = {
    "fr": _Words(
        not_behind=r"(?:\b(?:les?|chaque|un|par|du|au|des|aux|à)\s+|['’-])",
        not_before=r"\s*\(|-|,?\s+(?:le\s+)?(?:\d|1er)|\s+(?:à|au|saint|noir|gras|de(?:s|\s+la)?\s+[A-Z]|des\s+[cC]endres)",
        more=r"\s+(?:matin|midi|après-midi|soir|dernier|passé|prochain)\b",
        the_last=r"\s+(?:dernier|passé)\b",
        the_next=r"\s+prochain\b",
        past=r"\b(?:a|ai|ont|avons|avait|avaient|est|sont|était|étaient|fut|furent|eut|eurent)\b(?:\s+\S+){0,2}?"
        r"\s+(?!lieu\b)[a-zà-ÿ]+(?:é|i|u|s|t)e?s?\b|\b[a-zà-ÿ]{2,}(?:ait|aient)\b|\b(?:fut|furent)\b",
        future=r"\b[a-zà-ÿ]+[aeiouvd]r(?:a|ont|ez|ons)\b|\b(?:a|ont) lieu\b"
        r"|\b(?:va|vont|doit|doivent|devrait|devraient|(?:prévu|attendu)e?s?)\b",
        days={
            r"avant-hier": -2, r"(?<!avant-)(?<!['’])hier(?: (?:matin|midi|soir))?": -1, r"après-demain": 2,
            r"(?<!après-)(?<!de )(?<!['’])demain": 1, r"ce matin|ce soir|cet après-midi": 0,
        },
        months={r"le mois (?:dernier|passé)": -1, r"ce mois-ci": 0, r"le mois prochain": 1},
        years={
            r"l['’]an(?:née)? (?:derni(?:er|ère)|passée?)": -1, r"cette année": 0, r"l['’]an(?:née)? prochaine?": 1,
        },
    ),
    "en": _Words(
        not_behind=r"(?:\b(?:every|each|a|the|next|and|to|Good|Black|Ash|Palm|Easter|Bloody)\s+|['’-])",
        not_before=r"\s*\(|['’-]|,?\s+(?:the\s+)?\d|,?\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|\s+(?:to|and)\b",
        more=r"\s+(?:morning|afternoon|evening|night)\b",
        the_last=r"\blast\s+",
        the_next=r"\bthis coming\s+",
        past=r"\b(?:was|were|had|did|said|told|took|went|came|won|lost|met|made|began|left|gave|found|saw|[a-z]{2,}ed)\b",
        future=r"\b(?:will|shall|would|may|could|going to|is to|are to|due|expected|scheduled|planned|plans?)\b",
        days={r"yesterday": -1, r"tomorrow": 1, r"this (?:morning|afternoon|evening)|tonight": 0},
        months={r"last month": -1, r"this month": 0, r"next month": 1},
        years={r"last year": -1, r"this year": 0, r"next year": 1},
    ),
}  # fmt: skip

# What somebody says is told from another day, nobody knows which.
_SPEECH = re.compile(r"«[^»]*»|“[^”]*”|\"[^\"]*\"")


def named_days(text: str, language: str, published: date | datetime | None) -> list[NamedDay]:
    """Find what can be made absolute, in the order of the text; nothing without a date or in another language."""
    words = _WORDS.get(language)
    if words is None or published is None:
        return []
    day = published.date() if isinstance(published, datetime) else published
    if not MINYEAR < day.year < MAXYEAR:  # what was yesterday, or next year, may be no date
        return []
    speech = [spoken.span() for spoken in _SPEECH.finditer(text)]
    found = [*_relative(text, language, words, day), *_weekdays(text, language, words, day)]
    return sorted(
        (one for one in found if not any(start <= one.start < end for start, end in speech)),
        key=lambda one: one.start,
    )


@lru_cache(maxsize=2048)
def with_days(text: str, language: str, published: date | datetime | None) -> str:
    """The text with the date in brackets behind each: "vendredi (7 novembre 2025)"."""
    for one in reversed(named_days(text, language, published)):
        text = f"{text[: one.end]} ({one.written}){text[one.end :]}"
    return text


def _relative(text: str, language: str, words: _Words, day: date) -> Iterator[NamedDay]:
    for pattern, distance in words.days.items():
        yield from _each(pattern, text, _long(day + timedelta(distance), language))
    for pattern, distance in words.months.items():
        year, month = divmod(day.year * 12 + day.month - 1 + distance, 12)
        yield from _each(pattern, text, format_date(date(year, month + 1, 1), "MMMM y", locale=language))
    for pattern, distance in words.years.items():
        yield from _each(pattern, text, str(day.year + distance))


def _each(pattern: str, text: str, written: str) -> Iterator[NamedDay]:
    for found in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w|\s*\()", text, re.IGNORECASE):
        yield NamedDay(found.start(), found.end(), written)


def _weekdays(text: str, language: str, words: _Words, day: date) -> Iterator[NamedDay]:
    wide = Locale.parse(language).days["format"]["wide"]
    names = [wide[number].casefold() for number in range(7)]  # Monday first, as date.weekday() counts
    pattern = re.compile(rf"(?<!\w)(?P<day>{'|'.join(names)})(?!\w)(?P<more>{words.more})?", re.IGNORECASE)
    for span in split_sentences(text, language):
        sentence = text[span.start : span.end]
        for found in pattern.finditer(sentence):
            before, behind = sentence[: found.start()], sentence[found.end("day") :]
            if re.search(rf"{words.not_behind}\Z", before, re.IGNORECASE):
                continue
            if re.match(words.not_before, behind) or re.match(words.not_before, sentence[found.end() :]):
                continue
            ahead = (names.index(found["day"].casefold()) - day.weekday()) % 7
            distance = _distance(ahead, sentence, before, behind, words)
            if distance is not None:
                start, end = span.start + found.start(), span.start + found.end()
                yield NamedDay(start, end, _long(day + timedelta(distance), language), not found["more"])


def _distance(ahead: int, sentence: str, before: str, behind: str, words: _Words) -> int | None:
    """Days from the article's date; `ahead`, in 0..6, is how far the next such weekday is, 0 where it is that day."""
    if re.match(words.the_last, behind) or re.search(rf"{words.the_last}\Z", before):
        return ahead - 7
    if re.match(words.the_next, behind) or re.search(rf"{words.the_next}\Z", before):
        return ahead or 7
    past, future = re.search(words.past, sentence), re.search(words.future, sentence)
    if past and not future:
        return ahead - 7 if ahead else 0
    if future and not past:
        return ahead or None  # of its own weekday, an article may mean this one or the next
    return None


def _long(day: date, language: str) -> str:
    return format_date(day, "long", locale=language)
