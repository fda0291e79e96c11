"""Commands about answering: eval, prefill."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.commands import embedder_option, home_option, json_option, load_embedder
from index.errors import NoIndex, SourcierError
from qa.answerability import DECLINE_BELOW
from qa.prefill_cache import DEFAULT_STATES_GB

if TYPE_CHECKING:
    from index.search import Index
    from qa.answers import Answerer
    from qa.evaluation import Outcome, Summary
    from qa.llama_model import LlamaModel

language_model_option = click.option(
    "--language-model",
    envvar="SOURCIER_LANGUAGE_MODEL",
    show_envvar=True,
    help="Another language model: a name of `sourcier models`, or the path of a chat GGUF.",
)
states_gb_option = click.option(
    "--states-gb",
    type=click.FloatRange(min=0),
    default=DEFAULT_STATES_GB,
    envvar="SOURCIER_STATES_GB",
    show_default=True,
    show_envvar=True,
    help="Disk for what the model has read, in GB; 0 keeps it in memory only.",
)
kv_type_option = click.option(
    "--kv-type",
    type=click.Choice(["f16", "q8_0"]),
    default="f16",
    envvar="SOURCIER_KV_TYPE",
    show_default=True,
    show_envvar=True,
    help="Precision of what the model remembers; q8_0 takes half of the room.",
)
decline_below_option = click.option(
    "--decline-below",
    type=click.FloatRange(0, 1),
    default=DECLINE_BELOW,
    envvar="SOURCIER_DECLINE_BELOW",
    show_default=True,
    show_envvar=True,
    help="Write nothing from a passage less likely than this to hold the answer; 0 writes from any.",
)
# Below SOURCIER_HOME.
STATES_FOLDER = "states"


def language_model_file(name_or_path: str | None) -> Path:
    """Where the language model is; fetched with a progress bar when it is not there yet."""
    from index.model_files import DEFAULT_LANGUAGE_MODEL, TerminalProgress, obtain

    with TerminalProgress() as progress:
        return obtain(name_or_path or DEFAULT_LANGUAGE_MODEL, progress=progress)


def load_language_model(path: Path, home: Path, states_gb: float, kv_type: str) -> LlamaModel:
    """The model of a GGUF, with what it has read before in the home's folder of states."""
    from qa.llama_context import kv_type_named
    from qa.llama_model import LlamaModel, state_identity
    from qa.prefill_cache import PrefillCache

    kind = kv_type_named(kv_type)
    states = PrefillCache(home / STATES_FOLDER, state_identity(path, kind), disk_bytes=int(states_gb * 1e9))
    return LlamaModel(path, states=states, kv_type=kind)


def _load_ready(path: Path, home: Path, states_gb: float, kv_type: str) -> LlamaModel:
    """With the prefix of all prompts read, so that the first reader does not wait for it: 1 s."""
    from qa.prompt import no_passage_messages

    model = load_language_model(path, home, states_gb, kv_type)
    model.score(no_passage_messages(), ("yes",))
    return model


def load_answerer(
    home: Path,
    embedder: str | None,
    language_model: str | None,
    states_gb: float = DEFAULT_STATES_GB,
    kv_type: str = "f16",
    decline_below: float = DECLINE_BELOW,
) -> tuple[Answerer, Index, LlamaModel]:
    """Everything that answers, loaded; fetches what is missing. Takes seconds. Raises NoIndex."""
    if not (home / "index").is_dir():
        raise NoIndex(home)
    from index.search import Index
    from qa.answers import Answerer

    # Both files are there before either is loaded: a progress bar at a time.
    path = language_model_file(language_model)
    with ThreadPoolExecutor(max_workers=1) as beside:
        loading = beside.submit(_load_ready, path, home, states_gb, kv_type)
        vectors, _ = load_embedder(embedder)
        index = Index(home, vectors)
        # The first question should not wait for what is set up at first use: 0.3 to 1 s.
        index.search("première question", 1)
        model = loading.result()
    return Answerer(index, vectors, model, decline_below), index, model


def drop_stale_states(home: Path) -> int:
    """Remove the stored states of passages that are not in the index any more, without a model; how many there were."""
    from index.generation import Generation, current_folder
    from qa.prefill_cache import drop_stored_states
    from qa.reading_ahead import state_keys

    if not (home / STATES_FOLDER).is_dir():
        return 0
    keep = state_keys(Generation(current_folder(home)))
    try:
        return drop_stored_states(home / STATES_FOLDER, keep)
    except OSError as error:
        raise SourcierError(
            f"What the model has read of articles that are gone could not be removed: {error}. "
            f"Remove {home / STATES_FOLDER} yourself; it is made anew."
        ) from error


@click.command()
@click.option("--most", type=click.IntRange(1), help="Read only so many passages, the newest.")
@home_option
@language_model_option
@states_gb_option
@kv_type_option
@json_option
def prefill(
    most: int | None, home: Path, language_model: str | None, states_gb: float, kv_type: str, as_json: bool
) -> None:
    """Let the model read the passages ahead, newest first, so that answers from them begin at once.

    It takes about 3 s and 6 MB a passage. Stopped with Ctrl-C it goes on where it was when called again. A server that
    has nothing to do does the same.

    \b
    Example:
      sourcier prefill
      sourcier prefill --most 200
    """
    from index.generation import Generation, current_folder
    from index.progress import TerminalProgress
    from qa.reading_ahead import read_ahead

    generation = Generation(current_folder(home))
    model = load_language_model(language_model_file(language_model), home, states_gb, kv_type)
    try:
        with TerminalProgress(unit="passages") as progress:
            report = read_ahead(generation, model, model.states, generation.manifest.passages, progress, most)
    finally:
        model.close()
    if as_json:
        click.echo(json.dumps(asdict(report)))
        return
    click.echo(f"{report.stored} of {report.passages} passages are stored; {report.read} were read now.")
    if report.full:
        click.echo(f"The {states_gb:g} GB for them are full. Give more with --states-gb.")


@click.command(name="eval")
@click.argument("questions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", type=click.IntRange(1), help="Ask only so many of them, chosen by --seed.")
@click.option("--seed", default=0, show_default=True, help="Which sample.")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="How many passages to find.")
@home_option
@embedder_option
@language_model_option
@states_gb_option
@kv_type_option
@decline_below_option
@json_option
def evaluate_command(
    questions: Path,
    sample: int | None,
    seed: int,
    k: int,
    home: Path,
    embedder: str | None,
    language_model: str | None,
    states_gb: float,
    kv_type: str,
    decline_below: float,
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
    answerer, index, model = load_answerer(
        home, embedder, language_model, states_gb, kv_type, decline_below
    )
    outcomes: list[Outcome] = []
    with TerminalProgress(unit="questions") as progress:
        for outcome in evaluate(answerer, chosen, k):
            outcomes.append(outcome)
            progress.advance("asking", len(outcomes), len(chosen))
    model.close()
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
