"""What a sentence of an article states that one can ask for: a reason, a person, an amount, a day.

Knowing what the answer will be makes a small model write a far better question, and tells afterwards whether the
question is about that (Alberti et al., "Synthetic QA Corpora Generation with Roundtrip Consistency", ACL 2019).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from index.function_words import FUNCTION_WORDS
from index.languages import stem_words
from qa.wording.names import folded

Kind = Literal["why", "who", "how much", "when"]

_MONTHS = {
    "fr": "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
    "en": "January|February|March|April|May|June|July|August|September|October|November|December",
}
_SPACE = "[ \u00a0\u202f]"
_COUNT = {
    "fr": rf"\b\d{{1,3}}(?:{_SPACE}\d{{3}})*(?:,\d+)?(?![\d,])",
    "en": r"(?<![\w,.])[£€$]?\d{1,3}(?:,\d{3})*(?:\.\d+)?(?![\d,])",
}
_NAME = r"[A-ZÀ-ÖØ-Þ][\w’]*[a-zà-öø-ÿ](?:-[A-ZÀ-ÖØ-Þ]\w+)*"
# First name and surname; what stands before tells places apart ("rue Émile-Marchand", "of Port Ellory").
_PERSON = re.compile(rf"(?<![\w’-]){_NAME}(?: (?:de |d’|du |Le |La |Mc)?{_NAME})+")
_OF_PLACE = re.compile(
    r"(?:\b(?:à|au|aux|de|du|des|en|rue|quai|pont|place|allée|avenue|école|collège|lycée|salle|stade|musée|cap|mont|"
    r"at|of|in|from|near|street|bridge|school|river|the)|[dlDL]’)[ \u00a0]?$",
    re.IGNORECASE,
)
_PATTERNS: dict[str, dict[Kind, re.Pattern[str]]] = {
    "fr": {
        "why": re.compile(
            r"\b(?:parce qu[e’]|car |en raison d|à cause d|faute d[e’]|grâce (?:à|au)|afin d[e’]|pour éviter)"
            r"[^.;:!?»]{12,}"
        ),
        "when": re.compile(
            rf"\b(?:(?:le |au |du )?(?:1er|[1-3]?\d){_SPACE}(?:{_MONTHS['fr']})(?:{_SPACE}\d{{4}})?"
            rf"|en (?:{_MONTHS['fr']}) \d{{4}}|(?:à l’|au |en )(?:été|automne|hiver|printemps) \d{{4}})\b"
        ),
        "how much": re.compile(
            rf"{_COUNT['fr']}{_SPACE}(?!(?:{_MONTHS['fr']}|h|heures?|ans)\b)"
            rf"(?:%|(?:millions?|milliards?) d(?:e |’)\w+|[a-zà-ÿ]{{3,}})"
        ),
    },
    "en": {
        "why": re.compile(
            r"\b(?:because|due to|owing to|thanks to|in order to|for want of)[^.;:!?”]{12,}", re.IGNORECASE
        ),
        "when": re.compile(
            rf"\b(?:on )?(?:[1-3]?\d (?:{_MONTHS['en']})|(?:{_MONTHS['en']}) [1-3]?\d)(?:,? \d{{4}})?\b"
            rf"|\bin (?:{_MONTHS['en']}|spring|summer|autumn|winter) \d{{4}}\b"
        ),
        "how much": re.compile(
            rf"{_COUNT['en']} (?!(?:{_MONTHS['en']}|a\.m|p\.m|o’clock|years)\b)"
            rf"(?:percent|%|(?:million|billion) \w+|[a-z]{{3,}})"
        ),
    },
}  # fmt: skip
# In the order of how much readers want to know it.
KINDS: tuple[Kind, ...] = ("why", "who", "how much", "when")
# How a question for it begins.
BEGINNINGS: dict[str, dict[Kind, re.Pattern[str]]] = {
    "fr": {
        "why": re.compile(r"Pourquoi "),
        "who": re.compile(r"(?:Qui|À qui|Par qui|Avec qui|Chez qui|Quels? \w+) "),
        "how much": re.compile(r"(?:Combien|À combien|De combien|Pour combien|Quel pourcentage|Quelle part) "),
        "when": re.compile(r"(?:Quand|Depuis quand|Jusqu’à quand|À partir de quand|Quel jour|À quelle date) "),
    },
    "en": {
        "why": re.compile(r"Why "),
        "who": re.compile(r"(?:Who|Whom|Whose \w+|Which \w+) "),
        "how much": re.compile(r"(?:How (?:much|many|far|long|big|large|old)|By how much|What (?:percentage|share)) "),
        "when": re.compile(r"(?:When|Since when|Until when|On (?:which|what) day) "),
    },
}
LANGUAGES = tuple(BEGINNINGS)


@dataclass(frozen=True, slots=True)
class Fact:
    """The words of a sentence that answer a question of this kind."""

    kind: Kind
    words: str


def askable_facts(sentence: str, language: str) -> Iterator[Fact]:
    """At most one of each kind, what readers want to know most first; nothing in other languages than LANGUAGES."""
    for kind in KINDS if language in LANGUAGES else ():
        matches = _persons(sentence, language) if kind == "who" else _PATTERNS[language][kind].finditer(sentence)
        if match := next(matches, None):
            yield Fact(kind, match.group().strip(" ,"))


def _persons(sentence: str, language: str) -> Iterator[re.Match[str]]:
    small = FUNCTION_WORDS[language].split()
    for match in _PERSON.finditer(sentence):
        opens = match.group().split(" ")[0].lower() in small
        if not opens and not _OF_PLACE.search(sentence[: match.start()]):
            yield match


def says_fact(text: str, fact: Fact, language: str) -> bool:
    """Whether an answer has the fact: all of its figures and at least half of its other words."""
    said, meant = (set(map(folded, stem_words(words, language))) for words in (text, fact.words))
    figures = {word for word in meant if any(letter.isdigit() for letter in word)}
    others = meant - figures
    return figures <= said and 2 * len(others & said) >= len(others)
