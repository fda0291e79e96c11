"""The command that takes articles out: of the index, and of what the model has read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from index.commands import home_option, json_option
from qa.commands import drop_stale_states
from qa.suggest_command import drop_stale_suggestions


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@home_option
@json_option
def delete(ids: tuple[str, ...], home: Path, as_json: bool) -> None:
    """Take the articles with these IDs out of the index for good, and prove it.

    Their text, words, vectors, stored KV states and suggested questions go. So does the generation before this one,
    which still has them: there is no rollback past a deletion. Afterwards every file of the index is searched for what
    was theirs alone.

    The files that the articles came from are not touched: the next `sourcier build` of their folder brings them back,
    unless they are removed there too.

    \b
    Example:
      sourcier delete pont-tanneurs-reouverture
      sourcier delete 2024/03/a.md 2024/03/b.md --json
    """
    from index.deletion import delete as delete_articles

    report = delete_articles(home, ids)
    states, suggestions = drop_stale_states(home), drop_stale_suggestions(home)
    if as_json:
        click.echo(json.dumps({**asdict(report), "states": states, "suggestions": suggestions}, ensure_ascii=False))
        return
    click.echo(
        f"Deleted {', '.join(report.articles)}: {report.passages} passages, {report.sentences} sentences, "
        f"{report.words} words that no other article has, {states} stored KV states, "
        f"{suggestions} suggested questions. {report.left} articles are left."
    )
    click.echo(
        f"Generation {report.generation} is in service; nothing of them was found in the {report.files} files of the "
        f"index ({report.seconds:.1f} s). The generations that had them are gone: there is no rollback."
    )
    click.echo("A build of the folder they came from brings them back; remove their files there too.")
