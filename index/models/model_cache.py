"""The cache of model files: what is in it, whether it is the published one, and what to say when it is not.

NAME.gguf or NAME/         the model, whole and checked
.NAME.checked.json         sizes, times and SHA-256 seen at the last check
NAME.parts/ NAME.hub/      a download under way, or interrupted: the next one goes on from it
NAME.wrong-XXXXXXXX        a file that was not the published one, set aside
NAME.lock                  held by the process that is fetching
int8/DIGEST-FORMAT/        an embedding model made ready for this processor (index/models/int8_conversion.py)
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from index.errors import WrongChecksum
from index.models.model_catalogue import CATALOGUE, ModelFile
from index.models.model_hub import bytes_from_hub
from index.models.registry import bytes_of_parts
from index.progress import Progress
from index.storage.checksums import file_digests, stamp_path, stamped_digests


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model of the catalogue, as it is on this machine."""

    name: str
    purpose: str
    licence: str
    bytes: int
    state: str  # "present and checked", "present, not checked", "partial N %" or "missing"
    path: Path


def model_cache() -> Path:
    """Where model files are kept, shared between projects."""
    given = os.environ.get("SOURCIER_MODEL_CACHE")
    return Path(given).expanduser() if given else Path(platformdirs.user_cache_dir("sourcier")) / "models"


def states(cache: Path | None = None) -> list[ModelState]:
    """Say of each model of the catalogue whether it is here; nothing is hashed."""
    cache = cache or model_cache()
    return [
        ModelState(model.name, model.purpose, model.licence, model.bytes, _state(model, cache), cache / model.file_name)
        for model in CATALOGUE
    ]


def parts_folder(model: ModelFile, cache: Path) -> Path:
    return cache / f"{model.name}.parts"


def hub_folder(model: ModelFile, cache: Path) -> Path:
    return cache / f"{model.name}.hub"


def checked_in_cache(model: ModelFile, cache: Path, progress: Progress) -> Path | None:
    """Give the model when it is here, hashing what has no stamp; a file that is not the published one is set aside."""
    if not _is_complete(model, cache):
        return None
    path = cache / model.file_name
    found = file_digests(path, functools.partial(progress.advance, f"{model.name}: checking"))
    for name, published in published_digests(model).items():
        if found[name] != published:
            raise set_aside(model, path / name if name else path, published, found[name], cache)
    return path


def published_digests(model: ModelFile) -> dict[str, str]:
    """As file_digests gives them: by path inside a folder, under "" for a single file."""
    return {file.path if model.is_folder else "": file.sha256 for file in model.files}


def set_aside(model: ModelFile, wrong: Path, published: str, found: str, cache: Path) -> WrongChecksum:
    """Take a wrong file out of the way, and give the error to raise."""
    aside = cache / f"{model.name}.wrong-{found[:8]}"
    done = "set aside there and is not used"
    try:
        wrong.replace(aside)
        stamp_path(wrong).unlink(missing_ok=True)
    except OSError:  # a cache that may only be read
        aside, done = wrong, "not used; it could not be set aside"
    advice = f"It is not the published file, so it was {done}. {what_to_do(model, cache)}"
    return WrongChecksum(aside, published, found, advice)


def what_to_do(model: ModelFile, cache: Path) -> str:
    variable = "SOURCIER_EMBEDDER" if model.is_folder else "SOURCIER_LANGUAGE_MODEL"
    what = "folder" if model.is_folder else f"file (SHA-256 {model.sha256})"
    return (
        f"Connect once and run: sourcier models --fetch. Or put the published {what} at {cache / model.file_name}. "
        f"Or use a model of yours: {variable}=/path"
    )


@contextlib.contextmanager
def only_one_process(model: ModelFile, cache: Path, progress: Progress) -> Iterator[None]:
    """Wait until no other process fetches this model; the system lets go of the lock of one that dies."""
    lock = filelock.FileLock(cache / f"{model.name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        progress.say(f"Another process is fetching {model.name}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_complete(model: ModelFile, cache: Path) -> bool:
    path = cache / model.file_name
    return all((path / file.path).is_file() for file in model.files) if model.is_folder else path.is_file()


def _state(model: ModelFile, cache: Path) -> str:
    if _is_complete(model, cache):
        seen = stamped_digests(cache / model.file_name)
        checked = all(seen.get(name) == published for name, published in published_digests(model).items())
        return "present and checked" if checked else "present, not checked"
    joined = parts_folder(model, cache) / model.parts.joined.path
    from_registry = 1.0 if joined.is_file() else bytes_of_parts(joined.parent) / model.parts.wheel_bytes
    from_hub = bytes_from_hub(model, hub_folder(model, cache)) / model.bytes
    share = max(from_registry, from_hub)
    return f"partial {min(99, int(100 * share))} %" if share else "missing"
