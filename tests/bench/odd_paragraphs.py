"""The odd paragraphs of a file in SQuAD format: those that no probe was fitted to (tests/bench/probe_pairs.py).

    .venv/bin/python tests/bench/odd_paragraphs.py ../shared/data/squad2-dev-half/dev-v2.0-cs224n.json odd.json
    .venv/bin/sourcier eval odd.json --articles ../shared/data/squad2-dev-half/dev-v2.0-cs224n.json --language en

All paragraphs are to be indexed (--articles), so that the right one has to be found among as many as ever.
"""

from __future__ import annotations

import argparse
import json
from itertools import count
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="SQuAD format")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    squad = json.loads(given.file.read_text(encoding="utf-8"))
    number = count()
    for article in squad["data"]:
        article["paragraphs"] = [one for one in article["paragraphs"] if next(number) % 2]
    given.out.write_text(json.dumps(squad, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
