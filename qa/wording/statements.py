"""A question's word order taken over into its answer, put right: "Le système a-t-il changé depuis 2007." """

from __future__ import annotations

import re

# A verb and the pronoun that French questions put behind it, though their subject has been named before.
_TURNED_ROUND = re.compile(r"(?<=\w )(?P<verb>[a-zà-ÿ]+)-(?:t-)?(?:ils?|elles?)(?= )")


def as_statement(sentence: str, question: str, language: str) -> str:
    """The sentence without a pronoun that it has from the question; a question is given back as it is. French only."""
    if language != "fr" or sentence.rstrip(" »").endswith("?"):
        return sentence

    def put_right(found: re.Match[str]) -> str:
        return found["verb"] if found[0] in question else found[0]

    return _TURNED_ROUND.sub(put_right, sentence)
