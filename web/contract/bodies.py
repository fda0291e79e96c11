"""What the API answers with: mypy holds web/contract/shapes.py to it, and the OpenAPI document is made from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from qa.grounding import Support

Milliseconds = Annotated[float, Field(ge=0)]
Day = Annotated[str | None, Field(description="When it was published: ISO 8601, a day or a point in time")]
Start = Annotated[int, Field(ge=0, description="First character, counted in Unicode code points of the article's text")]
End = Annotated[int, Field(ge=0, description="One past the last character: text[start:end]")]


class Span(TypedDict):
    """Some characters of an article: `text[start:end]`."""

    start: Start
    end: End


class NamedArticle(TypedDict):
    """An article as something else refers to it."""

    article_id: str
    title: str
    source: str | None
    url: str | None
    published: Day


class Passage(NamedArticle):
    """A passage that was found, with its best sentence."""

    rank: Annotated[int, Field(ge=1, description="1 is the best; no gaps")]
    score: Annotated[float, Field(description="Higher is better; only comparable within one answer")]
    language: Annotated[str, Field(description="ISO 639-1 code of the article's language")]
    start: Start
    end: End
    text: Annotated[str, Field(description="The article's text[start:end]")]
    sentence: Annotated[Span, Field(description="The sentence nearest to the question, in the article's text")]
    also: Annotated[list[NamedArticle], Field(description="Other articles that print this passage nearly as it stands")]


class Citation(NamedArticle):
    """Where a sentence of the answer was read."""

    number: Annotated[int, Field(ge=1, description="What `sentences[].citations` refers to")]
    start: Start
    end: End
    quote: Annotated[str, Field(description="The article's text[start:end], always")]


class Sentence(TypedDict):
    """A sentence of the answer, checked against its source before it was sent."""

    text: str
    citations: Annotated[list[int], Field(description="Numbers of the citations it points to")]
    support: Annotated[Support, Field(description="How far its source says it")]
    score: Annotated[float, Field(description="0 to 1, higher is better")]


class SearchTimings(TypedDict):
    """How long the search took."""

    search_ms: Milliseconds


class Timings(SearchTimings):
    """Milliseconds since the question arrived; null where it did not happen."""

    first_token_ms: Milliseconds | None
    first_sentence_ms: Milliseconds | None
    total_ms: Milliseconds


class Answer(TypedDict):
    """A whole answer. When the question is declined `answered` is false, without sentences and citations."""

    answer: Annotated[str, Field(description="The sentences as one text")]
    answered: Annotated[bool, Field(description="False when the articles do not answer the question")]
    language: Annotated[str, Field(description="ISO 639-1 code of the question's language")]
    standalone_question: Annotated[str, Field(description="The question as it was searched")]
    sentences: list[Sentence]
    citations: list[Citation]
    passages: Annotated[list[Passage], Field(description="What was found, best first")]
    answerability: Annotated[float, Field(ge=0, le=1, description="How likely it is that the articles answer")]
    withheld: Annotated[int, Field(ge=0, description="Sentences that the check stopped")]
    independent_sources: Annotated[
        int, Field(ge=0, description="Sources of the articles cited; copies, and articles of one paper, count once")
    ]
    timings: Timings


class Found(TypedDict):
    """Event `passages`, the first one: the evidence, before anything is written."""

    passages: list[Passage]
    standalone_question: Annotated[str, Field(description="The question as it was searched")]
    language: Annotated[str, Field(description="ISO 639-1 code of the question's language")]
    timings: SearchTimings


class Checked(TypedDict):
    """Event `sentence`: one more sentence of the answer, checked, with the citations it points to."""

    sentence: Sentence
    citations: list[Citation]


class Draft(TypedDict):
    """Event `token`, only with `draft`: words of the model that nobody has checked."""

    text: str


class Hits(TypedDict):
    """What a search found, best first."""

    hits: list[Passage]


class ListedArticle(TypedDict):
    """An article without its text."""

    id: str
    title: str
    language: Annotated[str, Field(description="ISO 639-1 code")]
    published: Day
    author: str | None
    source: str | None
    url: str | None


class Article(ListedArticle):
    """An article with its text, which never changes while its id lasts in the index."""

    text: str


class ArticlePage(TypedDict):
    """A page of the articles, newest first."""

    articles: list[ListedArticle]
    offset: Annotated[int, Field(ge=0, description="Articles before the first one of this page")]
    limit: Annotated[int, Field(ge=1, description="The most that a page may hold")]
    total: Annotated[int, Field(ge=0, description="Articles in the index")]
    next: Annotated[str | None, Field(description="Where the next page is; null on the last one")]


class Stored(TypedDict):
    """Feedback was stored."""

    status: Literal["stored"]


class Alive(TypedDict):
    """The process lives."""

    status: Literal["ok"]


class Serving(TypedDict):
    """Models and index are loaded; which generation of the index is served."""

    status: Literal["ready"]
    generation: str
    built_at: str
    articles: Annotated[int, Field(ge=0)]
    passages: Annotated[int, Field(ge=0)]
    sentences: Annotated[int, Field(ge=0)]
    languages: Annotated[list[str], Field(description="ISO 639-1 codes")]
