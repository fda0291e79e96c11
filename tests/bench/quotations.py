"""Of the passages that likely answer, where the reply is unlikely to be right: do the sentences that are quoted?

    .venv/bin/python tests/bench/quotations.py pairs.jsonl states.npz

Over the fifth of the pairs that the adapter was not trained on (see fit_probes.py); the language model is not asked
again. Sentences answer that have at least half of a marked answer's words; XQuAD's are marked in both languages. It is
what NEAREST_CHANCE of qa/quotation.py rests on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fit_probes import chances_of, read_made
from probe_pairs import Pair, article_of

from index.commands import load_embedder
from index.embedder import Embedder, SourceText
from index.headings import heading_of
from index.passages import Passage
from index.search import Hit
from index.sentences import split_sentences
from qa.answerability import DECLINE_BELOW, QUOTE_FROM, QUOTE_UNLIKELY_FROM
from qa.measuring.measures import answer_recall
from qa.quotation import quotation

# Share of a marked answer's words, as for what the README calls right.
RIGHT = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="what probe_pairs.py wrote")
    parser.add_argument("states", type=Path, help="what probe_states.py made of them")
    given = parser.parse_args()
    read = read_made(given.pairs, given.states)
    chances, replies = chances_of(read)
    asked = [
        (pair, chance)
        for pair, held_out, chance, reply in zip(read.pairs, read.held_out(), chances, replies, strict=True)
        if held_out and pair.answers and pair.marked and not pair.forced and reply < DECLINE_BELOW
    ]
    embedder = load_embedder(None)[0]
    print(f"{'':36}{'answer':>8}{'quoted':>8}{'right':>8}{'words':>8}")
    for kind, across, least in (
        ("in one language", False, QUOTE_UNLIKELY_FROM),
        ("across languages", True, QUOTE_FROM),
    ):
        for bar in (least, 0.6):
            pairs = [
                pair for pair, chance in asked if chance >= bar and (pair.language != pair.text_language) == across
            ]
            sentences = [_quoted(pair, embedder) for pair in pairs]
            right = sum(map(_is_right, pairs, sentences))
            words = sum(len(one.split()) for one in sentences) / max(sum(map(bool, sentences)), 1)
            told = f"{len(pairs):8}{sum(map(bool, sentences)):8}{right:8}{words:8.0f}"
            print(f"{f'{kind}, from {bar} on':36}{told}", flush=True)


def _quoted(pair: Pair, embedder: Embedder) -> str:
    article = article_of(pair)
    sentences = tuple(split_sentences(pair.text, pair.text_language))
    texts = [SourceText(heading_of(article), pair.text[span.start : span.end]) for span in sentences]
    passage = Passage("-", article.id, 0, len(pair.text), pair.text, sentences)
    hit = Hit(article, passage, sentences[0], 0.0, 0.0, 0.0, 1, embedder.embed_texts(texts))
    chosen = quotation(pair.question, pair.language, "", hit, embedder)
    return " ".join(pair.text[run[0].start : run[-1].end] for run in chosen.runs) if chosen else ""


def _is_right(pair: Pair, quoted: str) -> bool:
    return answer_recall(quoted, pair.marked) >= RIGHT


if __name__ == "__main__":
    main()
