"""The `sourcier` command. Results go to stdout, what happens meanwhile to stderr; `--help` loads no model."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.commands import (
    AFTER_CHANGE,
    build,
    build_with_progress,
    embedder_option,
    home_option,
    info,
    json_option,
    load_embedder,
    models,
    rollback,
    summary_of,
)
from index.errors import SourcierError
from index.filter_options import filter_options
from index.search_command import search
from qa.commands import (
    drop_stale_states,
    language_model_file,
    language_model_option,
    load_answerer,
    prefill,
)
from qa.delete_command import delete
from qa.measuring.eval_command import evaluate_command
from qa.suggest_command import drop_stale_suggestions, suggest
from web.service.api_keys import read_keys
from web.service.keys_command import keys
from web.service.settings_command import (
    config_option,
    gather_for_command,
    settings_command,
    warn_of_unknown_variables,
    with_settings_file,
)

if TYPE_CHECKING:
    from index.filters import Filters
    from index.search import Index
    from qa.answers import Answerer
    from qa.events import Answer
    from qa.llama_model import LlamaModel
    from web.settings import Settings

log = logging.getLogger(__name__)

# What is served when there is no index yet: the sample newspaper of the checkout.
SAMPLE_CORPUS = Path("corpus")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("sourcier"), prog_name="sourcier")
def sourcier() -> None:
    """Answers questions from a body of articles; every sentence points to the characters it was read in.

    \b
    Begin with:
      sourcier serve                 the page, over the sample articles
      sourcier build my-articles/    your own articles instead
    """


@sourcier.command()
@click.option("--host", help="Address to listen on.  [env var: SOURCIER_HOST; default: 127.0.0.1]")
@click.option("--port", type=int, help="Port; 0 takes a free one.  [env var: SOURCIER_PORT; default: 8000]")
@click.option("--threads", type=int, help="Requests served at once.  [env var: SOURCIER_THREADS; default: 16]")
@home_option
@embedder_option
@language_model_option
@config_option
def serve(config: Path | None, **_: object) -> None:
    """Serve the chat page and the API; fetch models and build the first index when they are missing.

    One process serves all readers: the model is shared, and more processes would only divide the memory. Everything
    else that can be set (limits, API keys, logs, metrics) is listed by `sourcier settings`, and can be set by a
    variable or in a TOML file.

    \b
    SIGTERM or Ctrl-C   no new questions; answers under way are finished, then the server ends
    the same once more  answers under way are cut short

    \b
    Example:
      sourcier serve --port 8080
      sourcier serve --host 0.0.0.0 --config sourcier.toml
      SOURCIER_LOG_FORMAT=json sourcier serve
    """
    from qa.reading_ahead import IdleReader
    from qa.suggesting import IdleSuggester
    from qa.suggestions import SuggestionFile
    from web import create_app
    from web.service.logs import log_to
    from web.service.server import serve as serve_app

    warn_of_unknown_variables()
    settings = gather_for_command(config).settings
    read_keys(settings.home)  # what is wrong with them is told here rather than to readers
    _prepare(settings)

    as_json = log_to(sys.stderr, settings.log_format, settings.log_level)

    def tell(line: str) -> None:
        log.info(line) if as_json else click.echo(line, err=True)

    app = create_app(settings, None, None)
    with contextlib.ExitStack() as at_the_end:

        def load() -> tuple[Answerer, Index]:
            answerer, index, model = _load(settings)
            at_the_end.callback(model.close)
            at_the_end.callback(IdleReader(index, model, model.states, ahead=settings.read_ahead).close)
            if settings.propose:
                file, asking = SuggestionFile(settings.home), app.extensions["sourcier-asking"]
                suggester = IdleSuggester(index, model, answerer, file, lambda: asking.under_way > 0)
                at_the_end.callback(suggester.close)
            app.extensions["sourcier-metrics"].model = model
            tell("Ready.")
            return answerer, index

        def opened(url: str) -> None:
            tell(f"Open {url} in your browser. Loading the models; Ctrl-C stops.")

        serve_app(app, settings, load, opened)


@sourcier.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="How many passages to find.")
@filter_options
@home_option
@embedder_option
@language_model_option
@config_option
@json_option
def ask(question: str, k: int, filters: Filters, config: Path | None, as_json: bool, **_: object) -> None:
    """Answer QUESTION from the articles, with the quotations it rests on.

    \b
    Example:
      sourcier ask "Quand le pont a-t-il rouvert ?"
      sourcier ask "Quand le pont a-t-il rouvert ?" --since 2025-11-01
    """
    from qa.events import Answer
    from web.contract.shapes import answer_json

    settings = gather_for_command(config).settings
    answerer, index, model = _load(settings)
    answer = next(event for event in answerer.ask(question, (), k, filters=filters) if isinstance(event, Answer))
    if as_json:
        click.echo(json.dumps(answer_json(answer), ensure_ascii=False, indent=2))
    else:
        _print_answer(answer)
    model.close()
    index.close()


def _load(settings: Settings) -> tuple[Answerer, Index, LlamaModel]:
    return load_answerer(
        settings.home,
        settings.embedder,
        settings.language_model,
        settings.states_gb,
        settings.kv_type,
        settings.decline_below,
    )


def _print_answer(answer: Answer) -> None:
    if answer.answered:
        for sentence in answer.sentences:
            marks = "".join(f" [{number}]" for number in sentence.citations)
            click.echo(f"{sentence.text}{marks}")
        click.echo()
        for citation in answer.citations:
            click.echo(f"[{citation.number}] {citation.article.title}, {citation.article.id}")
            click.echo(f"    {citation.quote}")
    else:
        click.echo(answer.text)
        for hit in answer.hits[:3]:
            click.echo(f"  - {hit.article.title}, {hit.article.id}")


def _prepare(settings: Settings) -> None:
    """Fetch the models that are missing and build the first index, where Ctrl-C and errors are seen at once."""
    language_model_file(settings.language_model)
    if (settings.home / "index" / "CURRENT").is_file():
        return
    if not SAMPLE_CORPUS.is_dir():
        raise SourcierError(
            f"No index in {settings.home}, and no folder {SAMPLE_CORPUS}/ here to build one from. "
            "Build it with: sourcier build YOUR-ARTICLES/"
        )
    from qa.suggestions import FILE as SUGGESTIONS
    from qa.suggestions import SuggestionFile, articles_on_disk

    click.echo(f"No index in {settings.home} yet: building it from {SAMPLE_CORPUS}/.", err=True)
    report = build_with_progress((SAMPLE_CORPUS,), settings.home, *load_embedder(settings.embedder))
    for error in report.unreadable:
        click.echo(f"left out  {error}", err=True)
    click.echo(summary_of(report), err=True)
    SuggestionFile(settings.home).adopt(SAMPLE_CORPUS / SUGGESTIONS, articles_on_disk(settings.home))


def _then_drop_states(command: click.Command) -> click.Command:
    """What the model has read of an article, and the questions made of it, go when the article does."""
    change = command.callback

    def drop(home: Path) -> None:
        if dropped := drop_stale_states(home):
            click.echo(f"Removed the stored KV states of {dropped} passages that are gone.", err=True)
        if dropped := drop_stale_suggestions(home):
            click.echo(f"Removed {dropped} suggested questions whose articles are gone or have changed.", err=True)

    def change_and_drop(**given: Any) -> None:
        click.get_current_context().meta[AFTER_CHANGE] = drop
        if change:
            change(**given)
        drop(given["home"])

    command.callback = change_and_drop
    return command


for command in (
    *(_then_drop_states(one) for one in (build, rollback)),
    *(search, info, models, delete, evaluate_command, prefill, suggest),
):
    sourcier.add_command(with_settings_file(command))
for command in keys.commands.values():
    with_settings_file(command)
for command in (settings_command, keys):
    sourcier.add_command(command)


def main() -> None:
    """Run the command; what went wrong is one line on stderr and exit status 1, Ctrl-C is 130."""
    try:
        sourcier(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. What was finished so far is kept.", err=True)
        sys.exit(130)
    except SourcierError as error:
        click.echo(f"sourcier: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # `sourcier search ... | head`: the reader has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
