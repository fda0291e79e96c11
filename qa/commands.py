"""What the commands about answering share, and prefill."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.commands import home_option, json_option, load_embedder
from index.errors import NoIndex, SourcierError
from qa.answerability import DECLINE_BELOW
from qa.prefill_cache import DEFAULT_STATES_GB

if TYPE_CHECKING:
    from index.embedder import Embedder
    from index.search import Index
    from qa.answers import Answerer
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
    help="Show no sentence that is less likely than this to be right; 0 shows all that stands in its passage.",
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
    from qa.decoding.llama_context import kv_type_named
    from qa.llama_model import LlamaModel, state_identity
    from qa.prefill_cache import PrefillCache

    kind = kv_type_named(kv_type)
    adapter = adapter_of(path)
    identity = state_identity(path, kind, adapter)
    states = PrefillCache(home / STATES_FOLDER, identity, disk_bytes=int(states_gb * 1e9))
    return LlamaModel(path, states=states, kv_type=kind, layers=layers_of(path), adapter=adapter)


def adapter_of(path: Path) -> Path | None:
    """The adapter that belongs to a model file, if there is one."""
    from index.storage.checksums import digest_of
    from qa.adapter import adapter_for

    return adapter_for(digest_of(path))


def layers_of(path: Path) -> tuple[int, ...]:
    """The layers of a model whose hidden states the probes read; none where there is no probe. All read the same."""
    from index.storage.checksums import digest_of
    from qa.answerability import probe_for

    probe = probe_for(digest_of(path))
    return probe.layers if probe else ()


def load_ready(path: Path, home: Path, states_gb: float, kv_type: str) -> LlamaModel:
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

    # Both files are there before either is loaded: a progress bar at a time.
    path = language_model_file(language_model)
    with ThreadPoolExecutor(max_workers=1) as beside:
        loading = beside.submit(load_ready, path, home, states_gb, kv_type)
        vectors, _ = load_embedder(embedder)
        index = Index(home, vectors)
        # The first question should not wait for what is set up at first use: 0.3 to 1 s.
        index.search("première question", 1)
        model = loading.result()
    return answerer_of(index, vectors, model, path, decline_below), index, model


def answerer_of(index: Index, embedder: Embedder, model: LlamaModel, path: Path, decline_below: float) -> Answerer:
    """What answers with the model of this file, and with its probes, where there are any."""
    from index.storage.checksums import digest_of
    from qa.answerability import Answerability, probe_for
    from qa.answers import Answerer
    from qa.entailment import Entailment, entailment_probe

    digest = digest_of(path)
    answerability, entailment = Answerability(probe_for(digest)), Entailment(model, entailment_probe(digest))
    return Answerer(index, embedder, model, decline_below, answerability, entailment)


def drop_stale_states(home: Path) -> int:
    """Remove the stored states of passages that are not in the index any more, without a model; how many there were."""
    from index.earlier_articles import passage_texts
    from index.generation import current_folder
    from qa.prefill_cache import drop_stored_states
    from qa.state_keys import StateKeys

    if not (home / STATES_FOLDER).is_dir():
        return 0
    try:
        keep = StateKeys(home / STATES_FOLDER).of(passage_texts(current_folder(home)))
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
