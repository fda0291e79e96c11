"""The answer type of a question, a name or a number, and sentences without one: "L'institutrice est bloquée" does not
say what she is called (Li and Roth, "Learning Question Classifiers", COLING 2002)."""

from __future__ import annotations

import re

from qa.wording.known_names import is_day_or_month
from qa.wording.names import missing_names
from qa.wording.numbers import numbers_claimed, numbers_in

_BEFORE = {
    "fr": r"(?:(?:à|avec|chez|contre|de|envers|par|pour|sur)\s)?",
    "en": r"(?:(?:about|against|by|for|from|in|of|to|with)\s)?",
    "es": r"(?:(?:a|con|contra|de|para|por)\s)?",
    "it": r"(?:(?:a|con|contro|da|di|per)\s)?",
}
# "Qui sont les Xwla ?": they have their name already.
_HAS_ONE = {
    "fr": r"(?:est|était|sont|étaient|fut|furent)(?:-| (?:l[ea]s? |l['’])?[A-ZÀ-Ý])",
    "en": r"(?:is|was|are|were) (?:the )?[A-Z]",
    "es": r"(?:es|era|fue|son|eran|fueron) (?:el |l[ao]s? )?[A-ZÀ-Ý]",
    "it": r"(?:è|era|fu|sono|erano|furono) (?:il |la |le |i |gli |l['’])?[A-ZÀ-Ý]",
}
# At the beginning of a question, in lower case. In German every noun looks like a name.
_ASKS_NAME = {
    "fr": rf"{_BEFORE['fr']}qui\b(?! {_HAS_ONE['fr']})"
    r"|comment (?:s['’]appel|se nomm)|quel(?:le)?s? (?:est|sont|était|étaient|fut|furent) les? (?:pré|sur)?nom",
    "en": rf"{_BEFORE['en']}who(?:m|se)?\b(?! {_HAS_ONE['en']})"
    r"|what (?:is|was|are|were) (?!the (?:meaning|origin))(?:\S+ ){0,8}(?:names?|called|named)\b",
    "es": rf"{_BEFORE['es']}quién(?:es)?\b(?! {_HAS_ONE['es']})|cómo se llam",
    "it": rf"{_BEFORE['it']}chi\b(?! {_HAS_ONE['it']})|come si chiam",
}
# "The water cycle is also known as the hydrological cycle": a name without a capital.
_NAMES = {
    "fr": r"s['’]appel|se nomm|\b(?:appel|nomm|surnomm)ée?s?\b|sous le nom",
    "en": r"\b(?:called|known as|named|nicknamed)\b",
    "es": r"\bse llam|\b(?:llamad|conocid)[oa]s?\b",
    "it": r"\bsi chiam|\b(?:chiamat|not)[oaie]\b",
}
_ASKS_NUMBER = {
    # "Quel prix a-t-elle reçu ?" asks for a name.
    "fr": r"\bcombien\b|\bà quel prix\b|\bquel (?:est|était|sera|fut) le prix d"
    r"|\bquel(?:le)?s? (?:(?:est|était|sera|fut) (?:l['’]|la |le ))?"
    r"(?:âge|distance|durée|hauteur|largeur|longueur|montant|nombre|pourcentage|salaire|superficie|taux"
    r"|température|vitesse)\b",
    "en": r"\bhow (?:far|fast|high|long|many|much|old|tall)\b"
    r"|\bwhat (?:(?:is|was) the )?(?:age|height|length|number|percentage|population|price|speed|temperature)\b",
    "de": r"\bwie ?viele?\b|\bwie (?:alt|groß|hoch|lange|schnell|weit)\b",
    "es": r"\bcuánt[oa]s?\b",
    "it": r"\bquant[oaie]\b",
}
# What answers "how many" without a number.
_AMOUNTS = {
    "fr": r"aucune?|double|jamais|jusqu\w*|moitié|pas|personne|plusieurs|quelques|rien|tous|une? seule?"
    r"|tout|toutes?|triple",
    "en": r"all|always|any|both|double|every|few|forever|half|many|never|no|none|not|nothing|once|several|single|some"
    r"|triple|twice|until|zero",
    "de": r"alle|beide|bis|doppelt|einige|halb\w*|immer|kein\w*|mehrere|nicht|nie|nichts|viele",
    "es": r"ambos|doble|hasta|mitad|ningun[oa]|ningún|no|nunca|siempre|tod[oa]s?|un[oa]? sol[oa]|vari[oa]s",
    "it": r"ambedue|doppio|entrambi|fino|mai|metà|nessun[oa]?|non|sempre|tutt[oaie]|un[oa]? sol[oa]|vari[ei]?",
}
# "Un pont" is a number where ponts were asked for, and nowhere else.
_ONE = {"fr": "une?", "en": "one|an?", "de": "ein(?:e[nmrs]?)?", "es": "un[oa]?", "it": "un[oa]?"}
_SAME_WORD = 4  # letters


def lacks_answer_type(sentence: str, question: str, language: str) -> bool:
    """Whether the question asks for a name or a number, and the sentence, in the same language, has none that the
    question has not. It may answer all the same: "Un pompier a été blessé"."""
    if _asks_number(question, language):
        return not _has_number(sentence, question, language)
    return _asks_name(question, language) and not _has_name(sentence, question, language)


def _asks_number(question: str, language: str) -> bool:
    return language in _ASKS_NUMBER and re.search(_ASKS_NUMBER[language], question, re.IGNORECASE) is not None


def _has_number(sentence: str, question: str, language: str) -> bool:
    if numbers_claimed(sentence, language) - numbers_in(question, language):
        return True
    plain, asked = sentence.casefold(), question.casefold()
    if re.search(rf"\b(?:{_AMOUNTS[language]})\b", plain):
        return True
    counted = re.finditer(rf"\b(?:{_ONE[language]}) (\w{{{_SAME_WORD},}})", plain)
    return any(one[0] not in asked and re.search(rf"\b{one[1][:_SAME_WORD]}", asked) for one in counted)


def _asks_name(question: str, language: str) -> bool:
    opening = question.lstrip(" \u00a0¿«“„\"'")
    pattern = _ASKS_NAME.get(language)
    return pattern is not None and re.match(pattern, f"{opening[:1].lower()}{opening[1:]}") is not None


def _has_name(sentence: str, question: str, language: str) -> bool:
    if re.search(_NAMES[language], sentence):
        return True
    return any(not is_day_or_month(name, language) for name in missing_names(sentence, language, question, language))
