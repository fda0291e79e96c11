"""Numbers in text, whatever way they are written: "deux heures", "2 h", "trois mille", "3 000", "3,000" and "3000".

A number becomes one string that begins with a digit: "3000", "12.5", "2/3", "10⁶". Two ways of writing that this file
cannot bring together give two strings, and the sentence is held back: better than two numbers that give one.
Left alone: signs, Roman numerals, years read in pairs ("nineteen ninety"), number words outside _WORDS_READ.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal
from text_to_num import alpha2digit

# Languages whose number words text2num reads; in others only digits count.
_WORDS_READ = frozenset({"fr", "en", "de", "es", "it", "pt", "nl"})

_SPACE = " \u00a0\u2009\u202f"
# In this order: groups with spaces, groups with one mark and perhaps decimals behind another, one mark, digits alone.
# "13.09.2023" and "1.2.3" are none of the first three: their parts are read one by one.
_FIGURE = (
    rf"(?<![\w.,])\d{{1,3}}(?:[{_SPACE}]\d{{3}})+(?!\d)(?:[.,]\d+)?(?![.,]?\d)"
    r"|(?<!\d)(?<!\d[.,])\d{1,3}(?P<mark>[.,'’])\d{3}(?:(?P=mark)\d{3})*(?:(?!(?P=mark))[.,]\d+)?(?![.,]?\d)"
    r"|(?<!\d)(?<!\d[.,])\d+[.,]\d+(?![.,]?\d)"
    r"|10[⁰¹²³⁴-⁹]+"
    r"|\d+"
)
_POWER = re.compile(r"10[⁰¹²³⁴-⁹]+")
_VULGAR = re.compile(r"[¼-¾⅐-⅞]")
_SPELT_FIGURE = r"\d+(?:[.,]\d+)?"
# "deux virgule cinq millions" comes out of text2num as "2,5000000".
_SPOKEN_DECIMALS = re.compile(r"\b(\d+)[.,](\d+?)((?:000)+)\b")

# Words that stand for a number or multiply the one before them. text2num reads most of them, but not behind digits.
_SCALES = {
    "fr": {
        "mille": 10**3, "millions?": 10**6, "milliards?": 10**9, "billions?": 10**12, "milliers?": 10**3,
        "centaines?": 100, "soixantaines?": 60, "cinquantaines?": 50, "quarantaines?(?= d[e’'])": 40, "trentaines?": 30,
        "vingtaines?": 20, "quinzaines?": 15, "douzaines?": 12, "dizaines?": 10,
    },
    "en": {
        "hundreds?": 100, "thousands?": 10**3, "millions?": 10**6, "billions?": 10**9, "trillions?": 10**12,
        "dozen": 12, "dozens": 10, "bn": 10**9,
    },
    "de": {
        "hunderte?n?": 100, "tausende?n?": 10**3, "million(?:en)?": 10**6, "mio": 10**6, "milliarden?": 10**9,
        "mrd": 10**9, "billion(?:en)?": 10**12, "dutzende?n?": 12,
    },
    "es": {
        "mil millones": 10**9, "mil": 10**3, "miles": 10**3, "mill[oó]n(?:es)?": 10**6, "bill[oó]n(?:es)?": 10**12,
        "cientos": 100, "centenar(?:es)?": 100, "millar(?:es)?": 10**3, "decenas?": 10, "docenas?": 12,
        "veintenas?": 20, "treintenas?": 30,
    },
    "it": {
        "mila": 10**3, "mille": 10**3, "migliai[ao]": 10**3, "milion[ei]": 10**6, "miliard[oi]": 10**9,
        "centinai[ao]": 100, "decin[ae]": 10, "dozzin[ae]": 12, "ventin[ae]": 20, "trentin[ae]": 30,
    },
    "pt": {"mil milhões": 10**9, "mil": 10**3, "milhões": 10**6, "milhão": 10**6, "bilhões": 10**9, "dezenas?": 10},
    "nl": {"duizend": 10**3, "miljoen": 10**6, "miljard": 10**9, "biljoen": 10**12, "tientallen": 10},
}  # fmt: skip
# Half of one more, behind a number: "deux heures et demie", "one and a half million".
_AND_A_HALF = {"fr": "et demie?", "en": "and a half", "es": "y medi[oa]", "it": "e mezz[oa]", "pt": "e mei[oa]"}
# A half that follows no number.
_HALF = {
    "fr": r"la moitié|demie?[- ](?:million|milliard|heure|siècle|douzaine|journée)",
    "en": r"half (?:of|the|an?)|(?<!and a )half[- ](?:million|billion|dozen|hour|century)",
    "de": r"hälfte|halbe[nmrs]?|anderthalb\w*|\w*einhalb",
    "es": r"la mitad|medi[oa] (?:mill[oó]n|hora|siglo|docena)",
    "it": r"la metà|mezz[oa] (?:milione|miliardo|secolo|dozzina)|mezz['’]ora",
    "pt": r"a metade|mei[oa] (?:milhão|hora|século)",
    "nl": r"de helft|halve|anderhalf|\w+enhalf",
}
# Names of a third and a quarter as text2num leaves them, behind a number.
_PARTS = {
    "fr": {"tiers": 3, "quarts?": 4},
    "en": {"3rds?|thirds?": 3, "quarters?|4ths?": 4},
    "de": {"drittel": 3, "viertel": 4},
    "es": {"tercios?": 3, "cuartos?|4ºs?": 4},
    "it": {"3º|terz[oi]": 3, "4º|quart[oi]": 4},
    "pt": {"terços?": 3, "quartos?|4ºs?": 4},
    "nl": {"derde": 3, "kwart": 4},
}
# "a second later" is no figure, and "secondo il ministro" is "according to".
_NOT_ORDINAL = {
    "en": re.compile(r"\b(?:an?|per|each|every|one|split)[- ]second\b", re.IGNORECASE),
    "it": re.compile(r"(?<!\bil )(?<!\bun )(?<!\bdel )(?<!\bal )(?<!\bnel )(?<!\bdal )\bsecondo\b", re.IGNORECASE),
}
# Ordinals that text2num takes for a unit of time.
_SECOND = {"fr": r"(?:le|la|du|au|ce|cette|son|sa|un|une|de) seconde?", "es": r"(?:el|la|del|al|su|un|una) segund[oa]"}


def numbers_in(text: str, language: str) -> frozenset[str]:
    """Every number a text mentions, as plain digits with "." before decimals; number words from zero included."""
    written, spelt = _read(_normal(text), language)
    return written | spelt


def numbers_claimed(text: str, language: str) -> frozenset[str]:
    """The numbers a sentence has to answer for. "un", "one", "eine" alone are articles more often than figures."""
    written, spelt = _read(_normal(text), language)
    return written | (spelt - {"1"})


# A figure whose mark may stand before thousands or decimals; "13.09.2023" is none.
_MARKED = re.compile(r"(?<![\w.,])(?:\d{1,3}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})*|\d+[.,]\d+)(?![.,]?\d)")


def with_own_marks(sentence: str, language: str, source: str, source_language: str) -> str:
    """The sentence with the figures that it has copied from a source in another language written as its own language
    does: "415,000" of an English text is "415.000" in Spanish, where 415,000 would be four hundred and fifteen."""
    if _decimal_mark(language) == _decimal_mark(source_language):
        return sentence
    copied = {match.group() for match in _MARKED.finditer(source)}

    def written(match: re.Match[str]) -> str:
        figure = match.group()
        if figure not in copied:
            return figure
        return format_decimal(_decimal(figure, source_language), locale=language, decimal_quantization=False)

    return _MARKED.sub(written, sentence)


def _normal(text: str) -> str:
    """ASCII digits, plain hyphens."""
    text = text.replace("\u2011", "-").replace("\u2010", "-").replace("٫", ".").replace("٬", "'")
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


@lru_cache(maxsize=512)
def _read(text: str, language: str) -> tuple[frozenset[str], frozenset[str]]:
    """The numbers written in digits, and those in words."""
    written: list[str] = [str(unicodedata.numeric(match.group())) for match in _VULGAR.finditer(text)]

    def take(match: re.Match[str]) -> str:
        written.extend(_values(match, language))
        return " ※ "  # so that text2num cannot join what was read with the words beside it

    rest = _pattern(language, _FIGURE).sub(take, text)
    if language not in _WORDS_READ:
        return frozenset(written), frozenset()
    spelt = ["0.5"] * bool(_word_pattern(_HALF.get(language, "(?!)")).search(rest))
    spelt += ["2"] * bool(_word_pattern(_SECOND.get(language, "(?!)")).search(rest))
    if language in _NOT_ORDINAL:
        rest = _NOT_ORDINAL[language].sub(" ※ ", rest)
    # Twice: "seven-year-old" is read only without its hyphens, "quatre-vingt-dix" only with them.
    rest = alpha2digit(alpha2digit(rest, language, threshold=0).replace("-", " "), language, threshold=0)
    rest = _SPOKEN_DECIMALS.sub(lambda found: _plain(Decimal(f"{found[1]}.{found[2]}") * int(f"1{found[3]}")), rest)
    for match in _pattern(language, _SPELT_FIGURE).finditer(rest):
        spelt.extend(_values(match, language))
    spelt += [str(value) for value in _scales_alone(rest, language)]
    return frozenset(written), frozenset(spelt)


@cache
def _pattern(language: str, figure: str) -> re.Pattern[str]:
    """A number with what belongs to it: a scale, a half more, or the name of a part."""
    scale = "|".join(_SCALES.get(language, {})) or "(?!)"
    half = _AND_A_HALF.get(language, "(?!)")
    part = "|".join(_PARTS.get(language, {})) or "(?!)"
    return re.compile(
        rf"(?P<figure>{figure})"
        rf"(?:[{_SPACE}-](?P<part>{part})\b"
        rf"|(?P<half>[{_SPACE}]{half}\b)?(?:[{_SPACE}]?(?P<scale>{scale})\b"
        rf"|(?(half)[{_SPACE}](?P<thousands>1(?:000)+)\b|(?!)))?"
        rf"(?P<late_half>(?:[{_SPACE}][^\W\d]+)?[{_SPACE}]{half}\b)?)",
        re.IGNORECASE,
    )


@cache
def _word_pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def _values(match: re.Match[str], language: str) -> Iterator[str]:
    figure = match["figure"]
    if _POWER.fullmatch(figure):
        yield figure
        return
    value = _decimal(figure, language)
    if match["part"]:
        yield f"{_plain(value)}/{_value_of(match['part'], _PARTS[language])}"
        return
    if match["half"]:
        value += _last_scale(value) / 2
    scale = Decimal(match["thousands"] or 1)
    if match["scale"]:
        scale = Decimal(_value_of(match["scale"], _SCALES[language]))
    value *= scale
    if match["late_half"]:
        value += (scale if scale > 1 else _last_scale(value)) / 2
    yield _plain(value)


def _scales_alone(text: str, language: str) -> Iterator[int]:
    """ "des dizaines", "Tausende": words for a number with none before them."""
    words = _SCALES.get(language, {})
    if words:
        for match in re.finditer(rf"(?<!\d )\b(?:{'|'.join(words)})\b", text, re.IGNORECASE):
            yield _value_of(match.group(), words)


def _value_of(word: str, table: dict[str, int]) -> int:
    # A pattern may look at what follows the word, which is not here any more.
    return next(value for pattern, value in table.items() if re.fullmatch(pattern.split("(?=")[0], word, re.IGNORECASE))


def _last_scale(value: Decimal) -> Decimal:
    """1000000 for two million: what "and a half" halves there."""
    scale = Decimal(1)
    while value and value % (scale * 1000) == 0:
        scale *= 1000
    return scale


def _decimal(figure: str, language: str) -> Decimal:
    """ "3 000,50" -> 3000.5. Of "12,500" only the language knows whether it is 12500 or 12.5."""
    figure = re.sub(rf"[{_SPACE}'’]", "", figure)
    marks = re.findall(r"[.,]", figure)
    if not marks:
        return Decimal(figure)
    if len(marks) == 1:
        whole, _, decimals = figure.partition(marks[0])
        groups = len(decimals) == 3 and len(whole) <= 3 and whole != "0" and marks[0] != _decimal_mark(language)
        return Decimal(whole + decimals if groups else f"{whole}.{decimals}")
    if marks[-1] == marks[0]:
        return Decimal(re.sub(r"[.,]", "", figure))
    whole, _, decimals = figure.rpartition(marks[-1])
    return Decimal(f"{re.sub(r'[.,]', '', whole)}.{decimals}")


@cache
def _decimal_mark(language: str) -> str:
    try:
        symbols = Locale(language).number_symbols
    except (UnknownLocaleError, ValueError):
        return "."
    return str(symbols.get("latn", {}).get("decimal", "."))


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
