"""`sourcier settings` tells each value and who said it, in a form that is itself a settings file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import FakeEmbedder

from index.build import build
from web.commands import sourcier
from web.service.setting_sources import gather
from web.settings import Settings


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.delenv("SOURCIER_HOME", raising=False)
    return CliRunner()


def test_it_tells_every_setting_and_who_said_it(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "sourcier.toml").write_text("threads = 5", encoding="utf-8")
    done = run.invoke(sourcier, ["settings", "--json", "--home", str(tmp_path)], env={"SOURCIER_PORT": "81"})
    told = json.loads(done.stdout)
    assert list(told) == [one.name for one in fields(Settings)]
    assert (told["port"]["value"], told["port"]["said_by"]) == (81, "SOURCIER_PORT")
    assert (told["threads"]["value"], told["threads"]["said_by"]) == (5, f"{tmp_path / 'sourcier.toml'}: threads")
    assert told["home"]["said_by"] == "--home"
    assert told["max_k"] == {
        "value": 20,
        "said_by": "default",
        "variable": "SOURCIER_MAX_K",
        "default": "20",
        "unit": "passages",
        "allowed": "1 to 100",
        "meaning": "the largest k a request may ask for",
    }


def test_what_it_prints_is_a_settings_file_that_says_the_same(run: CliRunner, tmp_path: Path) -> None:
    said = {
        "SOURCIER_HOME": str(tmp_path),
        "SOURCIER_METRICS_FROM": "none",
        "SOURCIER_LOG_QUESTIONS": "1",
        "SOURCIER_LANGUAGE_MODEL": 'a "quoted" é.gguf',
        "SOURCIER_ANSWER_SECONDS": "7.5",
    }
    printed = run.invoke(sourcier, ["settings"], env=said).stdout
    assert len(tomllib.loads(printed)) == len(said)
    (tmp_path / "copy.toml").write_text(printed, encoding="utf-8")
    assert gather({}, tmp_path / "copy.toml", {}).settings == Settings.from_environment(said)
    uncommented = "\n".join(line.removeprefix("# ") for line in printed.splitlines() if " = " in line)
    assert list(tomllib.loads(uncommented)) == [one.name for one in fields(Settings)]


def test_a_variable_that_is_no_setting_is_told(run: CliRunner) -> None:
    done = run.invoke(sourcier, ["settings"], env={"SOURCIER_PROT": "81"})
    assert "SOURCIER_PROT is not a setting; did you mean 'SOURCIER_PORT'?" in done.stderr
    assert done.exit_code == 0


def test_commands_of_the_other_rooms_follow_the_file(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "pont.md").write_text("# Le pont\n\nLe pont a rouvert.", encoding="utf-8")
    build([tmp_path / "pont.md"], tmp_path / "there", FakeEmbedder(), "fake")
    file = tmp_path / "sourcier.toml"
    file.write_text('home = "there"', encoding="utf-8")
    done = run.invoke(sourcier, ["info", "--json", "--config", str(file)])
    assert json.loads(done.stdout)["articles"] == 1
    done = run.invoke(sourcier, ["info", "--json"], env={"SOURCIER_CONFIG": str(file)})
    assert json.loads(done.stdout)["articles"] == 1
    elsewhere = run.invoke(sourcier, ["info", "--home", str(tmp_path), "--config", str(file)])
    assert "No index in" in str(elsewhere.exception)


@pytest.mark.parametrize(
    "command", ["serve", "ask", "build", "search", "info", "delete", "rollback", "prefill", "eval"]
)
def test_every_command_that_has_settings_takes_a_file(run: CliRunner, command: str) -> None:
    assert "--config" in run.invoke(sourcier, [command, "--help"]).output
