"""What a file says of itself (title, author, day, source), kept where it can be true of an article."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from index.formats.article_fields import MAX_FIELD_CHARS, parse_date

# Titles that a program gave, not a person.
_NO_TITLE = re.compile(
    r"(?:untitled|sans titre|sans nom|unbenannt|sin título|senza (?:titolo|nome)|(?:new )?document|nouveau document)"
    r"[ \-_]*\d*|.*\.(?:docx?|odt|rtf|pdf|indd|qxp|pages|pptx?|xlsx?|html?|tex|dvi|txt|md)|(?:layout|slide|page) ?\d*",
    re.IGNORECASE,
)
# What editors call these facts where they may name a property themselves.
_OWN_NAMES = {
    "published": "published|publication date|date published|date de publication|publié le|veröffentlicht|"
    "date|datum|fecha|data",
    "source": "source|publisher|publication|journal|newspaper|quelle|fuente|fonte",
    "url": "url|link|lien",
}


def usable_facts(facts: Mapping[str, str | None]) -> dict[str, object]:
    """Return the facts that an article could have, without a title such as "Document1" or a date that is none.

    A file of a foreign program is not refused for them, unlike front matter, which somebody wrote for us.
    """
    kept: dict[str, object] = {}
    for key, value in facts.items():
        value = " ".join((value or "").split())
        if key == "title":
            value = re.sub(r"^Microsoft Word - ", "", value)
            value = "" if _NO_TITLE.fullmatch(value) else value
        elif key == "published":
            value = iso_date(value) or ""
        elif key == "url" and not re.match(r"https?://[^\s/]", value, re.IGNORECASE):
            value = ""
        elif key == "language":
            value = language[0] if (language := re.match(r"[A-Za-z]{2}(?=$|[-_])", value)) else ""
        if value and len(value) <= MAX_FIELD_CHARS:
            kept[key] = value
    return kept


def own_facts(properties: Mapping[str, str]) -> dict[str, str | None]:
    """Return the facts among properties that an editor named, in one of several languages."""
    named = {name.strip().lower(): value for name, value in properties.items()}
    return {
        key: next((named[name] for name in names.split("|") if named.get(name)), None)
        for key, names in _OWN_NAMES.items()
    }


def iso_date(value: str) -> str | None:
    """Return a date in ISO 8601 from ISO 8601 or e-mail's form ("Sat, 08 Nov 2025 07:30:00 +0100"), or None."""
    value = value.strip()
    try:
        parse_date(value)
    except ValueError:
        try:
            return parsedate_to_datetime(value).isoformat()
        except ValueError:
            return None
    return value


def day_begun(value: str | None) -> str | None:
    """Return the day out of the moment at which a file was begun.

    Such a day stands for the day of publication where the file names none: an article is mostly written on the day
    or the one before. The hour says nothing. When it was last changed says nothing either, and is not looked at.
    """
    day = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", (value or "").removeprefix("D:").strip())
    return "-".join(day.groups()) if day else None
