"""Passages: an article split by paragraph and sentence, with exact character offsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.articles import Article
from index.sentences import Span as Span
from index.sentences import block_sentences, cut_evenly, is_heading, split_blocks

# Tokens of the embedder in one passage. A passage's stored KV state costs 28 KiB a token, and a small model answers
# best from one short passage; of PIAF's 686 paragraphs (most have 130 to 250 tokens) 684 stay whole,
# 669 with 256 and 522 with 200.
PASSAGE_TOKENS = 300

# A last passage below a quarter of the size takes paragraphs from the one before it.
_SCRAP = 4

CountTokens = Callable[[Sequence[str]], list[int]]
Run = tuple[Span, ...]  # neighbouring sentences, at least one


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of whole sentences of one article: `article.text[start:end] == text`.

    `sentences` are spans of the same article's text, in order, none empty, none overlapping, all inside the passage.
    """

    id: str
    article_id: str
    start: int
    end: int
    text: str
    sentences: tuple[Span, ...]


def split_article(article: Article, count_tokens: CountTokens, max_tokens: int = PASSAGE_TOKENS) -> list[Passage]:
    """Split an article into passages of at most `max_tokens` tokens, in order.

    Together they hold every character of the text that is not white space, each once. `count_tokens` gives the number
    of tokens of each text; it is called about twice an article, each time with many texts. Only a single character that
    costs more than `max_tokens` makes a larger passage.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens is {max_tokens}; a passage needs at least 1")
    sizes = _Sizes(article.text, count_tokens, max_tokens)
    runs = sizes.fit(_paragraphs(article.text, article.language))
    runs = sizes.fit(_pack(sizes, runs))
    return [_passage(article, run) for run in runs]


def _passage(article: Article, run: Run) -> Passage:
    start, end = run[0].start, run[-1].end
    text = article.text
    # A rule or a row of stars is no sentence to search for, unless the passage is nothing else.
    worded = tuple(span for span in run if any(map(str.isalnum, text[span.start : span.end])))
    return Passage(f"{article.id}:{start}-{end}", article.id, start, end, text[start:end], worded or run)


def _paragraphs(text: str, language: str) -> list[Run]:
    """The sentences of each paragraph, headings together with the paragraph below them."""
    paragraphs: list[Run] = []
    sentences: list[Span] = []
    for block in split_blocks(text):
        sentences += block_sentences(text, block, language)
        if not is_heading(text, block):
            paragraphs.append(tuple(sentences))
            sentences = []
    return [*paragraphs, tuple(sentences)] if sentences else paragraphs


class _Sizes:
    """The sizes in tokens of runs of one text, each counted once."""

    def __init__(self, text: str, count_tokens: CountTokens, max_tokens: int) -> None:
        self.text = text
        self.max_tokens = max_tokens
        self._count_tokens = count_tokens
        self._tokens: dict[Span, int] = {}

    def of(self, runs: Sequence[Run]) -> list[int]:
        """Return the number of tokens of each run."""
        spans = [Span(run[0].start, run[-1].end) for run in runs]
        new = [span for span in dict.fromkeys(spans) if span not in self._tokens]
        if new:
            counts = self._count_tokens([self.text[span.start : span.end] for span in new])
            self._tokens.update(zip(new, counts, strict=True))
        return [self._tokens[span] for span in spans]

    def fit(self, runs: list[Run]) -> list[Run]:
        """Divide runs until none is larger than max_tokens, at sentences as long as that is possible."""
        while True:
            parts = [
                part
                for run, tokens in zip(runs, self.of(runs), strict=True)
                for part in (
                    _divide(self.text, run, -(-tokens // self.max_tokens)) if tokens > self.max_tokens else [run]
                )
            ]
            if len(parts) == len(runs):
                return runs
            runs = parts


def _divide(text: str, run: Run, parts: int) -> list[Run]:
    """Divide a run into about `parts` runs of like length; a run of one sentence is cut inside it."""
    if len(run) == 1:
        return [(span,) for span in cut_evenly(text, run[0], parts)]
    start, length = run[0].start, run[-1].end - run[0].start
    shares: dict[int, list[Span]] = {}
    for span in run:
        middle = (span.start + span.end) // 2 - start
        shares.setdefault(middle * parts // length, []).append(span)
    if len(shares) == 1:
        return [run[:1], run[1:]]
    return [tuple(share) for share in shares.values()]


def _pack(sizes: _Sizes, runs: list[Run]) -> list[Run]:
    """Join neighbouring runs in order as long as they fit, and keep the last passage from being a scrap."""
    packed: list[list[Run]] = []
    tokens: list[int] = []
    for run, size in zip(runs, sizes.of(runs), strict=True):
        # A character of white space between paragraphs costs at most about a token.
        gap = run[0].start - packed[-1][-1][-1].end if packed else 0
        if packed and tokens[-1] + gap + size <= sizes.max_tokens:
            packed[-1].append(run)
            tokens[-1] += gap + size
        else:
            packed.append([run])
            tokens.append(size)
    if len(packed) > 1 and tokens[-1] < sizes.max_tokens // _SCRAP:
        _even_out(sizes, packed[-2], packed[-1])
    return [tuple(span for run in passage for span in run) for passage in packed]


def _even_out(sizes: _Sizes, previous: list[Run], last: list[Run]) -> None:
    """Move paragraphs from the end of `previous` to the start of `last` while that makes them more alike."""
    while len(previous) > 1:
        before, after = sum(sizes.of(previous)), sum(sizes.of(last))
        moved = sizes.of(previous[-1:])[0]
        if after + moved > before - moved:
            return
        last.insert(0, previous.pop())
