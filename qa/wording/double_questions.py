"""Questions that ask for two things: they are asked one after the other, for two articles may hold the halves."""

from __future__ import annotations

import re

# "… et combien …", "… and what …": a question word behind an "and", or a little later ("et à quelle date").
_ASKS_AGAIN = {
    "fr": r"\bet\s+(?P<rest>(\w+['’]?\s*){0,2}\b(quel(le)?s?|qui|quand|combien|comment|pourquoi|où|quoi)\b.*)",
    "en": r"\band\s+(?P<rest>(\w+\s+){0,2}(what|who|whom|when|where|why|how|which)\b.*)",
    "de": r"\bund\s+(?P<rest>(\w+\s+){0,2}(was|wer|wen|wem|wann|wo|warum|wie|welche[rsnm]?)\b.*)",
    "es": r"\by\s+(?P<rest>(\w+\s+){0,2}(qué|quién(es)?|cuándo|cuánt[oa]s?|cómo|dónde|cuál(es)?)\b.*)",
    "it": r"\be\s+(?P<rest>(\w+\s+){0,2}(che|chi|quando|quant[oiae]|come|dove|perché|qual[ei]?)\b.*)",
}
# "selon le Courrier et (selon) L'Écho".
_SOURCES = {
    language: rf"\b(?:{by})\s?(?P<one>[^,]+?),?\s+{both}\s+(?:(?:{by})\s?)?(?P<rest>.+)"
    for language, by, both in (
        ("fr", "selon|d['’]après", "et"),
        ("en", "according to", "and"),
        ("de", "laut|nach Angaben", "und"),
        ("es", "según", "y"),
        ("it", "secondo", "e"),
    )
}
_NAMED = re.compile(r"(?:[Ll][ea]s?\b|[Ll]['’]|[Tt]he\b|[Dd](?:er|ie|as|em|en)\b|[Ee]l\b|[Ii]l\b|[A-ZÀ-Ý])")
# "… le 11 octobre, puis le 8 novembre".
_THEN = {"fr": "puis", "en": "then", "de": "dann", "es": "luego", "it": "poi"}
# Words of a half that can be a question of its own: "À quelle température" of "À quelle température et combien de temps
# faut-il cuire la tarte ?" is none.
_FEWEST = (4, 3)


def halves_of(question: str, language: str) -> tuple[str, str] | None:
    """The two questions in one, or None. In a language that is not among ours there is always one."""
    if language not in _ASKS_AGAIN:
        return None
    asked = question.rstrip(" \u00a0\u202f?¿")
    stop = question[len(asked) :] or "?"
    for halves in (_asks_again(asked, language), _two_sources(asked, language), _one_then_another(asked, language)):
        if halves and all(len(half.split()) >= fewest for half, fewest in zip(halves, _FEWEST, strict=True)):
            return f"{halves[0]}{stop}", f"{halves[1][:1].upper()}{halves[1][1:]}{stop}"
    return None


def _asks_again(asked: str, language: str) -> tuple[str, str] | None:
    # Something stands before the "and": a follow-up may begin with it.
    found = re.search(rf"(?<=\w)[,;]?\s+{_ASKS_AGAIN[language]}", asked, re.IGNORECASE)
    if not found:
        return None
    first, second = asked[: found.start()], found["rest"]
    # "the tide which works slowly and which ..." asks once.
    again = re.search(rf"[\w,]\s+{re.escape(second.split()[0])}\b", first, re.IGNORECASE)
    return None if again else (first, second)


def _two_sources(asked: str, language: str) -> tuple[str, str] | None:
    found = re.search(_SOURCES[language], asked, re.IGNORECASE)
    if not found or not asked[: found.start()].strip() or not _NAMED.match(found["rest"]):
        return None
    return asked[: found.end("one")], f"{asked[: found.start('one')]}{found['rest']}"


def _one_then_another(asked: str, language: str) -> tuple[str, str] | None:
    """What comes second takes the place of what begins with the same word, as "le 8 novembre" of "le 11 octobre"."""
    first, *more = re.split(rf",\s+{_THEN[language]}\s+", asked, maxsplit=1, flags=re.IGNORECASE)
    if not more:
        return None
    place = max((one.start() for one in re.finditer(rf"\b{re.escape(more[0].split()[0])}\b", first)), default=0)
    return (first, f"{first[:place]}{more[0]}") if place else None
