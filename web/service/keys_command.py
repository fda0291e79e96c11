"""The commands about API keys: make, list, revoke."""

from __future__ import annotations

import json
from pathlib import Path

import click

from index.commands import home_option, json_option
from web.service.api_keys import as_rows, make_key, read_keys, revoke_key


@click.group()
def keys() -> None:
    """Make, list and revoke API keys, one for each program that may ask.

    From the first key on, programs need one: "Authorization: Bearer KEY". Readers of the page do not, unless
    SOURCIER_REQUIRE_KEY=everyone. A running server follows at once.

    \b
    Example:
      sourcier keys make newsletter
      sourcier keys list
      sourcier keys revoke newsletter
    """


@keys.command()
@click.argument("name")
@home_option
def make(name: str, home: Path) -> None:
    """Make a key called NAME and print it, this once: only its hash is kept.

    \b
    Example:
      sourcier keys make newsletter
    """
    key = make_key(home, name)
    click.echo(f"The key {name!r}, shown this once. From now on programs need a key.", err=True)
    click.echo(key)


@keys.command("list")
@home_option
@json_option
def list_command(home: Path, as_json: bool) -> None:
    """List the keys: name, day, and whether they are in force.

    \b
    Example:
      sourcier keys list
    """
    rows = as_rows(read_keys(home))
    if as_json:
        click.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("key", "made", "revoked", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], row["made"], row["revoked"] or "")
    Console(soft_wrap=True).print(table if rows else f"No API keys in {home}: the API is open to all who reach it.")


@keys.command()
@click.argument("name")
@home_option
def revoke(name: str, home: Path) -> None:
    """Revoke the key called NAME.

    \b
    Example:
      sourcier keys revoke newsletter
    """
    revoke_key(home, name)
    click.echo(f"Revoked the key {name!r}.", err=True)
