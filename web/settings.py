"""Everything that can be set: its name, unit, default, meaning and what may be in it, each said once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from index.errors import SourcierError
from qa.answerability import DECLINE_BELOW
from qa.prefill_cache import DEFAULT_STATES_GB

PREFIX = "SOURCIER_"  # what stands before a setting's name where it is an environment variable
NONE = "none"  # what empties a list or lifts a limit, as an empty variable only keeps the default
T = TypeVar("T")


class BadSetting(SourcierError):
    """A setting has a value that cannot be used. `said` is how the operator names it: a variable, or a file and key."""

    def __init__(self, said: str, value: str, expected: str) -> None:
        super().__init__(f"{said}={value!r} cannot be used: expected {expected}. Change it or unset it.")
        self.said = said
        self.value = value
        self.expected = expected


class Said(NamedTuple):
    """What one setting was given as text, and how the operator would name the place."""

    text: str
    said: str


def _setting(default: T, unit: str, meaning: str, low: float = 1, high: float = 1, kind: str = "") -> T:
    """Declare a field; `low` and `high` bound a number, `kind` says more than the type does of a text."""
    about = {"unit": unit, "meaning": meaning, "low": low, "high": high, "kind": kind}
    return field(default=default, metadata=about)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a running Sourcier was told. The variable of `home` is SOURCIER_HOME, its key in a settings file `home`."""

    # Where
    home: Path = _setting(Path(".sourcier"), "folder", "index generations, stored KV states, API keys")  # noqa: RUF009
    host: str = _setting("127.0.0.1", "address", "the address to listen on; 0.0.0.0 is every one of the machine")
    port: int = _setting(8000, "", "the port to listen on; 0 takes a free one", 0, 65_535)

    # Answering
    embedder: str | None = _setting(None, "name or path", "the embedding model")
    language_model: str | None = _setting(None, "name or path", "the language model")
    passages: int = _setting(5, "passages", "k when the request names none", 1, 100)
    max_k: int = _setting(20, "passages", "the largest k a request may ask for", 1, 100)
    decline_below: float = _setting(
        DECLINE_BELOW,
        "probability",
        "a sentence that is less likely to be right is not shown; 0 shows all that stands in its passage",
        0,
        1,
    )
    states_gb: float = _setting(DEFAULT_STATES_GB, "GB", "disk for what the model has read; 0: memory only", 0, 100_000)
    kv_type: Literal["f16", "q8_0"] = _setting("f16", "", "precision of what the model remembers")
    read_ahead: bool = _setting(True, "0 or 1", "let the model read passages while nobody asks")

    propose: bool = _setting(True, "0 or 1", "let the model propose questions for the page while nobody asks")
    suggest_proposed: bool = _setting(False, "0 or 1", "the page suggests them before an editor has accepted them")

    # What a request may be
    max_question_characters: int = _setting(1_000, "characters", "the longest question", 10, 20_000)
    max_history_turns: int = _setting(20, "turns", "earlier turns a request may carry", 0, 200)
    max_turn_characters: int = _setting(4_000, "characters", "the longest question or answer of a turn", 10, 50_000)
    max_body_bytes: int = _setting(256 * 1024, "bytes", "the largest request body", 1_024, 16 * 1024 * 1024)

    # How much at once, and how long
    threads: int = _setting(16, "threads", "requests served at the same time", 4, 256)
    queue_size: int = _setting(
        8, "questions", "questions answered beside the first; more are refused at once", 0, 1_000
    )
    answer_seconds: float = _setting(120.0, "seconds", "an answer that takes longer is given up", 1, 3_600)
    connections: int = _setting(
        2_000, "connections", "open at once; of more, those that have been idle longest are closed", 16, 100_000
    )
    request_seconds: float = _setting(
        20.0, "seconds", "a request that has not arrived whole by then is cut off", 1, 3_600
    )
    idle_seconds: float = _setting(75.0, "seconds", "a connection without a request is kept for this long", 1, 3_600)
    stop_seconds: float = _setting(
        30.0, "seconds", "answers under way may take this long to finish when the server is stopped", 0, 3_600
    )

    # Who may ask, and how often
    require_key: Literal["auto", "programs", "everyone"] = _setting(
        "auto", "", "who needs an API key: programs once there is one (auto), programs always, everyone"
    )
    questions_per_address: str = _setting(
        "30 per minute", "limit", "questions from one address without a key", kind="limit"
    )
    requests_per_address: str = _setting(
        "600 per minute", "limit", "searches and articles from one address without a key", kind="limit"
    )
    questions_per_key: str = _setting("120 per minute", "limit", "questions with one API key", kind="limit")
    requests_per_key: str = _setting("3000 per minute", "limit", "searches and articles with one key", kind="limit")
    cors_origins: tuple[str, ...] = _setting(
        (), "origins", "sites whose pages may call the API, such as https://www.example.org; * for all", kind="origins"
    )
    trusted_proxy: str | None = _setting(
        None, "address", "the proxy whose X-Forwarded headers are believed; * is whoever connects"
    )
    proxy_count: int = _setting(1, "proxies", "how many stand one behind the other before the server", 1, 10)

    # What an operator sees
    log_format: Literal["auto", "json", "text"] = _setting(
        "auto", "", "lines on stderr: text on a terminal and else JSON (auto), JSON, text"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "", "what is worth a line; debug tells of health checks and static files too"
    )
    log_addresses: bool = _setting(False, "0 or 1", "write the addresses of readers into the log")
    log_questions: bool = _setting(False, "0 or 1", "write questions and queries into the log")
    metrics_from: tuple[str, ...] = _setting(
        ("127.0.0.0/8", "::1/128"), "networks", "who may read /metrics; none: nobody", kind="networks"
    )

    def __post_init__(self) -> None:
        if self.passages > self.max_k:
            raise BadSetting("SOURCIER_PASSAGES", str(self.passages), f"at most SOURCIER_MAX_K, {self.max_k}")

    @classmethod
    def read(cls, given: Mapping[str, Said]) -> Settings:
        """Make settings of texts by field name; what is not given keeps its default. Raises BadSetting."""
        return cls(**{one.name: _read(given[one.name], one) for one in fields(cls) if one.name in given})

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings; an absent or empty variable keeps the default. Raises BadSetting."""
        return cls.read(said_by_environment(environ))


class SettingRow(NamedTuple):
    """One setting as a line of a table for people."""

    name: str
    variable: str
    default: str
    unit: str
    meaning: str
    allowed: str  # "1 to 100", "f16, q8_0"; empty where there is no short way to say


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def said_by_environment(environ: Mapping[str, str]) -> dict[str, Said]:
    """What the environment says, by field name; empty variables say nothing."""
    variables = {one.name: variable_of(one.name) for one in fields(Settings)}
    return {
        name: Said(text, variable)
        for name, variable in variables.items()
        if (text := environ.get(variable, "").strip())
    }


def setting_rows() -> Iterator[SettingRow]:
    """List every setting, in the order of the dataclass."""
    for one in fields(Settings):
        unit, meaning = one.metadata["unit"], one.metadata["meaning"]
        yield SettingRow(one.name, variable_of(one.name), as_text(one.default), unit, meaning, _allowed(one))


def as_text(value: object) -> str:
    """A setting's value as it would be written into its variable."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ", ".join(value) or NONE
    return "" if value is None else str(value)


def _allowed(one: Field[Any]) -> str:
    kind = _types()[one.name]
    if kind in (int, float):
        return f"{one.metadata['low']} to {one.metadata['high']}"
    return ", ".join(_options(kind))


def _options(kind: Any) -> tuple[str, ...]:
    """The texts of a Literal; none for other types."""
    return get_args(kind) if get_origin(kind) is Literal else ()


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Settings)


def _read(given: Said, one: Field[Any]) -> Any:
    text, kind = given.text, _types()[one.name]
    if kind is Path:
        return Path(text).expanduser()
    if kind is bool:
        if text not in ("0", "1"):
            raise BadSetting(given.said, text, "0 or 1")
        return text == "1"
    if kind in (int, float):
        return _read_number(given, kind, one.metadata)
    if options := _options(kind):
        if text not in options:
            raise BadSetting(given.said, text, " or ".join(options))
        return text
    if one.metadata["kind"] == "networks":
        return _read_networks(given)
    if one.metadata["kind"] == "origins":
        return _read_origins(given)
    if one.metadata["kind"] == "limit":
        return _read_limit(given)
    return text


def _read_number(given: Said, kind: type[int] | type[float], about: Mapping[str, Any]) -> int | float:
    low, high = about["low"], about["high"]
    sort = "a whole number" if kind is int else "a number"
    expected = f"{sort} from {low} to {high}" + (f" ({about['unit']})" if about["unit"] else "")
    try:
        number = kind(given.text)
    except ValueError as error:
        raise BadSetting(given.said, given.text, expected) from error
    if not low <= number <= high:  # also refuses NaN, which compares with nothing
        raise BadSetting(given.said, given.text, expected)
    return number


def _read_networks(given: Said) -> tuple[str, ...]:
    if given.text == NONE:
        return ()
    try:
        return tuple(str(ip_network(part.strip())) for part in given.text.split(","))
    except ValueError as error:
        raise BadSetting(given.said, given.text, "addresses or networks such as 10.0.0.0/8, ::1, or none") from error


def _read_origins(given: Said) -> tuple[str, ...]:
    if given.text == NONE:
        return ()
    origins = tuple(given.text.replace(",", " ").split())
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^\s/?#@]+", origin):
            raise BadSetting(given.said, origin, "origins such as https://www.example.org, without a path, or none")
    return origins


def _read_limit(given: Said) -> str:
    if given.text == NONE:
        return given.text
    from limits import parse_many  # 0.1 s, which `sourcier --help` need not wait for

    try:
        parse_many(given.text)
    except ValueError as error:
        raise BadSetting(given.said, given.text, "limits such as 30 per minute; 500 per day, or none") from error
    return given.text
