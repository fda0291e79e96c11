"""Questions made from the newest articles while nobody asks: the model writes some, and those that survive are kept.

A question is kept where search finds its article first, the article most likely answers it, and the whole path of a
question (qa/answers.py) ends in an answer of which every sentence is supported by that article: what a reader gets who
follows it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from index.articles import Article
from index.errors import SourcierError
from index.filters import NO_FILTERS, Filters
from index.function_words import FUNCTION_WORDS
from index.languages import stem_words
from index.passages import Passage
from index.sentences import is_heading
from qa.conversation import Turn
from qa.errors import Busy
from qa.events import Answer, Event
from qa.grounding import takes_up
from qa.language_model import NOBODY, Asker, LanguageModel
from qa.question_prompt import question_messages
from qa.suggestions import Suggestion, SuggestionFile, articles_on_disk, digest_of_article
from qa.wording.askable_facts import BEGINNINGS, KINDS, LANGUAGES, Fact, askable_facts, says_fact
from qa.wording.orders import is_order
from qa.wording.printable_questions import is_printable, tidied

log = logging.getLogger(__name__)

# How likely an article must be to answer, in 0..1, for its question to stand on the first page: well above what a
# reader's own question needs (qa/answerability.py).
LEAST_ANSWERABILITY = 0.80
# Articles of one language that questions are made of, the newest; the page shows four questions.
ARTICLES_TRIED = 24
# Passages of the newest articles that are looked through for them.
_PASSAGES_SEEN = 2_000
_PAGE = 200
_REPLY_TOKENS = 48
# Questions that the model writes about one article before it is given up, and the longest sentence it is given.
_MOST_ASKED = 6
_MOST_WORDS = 60
# Words of a question that the article does not have ("how much did the *renovation* cost?"), its question word aside.
_MOST_NEW_WORDS = 1
# Share of a question's words that its answer must take up.
_TAKEN_UP = 0.5
_PASSAGES_FOUND = 5
# How often the idle thread looks whether it may work, in seconds, and how long nobody must have asked.
_LOOK = 1.0
_QUIET = 3.0


class Interrupted(Exception):
    """A reader came, or the server stops: what was being made is made later."""


class Answers(Protocol):
    """What is asked of the answerer."""

    def ask(
        self, question: str, history: Sequence[Turn], k: int, asker: Asker, filters: Filters
    ) -> Iterator[Event]: ...


class Served(Protocol):
    """What is asked of the index: its passages with their articles, those of the newest article first."""

    def passages(self, offset: int, limit: int) -> Sequence[tuple[Article, Passage]]: ...


class ServedGenerations(Served, Protocol):
    """The index of a running server, whose generation changes."""

    def generation_name(self) -> str: ...


class WritingModel(LanguageModel, Protocol):
    """A model that knows how long nobody has asked anything of it."""

    def quiet_for(self) -> float:
        """Seconds since somebody last asked for something; 0 while it works for somebody."""


class Suggester:
    """Makes suggestions with a model and all that answers."""

    def __init__(self, model: LanguageModel, answerer: Answers) -> None:
        self._model = model
        self._answerer = answerer

    def from_article(self, article: Article, passage: Passage, asker: Asker = NOBODY) -> Suggestion:
        """The first question that the model writes about a passage and that is good enough; an empty one where none is.

        Raises Interrupted when cancelled, Busy.
        """
        for sentence, fact in candidates(article, passage):
            question = self._question(article, sentence, fact, asker)
            if is_good_question(question, fact, article) and is_answer(self.answer(question, asker), fact, article):
                return suggestion_of(article, question)
        return suggestion_of(article, "")

    def answer(self, question: str, asker: Asker = NOBODY) -> Answer:
        """What a reader gets. Raises Interrupted when cancelled, Busy."""
        last: Event | None = None
        for event in self._answerer.ask(question, (), _PASSAGES_FOUND, asker, NO_FILTERS):
            last = event
        if asker.cancelled() or not isinstance(last, Answer):
            raise Interrupted
        return last

    def _question(self, article: Article, sentence: str, fact: Fact, asker: Asker) -> str:
        messages = question_messages(article, sentence, fact)
        with contextlib.closing(self._model.generate(messages, _REPLY_TOKENS, ("\n",), asker)) as reply:
            text = "".join(reply)
        if asker.cancelled():
            raise Interrupted
        return tidied(text, article.language)


def candidates(article: Article, passage: Passage) -> list[tuple[str, Fact]]:
    """The facts of a passage that one can ask for, each with its sentence: reasons first, for readers care most for
    them, then persons, amounts and days; in the order of the article."""
    if is_order(article.title):
        return []
    found: list[tuple[str, Fact]] = []
    for span in passage.sentences:
        sentence = " ".join(article.text[span.start : span.end].split())
        if len(sentence.split()) <= _MOST_WORDS and not is_heading(article.text, span) and not is_order(sentence):
            found += [(sentence, fact) for fact in askable_facts(sentence, article.language)]
    return sorted(found, key=lambda one: KINDS.index(one[1].kind))[:_MOST_ASKED]


def is_good_question(question: str, fact: Fact, article: Article) -> bool:
    """Whether it asks for the fact without telling it, in words of the article, and may be printed."""
    language = article.language
    if not BEGINNINGS[language][fact.kind].match(question) or says_fact(question, fact, language):
        return False
    known = stem_words(f"{article.title}\n{article.text}\n{FUNCTION_WORDS[language]}", language)
    return len(set(stem_words(question, language)).difference(known)) <= _MOST_NEW_WORDS and is_printable(
        question, article
    )


def is_answer(answer: Answer, fact: Fact, article: Article) -> bool:
    """Whether a reader gets this fact, from this article, found first, in a sentence that takes the question up and
    leaves no doubt."""
    return (
        answer.answered
        and answer.answerability >= LEAST_ANSWERABILITY
        and answer.hits[0].article.id == article.id
        and answer.citations[0].article.id == article.id
        and all(sentence.support == "supported" for sentence in answer.sentences)
        and says_fact(answer.text, fact, article.language)
        and takes_up(answer.text, answer.standalone_question, article.language, _TAKEN_UP)
    )


def suggestion_of(article: Article, question: str) -> Suggestion:
    """A question of the model's about an article."""
    return Suggestion(article.id, digest_of_article(article), article.language, question)


def articles_to_try(index: Served, known: Sequence[Suggestion]) -> Iterator[tuple[Article, Passage]]:
    """The newest articles of each language that nothing was made of yet, each with its first passage."""
    tried = {one.article_digest for one in known}
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for offset in range(0, _PASSAGES_SEEN, _PAGE):
        page = index.passages(offset, _PAGE)
        for article, passage in page:
            language = article.language
            if article.id in seen or language not in LANGUAGES or counts[language] == ARTICLES_TRIED:
                continue
            seen.add(article.id)
            counts[language] += 1
            if digest_of_article(article) not in tried:
                yield article, passage
        if len(page) < _PAGE or all(counts[language] == ARTICLES_TRIED for language in LANGUAGES):
            return


class IdleSuggester:
    """A thread beside the server; `close` stops it soon. `readers_wait()` is true while anybody waits for an answer:
    what is being made is then given up, and made later."""

    def __init__(
        self,
        index: ServedGenerations,
        model: WritingModel,
        answerer: Answers,
        file: SuggestionFile,
        readers_wait: Callable[[], bool],
    ) -> None:
        self._index = index
        self._model = model
        self._suggester = Suggester(model, answerer)
        self._file = file
        self._find = articles_on_disk(file.path.parent)
        self._readers_wait = readers_wait
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="idle suggester", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        seen, said = "", ""
        to_try: Iterator[tuple[Article, Passage]] = iter(())
        one: tuple[Article, Passage] | None = None
        while not self._closing.wait(_LOOK):
            try:
                if (name := self._index.generation_name()) != seen:
                    self._file.keep_current(self._find)
                    seen, said, one = name, "", None
                    to_try = articles_to_try(self._index, self._file.read())
                if self._readers_wait() or self._model.quiet_for() < _QUIET:
                    continue
                one = one or next(to_try, None)
                if one is not None:
                    self._file.add(self._suggester.from_article(*one, self._asker()), self._find)
                    one = None
            except (Busy, Interrupted):
                continue
            except SourcierError as problem:
                if str(problem) != said:  # a broken index is looked at every second
                    log.warning("no questions are suggested until the next generation: %s", problem)
                to_try, one, said = iter(()), None, str(problem)

    def _asker(self) -> Asker:
        """For one article. Once it was cancelled it stays so: what was cut meanwhile is not to be judged."""
        interrupted = threading.Event()

        def cancelled() -> bool:
            if self._closing.is_set() or self._readers_wait():
                interrupted.set()
            return interrupted.is_set()

        return Asker("suggesting", cancelled)
