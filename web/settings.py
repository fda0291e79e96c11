"""Everything that can be set, read from the environment once, at start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from index.errors import SourcierError
from qa.answerability import DECLINE_BELOW
from qa.prefill_cache import DEFAULT_STATES_GB


class BadSetting(SourcierError):
    """An environment variable holds a value that cannot be used."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(f"{variable}={value!r} cannot be used: expected {expected}. Change it or unset it.")
        self.variable = variable
        self.value = value
        self.expected = expected


def _about(variable: str, unit: str, meaning: str, low: float = 1, high: float = 1) -> dict[str, Any]:
    return {"variable": variable, "unit": unit, "meaning": meaning, "low": low, "high": high}


class SettingRow(NamedTuple):
    """One setting as a line of a table for people."""

    variable: str
    default: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a running Sourcier was told. Each field names its environment variable, unit and default."""

    home: Path = field(
        default=Path(".sourcier"),
        metadata=_about("SOURCIER_HOME", "folder", "index generations and stored KV states"),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=_about("SOURCIER_HOST", "address", "the address to listen on"),
    )
    port: int = field(
        default=8000,
        metadata=_about("SOURCIER_PORT", "", "the port to listen on; 0 takes a free one", 0, 65_535),
    )
    threads: int = field(
        default=16,
        metadata=_about("SOURCIER_THREADS", "threads", "requests served at the same time", 4, 256),
    )
    embedder: str | None = field(
        default=None,
        metadata=_about("SOURCIER_EMBEDDER", "name or path", "the embedding model"),
    )
    language_model: str | None = field(
        default=None,
        metadata=_about("SOURCIER_LANGUAGE_MODEL", "name or path", "the language model"),
    )
    passages: int = field(
        default=5,
        metadata=_about("SOURCIER_PASSAGES", "passages", "k when the request names none", 1, 100),
    )
    max_k: int = field(
        default=20,
        metadata=_about("SOURCIER_MAX_K", "passages", "the largest k a request may ask for", 1, 100),
    )
    max_question_characters: int = field(
        default=1_000,
        metadata=_about("SOURCIER_MAX_QUESTION_CHARACTERS", "characters", "the longest question", 10, 20_000),
    )
    max_history_turns: int = field(
        default=20,
        metadata=_about("SOURCIER_MAX_HISTORY_TURNS", "turns", "earlier turns a request may carry", 0, 200),
    )
    max_turn_characters: int = field(
        default=4_000,
        metadata=_about(
            "SOURCIER_MAX_TURN_CHARACTERS", "characters", "the longest question or answer of a turn", 10, 50_000
        ),
    )
    max_body_bytes: int = field(
        default=256 * 1024,
        metadata=_about("SOURCIER_MAX_BODY_BYTES", "bytes", "the largest request body", 1_024, 16 * 1024 * 1024),
    )
    cors_origins: str = field(
        default="",
        metadata=_about(
            "SOURCIER_CORS_ORIGINS",
            "origins",
            "sites whose pages may call the API, such as https://www.example.org https://intern.example.org; * for all",
        ),
    )
    answer_seconds: float = field(
        default=120.0,
        metadata=_about("SOURCIER_ANSWER_SECONDS", "seconds", "an answer that takes longer is given up", 1, 3_600),
    )
    decline_below: float = field(
        default=DECLINE_BELOW,
        metadata=_about(
            "SOURCIER_DECLINE_BELOW",
            "probability",
            "nothing is written from a passage that is less likely to hold the answer; 0 writes from any",
            0,
            1,
        ),
    )
    queue_size: int = field(
        default=8,
        metadata=_about(
            "SOURCIER_QUEUE_SIZE",
            "questions",
            "questions answered beside the first; more are refused at once",
            0,
            1_000,
        ),
    )
    states_gb: float = field(
        default=DEFAULT_STATES_GB,
        metadata=_about("SOURCIER_STATES_GB", "GB", "disk for what the model has read; 0: memory only", 0, 100_000),
    )
    kv_type: str = field(
        default="f16",
        metadata=_about("SOURCIER_KV_TYPE", "f16 or q8_0", "precision of what the model remembers"),
    )
    read_ahead: int = field(
        default=1,
        metadata=_about("SOURCIER_READ_AHEAD", "0 or 1", "let the model read passages while nobody asks", 0, 1),
    )

    def __post_init__(self) -> None:
        if self.passages > self.max_k:
            raise BadSetting("SOURCIER_PASSAGES", str(self.passages), f"at most SOURCIER_MAX_K, {self.max_k}")
        for origin in self.allowed_origins:
            if origin != "*" and not re.fullmatch(r"https?://[^\s/?#@]+", origin):
                expected = "origins such as https://www.example.org, without a path, with spaces between"
                raise BadSetting("SOURCIER_CORS_ORIGINS", origin, expected)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The origins of `cors_origins`, one by one."""
        return tuple(self.cors_origins.replace(",", " ").split())

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings; an absent or empty variable keeps the default. Raises BadSetting."""
        values: dict[str, Any] = {}
        for one in fields(cls):
            text = environ.get(one.metadata["variable"], "").strip()
            if text:
                values[one.name] = _read(text, one.type, one.metadata)
        return cls(**values)


def setting_rows() -> Iterator[SettingRow]:
    """List every setting, in the order of the dataclass, for the help text and the README."""
    for one in fields(Settings):
        default = "" if one.default is None else str(one.default)
        yield SettingRow(one.metadata["variable"], default, one.metadata["unit"], one.metadata["meaning"])


def _read(text: str, kind: Any, metadata: Mapping[str, Any]) -> Path | str | int | float:
    variable = metadata["variable"]
    if kind == "Path":
        return Path(text).expanduser()
    if kind not in ("int", "float"):
        return text
    low, high = metadata["low"], metadata["high"]
    sort = "a whole number" if kind == "int" else "a number"
    expected = f"{sort} from {low} to {high}" + (f" ({metadata['unit']})" if metadata["unit"] else "")
    try:
        number = int(text) if kind == "int" else float(text)
    except ValueError as error:
        raise BadSetting(variable, text, expected) from error
    if not low <= number <= high:  # also refuses NaN, which compares with nothing
        raise BadSetting(variable, text, expected)
    return number
