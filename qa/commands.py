"""Commands about answering: eval."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.commands import embedder_option, home_option, json_option, load_embedder
from index.errors import NoIndex

if TYPE_CHECKING:
    from index.search import Index
    from qa.answers import Answerer
    from qa.evaluation import Outcome, Summary

language_model_option = click.option(
    "--language-model",
    envvar="SOURCIER_LANGUAGE_MODEL",
    show_envvar=True,
    help="Another language model: a name of `sourcier models`, or the path of a chat GGUF.",
)
DEFAULT_QUEUE = 8


def language_model_file(name_or_path: str | None) -> Path:
    """Where the language model is; fetched with a progress bar when it is not there yet."""
    from index.model_files import DEFAULT_LANGUAGE_MODEL, TerminalProgress, obtain

    with TerminalProgress() as progress:
        return obtain(name_or_path or DEFAULT_LANGUAGE_MODEL, progress=progress)


def load_answerer(
    home: Path, embedder: str | None, language_model: str | None, queue: int = DEFAULT_QUEUE
) -> tuple[Answerer, Index]:
    """Everything that answers, loaded; fetches what is missing. Takes seconds. Raises NoIndex."""
    if not (home / "index").is_dir():
        raise NoIndex(home)
    from index.search import Index
    from qa.answers import Answerer
    from qa.llama_model import LlamaModel

    # Both files are there before either is loaded: a progress bar at a time.
    path = language_model_file(language_model)
    with ThreadPoolExecutor(max_workers=1) as beside:
        loading = beside.submit(LlamaModel, path, queue=queue)
        vectors, _ = load_embedder(embedder)
        index = Index(home, vectors)
        # The first question should not wait for what is set up at first use: 0.3 to 1 s.
        index.search("première question", 1)
        model = loading.result()
    return Answerer(index, vectors, model), index


@click.command(name="eval")
@click.argument("questions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", type=click.IntRange(1), help="Ask only so many of them, chosen by --seed.")
@click.option("--seed", default=0, show_default=True, help="Which sample.")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="How many passages to find.")
@home_option
@embedder_option
@language_model_option
@json_option
def evaluate_command(
    questions: Path,
    sample: int | None,
    seed: int,
    k: int,
    home: Path,
    embedder: str | None,
    language_model: str | None,
    as_json: bool,
) -> None:
    """Ask the labelled QUESTIONS (JSONL, see corpus/README.md) and count what is right, cited and declined.

    \b
    Example:
      sourcier eval corpus/questions.jsonl --sample 40
    """
    from index.progress import TerminalProgress
    from qa.evaluation import evaluate, read_questions, summarise

    chosen = read_questions(questions)
    if sample is not None and sample < len(chosen):
        chosen = sorted(random.Random(seed).sample(chosen, sample), key=lambda question: question.id)  # noqa: S311 - a sample, not a secret
    answerer, index = load_answerer(home, embedder, language_model)
    outcomes: list[Outcome] = []
    with TerminalProgress(unit="questions") as progress:
        for outcome in evaluate(answerer, chosen, k):
            outcomes.append(outcome)
            progress.advance("asking", len(outcomes), len(chosen))
    index.close()
    kinds = sorted({outcome.question.kind for outcome in outcomes})
    parts = {kind: [outcome for outcome in outcomes if outcome.question.kind == kind] for kind in kinds}
    parts["all answerable"] = [outcome for outcome in outcomes if outcome.question.answerable]
    parts["all unanswerable"] = [outcome for outcome in outcomes if not outcome.question.answerable]
    summaries = [summarise(kind, part) for kind, part in parts.items() if part]
    if as_json:
        rows = [_facts(outcome) for outcome in outcomes]
        click.echo(json.dumps({"summary": [asdict(one) for one in summaries], "questions": rows}, ensure_ascii=False))
    else:
        _print_table(summaries)


def _facts(outcome: Outcome) -> dict[str, object]:
    question, answer = outcome.question, outcome.answer
    return {
        "id": question.id,
        "kind": question.kind,
        "question": question.question,
        "standalone_question": answer.standalone_question,
        "answer": answer.text,
        "answered": answer.answered,
        "right": outcome.right,
        "found": outcome.found,
        "cited": outcome.cited,
        "withheld": answer.withheld,
        "expected": [forms[0] for forms in question.facts],
        "total_ms": round(answer.timings.total_ms),
    }


def _print_table(summaries: list[Summary]) -> None:
    def share(value: float | None) -> str:
        return "     –" if value is None else f"{value:6.3f}"

    click.echo(f"{'':18} {'questions':>9} {'right':>6} {'declined':>8} {'found':>6} {'cited':>6}")
    for one in summaries:
        click.echo(
            f"{one.kind:18} {one.questions:9d} {share(one.right)} {share(one.declined):>8} {share(one.found)} "
            f"{share(one.cited)}"
        )
