"""Full stops that do not end a sentence: abbreviations, initials and ordinals, per language."""

from __future__ import annotations

import re
from functools import cache

# Always followed by a name or a number.
_TITLES = {
    "fr": "M MM Mr Mme Mmes Mlle Mlles Dr Drs Pr Prof Me Mgr St Ste Sts Cie Cdt Col Gal Gén Cap Lt Adj Sgt",
    "en": "Mr Mrs Ms Messrs Dr Prof Rev Hon Gen Col Maj Capt Cmdr Lt Sgt Cpl Sen Rep Gov Pres St Mt Ft vs No Nos",
    "de": "Hr Hrn Fr Dr Prof Dipl Ing St Nr Bd Abs Art",
    "es": "Sr Sra Sres Sras Srta D Dª Dña Dr Dra Prof Lic Ing Gral Cnel Cap Sto Sta Mons Excmo Exmo núm nº",
    "it": "Sig Sigg sig Sigra Dott Dottssa dott Prof prof Avv avv Ing ing On on Sen sen Gen gen Mons S SS art",
}
# Followed by more of the sentence, unless a word comes that opens a new one.
_OTHERS = {
    "fr": "art al ch chap cf ex env éd fig hab janv févr juil sept oct nov déc vol p pp no av bd boul tél apr ca "
    "réf adj dép coll trad ann",
    "en": "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Inc Ltd Co Corp Bros Jr Sr Ave Blvd Rd Dept Univ Assn "
    "approx est fig Fig vol Vol pp p ed eds cf al ca e.g i.e a.m p.m U.S U.K U.N Ph.D Op op",
    "de": "Jan Feb Apr Aug Sept Okt Nov Dez bzw ca usw vgl Str z.B d.h u.a S evtl ggf inkl Mio Mrd Tel geb",
    "es": "art cap pág págs vol ed ej aprox tel av avda EE UU p pp fig sept oct nov dic",
    "it": "cap pag pagg vol ed es ca tel fig p pp sett ott nov dic gen febb",
}
# Words that open a sentence and are no name: after them an initial or an abbreviation did end the one before.
_OPENERS = {
    "fr": "Il Elle Ils Elles On Le La Les L' Un Une Des Ce Cet Cette Ces C' Cela Mais Et En Au Aux Dans Pour Selon Son "
    "Sa Ses Leur Leurs Nous Vous Je J' Qu' S' N' D' Par Avec Sur Après Avant Depuis",
    "en": "He She It They We You I The A An This That These Those But And In On At For From His Her Its Their Our As "
    "After Before When While If There What Who Why How",
    "de": "Er Sie Es Wir Ihr Ich Der Die Das Den Dem Ein Eine Einen Einem Einer Aber Und In Im Am Auf Für Mit Nach Vor "
    "Bei Zu Von Diese Dieser Dieses Seine Ihre Doch Auch",
    "es": "Él Ella Ellos Ellas El La Los Las Un Una Unos Unas Pero Y En Al Por Para Con Su Sus Este Esta Esto Se No "
    "Según Desde Cuando Como",
    "it": "Il Lo La I Gli Le L' Un Una Uno Ma E In Nel Nella Per Con Su Da Dal Suo Sua Questo Questa Si Non Secondo "
    "Quando Come Lui Lei",
}  # fmt: skip
# These languages write "3." for "third".
_ORDINAL_STOP = frozenset(
    ["cs", "da", "de", "et", "fi", "hr", "hu", "is", "lb", "lv", "nb", "nn", "no", "pl", "sk", "sl", "sr"]
)


def _by_language(table: dict[str, str]) -> dict[str, frozenset[str]]:
    return {language: frozenset(words.split()) for language, words in table.items()}


_TITLE_SETS, _OTHER_SETS, _OPENER_SETS = _by_language(_TITLES), _by_language(_OTHERS), _by_language(_OPENERS)

_LAST_WORD = re.compile(r"(?:^|[\s(«\"“‘’'\[-])([^\s(«\"“‘’'\[]+)\.\s*$")
_INITIAL = re.compile(r"(?:[^\W\d_]\.-?)*[^\W\d_]h?$")
_NEXT_WORD = re.compile(r"\s*[«\"“(\[]*\s*(\w+['’]?)")


def _can_open(char: str) -> bool:
    """Whether a sentence can open with this character right behind the last one, as in \"mercredi.«Je viens\"."""
    return not char.islower() and (char.isalnum() or char in '«“„"(¿¡—–「『《')


@cache
def _opening(language: str) -> re.Pattern[str]:
    words = "|".join(word.replace("'", "['’]") for word in sorted(_OPENER_SETS.get(language, _OPENER_SETS["en"])))
    return re.compile(rf"(?<=[.!?…])(?:\s?[»”\")\]])*\s+(?=(?:[«“\"(]\s?)?(?:{words})(?<!\w(?=\w)))")


def opening_cuts(content: str, language: str) -> list[int]:
    """Where a word that opens sentences stands behind a final stop, outside quotations and brackets.

    sentencex leaves "etc. Il dort" and "le site exemple.fr. La suite" in one piece.
    """
    cuts = []
    depth = position = straight = 0
    for match in _opening(language).finditer(content):
        end = match.start() + len(match.group().rstrip())
        for mark in _QUOTES.findall(content, position, end):
            depth += {"«": 1, "“": 1, "(": 1, '"': 0}.get(mark, -1)
            straight += mark == '"'
        position = end
        if depth <= 0 and straight % 2 == 0:
            cuts.append(match.end())
    return cuts


_QUOTES = re.compile(r"[«»“”()\"]")


def continues_sentence(content: str, start: int, cut: int, language: str) -> bool:
    """Whether the sentence from `start` goes on behind `cut`, although a sentence end was seen there."""
    before = content[start:cut].rstrip()
    if not any(char.isalnum() for char in before):
        return True
    following = content[cut : cut + 60].lstrip()
    if following[:1] in "»”)]’" and not any(char.isalnum() for char in following[:3]):
        return True
    glued = not content[cut - 1].isspace() and not content[cut].isspace()
    if glued and (not _can_open(content[cut]) or re.search(r"(?:^|\W)\w\.$", content[max(start, cut - 3) : cut])):
        return True
    # "« Quoi ? » demande-t-il." But who writes all in lower case still writes sentences.
    if following[:1].islower() and content[start].isupper():
        return True
    last = _LAST_WORD.search(content, max(start - 1, cut - 40, 0), cut)
    if last is None:
        return False
    word = last[1]
    known = language if language in _TITLE_SETS else "en"
    if word in _TITLE_SETS[known] or (word.isdigit() and before.strip() == f"{word}."):
        return True
    following_word = _NEXT_WORD.match(content, cut, cut + 60)
    if following_word is None or following_word[1].replace("’", "'") in _OPENER_SETS[known]:
        return False
    if word in _OTHER_SETS[known]:
        return True
    if word.isdigit():
        return language in _ORDINAL_STOP and len(word) <= 2
    return bool(_INITIAL.fullmatch(word)) and word[0].isupper()
