"""A model's folder out of a zip: only the declared files, each checked, the whole folder put in place in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from pathlib import Path

from index.errors import ModelFileError, WrongChecksum
from index.models.model_catalogue import PublishedFile
from index.storage.checksums import BLOCK, Report
from index.storage.durable_files import sync_folder


def unpack_model(
    archive: Path, top_folder: str, files: tuple[PublishedFile, ...], target: Path, report: Report
) -> None:
    """Unpack the declared files, and no others, into a new folder `target`.

    Raises ModelFileError for a zip that tries to write elsewhere or lacks a file, and WrongChecksum for a file that is
    not the published one; then nothing is left at `target`.
    """
    unfinished = target.with_name(f"{target.name}.unpacking")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    total = sum(file.bytes for file in files)
    done = 0
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = _safe_members(zipped, archive)
            for file in files:
                member = members.get(f"{top_folder}/{file.path}")
                if member is None or member.file_size != file.bytes:
                    raise ModelFileError(f"{archive} does not hold {file.path} with {file.bytes} bytes. Delete it.")
                done = _unpack_file(zipped, member, file, unfinished, (done, total, report))
        for folder in {(unfinished / file.path).parent for file in files}:
            sync_folder(folder)
        shutil.rmtree(
            target, ignore_errors=True
        )  # an incomplete folder of the same name; a complete one is not fetched
        unfinished.replace(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _safe_members(zipped: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """The regular files by name. One name that leaves the folder, a link or a device makes the whole zip unwelcome."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in zipped.infolist():
        name = member.filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        escapes = name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/")
        if escapes or kind not in (0, stat.S_IFREG, stat.S_IFDIR) or name in members:
            raise ModelFileError(f"{archive} is refused: its entry {name!r} is not a plain file inside the folder.")
        if not member.is_dir():
            members[name] = member
    return members


def _unpack_file(
    zipped: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    file: PublishedFile,
    folder: Path,
    progress: tuple[int, int, Report],
) -> int:
    done, total, report = progress
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with zipped.open(member) as source, path.open("xb") as copy:
        while block := source.read(BLOCK):  # zipfile stops at the declared size, which has been compared
            digest.update(block)
            copy.write(block)
            done += len(block)
            report(done, total)
        copy.flush()
        os.fsync(copy.fileno())
    if digest.hexdigest() != file.sha256:
        raise WrongChecksum(Path(member.filename), file.sha256, digest.hexdigest(), "The zip is not the published one.")
    return done
