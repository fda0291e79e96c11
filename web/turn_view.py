"""One answered question as the page shows it without JavaScript; static/turn.js builds the same from the JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from index.articles import Article
from index.passages import Span
from index.search import Hit
from qa.events import Answer
from qa.grounding import Citation
from web.article_text import usable_spans
from web.words import Language, counted, long_date, unbroken

# Characters shown on either side of what is highlighted while a card is folded; the first card is never folded.
CONTEXT_CHARACTERS = 110


@dataclass(frozen=True, slots=True)
class CitationMark:
    """One [n] after a sentence."""

    number: int
    href: str
    label: str


@dataclass(frozen=True, slots=True)
class ShownSentence:
    text: str
    support: str
    marks: tuple[CitationMark, ...]


@dataclass(frozen=True, slots=True)
class OtherPlace:
    """Another article that prints nearly the same passage, by the name of its paper, or its title."""

    href: str
    name: str


@dataclass(frozen=True, slots=True)
class ExcerptRun:
    """Characters of a passage, made readable. Highlighted is what is cited; where nothing is, the sentence found."""

    text: str
    highlighted: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One passage as evidence. far_before + before + runs + after + far_after is the passage, made readable; the first
    run is highlighted, and the last."""

    rank: int
    article_id: str
    href: str
    title: str
    language: str
    source: str
    iso_date: str
    date: str
    far_before: str
    before: str
    runs: tuple[ExcerptRun, ...]
    after: str
    far_after: str
    cited: tuple[int, ...]
    also: tuple[OtherPlace, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, or with why there is none (`problem`)."""

    state: Literal["answered", "declined", "failed"]
    question: str
    searched_as: str
    language: str
    text: str
    sentences: tuple[ShownSentence, ...]
    cards: tuple[Card, ...]
    according: str
    summary: str
    problem: str


def article_path(article_id: str, start: int | None = None, end: int | None = None) -> str:
    """Make the address of an article's page, with the characters to highlight."""
    # A lone "." or ".." would be resolved away by the browser; no escape survives there, so such an id has no page.
    path = "/articles/" + "/".join(quote(part, safe="") for part in article_id.split("/"))
    return path if start is None or end is None else f"{path}?{urlencode({'start': start, 'end': end})}#quote"


def safe_link(url: str | None) -> str | None:
    """Let only web addresses through: `javascript:` and its kin in a corpus must not become links."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


def readable(text: str) -> str:
    """Take the marks of Markdown and the empty lines out of an excerpt, and keep French marks with their words; the
    article page keeps every character."""
    text = re.sub(r"^#{1,6}[ \t]+", "", text, flags=re.MULTILINE).replace("**", "")
    text = re.sub(r"(?<![\w*])\*(\S[^*\n]*)\*(?![\w*])", r"\1", text)
    return unbroken(re.sub(r"\n\s*\n", "\n", text))


def shown_turn(answer: Answer, question: str, words: Mapping[str, str], language: Language, locale: str) -> Turn:
    """Prepare an answer for the page. A sentence marked unsupported is never shown, whoever sent it."""
    citations = {citation.number: citation for citation in answer.citations}
    sentences = tuple(
        ShownSentence(
            readable(sentence.text),
            sentence.support,
            tuple(_mark(citations[number], words) for number in sentence.citations if number in citations),
        )
        for sentence in answer.sentences
        if sentence.support != "unsupported"
    )
    return Turn(
        state="answered" if answer.answered else "declined",
        question=question,
        searched_as=answer.standalone_question if answer.standalone_question.strip() != question else "",
        language=answer.language,
        text=answer.text,
        sentences=sentences,
        cards=tuple(_card(hit, answer.citations, locale) for hit in answer.hits),
        according=_according(answer, sentences, words),
        summary=_summary(answer, sentences, words, language) if answer.answered else "",
        problem="",
    )


def failed_turn(question: str, problem: str) -> Turn:
    return Turn("failed", question, "", "", "", (), (), "", "", problem)


def _mark(citation: Citation, words: Mapping[str, str]) -> CitationMark:
    label = words["open_source"].replace("{n}", str(citation.number)).replace("{title}", citation.article.title)
    return CitationMark(citation.number, article_path(citation.article.id, citation.start, citation.end), label)


def _card(hit: Hit, citations: Iterable[Citation], locale: str) -> Card:
    text = hit.passage.text
    cited = [one for one in citations if one.article.id == hit.article.id and _overlap(one, hit)]
    highlighted = _highlighted(hit, cited)
    left, right = highlighted[0].start, highlighted[-1].end
    first = Span(hit.passage.start + left, hit.passage.start + highlighted[0].end)
    near_left = _word_start(text, left - CONTEXT_CHARACTERS) if hit.rank > 1 else 0
    near_right = _word_end(text, right + CONTEXT_CHARACTERS) if hit.rank > 1 else len(text)
    day = hit.article.published
    return Card(
        rank=hit.rank,
        article_id=hit.article.id,
        href=article_path(hit.article.id, first.start, first.end),
        title=unbroken(hit.article.title),
        language=hit.article.language,
        source=hit.article.source or "",
        iso_date=day.isoformat() if day else "",
        date=long_date(day, locale) if day else "",
        far_before=readable(text[:near_left]),
        before=readable(text[near_left:left]),
        runs=tuple(_runs(text, highlighted)),
        after=readable(text[right:near_right]),
        far_after=readable(text[near_right:]),
        cited=tuple(one.number for one in cited),
        also=tuple(OtherPlace(article_path(one.id), _place(one, hit.article)) for one in hit.also),
    )


def _overlap(citation: Citation, hit: Hit) -> bool:
    return citation.start < hit.passage.end and citation.end > hit.passage.start


def _highlighted(hit: Hit, cited: Iterable[Citation]) -> list[Span]:
    """What is cited of the passage, or else the sentence found, by the passage's characters and in their order."""
    start, length = hit.passage.start, len(hit.passage.text)
    inside = ((max(one.start - start, 0), min(one.end - start, length)) for one in cited)
    return usable_spans(inside, length) or [Span(hit.sentence.start - start, hit.sentence.end - start)]


def _runs(text: str, highlighted: Sequence[Span]) -> Iterator[ExcerptRun]:
    """What is highlighted, and what stands between."""
    place = highlighted[0].start
    for span in highlighted:
        if place < span.start:
            yield ExcerptRun(readable(text[place : span.start]), highlighted=False)
        yield ExcerptRun(readable(text[span.start : span.end]), highlighted=True)
        place = span.end


def _place(other: Article, article: Article) -> str:
    return other.title if other.source in (None, article.source) else str(other.source)


def _word_start(text: str, position: int) -> int:
    if position <= 0:
        return 0
    space = text.find(" ", position)
    return position if space < 0 else space + 1


def _word_end(text: str, position: int) -> int:
    if position >= len(text):
        return len(text)
    space = text.rfind(" ", 0, position)
    return position if space < 0 else space


def _according(answer: Answer, sentences: Sequence[ShownSentence], words: Mapping[str, str]) -> str:
    """Whose word it is, where each sentence stands in two articles: with one of them, readers look at its mark."""
    article_of = {citation.number: citation.article.id for citation in answer.citations}
    fewest = min((len({article_of[mark.number] for mark in one.marks}) for one in sentences), default=0)
    if fewest < 2 or answer.independent_sources < 2:
        return ""
    return counted(words, "according_to", answer.independent_sources)


def _summary(answer: Answer, sentences: tuple[ShownSentence, ...], words: Mapping[str, str], language: Language) -> str:
    articles = len({citation.article.id for citation in answer.citations})
    parts = []
    if sentences:
        checked = counted(words, "checked", len(sentences))
        parts.append(f"{checked} {counted(words, 'in_articles', articles)}" if articles else checked)
    if answer.withheld:
        parts.append(counted(words, "withheld", answer.withheld))
    seconds = f"{answer.timings.total_ms / 1000:.1f}"
    parts.append(words["seconds"].replace("{n}", seconds.replace(".", ",") if language == "fr" else seconds))
    return " · ".join(parts)
