"""Options go before variables, variables before the file; what is no setting is named with the nearest one."""

from __future__ import annotations

from pathlib import Path

import pytest

from web.service.setting_sources import BadSettingsFile, gather, unknown_variables
from web.settings import BadSetting, Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "sourcier.toml"
    path.parent.mkdir()
    return path


def test_without_anything_said_it_is_the_defaults(tmp_path: Path) -> None:
    gathered = gather({"SOURCIER_HOME": str(tmp_path)}, None, {})
    assert gathered.settings == Settings(home=tmp_path)
    assert gathered.said_by == {"home": "SOURCIER_HOME"}
    assert gathered.file is None


def test_options_go_before_variables_and_variables_before_the_file(file: Path) -> None:
    file.write_text('port = 1\nthreads = 5\nmax_k = 9\nembedder = ""', encoding="utf-8")
    gathered = gather({"SOURCIER_PORT": "2", "SOURCIER_THREADS": "6"}, file, {"port": 3})
    assert (gathered.settings.port, gathered.settings.threads, gathered.settings.max_k) == (3, 6, 9)
    assert gathered.settings.embedder is None
    assert gathered.said_by == {"port": "--port", "threads": "SOURCIER_THREADS", "max_k": f"{file}: max_k"}


def test_every_kind_of_value_may_stand_in_the_file(file: Path) -> None:
    file.write_text(
        'answer_seconds = 2.5\nread_ahead = false\nkv_type = "q8_0"\nmetrics_from = ["10.0.0.0/8", "::1"]\n'
        'questions_per_key = "2 per second"\nhome = "../data"',
        encoding="utf-8",
    )
    settings = gather({}, file, {}).settings
    assert (settings.answer_seconds, settings.read_ahead, settings.kv_type) == (2.5, False, "q8_0")
    assert settings.metrics_from == ("10.0.0.0/8", "::1/128")
    assert settings.home.resolve() == file.parent.parent / "data"  # beside the file, wherever the server is started


def test_the_variable_names_the_file_and_the_home_may_hold_it(file: Path, tmp_path: Path) -> None:
    file.write_text("port = 1", encoding="utf-8")
    (tmp_path / "sourcier.toml").write_text("port = 2", encoding="utf-8")
    assert gather({"SOURCIER_CONFIG": str(file), "SOURCIER_HOME": str(tmp_path)}, None, {}).settings.port == 1
    assert gather({"SOURCIER_HOME": str(tmp_path)}, None, {}).settings.port == 2
    assert gather({}, None, {"home": tmp_path}).file == tmp_path / "sourcier.toml"


def test_a_file_in_the_home_cannot_move_the_home(tmp_path: Path) -> None:
    (tmp_path / "sourcier.toml").write_text('home = "elsewhere"', encoding="utf-8")
    with pytest.raises(BadSettingsFile, match="cannot name another"):
        gather({}, None, {"home": tmp_path})
    (tmp_path / "sourcier.toml").write_text(f'home = "{tmp_path}"', encoding="utf-8")
    assert gather({}, None, {"home": tmp_path}).settings.home == tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thread = 4", "'thread' is not a setting; did you mean 'threads'?"),
        ("xyzzy = 4", "'xyzzy' is not a setting. List them: sourcier settings"),
        ("threads = ", "is not TOML: "),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettingsFile) as caught:
        gather({}, file, {})
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["threads = 3", "threads = true", 'threads = "x"', "[threads]\nx = 1"])
def test_a_value_that_cannot_be_used_names_file_and_key(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadSetting) as caught:
        gather({}, file, {})
    assert str(caught.value).startswith(f"{file}: threads=")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsFile, match="cannot be read: No such file"):
        gather({}, tmp_path / "none.toml", {})


def test_a_variable_that_is_no_setting_is_told_with_the_nearest() -> None:
    environ = {
        "SOURCIER_THREDS": "1",
        "SOURCIER_THREADS": "4",
        "SOURCIER_INT8": "0",
        "SOURCIER_CONFIG": "x",
        "PATH": "",
    }
    assert list(unknown_variables(environ)) == ["SOURCIER_THREDS is not a setting; did you mean 'SOURCIER_THREADS'?"]
