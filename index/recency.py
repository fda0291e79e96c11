"""Questions that ask for the latest: then, of passages that fit about as well, the newer ones come first."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# What the newest of the candidates is worth against a cosine, the oldest nothing: as much as all of the words.
RECENCY_WEIGHT = 0.1
# How many passages, the best first, are put in order by their day.
CANDIDATES = 50

# Phrases rather than words: "le dernier roi" and "an actual case" are not about today. One pattern for all languages,
# because in a question of four words the language is a guess.
_PHRASES = (
    # French
    r"derni[eè]re?s? (?:nouvelles?|infos?|informations?|actualit[ée]s?|annonces?|d[ée]p[êe]ches?|[ée]volutions?"
    r"|d[ée]veloppements?|rebondissements?)",
    r"quoi de neuf|du nouveau|o[uù] en (?:est|sont)|ces derniers (?:jours|temps)|plus r[ée]cente?s?|r[ée]cemment",
    r"actuellement|en ce moment",
    # English
    r"latest|newest|most recent(?:ly)?|recently|what['’]s new|any news|right now|where (?:do|does) .{1,80} stand",
    # Spanish, Portuguese, Italian, Romanian
    r"[úu]ltimas? (?:noticias?|not[íi]cias?|hora|novedades|novidades)|m[áa]is? recientes?|m[áa]s recientes?",
    r"mais recentes?|ultime (?:notizie|novit[àa])|pi[ùu] recent[ei]|ultimele (?:[șşs]tiri|nout[ăa][țţt]i)",
    r"cele mai recente",
    # German, Dutch
    r"neueste[nrs]?|was gibt es neues|aktuelle[nrs]? (?:stand|lage|meldung\w*)|zuletzt|laatste nieuws|meest recente",
    # Arabic
    r"آخر (?:الأخبار|أخبار|المستجدات)|أحدث",
)
_LATEST = re.compile(rf"(?<!\w)(?:{'|'.join(_PHRASES)})(?!\w)", re.IGNORECASE)


def asks_for_latest(query: str) -> bool:
    """Whether it matters to a question that what is found is new."""
    return _LATEST.search(query) is not None


def recency_of(days: Sequence[str | None]) -> npt.NDArray[np.float64]:
    """(len(days),) in 0..1: 1 for the newest day, evenly less for each older one; 0 for what has none.

    `days` as ISO 8601 begins; order among them counts, not the time between: an archive is as good as this week's news.
    """
    known = sorted({day[:10] for day in days if day})
    worth = {day: (place + 1) / len(known) for place, day in enumerate(known)}
    return np.array([worth[day[:10]] if day else 0.0 for day in days])
