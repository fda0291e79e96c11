"""Guessing the next words of a reply from the text it is written from, so that several are decoded at once.

A reply that keeps to its source copies runs of words from the passage and the question. What followed the last written
tokens there is guessed to follow again; one decoding then says for each guess what the model itself would have written,
and the first wrong guess ends the run. So the reply is the one that greedy writing gives, word by word, in fewer
decodings (prompt lookup decoding, Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding).
"""

from __future__ import annotations

from collections.abc import Sequence

# Tokens that must have stood together before. A single one says little: it counts only where it stood once.
_LONGEST_MATCH = 3


def guess(source: Sequence[int], written: Sequence[int], most: int) -> list[int]:
    """At most `most` tokens that followed the last ones of `written` in `source`; the last place there wins."""
    if most < 1:
        return []
    for length in range(min(_LONGEST_MATCH, len(written)), 0, -1):
        wanted = list(written[-length:])
        places = [end for end in range(length, len(source)) if list(source[end - length : end]) == wanted]
        if length == 1 and len(places) > 1:
            continue
        if places:
            return list(source[places[-1] : places[-1] + most])
    return []
