"""Which words of a query a passage holds: why the keyword part of a score is what it is."""

from __future__ import annotations

import re

from index.function_words import FUNCTION_WORDS
from index.languages import detect_language, stem_words
from index.search import Hit


def matched_words(query: str, hit: Hit) -> list[str]:
    """Return the words of the query, as they stand there, that the passage or its title has in some form.

    Small words ("le", "of") are left out: half of the passages have them, so they count for nothing.
    """
    asked_in, written_in = detect_language(query), hit.article.language
    small = set(f"{FUNCTION_WORDS.get(asked_in, '')} {FUNCTION_WORDS.get(written_in, '')}".split())
    there = set(stem_words(f"{hit.article.title}\n{hit.passage.text}", written_in))
    matched = []
    for word in dict.fromkeys(re.findall(r"\w[\w'’.,-]*\w|\w", query)):
        stems = {stem for language in (asked_in, written_in) for stem in stem_words(word, language)}
        if stems & there and word.casefold() not in small:
            matched.append(word)
    return matched
