"""What the README says is still so: its commands exist, its files exist, every file is named, CI runs its test line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from web.commands import sourcier

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"\.venv/bin/sourcier ([^`\n]+)", README)))


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_readme_is_accepted(line: str) -> None:
    name, *arguments = shlex.split(line)
    command = sourcier.commands[name]
    # Parses the arguments as a call would, without making it.
    command.make_context(name, arguments, resilient_parsing=False)


def test_every_command_is_in_the_readme() -> None:
    assert {shlex.split(line)[0] for line in COMMANDS} == set(sourcier.commands)


@pytest.mark.parametrize("command", sourcier.commands.values(), ids=lambda command: command.name)
def test_every_command_says_what_it_does_and_shows_an_example(command: click.Command) -> None:
    assert command.help
    assert len(command.help.splitlines()[0]) > 20
    assert f"sourcier {command.name}" in command.help


def test_the_readme_names_every_file_of_the_rooms_and_no_other() -> None:
    named = set(re.findall(r"^\| `((?:index|qa|web)/(?:\w+/)?\w+\.py)` \|", README, re.MULTILINE))
    files = {
        str(path.relative_to(ROOT))
        for room in ("index", "qa", "web")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert named == files


def test_ci_runs_the_line_that_a_reader_pastes() -> None:
    _, after = README.split("<!-- test -->")
    line = next(line for line in after.splitlines() if line.startswith("    "))
    assert "pytest" in line
    assert "<!-- test -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
