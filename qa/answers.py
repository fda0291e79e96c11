"""The path of one question, readable top to bottom. Start at `Answerer.ask`."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import Protocol

from index.embedder import Embedder
from index.filters import NO_FILTERS, Filters
from index.languages import detect_language
from index.search import Hit
from index.sentences import split_sentences
from qa.answerability import (
    DECLINE_BELOW,
    QUOTE_FROM,
    QUOTE_UNLIKELY_FROM,
    READ_QUOTED_FROM,
    WRITE_FROM,
    Answerability,
)
from qa.conversation import Turn, stand_alone_question
from qa.corroboration import corroborating, independent_sources
from qa.declining import decline_text
from qa.entailment import Entailment, held_to_answer_type
from qa.events import Answer, AnswerSentence, Checked, Draft, Event, Found, Timings
from qa.grounding import (
    FEWEST_WORDS,
    Citation,
    Grounds,
    check_sentence,
    graded,
    is_quoted,
    says_more,
)
from qa.language_model import NOBODY, Asker, LanguageModel, Reply
from qa.prompt import NOTHING, answer_messages, answer_messages_about
from qa.quotation import Quotation, quotation
from qa.wording.days import with_dates
from qa.wording.double_questions import halves_of
from qa.wording.numbers import with_own_marks
from qa.wording.quoting import quoted
from qa.wording.spelling import with_names_of
from qa.wording.statements import as_statement

# Passages that may be read for one question, best first. Each costs about 3 s of prefill when it was never read before.
PASSAGES_READ = 3
# A passage whose best sentence is further from the question than this is not worth reading: on PIAF 99 % of the right
# passages are nearer.
LEAST_COSINE = 0.25
REPLY_TOKENS = 160
# What stands between quotation marks.
_QUOTED = re.compile(r'"[^"]+"|«[^»]+»|“[^”]+”|„[^“”]+[“”]')


class Searchable(Protocol):
    """What is asked of the index: the k best passages for a query that pass the filters, best first."""

    def search(self, query: str, k: int, filters: Filters) -> Sequence[Hit]: ...


@dataclass(slots=True)
class _Writing:
    """What has come together for one question so far.

    `chances`: how likely each passage answers that was read for this half of the question. `doubtful`: what was written
    from a passage, judged less likely than DECLINE_BELOW, though not than the bar that is set. Of the passage at hand,
    `judged` is how likely each sentence is that was written from it, and `withheld_here` those that the check stopped.
    """

    started: float
    doubtful: list[_Doubtful] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)
    withheld_here: list[str] = field(default_factory=list)
    sentences: list[AnswerSentence] = field(default_factory=list)
    earlier: list[AnswerSentence] = field(default_factory=list)  # those about the other half of the question
    citations: list[Citation] = field(default_factory=list)
    cited_hits: list[Hit] = field(default_factory=list)
    answerability: float = 0.0
    withheld: int = 0
    first_token_ms: float | None = None
    first_sentence_ms: float | None = None

    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.started) * 1000

    def has_more(self) -> bool:
        """Whether anything was shown since the last half of the question."""
        return len(self.sentences) > len(self.earlier)

    def cite(self, hit: Hit, grounds: Grounds) -> tuple[Citation, ...]:
        """The citations of one sentence; characters that were cited before keep their number."""
        cited: list[Citation] = []
        for span in grounds.spans:
            place = (hit.article.id, span.start, span.end)
            known = next((c for c in self.citations if (c.article.id, c.start, c.end) == place), None)
            if known is None:
                known = Citation(len(self.citations) + 1, hit.article, span.start, span.end)
                self.citations.append(known)
            cited.append(known)
        return tuple(sorted(cited, key=lambda citation: citation.number))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A passage that is written from. `chance`: the probability, in 0..1, that it answers the question."""

    hit: Hit
    reply: Reply
    chance: float
    asker: Asker


@dataclass(frozen=True, slots=True)
class _Doubtful:
    """A sentence that is shown if nothing better is written from another passage than `read_in`; it stands in `hit`."""

    sentence: str
    read_in: Hit
    hit: Hit
    grounds: Grounds


class Answerer:
    """Answers questions from an index with a language model; any number of threads may ask at once.

    Nothing is shown that is less likely to be right than `decline_below`, in 0..1; 0 declines nothing that stands on
    its numbers, names, words and meaning. Without `entailment` these decide, and how likely the passage answers.
    """

    def __init__(
        self,
        index: Searchable,
        embedder: Embedder,
        model: LanguageModel,
        decline_below: float = DECLINE_BELOW,
        answerability: Answerability | None = None,
        entailment: Entailment | None = None,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._model = model
        self._decline_below = decline_below
        self._answerability = answerability or Answerability()
        self._entailment = entailment

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        k: int = 5,
        asker: Asker = NOBODY,
        filters: Filters = NO_FILTERS,
    ) -> Iterator[Event]:
        """Found, then Draft and Checked as they come, and Answer last. When cancelled it ends with what it has."""
        writing = _Writing(time.monotonic())
        language = question_language(question, history)
        standalone = stand_alone_question(history, question, language, self._model, asker)
        hits = tuple(self._index.search(standalone, k, filters))
        halves = [(half, tuple(self._index.search(half, k, filters))) for half in halves_of(standalone, language) or ()]
        shown = _in_turn([of_half for _, of_half in halves])[:k] if halves else hits
        found = Found(shown, standalone, language, writing.elapsed_ms())
        yield found
        for half, of_half in halves:
            # "Quand rouvrira-t-elle ?": who that is may be said in the other half.
            yield from self._answer(
                replace(found, hits=_in_turn([of_half, hits]), standalone_question=half), writing, asker
            )
        if not writing.sentences:
            yield from self._answer(found, writing, asker)
        yield self._finish(found, writing)

    def _answer(self, found: Found, writing: _Writing, asker: Asker) -> Iterator[Draft | Checked]:
        """Write from the passage found first, where it may answer; from the next one if nothing of that could be shown.

        Of two that may answer, the likelier one is no better: an estimate from before the bill sounded surer than that.
        But with a bar below DECLINE_BELOW, what comes between is shown last, if nothing better comes: the likeliest.
        """
        writing.earlier = list(writing.sentences)
        writing.doubtful.clear()
        writing.chances.clear()
        for hit in worth_reading(found.hits):
            if asker.cancelled() or writing.has_more():
                return
            yield from self._write_from(hit, found, writing, asker)
        if writing.doubtful and not (writing.has_more() or asker.cancelled()):
            best = max(writing.doubtful, key=lambda one: one.grounds.score).read_in
            for one in writing.doubtful:
                if one.read_in is best:
                    yield self._show(one.sentence, one.hit, one.grounds, writing)

    def _write_from(self, hit: Hit, found: Found, writing: _Writing, asker: Asker) -> Iterator[Draft | Checked]:
        messages = answer_messages(hit, found.standalone_question, found.language)
        with contextlib.closing(self._model.generate(messages, REPLY_TOKENS, ("\n\n",), asker, (NOTHING,))) as reply:
            chance = self._answerability.of(hit, reply, writing.chances)
            writing.chances.append(chance)
            writing.judged.clear()
            writing.withheld_here.clear()
            if chance >= min(WRITE_FROM, self._decline_below):
                yield from self._check_as_written(_Reading(hit, reply, chance, asker), found, writing)
        likely = max(writing.judged, default=chance)
        held = any(one.read_in is hit for one in writing.doubtful)
        if not (held or writing.has_more() or asker.cancelled()):
            likely = (yield from self._quote(hit, chance, found, writing, asker)) or likely
        writing.answerability = max(writing.answerability, likely)

    def _check_as_written(self, reading: _Reading, found: Found, writing: _Writing) -> Iterator[Draft | Checked]:
        """Each sentence is checked when it is finished, and only then yielded."""
        text, shown = "", 0
        for piece in reading.reply:
            if writing.first_token_ms is None:
                writing.first_token_ms = writing.elapsed_ms()
            yield Draft(piece)
            text += piece
            # The last sentence may still go on; one before it is finished.
            spans = split_sentences(text[shown:], found.language)
            if len(spans) > 1:
                yield from self._check(text[: shown + spans[0].end], shown + spans[0].start, reading, found, writing)
                shown += spans[0].end
        if not reading.asker.cancelled():
            for span in split_sentences(text[shown:], found.language):
                yield from self._check(text[: shown + span.end], shown + span.start, reading, found, writing)

    def _quote(
        self, hit: Hit, chance: float, found: Found, writing: _Writing, asker: Asker
    ) -> Generator[Checked, None, float | None]:
        """What the passage says as it stands, where it likely answers (`chance`, in 0..1) and no reply could be shown.
        Returns how likely that answers, in 0..1; None where nothing is quoted."""
        unlikely = min(writing.judged, default=1.0) < self._decline_below
        least = QUOTE_UNLIKELY_FROM if unlikely and found.language == hit.article.language else QUOTE_FROM
        if chance < (READ_QUOTED_FROM if self._answerability.has_probe else least):
            return None
        written = " ".join(writing.withheld_here)
        withheld = "" if unlikely else written
        quote = quotation(found.standalone_question, found.language, withheld, hit, self._embedder)
        if quote is None:
            return None
        quoted_chance = self._chance_of_quoted(quote, chance, hit, found, written, asker)
        if quoted_chance < self._decline_below:
            return None
        shown = False
        for run in quote.runs:
            words = hit.article.text[run[0].start : run[-1].end]
            if not _only_repeats(words, found, writing):
                grounds = Grounds("supported", quoted_chance, run, ())
                yield self._show(quoted(words, found.language), hit, grounds, writing)
                shown = True
        return quoted_chance if shown else None

    def _chance_of_quoted(
        self, quote: Quotation, chance: float, hit: Hit, found: Found, written: str, asker: Asker
    ) -> float:
        """How likely it answers, in 0..1: the model reads it alone, which takes a second; a reader waits in vain for
        more words then, and would else be told what only sounds like an answer. Where what it has `written` from the
        passage has not the name or number asked for, the passage hardly has."""
        if not self._answerability.has_probe:
            return chance * quote.chance
        words = " ".join(hit.article.text[run[0].start : run[-1].end] for run in quote.runs)
        asked, language = found.standalone_question, found.language
        messages = answer_messages_about(hit.article, words, asked, language, kept=False)
        with contextlib.closing(self._model.generate(messages, 1, (), asker, (NOTHING,))) as reply:
            answers = self._answerability.of_quotation(chance, reply)
        quoted_words = words if language == hit.article.language else ""
        return held_to_answer_type(answers, [one for one in (written, quoted_words) if one], asked, language)

    def _check(self, written: str, start: int, reading: _Reading, found: Found, writing: _Writing) -> Iterator[Checked]:
        """Hold the last sentence of what is written, from `start` on, against the passage it was written from, then
        against what else was found of that article: the model has also read its title, and "Vostochny" may stand in the
        title and in the next passage only."""
        asked, hit, sentence = found.standalone_question, reading.hit, written[start:]
        if _only_repeats(sentence, found, writing):
            return
        if _in_wrong_language(sentence, found, hit):
            writing.withheld += 1
            return
        sentence = _as_shown(sentence, found, hit)
        one, grounds = self._grounds(sentence, found, hit)
        chance = self._chance(grounds, sentence, (start, len(written)), reading, found)
        if chance is not None:
            if not writing.has_more():  # what comes behind an answer may tell more of it
                chance = held_to_answer_type(chance, [sentence], asked, found.language)
            writing.judged.append(chance)
            grounds = graded(grounds, chance, self._decline_below)
        if grounds.support == "unsupported":
            writing.withheld += 1
            writing.withheld_here.append(sentence)
            return
        shown = with_dates(sentence, found.language, hit.article, hit.passage.text)
        if grounds.score < DECLINE_BELOW:
            writing.doubtful.append(_Doubtful(shown, hit, one, grounds))
            return
        sure = grounds.support == "supported"
        elsewhere = corroborating(sentence, found.language, asked, one, found.hits if sure else (), self._embedder)
        yield self._show(shown, one, grounds, writing, elsewhere)

    def _grounds(self, sentence: str, found: Found, hit: Hit) -> tuple[Hit, Grounds]:
        """Where the sentence stands, and how well: in the passage, or in what else was found of that article. What
        would have to be very likely is shown only if it stands nowhere as it is."""
        others = [one for one in found.hits if one.article.id == hit.article.id and one is not hit]
        asked, weak = found.standalone_question, None
        for one in (hit, *others):
            grounds = check_sentence(sentence, found.language, asked, one, self._embedder)
            if grounds.support != "unsupported" and not grounds.least:
                return one, grounds
            if one is hit:
                weak = grounds
        assert weak is not None
        return hit, weak

    def _chance(
        self, grounds: Grounds, sentence: str, place: tuple[int, int], reading: _Reading, found: Found
    ) -> float | None:
        """The probability, in 0..1, that the passage says the sentence in answer to the question; None where that would
        cost time and is not needed. `place`: where it stands in the reply, by character."""
        asked, hit, stands = found.standalone_question, reading.hit, grounds.support != "unsupported"
        if self._entailment is None:
            return None if not stands else 0.0 if grounds.least else reading.chance
        written = reading.reply.hidden_of(*place)
        if written is None and not stands:
            return None
        if written is None and is_quoted(sentence, hit.passage, hit.article):
            return reading.chance
        short = len(sentence.split()) < FEWEST_WORDS
        claim = f"{asked} {sentence}" if short else sentence  # "Le maire." says nothing without the question
        return self._entailment.of(claim, grounds.score, hit, reading.chance, written, reading.asker)

    def _show(
        self,
        sentence: str,
        hit: Hit,
        grounds: Grounds,
        writing: _Writing,
        also: Sequence[tuple[Hit, Grounds]] = (),
    ) -> Checked:
        citations = tuple(cited for where in ((hit, grounds), *also) for cited in writing.cite(*where))
        writing.cited_hits += [hit, *(other for other, _ in also)]
        numbers = tuple(citation.number for citation in citations)
        checked = AnswerSentence(sentence, numbers, grounds.support, round(grounds.score, 4))
        writing.sentences.append(checked)
        if writing.first_sentence_ms is None:
            writing.first_sentence_ms = writing.elapsed_ms()
        return Checked(checked, citations)

    def _finish(self, found: Found, writing: _Writing) -> Answer:
        answered = bool(writing.sentences)
        text = _text_of(writing.sentences) if answered else decline_text(found.language)
        return Answer(
            text=text,
            answered=answered,
            language=found.language,
            standalone_question=found.standalone_question,
            sentences=tuple(writing.sentences),
            citations=tuple(writing.citations),
            hits=found.hits,
            answerability=writing.answerability,
            withheld=writing.withheld,
            timings=Timings(found.search_ms, writing.first_token_ms, writing.first_sentence_ms, writing.elapsed_ms()),
            independent_sources=independent_sources(writing.cited_hits),
        )


def _only_repeats(sentence: str, found: Found, writing: _Writing) -> bool:
    """Whether it has nothing that was not said about the other half of the question."""
    shown = _text_of(writing.earlier)
    return bool(shown) and not says_more(sentence, shown, found.language, found.standalone_question)


def _text_of(sentences: Sequence[AnswerSentence]) -> str:
    return " ".join(sentence.text for sentence in sentences)


def _in_turn(found: Sequence[Sequence[Hit]]) -> tuple[Hit, ...]:
    """The hits of several searches, the best of each first, every passage once."""
    hits: dict[tuple[str, int], Hit] = {}
    for hit in chain.from_iterable(zip_longest(*found)):
        if hit is not None:
            hits.setdefault((hit.article.id, hit.passage.start), hit)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits.values(), start=1))


def _as_shown(sentence: str, found: Found, hit: Hit) -> str:
    """Slips put right: a question's word order, and names. In another language these are written otherwise anyway, but
    figures mean something else as the source has them."""
    sentence = as_statement(sentence, found.standalone_question, found.language)
    if found.language != hit.article.language:
        return with_own_marks(sentence, found.language, hit.passage.text, hit.article.language)
    return with_names_of(sentence, hit.passage.text, found.language)


def _in_wrong_language(sentence: str, found: Found, hit: Hit) -> bool:
    """Whether it is in the passage's language or English instead of the question's; a few words do not tell."""
    if len(sentence.split()) <= FEWEST_WORDS:
        return False
    language = detect_language(sentence, found.language)
    return language != found.language and language in (hit.article.language, "en")


def worth_reading(hits: Sequence[Hit]) -> Sequence[Hit]:
    """Those that an answer may be written from, in the order given."""
    return [hit for hit in hits if hit.vector >= LEAST_COSINE][:PASSAGES_READ]


def question_language(question: str, history: Sequence[Turn]) -> str:
    """The language to answer in. Two words may be of any language; then the conversation so far decides."""
    fallback = detect_language(" ".join(turn.question for turn in history), "und") if history else "und"
    # A title keeps its language: « Quel est le but du "Project for the New American Century" ? » is French.
    around = _QUOTED.sub(" ", question)
    return detect_language(around if len(around.split()) > 2 else question, fallback)
