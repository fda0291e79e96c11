"""Where settings come from: the command line, then variables, then one TOML file, then the defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from index.errors import SourcierError
from web.settings import NONE, PREFIX, BadSetting, Said, Settings, said_by_environment, variable_of

CONFIG_VARIABLE = "SOURCIER_CONFIG"
FILE_NAME = "sourcier.toml"  # looked for in the home
# Read by the rooms that use them, before there are settings.
OTHER_VARIABLES = (CONFIG_VARIABLE, "SOURCIER_MODEL_CACHE", "SOURCIER_INT8")


class BadSettingsFile(SourcierError):
    """The settings file cannot be read, is not TOML, or holds what is no setting."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Gathered:
    """The settings in force, and for each that is not at its default who said so: an option, a variable, a file."""

    settings: Settings
    said_by: Mapping[str, str]
    file: Path | None


def gather(environ: Mapping[str, str], config: Path | None, options: Mapping[str, object]) -> Gathered:
    """Put the settings together. `options` are those the command line really names, by field name.

    Without `config`, SOURCIER_CONFIG names the file; without that it is sourcier.toml in the home, if there is one.
    Raises BadSetting and BadSettingsFile.
    """
    said = {name: Said(str(value), f"--{name.replace('_', '-')}") for name, value in options.items()}
    said = {**said_by_environment(environ), **said}
    file = config or _named_file(environ)
    if file is None:
        home = Settings.read({name: said[name] for name in ("home",) if name in said}).home
        beside = home / FILE_NAME
        file = beside if beside.is_file() else None
        in_file = _read_file(beside, its_home=home) if file else {}
    else:
        in_file = _read_file(file, its_home=None)
    said = {**in_file, **said}
    return Gathered(Settings.read(said), {name: one.said for name, one in said.items()}, file)


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Say of each variable that looks like a setting and is none what it may have meant."""
    known = [*(variable_of(one.name) for one in fields(Settings)), *OTHER_VARIABLES]
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            yield f"{variable} is not a setting{_nearest(variable, known)}"


def _named_file(environ: Mapping[str, str]) -> Path | None:
    named = environ.get(CONFIG_VARIABLE, "").strip()
    return Path(named).expanduser() if named else None


def _read_file(path: Path, its_home: Path | None) -> dict[str, Said]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise BadSettingsFile(path, f"cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettingsFile(path, f"is not TOML: {error}.") from error
    known = [one.name for one in fields(Settings)]
    for key in table:
        if key not in known:
            raise BadSettingsFile(path, f"{key!r} is not a setting{_nearest(key, known)} List them: sourcier settings")
    said = {key: Said(_as_said(value, f"{path}: {key}"), f"{path}: {key}") for key, value in table.items()}
    if "home" in said:  # a service is not started in the folder of its file
        home = path.absolute().parent / Path(said["home"].text).expanduser()
        said["home"] = Said(str(home), said["home"].said)
        if its_home is not None and home.resolve() != its_home.resolve():
            raise BadSettingsFile(path, "lies in the home, so it cannot name another. Give the file with --config.")
    return {key: one for key, one in said.items() if one.text}


def _as_said(value: object, said: str) -> str:
    """A TOML value as the text that a variable would hold."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NONE
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise BadSetting(said, str(value), "a text, a number, true, false or a list of texts")


def _nearest(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "."
