"""Full names: those that a sentence puts together from two people's, and those that a title completes.

"Paul Martin", of Paul Durand and Jean Martin: each half stands in the source, so that looking for words finds nothing
missing. "Blaise Pascal", of a text that says Pascal under a title that says Blaise Pascal: nobody is missing either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from index.function_words import FUNCTION_WORDS
from qa.wording.known_names import Word, as_set, folded, words_of
from qa.wording.names import ADDRESS, OPENERS, TITLE_WORDS

_PARTICLES = as_set("al bin da das de del della der des di dos du d el la le van von")
# So many words on the second half may stand: "Hélène dite Lili Marchand". Turned round: "Marchand, Hélène".
_NEAR = 3
# Here words of a headline may have a capital that are no names ("Mayor Meets Union"), and stand side by side.
_HEADLINES_WITH_CAPITALS = frozenset({"en", "de"})


def blended_names(sentence: str, source: str, language: str) -> list[str]:
    """The full names, as the sentence writes them, whose halves go with others in the source and never together.

    Both texts in `language`.
    """
    words = words_of(source)
    before: dict[str, set[str]] = defaultdict(set)
    behind: dict[str, set[str]] = defaultdict(set)
    led: set[int] = set()  # places of words with a name before them
    for first, second in _pairs(source, words, language):
        behind[words[first].plain].add(words[second].plain)
        before[words[second].plain].add(words[first].plain)
        led.add(second)
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        places[word.plain].append(place)

    def is_blended(one: str, other: str, with_particle: bool) -> bool:
        if any(-1 <= there - here <= _NEAR for here in places[one] for there in places[other]):
            return False
        if not before[other] or not places[one]:
            return False  # which words the source has is asked elsewhere
        if with_particle:  # "Luc de Nazareth": Nazareth is only ever somebody else's
            return all(place in led for place in places[other])
        return bool(behind[one])

    written = words_of(sentence)
    return [
        sentence[written[first].start : written[second].end]
        for first, second in _pairs(sentence, written, language)
        if is_blended(written[first].plain, written[second].plain, second - first > 1)
    ]


def completed_by_title(title: str, source: str, language: str) -> frozenset[str]:
    """The words, folded, of full names in the title of which another word stands in the source with a capital.

    Both texts in `language`; nothing in languages whose headlines give capitals away.
    """
    if language in _HEADLINES_WITH_CAPITALS:
        return frozenset()
    words = words_of(title)
    names: list[set[str]] = []
    last = -1
    for first, second in _pairs(title, words, language):
        if first != last:
            names.append({words[first].plain})
        names[-1].add(words[second].plain)
        last = second
    have = {word.plain for word in words_of(source) if word.capital}
    return frozenset(word for name in names if name & have for word in name)


def _pairs(text: str, words: list[Word], language: str) -> Iterator[tuple[int, int]]:
    """Places of two words with a capital that stand side by side, or with particles between them."""
    for first, word in enumerate(words):
        if not _is_of_a_name(word, language):
            continue
        second = first + 1
        while second < len(words) and second - first <= 2 and not words[second].capital:
            if words[second].plain not in _PARTICLES:
                break
            second += 1
        if second < len(words) and _is_of_a_name(words[second], language):
            gap = text[word.end : words[second].start]
            if not gap.strip(" \u00a0\u202f’'abcdefghijklmnopqrstuvwxyz"):
                yield first, second


def _is_of_a_name(word: Word, language: str) -> bool:
    return word.capital and len(word.plain) > 1 and word.plain not in _never_of_names(language)


@cache
def _never_of_names(language: str) -> frozenset[str]:
    small = folded(f"{FUNCTION_WORDS.get(language, '')} {OPENERS.get(language, '')}").split()
    return frozenset({*ADDRESS, *TITLE_WORDS, *_PARTICLES, *small})
