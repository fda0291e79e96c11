"""A model's files from the model hub, through huggingface_hub: HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they
mean there.

Its own hf_hub_download deletes a partial file when it is stopped (2.4.0; each process writes to a name of its own), so
the partial file is kept here and its end asked for with `http_get`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from index.errors import SourceUnavailable
from index.models.model_catalogue import HubRepository, ModelFile, PublishedFile
from index.storage.checksums import Report
from index.storage.durable_files import sync_folder

PARTIAL = ".partial"


def fetch_from_hub(model: ModelFile, folder: Path, report: Report) -> None:
    """Bring every file of the model into `folder`, going on where an earlier process stopped. Nothing is checked here.

    Raises SourceUnavailable with the reason of each repository that was asked.
    """
    reasons = []
    for repository in model.hub:
        try:
            for file in model.files:
                path = folder / file.path
                if not path.is_file():
                    have = bytes_from_hub(model, folder)
                    _fetch_file(repository, file, path, _Counter(have, model.bytes, report))
            return
        except SourceUnavailable as reason:
            reasons.append(f"{repository.name} on the model hub: {reason}")
    raise SourceUnavailable("; ".join(reasons))


def bytes_from_hub(model: ModelFile, folder: Path) -> int:
    """How much of a download that was interrupted is kept."""
    paths = [folder / (file.path + ending) for file in model.files for ending in ("", PARTIAL)]
    return sum(path.stat().st_size for path in paths if path.is_file())


class _Counter:
    """Stands where huggingface_hub would draw its own bar, and passes the count on."""

    def __init__(self, done: int, total: int, report: Report) -> None:
        self._done, self._total, self._report = done, total, report

    def __call__(self, **_bar_settings: Any) -> _Counter:
        return self

    def __enter__(self) -> _Counter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, more: int) -> None:
        self._done += more
        self._report(min(self._done, self._total), self._total)


def _fetch_file(repository: HubRepository, file: PublishedFile, path: Path, counter: _Counter) -> None:
    # Imported here: it takes 0.3 s, and a start with all files present does not need it.
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HTTPError  # type: ignore[attr-defined]  # the HTTP client's own
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, but not marked so

    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise SourceUnavailable("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = hf_hub_url(repository.name, file.path, revision=repository.revision, endpoint=endpoint)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("ab") as stream, _quiet_logging():
            have = stream.tell()
            if have < file.bytes:
                get_hf_file_metadata(url, endpoint=endpoint)  # says at once that there is no network or no access
                http_get(url, stream, resume_size=have, headers=build_hf_headers(), tqdm_class=_as_bar_class(counter))
            stream.flush()
            os.fsync(stream.fileno())
    except GatedRepoError as error:
        raise SourceUnavailable("asks for a HF_TOKEN of an account that has accepted its terms") from error
    except (HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise SourceUnavailable((str(error).strip() or type(error).__name__).splitlines()[0]) from error
    partial.replace(path)
    sync_folder(path.parent)


def _as_bar_class(counter: _Counter) -> Any:
    """http_get asks for a class and calls it once for its bar; calling the counter gives the counter."""
    return counter


@contextlib.contextmanager
def _quiet_logging() -> Iterator[None]:
    """http_get logs each new try on stderr; what the user needs of it is in the error or in the progress."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
