"""A small model's slips in names, put right: it writes "Sergeï" where the source that it copies from has "Sergueï"."""

from __future__ import annotations

import re

from rapidfuzz import fuzz, process

from qa.wording.names import missing_names, names_in

# One letter in six or more. Dupont and Dupond (83), Marchand and Marchant (88) stay two names.
_SAME_NAME = 90.0
_SHORTEST = 6


def with_names_of(sentence: str, source: str, language: str) -> str:
    """The sentence with the names that the source has all but for a letter written as the source writes them.

    Both in `language`. A name that is near two of the source's is left alone, and so is one that the source has.
    """
    known = sorted({name for name in names_in(source) if len(name) >= _SHORTEST})
    for name in missing_names(sentence, language, source, language):
        if len(name) >= _SHORTEST - 1:
            near = process.extract(name, known, scorer=fuzz.ratio, score_cutoff=_SAME_NAME)
            if len(near) == 1:
                sentence = re.sub(rf"\b{re.escape(name)}\b", near[0][0], sentence)  # letters, hyphens, apostrophes
    return sentence
