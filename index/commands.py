"""The commands about articles and the index: build, info, models, rollback."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.errors import NoIndex, SourcierError

if TYPE_CHECKING:
    from index.build import BuildReport
    from index.embedder import Embedder
    from index.manifest import Manifest

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".sourcier"),
    envvar="SOURCIER_HOME",
    show_default=True,
    show_envvar=True,
    help="Folder of the index.",
)
embedder_option = click.option(
    "--embedder",
    envvar="SOURCIER_EMBEDDER",
    show_envvar=True,
    help="Another embedding model: a name of `sourcier models`, or a sentence-transformers folder.",
)
# Where the command line puts what is to be done after each change of the index, a function of the home.
AFTER_CHANGE = "sourcier after change"
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def load_embedder(name_or_path: str | None) -> tuple[Embedder, str]:
    """The embedder and what to call it; fetched with a progress bar when it is not there yet."""
    from index.model_files import DEFAULT_EMBEDDER, TerminalProgress, obtain
    from index.storage.checksums import digest_of

    name = name_or_path or DEFAULT_EMBEDDER
    with TerminalProgress() as progress:
        folder = obtain(name, progress=progress)
        from index.embedder import SentenceTransformerEmbedder

        return SentenceTransformerEmbedder(folder, digest_of(folder), progress), name


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--list",
    "lists",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also what is named in FILE, one path a line; - reads the paths from stdin.",
)
@click.option("--strict", is_flag=True, help="Stop at the first thing that cannot be read; the index stays as it was.")
@click.option("--watch", is_flag=True, help="Then build again whenever something changes there, until Ctrl-C.")
@home_option
@embedder_option
@json_option
def build(
    paths: tuple[Path, ...],
    lists: tuple[Path, ...],
    strict: bool,
    watch: bool,
    home: Path,
    embedder: str | None,
    as_json: bool,
) -> None:
    """Make the articles in PATHS (files, folders, - for JSON lines on stdin) the content of the index.

    Articles that did not change are taken over as they are. The index in service stays until the new one is complete.
    What cannot be read is named and left out; nothing is ever fetched.

    With --watch a build that fails is reported, and the next change tried again; with --json each build is a line.
    Where the system does not tell of changes (network folders), set WATCHFILES_FORCE_POLLING=1.

    \b
    Formats:
      .md .txt              with or without front matter
      .jsonl                a JSON object with "text" a line
      .html .htm .xhtml     web pages;  .mhtml .mht  saved ones
      .pdf                  text in reading order; scans have none
      .docx .odt            Word, LibreOffice
      .epub                 each chapter is an article
      .rss .atom .xml       feeds: each entry is an article
      .xml                  NewsML-G2 and NITF of news agencies

    \b
    Example:
      sourcier build corpus/
      sourcier build articles.jsonl more-articles/
      sourcier build --watch my-articles/
      find archive -name '*.pdf' -newer last | sourcier build --strict --list -
    """
    from index.article_paths import STANDARD_INPUT, paths_in_list

    if not paths and not lists:
        raise click.UsageError("Give files or folders of articles, - for stdin, or --list FILE.")
    if watch and (lists or STANDARD_INPUT in paths):
        raise click.UsageError("--watch takes files and folders.")
    if [*paths, *lists].count(STANDARD_INPUT) > 1:
        raise click.UsageError("Standard input can be read once: as articles (-) or as a list (--list -).")
    listed = tuple(path for file in lists for path in paths_in_list(file))
    if STANDARD_INPUT in listed:
        raise click.UsageError("A list names files and folders; give - on the command line.")
    if not watch:
        _tell(build_with_progress(paths, home, *load_embedder(embedder), listed=listed, strict=strict), as_json)
        return
    from index.watching import changes

    after_change = click.get_current_context().meta.get(AFTER_CHANGE, lambda _: None)
    model = load_embedder(embedder)
    for files in changes(paths, home):
        if files:
            click.echo(f"{files} files have changed.", err=True)
        try:
            _tell(build_with_progress(paths, home, *model, strict=strict), as_json)
            after_change(home)
        except SourcierError as problem:
            click.echo(f"sourcier: {problem}", err=True)
        click.echo("Watching; Ctrl-C stops.", err=True)


def _tell(report: BuildReport, as_json: bool) -> None:
    for error in report.unreadable:
        click.echo(f"left out  {error}", err=True)
    if as_json:
        left_out = [{"path": error.path, "reason": error.reason} for error in report.unreadable]
        facts = {
            name: getattr(report, name)
            for name in ("generation", "unchanged", "articles", "passages", "sentences", "embedded", "seconds")
        }
        click.echo(json.dumps({**facts, "left_out": left_out}, ensure_ascii=False))
        return
    click.echo(summary_of(report))


def build_with_progress(
    paths: tuple[Path, ...],
    home: Path,
    embedder: Embedder,
    name: str,
    listed: tuple[Path, ...] = (),
    strict: bool = False,
) -> BuildReport:
    from index.build import build as build_index
    from index.progress import TerminalProgress

    with TerminalProgress(unit="sentences") as progress:

        def tell(what: str, done: int, total: int) -> None:
            if total:
                progress.advance(what, done, total)

        return build_index(paths, home, embedder, name, tell, listed=listed, strict=strict)


def summary_of(report: BuildReport) -> str:
    """What a build did, in a line or two."""
    counts = f"{report.articles} articles, {report.passages} passages, {report.sentences} sentences"
    what = "Nothing has changed" if report.unchanged else f"{report.embedded} sentences embedded"
    left_out = f"; {len(report.unreadable)} left out (named above)" if report.unreadable else ""
    return f"Generation {report.generation}: {counts}. {what} in {report.seconds:.1f} s{left_out}."


@click.command()
@home_option
@json_option
def info(home: Path, as_json: bool) -> None:
    """Say what the index holds, and check its files against the manifest.

    \b
    Example:
      sourcier info
    """
    from index.generation import Generation, current_folder

    started = time.monotonic()
    generation = Generation(current_folder(home))
    manifest = generation.manifest
    generation.retire()
    if as_json:
        click.echo(manifest.to_json(), nl=False)
        return
    click.echo(f"index       {generation.folder} (checked in {time.monotonic() - started:.1f} s: all files as built)")
    click.echo(f"built       {manifest.built_at}")
    click.echo(f"articles    {manifest.articles} ({', '.join(manifest.languages)})")
    click.echo(f"passages    {manifest.passages}, at most {manifest.passage_tokens} tokens each")
    click.echo(f"sentences   {manifest.sentences} vectors of {manifest.dim} dimensions")
    click.echo(f"search      {_way_of_search(manifest)}")
    click.echo(f"embedder    {manifest.embedder} {manifest.embedder_digest[:12]}")


def _way_of_search(manifest: Manifest) -> str:
    made = manifest.approximation
    if made is None:
        return "exact: every sentence is compared with the question"
    return (
        f"{made.index}: the {made.probes} lists nearest to the question of {made.lists}; "
        f"finds {100 * made.recall:.1f} % of the 10 nearest sentences"
    )


@click.command()
@home_option
def rollback(home: Path) -> None:
    """Serve the generation before the current one again.

    \b
    Example:
      sourcier rollback
    """
    from index.build import rollback as go_back

    if not home.is_dir():
        raise NoIndex(home)
    click.echo(f"Generation {go_back(home)} is in service again.")


@click.command()
@click.option("--fetch", is_flag=True, help="Fetch the default models now, so that no network is needed later.")
@json_option
def models(fetch: bool, as_json: bool) -> None:
    """List the model files: name, licence, size, and whether they are here.

    \b
    Example:
      sourcier models --fetch
    """
    from index.model_files import (
        DEFAULT_EMBEDDER,
        DEFAULT_LANGUAGE_MODEL,
        TerminalProgress,
        model_cache,
        obtain,
        states,
    )

    if fetch:
        with TerminalProgress() as progress:
            for name in (DEFAULT_LANGUAGE_MODEL, DEFAULT_EMBEDDER):
                obtain(name, progress=progress)
    rows = states(model_cache())
    if as_json:
        facts = [
            {
                "name": row.name,
                "purpose": row.purpose,
                "licence": row.licence,
                "bytes": row.bytes,
                "state": row.state,
                "path": str(row.path),
            }
            for row in rows
        ]
        click.echo(json.dumps(facts, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row.name}\n    {row.purpose}; {row.licence}; {row.bytes / 1e6:,.0f} MB; {row.state}\n    {row.path}"
        )
