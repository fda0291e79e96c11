"""An answer as one plain text: marks such as [1] behind its sentences, the sources below; and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qa.events import AnswerSentence
from qa.grounding import Citation
from qa.wording.quoting import quoted
from web.turn_view import safe_link
from web.words import WORDS, Language, long_date

# Clients of a chat API show Markdown, and some of them HTML: an image in a title would be fetched from anywhere.
_BECOMES_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|(?<=\])[(\[:]|!(?=\[)|[`\\]")
_SOURCES = re.compile(
    r"\n\n(?:" + "|".join(re.escape(words["sources"]) for words in WORDS.values()) + r")\n- \[1\].*\Z", re.DOTALL
)
_DOUBTS = "|".join(re.escape(words["partial"]) for words in WORDS.values())
_MARK = re.compile(rf" (?:\[\d{{1,3}}\])+(?: \((?:{_DOUBTS})\))?")


def marked_sentence(sentence: AnswerSentence, language: str) -> str:
    """Write a sentence with its marks; "" for one that is not to be shown, because nothing supports it."""
    if sentence.support == "unsupported":
        return ""
    marks = "".join(f"[{number}]" for number in sentence.citations)
    doubt = f" ({WORDS[_language(language)]['partial']})" if sentence.support == "partial" else ""
    return f"{_harmless(sentence.text)}{' ' if marks else ''}{marks}{doubt}"


def source_list(citations: Iterable[Citation], language: str) -> str:
    """Write the list of sources, a line each, to be put behind the sentences; "" where there are none."""
    lines = [f"- [{citation.number}] {_source(citation, language)}" for citation in citations]
    return f"\n\n{WORDS[_language(language)]['sources']}\n" + "\n".join(lines) if lines else ""


def without_sources(text: str) -> str:
    """Take marks and list of sources out of an answer that a client sends back as part of its conversation."""
    return _MARK.sub("", _SOURCES.sub("", text)).strip()


def _source(citation: Citation, language: str) -> str:
    article = citation.article
    day = long_date(article.published, _language(language)) if article.published else None
    named = ", ".join(_harmless(" ".join(part.split())) for part in (article.title, article.source, day) if part)
    link = safe_link(article.url)
    return f"{named}. {_harmless(quoted(citation.quote, language))}{f' <{link}>' if link and _is_plain(link) else ''}"


def _harmless(text: str) -> str:
    return _BECOMES_MARKUP.sub(lambda found: f"\\{found[0]}", text)


def _is_plain(link: str) -> bool:
    return re.search(r"[\s<>\"\\`]", link) is None


def _language(language: str) -> Language:
    return "fr" if language == "fr" else "en"
