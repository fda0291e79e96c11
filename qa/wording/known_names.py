"""Names that mean the same in every language: places, peoples, months, days, and a few institutions.

Countries, cities, languages (whose names are peoples' too), months and days come from the Unicode CLDR through Babel,
for every language it knows; a name is known by a code, "RU" or "month 9", which two languages share. Nothing is known
of people: their names are compared letter by letter (qa/wording/names.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global

_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})
_LONGEST = 5  # words in a name: "bosnie herzegovine", "etats unis d amerique"


def as_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Peoples of these languages are not one country's: English, Portuguese and Spanish are spoken on, Arabic by many.
_NOT_ONE_COUNTRY = frozenset({"en", "pt", "ar"})
_SHORTEST_PEOPLE = 4
# What is put behind a country's name, cut short, for its people and things.
_PEOPLE_ENDING = re.compile(
    r"(?:a|e|n|i|y|o|an|ain|aine|ais|aise|ane|ano|ana|ean|en|enne|ene|eno|ena|ense|er|erin|es|ese|esa|eens|i|ian|iana|iano"
    r"|ic|ico|ica|ien|ienne|ier|iers|in|ine|ino|ina|ique|is|isch|ische|ish|ite|ois|oise|ol|ole|que|sch|sche|se|the)?"
    r"(?:s|e|en|er|es|em|n|x)?"
)
# First names and coins that look like a people's.
_NO_PEOPLES = as_set(
    "austin denis francis franck francois frank george georges germaine german indira martin romain roman franc francs"
)
# What CLDR leaves out: other names of the same, in any language. "x y" stands for "x-y" too.
_ALSO = {
    "US": "us usa u s a u s etats unis d amerique united states of america american americans americain "
    "americaine americains americaines "
    "amerikaner amerikanisch amerikanische amerikanischen amerikanischer estadounidense estadounidenses "
    "statunitense statunitensi americano americana americani eeuu",
    "GB": "uk u k britain great britain british grande bretagne britannique britanniques grossbritannien britisch "
    "britische britischen gran bretana gran bretagna britanico britanica britannico britannica",
    "KP": "north korean north koreans nord coreen nord coreenne nord coreens nord coreennes nordkoreanisch "
    "nordkoreanische nordkoreanischen norcoreano norcoreana norcoreanos nordcoreano nordcoreana nordcoreani",
    "KR": "south korean south koreans sud coreen sud coreenne sud coreens sud coreennes sudkoreanisch sudkoreanische "
    "sudkoreanischen surcoreano surcoreana surcoreanos sudcoreano sudcoreana sudcoreani",
    "TR": "turkey turkish turc turque turcs turques",
    "NL": "holland hollande holanda olanda dutch",
    "EU": "eu ue",
    "UN": "un onu uno",
    "150": "european europeans europeen europeenne europeens europeennes europaisch europaische europaischen europeo "
    "europea europei europee europeos europeas",
    "002": "african africans africain africaine africains africaines",
    "142": "asian asians asiatique asiatiques",
    "nato": "nato otan",
    "who": "who oms",
    "imf": "imf fmi iwf",
    "ecb": "ecb bce ezb",
    "iaea": "iaea aiea ieao oiea",
    "white house": "white house maison blanche weisses haus weisse haus weissen haus casa blanca casa bianca",
    "north": "north northern nord norte norden nordlich septentrional",
    "south": "south southern sud sur suden sudlich meridional",
    "east": "east eastern est este osten ostlich oriental oriente orient",
    "west": "west western ouest oeste ovest westen westlich occidental occidente occident",
}
# Names of several words in _ALSO; the others there are one word each.
_PHRASES = (
    "u s a|u s|u k|etats unis d amerique|united states of america|great britain|grande bretagne|gran bretana|"
    "gran bretagna|north koreans?|nord coreen(?:ne)?s?|south koreans?|sud coreen(?:ne)?s?|white house|maison blanche|"
    "weisse[sn]? haus|casa blanca|casa bianca"
)
_ALSO_SPLIT = re.compile(rf"{_PHRASES}|\S+")
# Written only with capitals, since "us", "who" and "un" are words too.
_ACRONYMS = as_set("aiea bce ecb eu ezb fmi iaea imf iwf nato oiea oms onu otan ue uk un uno us usa who")


@dataclass(frozen=True, slots=True)
class Word:
    """One run of letters; hyphens and apostrophes part them. `text` is as written, `plain` folded."""

    start: int
    end: int
    text: str
    plain: str

    @property
    def capital(self) -> bool:
        return any(character.isupper() for character in self.text)


@dataclass(frozen=True, slots=True)
class KnownName:
    """Words first..last (last left out) name what the codes stand for; more than one code where the name is shared."""

    first: int
    last: int
    codes: frozenset[str]

    @property
    def is_date(self) -> bool:
        """Whether it is a month or a day of the week."""
        return any(code.startswith(("month ", "day ")) for code in self.codes)


def folded(text: str) -> str:
    """Lower case, without accents, with plain apostrophes and hyphens."""
    text = text.casefold().replace("’", "'").replace("\u2011", "-")
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(character for character in parts if not unicodedata.combining(character))


def words_of(text: str) -> list[Word]:
    # Accents written as characters of their own would part a word.
    return [Word(m.start(), m.end(), m.group(), folded(m.group())) for m in _WORD.finditer(text)]


def known_names(words: list[Word], language: str) -> Iterator[KnownName]:
    """The longest known name at each place, in order."""
    known = _known(language)
    position = 0
    while position < len(words):
        for length in range(min(_LONGEST, len(words) - position), 0, -1):
            run = words[position : position + length]
            codes = known.get(" ".join(word.plain for word in run))
            if codes and _is_written_so(run, codes, language):
                yield KnownName(position, position + length, codes)
                position += length
                break
        else:
            codes = people_of(words[position].plain, language)
            if codes:
                yield KnownName(position, position + 1, codes)
            position += 1


def _is_written_so(run: list[Word], codes: frozenset[str], language: str) -> bool:
    if len(run) == 1 and run[0].plain in _ACRONYMS:
        return run[0].text.isupper()
    if any(code.startswith(("month", "day")) for code in codes):
        # "May" and "may", "mars" and "Mars": a month as this language writes it. The Romanian "mai" is mostly "more".
        return (language, run[0].plain) != ("ro", "mai") and run[0].capital == _months_have_capitals(language)
    return (
        run[0].capital or not any(code.startswith("city") or code.isupper() for code in codes) or len(run[0].text) > 3
    )


def is_day_or_month(text: str, language: str) -> bool:
    """Whether it is the name of a day of the week or of a month, and nothing else."""
    words = words_of(text)
    return any(name.is_date and name.last - name.first == len(words) for name in known_names(words, language))


def dates_written(text: str) -> frozenset[str]:
    """The months and days of dates in digits: "2023-09-13", "13/09/2023", "13.09.2023"."""
    codes: set[str] = set()
    for year, month, day in _dates(text):
        codes.add(f"month {month}")
        try:
            codes.add(f"day {date(year, month, day).weekday()}")
        except ValueError:
            continue
    return frozenset(codes)


def _dates(text: str) -> Iterator[tuple[int, int, int]]:
    for found in re.finditer(r"\b(\d{4})-(\d\d)-(\d\d)\b", text):
        yield int(found[1]), int(found[2]), int(found[3])
    for found in re.finditer(r"\b(\d\d?)([./])(\d\d?)\2(\d{4})\b", text):
        yield int(found[4]), int(found[3]), int(found[1])


@cache
def _locale(language: str) -> Locale | None:
    try:
        return Locale(language)
    except (UnknownLocaleError, ValueError):
        return None


@cache
def _months_have_capitals(language: str) -> bool:
    locale = _locale(language)
    return locale is not None and str(locale.months["format"]["wide"][9])[:1].isupper()


@cache
def _known(language: str) -> dict[str, frozenset[str]]:
    """Folded words of a name -> codes."""
    known: dict[str, set[str]] = {}

    def add(name: str, code: str) -> None:
        plain = " ".join(word.plain for word in words_of(name))
        if len(plain) > 2:
            known.setdefault(plain, set()).add(code)

    for code, words in _ALSO.items():
        for words_together in _ALSO_SPLIT.findall(words):
            known.setdefault(words_together, set()).add(code)
    locale = _locale(language)
    if locale is None:
        return {name: frozenset(codes) for name, codes in known.items()}
    for code, name in locale.territories.items():
        # "Myanmar (Burma)", "Hong Kong SAR China", "Congo-Kinshasa".
        for part in re.split(r"[()]|\bSAR\b.*| [–-] ", str(name)):
            add(part, str(code))
        add(re.sub(r"^(?:R\.A\.S\. chinoise de|Sonderverwaltungsregion|RAE de|RAS di) ", "", str(name)), str(code))
    for code in _one_country_languages():
        if code in locale.languages:
            for country in _countries_of(code):
                add(str(locale.languages[code]), country)
    for zone, city in _cities(locale):
        plain = " ".join(word.plain for word in words_of(city))
        if plain not in known:
            add(city, f"city {zone}")
    for context in ("format", "stand-alone"):
        for number, name in locale.months[context]["wide"].items():
            add(str(name), f"month {number}")
        for number, name in locale.days[context]["wide"].items():
            add(str(name), f"day {number}")
    return {name: frozenset(codes) for name, codes in known.items()}


def _cities(locale: Locale) -> Iterator[tuple[str, str]]:
    """(time zone, city). A language that writes a city as English does leaves it out of its own list."""
    for zone in map(str, locale.time_zones):
        if city := locale.time_zones[zone].get("city"):
            yield zone, str(city)
    for zone in map(str, get_global("zone_territories")):
        if zone.count("/") == 1 and not zone.startswith("Etc/"):
            yield zone, zone.rpartition("/")[2].replace("_", " ")


@cache
def _one_country_languages() -> tuple[str, ...]:
    return tuple(code for code in get_global("likely_subtags") if len(code) == 2 and code not in _NOT_ONE_COUNTRY)


def _countries_of(language: str) -> tuple[str, ...]:
    country = str(get_global("likely_subtags")[language]).rpartition("_")[2]
    return ("KR", "KP") if country == "KR" else (country,)


# -- peoples: "iranien", "Iranian", "iranische" from the country's name ------------------------------------------------


@cache
def _country_beginnings(language: str) -> dict[str, set[str]]:
    """First letters of a country's name, at least half of it -> codes."""
    beginnings: dict[str, set[str]] = {}
    for name, codes in _known(language).items():
        countries = {code for code in codes if len(code) == 2 and code.isupper()}
        if " " in name or not countries or name in _ACRONYMS or any(name in words for words in _also_words()):
            continue
        for length in range(max(_SHORTEST_PEOPLE, len(name) // 2), len(name) + 1):
            beginnings.setdefault(name[:length], set()).update(countries)
    return beginnings


@cache
def _also_words() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(_ALSO_SPLIT.findall(words)) for words in _ALSO.values())


@lru_cache(maxsize=8192)
def people_of(plain: str, language: str) -> frozenset[str]:
    """Countries whose people or things a word names, by the longest beginning they share."""
    if plain in _NO_PEOPLES:
        return frozenset()
    beginnings = _country_beginnings(language)
    for length in range(len(plain), _SHORTEST_PEOPLE - 1, -1):
        codes = beginnings.get(plain[:length])
        if codes is not None:
            return frozenset(codes) if _PEOPLE_ENDING.fullmatch(plain[length:]) else frozenset()
    return frozenset()
