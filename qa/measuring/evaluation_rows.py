"""The file of an evaluation: its settings on the first line, then a line for each question that was asked.

An interrupted run goes on where it stopped, and a finished one gives its table again without a model.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from index.errors import SourcierError
from qa.evaluation import MarkedAnswer, MarkedCitation, Outcome

_HEADER = "sourcier_eval"
_VERSION = 1

Settings = Mapping[str, object]
"""What decides the outcomes, as JSON knows it."""


class Rows:
    """The outcomes of one evaluation, kept in a file where one is named. Use it in `with`.

    `known` are those of earlier runs, by kind and id. Raises SourcierError when the file is not of these settings; then
    it is left as it was.
    """

    def __init__(self, path: Path | None, settings: Settings) -> None:
        self.known: dict[tuple[str, str], Outcome] = {}
        self._path = path
        self._file: TextIO | None = None
        if path is None:
            return
        with self._problems():
            begun = path.exists() and path.stat().st_size > 0
            if begun:
                self.known = _read(path, settings)
            self._file = path.open("a", encoding="utf-8", newline="\n")
        if not begun:
            self._write({_HEADER: _VERSION, "settings": settings})

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Kept as soon as this returns: a kill loses nothing but the question that is being asked."""
        self.known[outcome.kind, outcome.id] = outcome
        self._write(asdict(outcome))

    def _write(self, row: Mapping[str, object]) -> None:
        if self._file:
            with self._problems():
                self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
                self._file.flush()

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourcierError(f"{self._path} cannot be kept: {error.strerror or error}.") from error


def _read(path: Path, settings: Settings) -> dict[tuple[str, str], Outcome]:
    """What a file holds; a last line that a kill cut short is taken off."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    first, *lines = whole.decode("utf-8", "replace").split("\n")
    _check_header(path, first, settings)
    known: dict[tuple[str, str], Outcome] = {}
    for number, line in enumerate(lines[:-1], start=2):
        try:
            outcome = outcome_from_json(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise SourcierError(f"{path}:{number}: not a row of an evaluation ({error}). Name another file.") from error
        known[outcome.kind, outcome.id] = outcome
    if len(whole) < len(data):
        with path.open("rb+") as file:
            file.truncate(len(whole))
    return known


def _check_header(path: Path, line: str, settings: Settings) -> None:
    try:
        header = json.loads(line)
        version, before = header[_HEADER], dict(header["settings"])
    except (ValueError, TypeError, KeyError):
        raise SourcierError(f"{path} is not the file of an evaluation. Name another file for --rows.") from None
    if version != _VERSION:
        raise SourcierError(f"{path} is of another version of Sourcier. Name another file for --rows.")
    now = json.loads(json.dumps(dict(settings)))
    if before != now:
        names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        changes = ", ".join(f"{name} was {_brief(before.get(name))}, is {_brief(now.get(name))}" for name in names)
        raise SourcierError(f"{path} belongs to other settings: {changes}. Name another file for --rows, or remove it.")


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"


def outcome_from_json(row: dict[str, Any]) -> Outcome:
    """The outcome that `dataclasses.asdict` made the row of. Raises KeyError, TypeError."""
    answer = row["answer"]
    if answer is not None:
        citations = tuple(MarkedCitation(**citation) for citation in answer["citations"])
        support = tuple((verdict, score) for verdict, score in answer["support"])
        answer = MarkedAnswer(**{**answer, "citations": citations, "support": support})
    return Outcome(**{**row, "expected": tuple(row["expected"]), "answer": answer})
