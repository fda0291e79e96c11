"""Files that are watched: when they have changed, and have then been left alone for a moment, the index follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from watchfiles import Change, watch

from index.errors import IndexProblem

# An editor writes a file in several steps, and copying a folder takes a while: nothing is read before so many seconds
# have passed without a change, but changes that never end are not waited for longer than a minute.
SETTLED = 1.0
LONGEST = 60.0
# Milliseconds that changes are collected for; watchfiles hands a file that is written without end out once each time.
_LOOK_MS = 100


def changes(paths: Sequence[Path], home: Path, stop: Event | None = None) -> Iterator[int]:
    """Yield once when changes are being noted, with 0, and then after each change, with how many files it touched.

    What changes while the caller builds comes with the next one. Hidden files, and the index itself, are not watched.
    Raises IndexProblem where there is nothing at a path, and KeyboardInterrupt.
    """
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if not place.exists():
            raise IndexProblem(f"There is no file or folder {path} to watch. Make it first, or give another.")
    # Of a file its folder: an editor puts another file in its place, and that is not the one that was watched.
    folders = {place if place.is_dir() else place.parent for place in places}
    noted, touched = False, set[str]()
    first = last = 0.0
    for found in watch(
        *folders,
        watch_filter=_filter(places, home.resolve()),
        debounce=_LOOK_MS,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        stop_event=stop,
        ignore_permission_denied=True,
    ):
        now = time.monotonic()
        if not noted:
            noted = True
            yield 0
        if found:
            first, last = first if touched else now, now
            touched |= {path for _, path in found}
        if touched and (now - last >= SETTLED or now - first >= LONGEST):
            count, touched = len(touched), set()
            yield count


def _filter(places: Sequence[Path], home: Path) -> Callable[[Change, str], bool]:
    def matters(_: Change, changed: str) -> bool:
        path = Path(changed)
        return not path.is_relative_to(home) and any(
            not any(part.startswith(".") for part in path.relative_to(place).parts)
            for place in places
            if path.is_relative_to(place)
        )

    return matters
