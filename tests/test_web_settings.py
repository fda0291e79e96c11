"""Settings come from the environment, with a clear line for each value that cannot be used."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from index.errors import SourcierError
from web.settings import BadSetting, Settings, setting_rows


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.home, settings.host, settings.port) == (Path(".sourcier"), "127.0.0.1", 8000)
    assert (settings.passages, settings.max_k, settings.max_question_characters) == (5, 20, 1000)
    assert settings.embedder is None
    assert settings.language_model is None


def test_each_kind_of_value_is_read() -> None:
    settings = Settings.from_environment(
        {
            "SOURCIER_HOME": "/srv/sourcier",
            "SOURCIER_PORT": " 0 ",
            "SOURCIER_ANSWER_SECONDS": "30.5",
            "SOURCIER_LANGUAGE_MODEL": "/models/some.gguf",
            "SOURCIER_THREADS": "",
            "UNRELATED": "x",
        }
    )
    assert settings.home == Path("/srv/sourcier")
    assert settings.port == 0
    assert settings.answer_seconds == 30.5
    assert settings.language_model == "/models/some.gguf"
    assert settings.threads == Settings().threads


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("SOURCIER_PORT", "eighty", "a whole number from 0 to 65535"),
        ("SOURCIER_PORT", "65536", "from 0 to 65535"),
        ("SOURCIER_THREADS", "3", "from 4 to 256 (threads)"),
        ("SOURCIER_ANSWER_SECONDS", "nan", "a number from 1 to 3600 (seconds)"),
        ("SOURCIER_MAX_K", "0", "from 1 to 100"),
        ("SOURCIER_QUEUE_SIZE", "2.5", "a whole number"),
    ],
)
def test_a_bad_value_is_one_line_naming_the_variable(variable: str, value: str, expected: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.from_environment({variable: value})
    message = str(caught.value)
    assert isinstance(caught.value, SourcierError)
    assert message.startswith(f"{variable}={value!r} ")
    assert expected in message
    assert "\n" not in message


def test_passages_may_not_pass_max_k() -> None:
    with pytest.raises(BadSetting, match="SOURCIER_PASSAGES"):
        Settings.from_environment({"SOURCIER_PASSAGES": "30"})


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_every_setting_says_its_variable_and_meaning() -> None:
    rows = list(setting_rows())
    assert len(rows) == len(fields(Settings))
    assert len({row.variable for row in rows}) == len(rows)
    assert all(row.variable.startswith("SOURCIER_") and row.meaning for row in rows)
    assert next(row for row in rows if row.variable == "SOURCIER_PORT").default == "8000"
