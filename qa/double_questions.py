"""Questions that ask for two things, so that one article may hold only half of the answer."""

from __future__ import annotations

import re

# "… et combien …", "… and what …": a question word behind an "and", or a little later ("et à quelle date").
_ASKS_AGAIN = {
    "fr": r"\bet(\s+\w+){0,2}\s+(quel(le)?s?|qui|quand|combien|comment|pourquoi|où|quoi)\b",
    "en": r"\band(\s+\w+){0,2}\s+(what|who|whom|when|where|why|how|which)\b",
    "de": r"\bund(\s+\w+){0,2}\s+(was|wer|wen|wem|wann|wo|warum|wie|welche[rsnm]?)\b",
    "es": r"\by(\s+\w+){0,2}\s+(qué|quién(es)?|cuándo|cuánt[oa]s?|cómo|dónde|cuál(es)?)\b",
    "it": r"\be(\s+\w+){0,2}\s+(che|chi|quando|quant[oiae]|come|dove|perché|qual[ei]?)\b",
}
# "selon le Courrier et selon L'Écho", "d'abord …, puis …".
_COMPARES = {
    "fr": r"\b(?:selon|d['’]après)\b.+\bet\b.+|,?\s\bpuis\b",
    "en": r"\baccording to\b.+\band\b.+|,?\s\bthen\b",
    "de": r"\b(?:laut|nach Angaben)\b.+\bund\b.+|,?\s\bdann\b",
    "es": r"\bsegún\b.+\by\b.+|,?\s\bluego\b",
    "it": r"\bsecondo\b.+\be\b.+|,?\s\bpoi\b",
}


def asks_for_two(question: str, language: str) -> bool:
    """Whether a second article may be needed; False for a language that is not among ours."""
    patterns = [forms[language] for forms in (_ASKS_AGAIN, _COMPARES) if language in forms]
    # Something stands before the "and": a follow-up may begin with it.
    return any(re.search(rf"\w.*(?:{pattern})", question, re.IGNORECASE) for pattern in patterns)
