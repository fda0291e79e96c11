"""Search alone on PIAF: is the paragraph of a question found? Prints recall@k and MRR@10; no pass or fail.

    .venv/bin/python tests/bench/piaf_search.py ../shared/data/piaf/piaf-v1.1.json --questions 1000

The first run embeds about 3,000 sentences (3 to 12 minutes on two cores) into --home; later runs only search.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

from index.build import build
from index.commands import load_embedder
from index.progress import TerminalProgress
from index.search import Index

RANKS = (1, 3, 5, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("piaf", type=Path, help="a file in SQuAD format")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--home", type=Path, default=Path(".sourcier/bench-piaf"))
    given = parser.parse_args()

    paragraphs, questions = [], []
    for article in json.loads(given.piaf.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            number = f"p{len(paragraphs)}"
            paragraphs.append({"id": number, "title": article["title"], "text": paragraph["context"], "language": "fr"})
            questions += [(asked["question"], number) for asked in paragraph["qas"]]
    given.home.mkdir(parents=True, exist_ok=True)
    corpus = given.home / "paragraphs.jsonl"
    corpus.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in paragraphs), encoding="utf-8")

    embedder, name = load_embedder(None)
    with TerminalProgress(unit="sentences") as progress:
        build(
            [corpus], given.home, embedder, name, lambda what, done, all_: all_ and progress.advance(what, done, all_)
        )
    index = Index(given.home, embedder)
    chosen = random.Random(given.seed).sample(questions, min(given.questions, len(questions)))
    ranks = []
    started = time.monotonic()
    for question, wanted in chosen:
        found = list(dict.fromkeys(hit.article.id for hit in index.search(question, 2 * max(RANKS))))[: max(RANKS)]
        ranks.append(found.index(wanted) + 1 if wanted in found else None)
    seconds = (time.monotonic() - started) / len(chosen)
    recalls = "  ".join(
        f"R@{k} {sum(rank is not None and rank <= k for rank in ranks) / len(ranks):.3f}" for k in RANKS
    )
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
    print(f"{len(chosen)} questions, seed {given.seed}: {recalls}  MRR@10 {mrr:.3f}  {1000 * seconds:.0f} ms a search")


if __name__ == "__main__":
    main()
