"""Names in text, and whether a source has them: inflected, without accents, or as another language writes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from babel import Locale, UnknownLocaleError
from rapidfuzz import fuzz

from index.languages import stem_words

_WORD = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…]\s+|[«“„\"(\[]\s*|[-–—•*]\s+)$")
# Two spellings of one name in two languages (Choïgou/Shoigu 77, Moscou/Moscow 83, Poutine/Putin 83) against two names
# (Lavrov/Pavlov 83 is the price): used across languages only, where the alternative is to know every name.
_SAME_NAME = 74.0
_SHORTEST_FUZZY = 5
# Languages that write common nouns with a capital: a capital says nothing there.
_CAPITAL_NOUNS = frozenset({"de"})


def folded(text: str) -> str:
    """Lower case, without accents, with plain apostrophes and hyphens."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return plain.replace("’", "'").replace("‑", "-").replace("œ", "oe").replace("æ", "ae")


def names_in(text: str) -> list[str]:
    """Words with a capital inside a sentence, in order; the first word of a sentence only before another such word."""
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if not _has_capital(word):
            continue
        if _SENTENCE_START.search(text[: match.start()]):
            following = _WORD.match(text, match.end() + 1)
            if following is None or not _has_capital(following.group()):
                continue
        found.append(word)
    return found


def _has_capital(word: str) -> bool:
    # "l'Ukraine", "d'Alsace": the capital stands after the elision.
    return any(part[:1].isupper() for part in re.split(r"[-’']", word))


def missing_names(sentence: str, language: str, source: str, source_language: str) -> list[str]:
    """The names of a sentence that the source does not have, as the sentence writes them."""
    if language in _CAPITAL_NOUNS and language != source_language:
        return []
    have = _known_words(source, source_language)
    have_places = _places_in(source, source_language)
    text = _without_places(sentence, language, have_places) if language != source_language else sentence
    return [name for name in names_in(text) if not _has(name, language, have, source_language)]


def _has(name: str, language: str, have: frozenset[str], source_language: str) -> bool:
    parts = [folded(part) for part in re.split(r"[-’']", name) if part[:1].isupper()]
    for part in parts:
        if part in have or any(stem in have for stem in stem_words(part, language)):
            continue
        if language == source_language or len(part) < _SHORTEST_FUZZY:
            return False
        if not any(fuzz.ratio(part, word) >= _SAME_NAME for word in have if len(word) >= _SHORTEST_FUZZY):
            return False
    return True


def _known_words(text: str, language: str) -> frozenset[str]:
    words = {
        folded(part) for match in _WORD.finditer(text) for part in (match.group(), *re.split(r"[-’']", match.group()))
    }
    return frozenset(words) | frozenset(stem_words(text, language))


# -- places, months and days in other languages (Unicode CLDR, through Babel) ------------------------------------------


@cache
def _place_names(language: str) -> dict[str, str]:
    """Folded name -> what it names, for countries, some cities, months and days of the week."""
    try:
        locale = Locale(language)
    except (UnknownLocaleError, ValueError):
        return {}
    names = {folded(str(name)): f"territory {code}" for code, name in locale.territories.items()}
    for zone in map(str, locale.time_zones):
        city = locale.time_zones[zone].get("city", zone.rpartition("/")[2].replace("_", " "))
        names.setdefault(folded(str(city)), f"city {zone}")
    for zone in map(str, Locale("en").time_zones):
        # A language that writes a city as English does leaves it out of its own list.
        names.setdefault(folded(zone.rpartition("/")[2].replace("_", " ")), f"city {zone}")
    for kind in ("wide", "abbreviated"):
        for number, name in locale.months["format"][kind].items():
            names.setdefault(folded(str(name)), f"month {number}")
    for number, name in locale.days["format"]["wide"].items():
        names.setdefault(folded(str(name)), f"day {number}")
    return {name: what for name, what in names.items() if len(name) > 2}


@cache
def _place_pattern(language: str) -> re.Pattern[str] | None:
    names = _place_names(language)
    if not names:
        return None
    return re.compile(r"\b(?:" + "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) + r")\b")


def _places_in(text: str, language: str) -> frozenset[str]:
    pattern = _place_pattern(language)
    if pattern is None:
        return frozenset()
    names = _place_names(language)
    return frozenset(names[match.group()] for match in pattern.finditer(folded(text)))


def _without_places(text: str, language: str, have: Iterable[str]) -> str:
    """The text without the places that the source names too, so that only the rest needs to be looked for."""
    pattern = _place_pattern(language)
    plain = folded(text)
    if pattern is None or len(plain) != len(text):
        return text
    names, have = _place_names(language), set(have)
    kept = list(text)
    for match in pattern.finditer(plain):
        if names[match.group()] in have:
            kept[match.start() : match.end()] = " " * (match.end() - match.start())
    return "".join(kept)
