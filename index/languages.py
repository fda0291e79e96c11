"""Languages: which one a text is in, and its words reduced to stems for keyword search."""

from __future__ import annotations

import math
import re
import threading
import unicodedata
from functools import cache

import Stemmer
from lingua import Language, LanguageDetector, LanguageDetectorBuilder

from index.function_words import FUNCTION_WORDS

# Readers' languages, those of the neighbours they are mistaken for, and the large ones of other scripts. Lingua's other
# fifty languages mostly win on names and loan words.
DETECTED_LANGUAGES = (
    "ARABIC CATALAN CHINESE CZECH DUTCH ENGLISH FRENCH GERMAN GREEK HEBREW HUNGARIAN ITALIAN JAPANESE KOREAN POLISH "
    "PORTUGUESE ROMANIAN RUSSIAN SPANISH SWEDISH TURKISH UKRAINIAN"
)

# The first thousand characters settle the language; more only takes time.
_DETECTION_CHARS = 1000


@cache
def _detector() -> LanguageDetector:
    languages = [getattr(Language, name) for name in DETECTED_LANGUAGES.split()]
    return LanguageDetectorBuilder.from_languages(*languages).with_low_accuracy_mode().build()


def detect_language(text: str, fallback: str = "und") -> str:
    """Return the ISO 639-1 code of the language of `text`, or `fallback` where nothing speaks for one."""
    text = text[:_DETECTION_CHARS]
    values = _detector().compute_language_confidence_values(text)
    if not values or values[0].value == values[-1].value:
        return fallback
    first = values[0].language.iso_code_639_1.name.lower()
    if first not in FUNCTION_WORDS:
        return first  # another script: a French name in an Arabic text must not outvote it
    words = [word.lower() for word in _LETTER_RUN.findall(text)]
    scores = {
        code: math.log(max(value.value, _LEAST)) + _WORD_WEIGHT * sum(word in _small_words(code) for word in words)
        for value in values
        if (code := value.language.iso_code_639_1.name.lower()) in FUNCTION_WORDS
    }
    return max(scores, key=scores.__getitem__)


_LETTER_RUN = re.compile(r"[^\W\d_]+")
# One function word weighs as much as e^4 in lingua's odds, so two of them outvote its surest guess; a language that it
# rules out keeps a small chance. Measured on the questions of XQuAD and PIAF (1,190 each, 3,418 French), right answers,
# in brackets among questions of at most six words (the first row in French: 1,500 questions):
#                     load      memory   fr            en            de            es            ro            ar
#   lingua            5.5 s     422 MB   .965 (.893)   .996 (.958)   .990 (.974)   .982 (.891)   .991 (.932)   .999
#   its low accuracy  0.2 s      39 MB   .914 (.789)   .963 (.803)   .972 (.921)   .966 (.891)   .898 (.740)   .999
#   that and words    0.2 s      39 MB   .996 (.984)   .997 (.972)   .996 (.982)   .999 (1.00)   .981 (.918)   .999
_WORD_WEIGHT = 4.0
_LEAST = 1e-4


@cache
def _small_words(language: str) -> frozenset[str]:
    return frozenset(FUNCTION_WORDS.get(language, "").split())


# Snowball's name of each language's stemmer. Languages not here are searched by their whole words.
_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian",
    "ne": "nepali", "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip

# Vowel signs and accents that \w does not count as letters, in the scripts that write words with them.
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0971-\u0dff\u1000-\u109f"
)
# Scripts written without spaces: Thai, Lao, Khmer, kana, Han.
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)"
    rf"|(?P<number>(?<![^\W_])\d{{1,3}}(?:[ .,'’]\d{{3}})+(?![^\W_])|\d+(?:[.,]\d+)+)"
    rf"|(?P<acronym>(?<![^\W_])(?:[^\W\d_]\.){{2,}})"
    rf"|(?P<word>(?![{_UNSPACED}])[^\W_](?:(?![{_UNSPACED}])[^\W_]|[{_MARKS}])*)(?P<apostrophe>['’ʼ](?=[^\W_]))?"
)

# Articles and pronouns cut short before a vowel: French, Italian, Catalan, Occitan.
_ELIDED = frozenset(
    re.split(" ", "c d j l m n s t qu jusqu lorsqu puisqu quoiqu quelqu un dell all nell sull dall quell sant dov")
)
_ENGLISH_ENDINGS = frozenset(["s", "t", "d", "m", "ll", "re", "ve"])
_ONE_WORD = re.compile(r"\b(aujourd|prud|presqu)['’ʼ](hui|hom|îl|il)", re.IGNORECASE)
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})

_local = threading.local()


def _stemmer(language: str) -> Stemmer.Stemmer | None:
    """This thread's stemmer of a language: PyStemmer's objects must not be shared between threads."""
    name = _STEMMERS.get(language)
    if name is None:
        return None
    stemmers: dict[str, Stemmer.Stemmer] = _local.__dict__.setdefault("stemmers", {})
    if name not in stemmers:
        stemmers[name] = Stemmer.Stemmer(name)
    return stemmers[name]


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    parts = unicodedata.normalize("NFD", word.translate(_LETTERS))
    return unicodedata.normalize("NFC", "".join(char for char in parts if not "\u0300" <= char <= "\u036f"))


def stem_words(text: str, language: str) -> list[str]:
    """Return the words of `text` in order, lower-cased, stemmed for `language` and then without accents.

    Elided articles go ("l'eau" gives "eau"), hyphenated words give their parts, grouped digits are one number
    ("3 000" gives "3000"), and scripts written without spaces give pairs of neighbouring characters.
    """
    words: list[str] = []
    after_apostrophe = False
    text = _ONE_WORD.sub(r"\1\2", unicodedata.normalize("NFKC", text).lower())
    for match in _WORD.finditer(text):
        kind, found = match.lastgroup, match.group()
        if match["unspaced"]:
            words += [found[at : at + 2] for at in range(max(1, len(found) - 1))]
        elif match["number"]:
            grouped = re.fullmatch(r"\d{1,3}(?:[ .,'’]\d{3})+", found)
            words.append(re.sub(r"\D", "", found) if grouped else found.replace(",", "."))
        elif match["acronym"]:
            words.append(found.replace(".", ""))
        elif not (kind == "apostrophe" and match["word"] in _ELIDED) and not (
            after_apostrophe and language == "en" and match["word"] in _ENGLISH_ENDINGS
        ):
            words.append(match["word"])
        after_apostrophe = kind == "apostrophe"
    stemmer = _stemmer(language)
    return [_without_accents(word) for word in (stemmer.stemWords(words) if stemmer else words)]
