"""Search alone on PIAF: is the paragraph of a question found? Prints recall@k and MRR@10; no pass or fail.

    .venv/bin/python tests/bench/piaf_search.py ../shared/data/piaf/piaf-v1.1.json --questions 1000

The first run embeds about 3,000 sentences (3 to 12 minutes on two cores) into --home; later runs only search.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from index.commands import load_embedder
from index.search import Index
from qa.measuring.eval_command import index_paragraphs
from qa.measuring.squad import read_squad

DEFAULT_HOME = Path(".sourcier/bench-piaf")
RANKS = (1, 3, 5, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("piaf", type=Path, help="a file in SQuAD format")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    given = parser.parse_args()

    piaf = read_squad(given.piaf)
    embedder, name = load_embedder(None)
    index_paragraphs(piaf.paragraphs, given.home, embedder, name, "fr")
    index = Index(given.home, embedder)
    chosen = random.Random(given.seed).sample(piaf.questions, min(given.questions, len(piaf.questions)))
    ranks = []
    started = time.monotonic()
    for asked in chosen:
        hits = index.search(asked.question, 2 * max(RANKS))
        found = list(dict.fromkeys(hit.article.id for hit in hits))[: max(RANKS)]
        ranks.append(found.index(asked.articles[0]) + 1 if asked.articles[0] in found else None)
    seconds = (time.monotonic() - started) / len(chosen)
    recalls = "  ".join(
        f"R@{k} {sum(rank is not None and rank <= k for rank in ranks) / len(ranks):.3f}" for k in RANKS
    )
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
    print(f"{len(chosen)} questions, seed {given.seed}: {recalls}  MRR@10 {mrr:.3f}  {1000 * seconds:.0f} ms a search")


if __name__ == "__main__":
    main()
