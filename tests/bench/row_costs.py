"""What a decoding costs by its rows, with weights as llama.cpp rearranges them and as they lie in the file.

    .venv/bin/python tests/bench/row_costs.py

Rows of replies have logits, rows of passages have none. The two kinds take turns. It prints medians in seconds, after a
minute or two on two cores.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict

import qa  # noqa: F401 - says how OpenMP threads wait, before llama_cpp is loaded
from qa.commands import adapter_of, language_model_file
from qa.decoding.llama_context import LlamaContext, Row

WRITTEN = (1, 2, 4, 8, 16)
READ = (16, 32, 64, 128)
BEFORE = 128  # tokens that a prompt has already


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--language-model", help="a name of `sourcier models`, or the path of a chat GGUF")
    given = parser.parse_args()
    path = language_model_file(given.language_model)
    kinds = {
        name: LlamaContext(path, 1024, 1, max(READ), None, adapter=adapter_of(path), as_filed=as_filed)
        for name, as_filed in (("rearranged", False), ("as filed", True))
    }
    took: defaultdict[tuple[str, int, bool], list[float]] = defaultdict(list)
    for number in range(given.rounds + 1):
        for name, context in kinds.items():
            context.forget_all()
            _decode(context, 0, BEFORE, logits=False)
            position = BEFORE
            for rows, logits in [*((rows, True) for rows in WRITTEN), *((rows, False) for rows in READ)]:
                seconds = _decode(context, position, rows, logits)
                position += rows
                if number:  # the first round is for warming up
                    took[name, rows, logits].append(seconds)
    print(f"{'':14}{'rearranged':>12}{'as filed':>12}{'ratio':>8}")
    for rows, logits in [*((rows, True) for rows in WRITTEN), *((rows, False) for rows in READ)]:
        one, other = (statistics.median(took[name, rows, logits]) for name in kinds)
        print(f"{rows:4} {'written' if logits else 'read':9}{one:12.3f}{other:12.3f}{other / one:8.2f}")
    chosen = "as filed" if kinds["rearranged"].reads_quicker_as_filed else "rearranged"
    print(f"Sourcier reads passages on this machine with weights {chosen}.")
    for context in kinds.values():
        context.close()


def _decode(context: LlamaContext, start: int, rows: int, logits: bool) -> float:
    """Seconds."""
    batch = [Row(1000 + 37 * place, place, 0, logits) for place in range(start, start + rows)]
    began = time.perf_counter()
    context.decode(batch)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
