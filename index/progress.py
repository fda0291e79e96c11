"""What is going on, how far it is and how long it still takes, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichBars

# Seconds between two lines where there is no terminal: a log of a 90 s download keeps under 20 lines.
LINE_SECONDS = 5.0


class Progress(Protocol):
    """What long work asks of whoever watches."""

    def say(self, line: str) -> None:
        """One line that stays: a licence, a wait, a change of plan."""

    def advance(self, what: str, done: int, total: int) -> None:
        """`done` of `total` units of `what`; a new `what` begins a new bar."""


class NoProgress:
    """Says nothing."""

    def say(self, line: str) -> None: ...

    def advance(self, what: str, done: int, total: int) -> None: ...


class TerminalProgress:
    """A bar with speed and time left on a terminal; elsewhere a line every few seconds. Use it in `with`.

    It counts bytes, or whatever `unit` names in the plural ("sentences").
    """

    def __init__(self, stream: TextIO | None = None, unit: str = "bytes") -> None:
        self._unit = unit
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._bars: RichBars | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._started = (0.0, 0)  # when this bar began, and at how many bytes (a resumed download does not begin at 0)
        self._last_line = 0.0
        self._ended = False

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def advance(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._what = what
            self._started = (time.monotonic(), done)
            self._last_line, self._ended = 0.0, False
            if self._console.is_terminal:
                self._begin_bar(what, done, total)
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=done, total=total)
        else:
            self._line(what, done, total)

    def _begin_bar(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            counts: tuple[ProgressColumn, ...] = (
                (DownloadColumn(), TransferSpeedColumn())
                if self._unit == "bytes"
                else (MofNCompleteColumn(), TextColumn(self._unit, markup=False))
            )
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), *counts, TimeRemainingColumn())
            self._bars = RichBars(*columns, console=self._console)
            self._bars.start()
        self._task = self._bars.add_task(what, completed=done, total=total)

    def _line(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last_line < LINE_SECONDS and (done < total or self._ended):
            return
        self._last_line, self._ended = now, done >= total
        begun, first = self._started
        speed = (done - first) / (now - begun) if now > begun else 0.0
        scale, unit = (1e6, "MB") if self._unit == "bytes" else (1, self._unit)
        pace = f"{speed / scale:.0f}" if speed >= 10 * scale else f"{speed / scale:.1f}"  # a question takes seconds
        left = f", {pace} {unit}/s, {(total - done) / speed:.0f} s left" if speed and done < total else ""
        self._console.print(f"{what}: {done / scale:.0f} of {total / scale:.0f} {unit}{left}", markup=False)
