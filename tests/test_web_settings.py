"""Settings are read from text, with a clear line for each value that cannot be used."""

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
            "SOURCIER_READ_AHEAD": "0",
            "SOURCIER_KV_TYPE": "q8_0",
            "SOURCIER_QUESTIONS_PER_KEY": "5 per second; 100 per hour",
            "SOURCIER_METRICS_FROM": "10.0.0.0/8, 2001:db8::7",
            "UNRELATED": "x",
        }
    )
    assert settings.read_ahead is False
    assert settings.kv_type == "q8_0"
    assert settings.questions_per_key == "5 per second; 100 per hour"
    assert settings.metrics_from == ("10.0.0.0/8", "2001:db8::7/128")
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
        ("SOURCIER_READ_AHEAD", "yes", "0 or 1"),
        ("SOURCIER_KV_TYPE", "f32", "f16 or q8_0"),
        ("SOURCIER_REQUIRE_KEY", "1", "auto or programs or everyone"),
        ("SOURCIER_QUESTIONS_PER_KEY", "many", "limits such as 30 per minute"),
        ("SOURCIER_METRICS_FROM", "10.0.0.1/8", "addresses or networks"),
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


def test_none_lifts_a_limit_and_empties_a_list() -> None:
    settings = Settings.from_environment({"SOURCIER_METRICS_FROM": "none", "SOURCIER_REQUESTS_PER_KEY": "none"})
    assert settings.metrics_from == ()
    assert settings.requests_per_key == "none"


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_every_setting_says_its_variable_and_meaning() -> None:
    rows = list(setting_rows())
    assert len(rows) == len(fields(Settings))
    assert len({row.variable for row in rows}) == len(rows)
    assert all(row.variable.startswith("SOURCIER_") and row.meaning for row in rows)

    assert next(row for row in rows if row.variable == "SOURCIER_PORT").default == "8000"


def test_a_default_as_text_is_read_as_itself() -> None:
    texts = {row.variable: row.default for row in setting_rows()}
    assert Settings.from_environment(texts) == Settings()
