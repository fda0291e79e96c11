"""The command that shows the settings in force, and the option --config of all commands that have any."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from index.commands import home_option, json_option
from web.service.setting_sources import Gathered, gather, unknown_variables
from web.settings import Settings, setting_rows

_CONFIG: dict[str, Any] = {
    "type": click.Path(path_type=Path),
    "help": "TOML file of settings; options and variables go before it.  "
    "[env var: SOURCIER_CONFIG; default: sourcier.toml in the home]",
}
config_option = click.option("--config", **_CONFIG)
# Options of the other rooms' commands that are settings of the same name.
SHARED_OPTIONS = ("home", "embedder", "language_model", "states_gb", "kv_type", "decline_below")


def gather_for_command(config: Path | None) -> Gathered:
    """The settings for the command being run: its options, the environment, the file. Raises BadSetting and others."""
    context = click.get_current_context()
    named = {one.name for one in fields(Settings)}
    options = {
        name: value
        for name, value in context.params.items()
        if name in named and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    return gather(os.environ, config, options)


def with_settings_file(command: click.Command) -> click.Command:
    """Give a command of another room, which knows no settings, the option --config and what the file says."""
    inner = command.callback
    shared = [one.name for one in command.params if one.name in SHARED_OPTIONS]

    def callback(config: Path | None, **given: Any) -> Any:
        settings = gather_for_command(config).settings
        return inner(**{**given, **{name: getattr(settings, name) for name in shared}}) if inner else None

    if shared:
        command.callback = callback
        command.params.append(click.Option(["--config"], **_CONFIG))
    return command


def warn_of_unknown_variables() -> None:
    """Tell on stderr of variables that were meant as settings and are none."""
    for line in unknown_variables(os.environ):
        click.echo(f"sourcier: {line}", err=True)


@click.command("settings")
@home_option
@config_option
@json_option
def settings_command(config: Path | None, as_json: bool, **_: object) -> None:
    """Show every setting: its value, who said so, and what it means. The output is itself a settings file.

    \b
    Example:
      sourcier settings
      sourcier settings --config sourcier.toml
      sourcier settings > .sourcier/sourcier.toml
    """
    warn_of_unknown_variables()
    gathered = gather_for_command(config)
    if as_json:
        click.echo(json.dumps(_as_json(gathered), ensure_ascii=False, indent=2))
        return
    click.echo("# The settings in force; a line without # was said by the command line, a variable or the file.")
    for row in setting_rows():
        value = _as_toml(getattr(gathered.settings, row.name))
        allowed = " ".join(part for part in (row.allowed, row.unit) if part)
        click.echo(f"\n# {row.meaning}{f' ({allowed})' if allowed else ''}; {row.variable}")
        if said := gathered.said_by.get(row.name):
            default = f"; the default is {row.default}" if row.default else ""
            click.echo(f"{row.name} = {value}  # said by {said}{default}")
        else:
            click.echo(f"# {row.name} = {value}")


def _as_json(gathered: Gathered) -> dict[str, Any]:
    return {
        row.name: {
            "value": _plain(getattr(gathered.settings, row.name)),
            "said_by": gathered.said_by.get(row.name, "default"),
            **{key: getattr(row, key) for key in ("variable", "default", "unit", "allowed", "meaning")},
        }
        for row in setting_rows()
    }


def _as_toml(value: object) -> str:
    # JSON's texts, numbers, booleans and lists of texts are TOML's too; TOML has no null.
    return '""' if value is None else json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: object) -> object:
    return str(value.absolute()) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
