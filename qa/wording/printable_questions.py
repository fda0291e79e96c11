"""Questions that a newspaper would print beside its articles: well formed, and understood without the article.

A small model writes "Quand a-t-il rouvert ?" and "What does the article say?" as readily as a good question. What is
refused here costs nothing but one question; what is let through stands on the first page.
"""

from __future__ import annotations

import re

from index.articles import Article
from index.languages import detect_language
from qa.wording.names import missing_names, names_in
from qa.wording.numbers import numbers_claimed, numbers_in
from qa.wording.orders import is_order

FEWEST_WORDS, MOST_WORDS = 4, 16

_NOT_WORDS = re.compile(r"[^\w\s’'.,:%€$£«»“”()?&/-]")
_LIST_MARK = re.compile(r"^\s*(?:[-–—•*]|\(?\d{1,2}[.)]|[QR]\d?\s*[:.)])\s*")
_PREPOSITIONS = {
    "fr": r"(?:(?:À|A|De|Dans|Depuis|Pour|Par|Avec|Sur|Sous|Chez|En|Contre|Jusqu’à|Jusqu’en|Vers) )?",
    "en": r"(?:(?:At|By|For|From|In|On|To|With|Since|Until|Under) )?",
}
_QUESTION_WORDS = {
    "fr": r"(?:qui|que|quoi|quand|où|pourquoi|comment|combien|quels?|quelles?|qu’\w)",
    "en": r"(?:who|whom|whose|what|when|where|why|how|which)",
}
# What leans on a text beside it, on the day it is read, or on who reads it.
_LEANING = {
    "fr": (
        r"(?:l’|cet |un )?article\b|\b(?:le|ce) (?:passage|texte|document)\b|\bl’auteure?\b|\b(?:le|la) journaliste\b",
        r"\b(?:selon|d’après) (?:le|la|les|l’)\b",
        r"\b(?:hier|aujourd’hui|demain|récemment|actuellement|maintenant|désormais|bientôt)\b",
        r"\b(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)s?\b(?! \d)",
        r"\b(?:semaine|mois|année|an|été|hiver|nuit|week-end) (?:derni[eè]re?|prochaine?|passée?)\b",
        r"(?<![\w-])(?:cet|cette|ces|celui|celle|ceux|celles)\b|(?<![\w-])ce (?!qu)|\bici\b",
        r"(?<![\w-])(?:il|elle|ils|elles|lui|leur)\b(?! (?:y a|faut))",
        r"\b(?:je|tu|nous|vous|votre|vos|notre|nos|mon|ma|mes|ton|ta|tes)\b",
        # "Quand a-t-elle rouvert ?": nobody has been named yet.
        r"^\w+(?:’\w+)?(?: (?:ne|se|y))? (?:[sy]’|n’)?(?!y a\b|faut\b|agit\b)\w+-(?:t-)?(?:ils?|elles?)\b",
        # What a small model gets wrong: "le accord", "de euros", "d’euros" where one asks "combien coûte".
        r"\b(?:de|le|la|que|ne|se|me|te|je) (?=[aàâeéèêëiîïoôuùû])(?!onz|oui|i[aeo])|\bd[e’] ?(?:euros|mètres)\b",
        r"\bde quoi (?:parle|traite|s’agit)|\b(?:titre|sujet|thème|idée principale)\b",
    ),
    "en": (
        r"\b(?:the|this|that) (?:article|passage|text|document|author|reporter|story)\b|\baccording to\b",
        r"\b(?:yesterday|today|tomorrow|tonight|now|recently|currently|soon|ago)\b",
        r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b(?! \d)",
        r"\b(?:last|next|this|past) (?:week|month|year|night|summer|winter|spring|autumn|weekend)\b",
        r"\b(?:this|these|those|here|he|she|they|it|him|them|his|their)\b",
        r"\b(?:I|you|your|we|us|our|my)\b",
        r"\b(?:title|topic|main idea|main point|subject)\b",
    ),
}  # fmt: skip
_PATTERNS = {language: re.compile("|".join(patterns), re.IGNORECASE) for language, patterns in _LEANING.items()}
_BEGINNINGS = {
    language: re.compile(f"{_PREPOSITIONS[language]}{words}", re.IGNORECASE)
    for language, words in _QUESTION_WORDS.items()
}
# The languages that questions are made in.
LANGUAGES = tuple(_BEGINNINGS)


def tidied(line: str, language: str) -> str:
    """One line of a model's list as a question is stored: without its list mark, in the language's own apostrophes,
    with a plain space where French has a narrow one (the page sets that)."""
    text = " ".join(_LIST_MARK.sub("", line).split()).replace("'", "’")
    return re.sub(r"\s*\?$", " ?" if language == "fr" else "?", text)


def is_printable(question: str, article: Article) -> bool:
    """Whether a tidied question may stand alone beside links to articles; `article` is the one that it is about.

    One sentence of 4 to 16 words in the article's language that begins with a question word and names what it asks
    about; nothing in it leans on the article, the day or the reader, and no name or number is not the article's own.
    """
    language = article.language
    if language not in LANGUAGES or not _is_one_question(question, language):
        return False
    if _PATTERNS[language].search(question) or is_order(question):
        return False
    if _language_of(question) != language:
        return False
    source = f"{article.title}\n{article.text}"
    return (
        bool(names_in(question))
        and not missing_names(question, language, source, language)
        and numbers_claimed(question, language) <= numbers_in(source, language)
    )


def _language_of(question: str) -> str:
    """Without its names, which are of any language; the first word is the question's own."""
    first, *others = question.split()
    return detect_language(" ".join([first, *(word for word in others if word == word.lower())]), "und")


def _is_one_question(question: str, language: str) -> bool:
    words = len(re.findall(r"[\w’'-]*\w", question))
    return (
        FEWEST_WORDS <= words <= MOST_WORDS
        and question.count("?") == 1
        and question.endswith("?")
        and question[0].isupper()
        and _BEGINNINGS[language].match(question) is not None
        and _NOT_WORDS.search(question) is None
        and re.search(r"[.:]\s+\w{3}", question) is None
    )
