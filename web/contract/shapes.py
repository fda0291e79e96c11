"""The records of the other rooms as the JSON of the contract. Offsets count characters (Unicode code points)."""

from __future__ import annotations

from collections.abc import Iterable

from index.articles import Article
from index.search import Hit
from qa.events import Answer, AnswerSentence, Checked, Found, Timings
from qa.grounding import Citation
from web.contract import bodies


def hit_json(hit: Hit) -> bodies.Passage:
    """One passage: the contract's keys, and what an evidence card says of its article."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        **_named_json(hit.article),
        "language": hit.article.language,
        "start": hit.passage.start,
        "end": hit.passage.end,
        "text": hit.passage.text,
        "sentence": {"start": hit.sentence.start, "end": hit.sentence.end},
        "also": [_named_json(article) for article in hit.also],
    }


def _named_json(article: Article) -> bodies.NamedArticle:
    """An article as something else refers to it."""
    return {
        "article_id": article.id,
        "title": article.title,
        "source": article.source,
        "url": article.url,
        "published": _iso(article),
    }


def citation_json(citation: Citation) -> bodies.Citation:
    return {
        "number": citation.number,
        **_named_json(citation.article),
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
    }


def sentence_json(sentence: AnswerSentence) -> bodies.Sentence:
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "support": sentence.support,
        "score": sentence.score,
    }


def found_json(found: Found) -> bodies.Found:
    """The event `passages`."""
    return {
        "passages": hits_json(found.hits),
        "standalone_question": found.standalone_question,
        "language": found.language,
        "timings": {"search_ms": found.search_ms},
    }


def checked_json(checked: Checked) -> bodies.Checked:
    """The event `sentence`."""
    return {
        "sentence": sentence_json(checked.sentence),
        "citations": [citation_json(citation) for citation in checked.citations],
    }


def answer_json(answer: Answer) -> bodies.Answer:
    """The whole answer: the body of POST /api/ask, and the event `answer`."""
    return {
        "answer": answer.text,
        "answered": answer.answered,
        "language": answer.language,
        "standalone_question": answer.standalone_question,
        "sentences": [sentence_json(sentence) for sentence in answer.sentences],
        "citations": [citation_json(citation) for citation in answer.citations],
        "passages": hits_json(answer.hits),
        "answerability": round(answer.answerability, 4),
        "withheld": answer.withheld,
        "independent_sources": answer.independent_sources,
        "timings": _timings_json(answer.timings),
    }


def hits_json(hits: Iterable[Hit]) -> list[bodies.Passage]:
    return [hit_json(hit) for hit in hits]


def listed_json(article: Article) -> bodies.ListedArticle:
    """An article without its text, as a list shows it."""
    return {
        "id": article.id,
        "title": article.title,
        "language": article.language,
        "published": _iso(article),
        "author": article.author,
        "source": article.source,
        "url": article.url,
    }


def article_json(article: Article) -> bodies.Article:
    return {**listed_json(article), "text": article.text}


def _timings_json(timings: Timings) -> bodies.Timings:
    return {
        "search_ms": timings.search_ms,
        "first_token_ms": timings.first_token_ms,
        "first_sentence_ms": timings.first_sentence_ms,
        "total_ms": timings.total_ms,
    }


def _iso(article: Article) -> str | None:
    return None if article.published is None else article.published.isoformat()
