"""SHA-256 of model files, hashed once: a stamp beside the file says which size and time were seen with which digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from index.storage.durable_files import replace_text

# Bytes hashed so far and in all.
Report = Callable[[int, int], None]

BLOCK = 1 << 20

# What stands in a model's folder without changing a vector. Everything else counts, so an unknown kind of weight does.
_DOCUMENTS = (".md", ".ipynb", ".gitignore", ".gitattributes", ".lock")


def digest_of(path: Path) -> str:
    """Give the identity of a model: it changes when any weight or configuration that can change its output changes.

    For a GGUF file it is its SHA-256. For a sentence-transformers folder it is the SHA-256 of one line
    "SHA-256, two spaces, path, newline" for each file in it and in its sub-folders, sorted by path with forward
    slashes (what `sha256sum` prints); left out are *.md, *.ipynb and names that begin with a dot.
    Nothing is hashed again while the stamp beside `path` still tells the size and time of every file.
    """
    digests = file_digests(path)
    if path.is_file():
        return next(iter(digests.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_digests(path: Path, report: Report | None = None) -> dict[str, str]:
    """SHA-256 by relative path ("" for a single file): from the stamp where size and time match, else by hashing."""
    known = stamped_digests(path)
    files = _files_of(path)
    missing = [name for name in files if name not in known]
    # Read before hashing: a file still being copied has another size or time at the next look, and is hashed again.
    statuses = {name: file.stat() for name, file in files.items()}
    total = sum(statuses[name].st_size for name in missing)
    done = 0
    for name in missing:
        known[name], done = _hash(files[name], done, total, report)
    if missing:
        write_stamp(path, known, statuses)
    return known


def stamped_digests(path: Path) -> dict[str, str]:
    """The digests that the stamp still vouches for, without reading the files themselves."""
    try:
        seen = json.loads(stamp_path(path).read_text(encoding="utf-8"))["files"]
        files = _files_of(path)
        return {name: seen[name]["sha256"] for name in files if name in seen and _unchanged(files[name], seen[name])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # no stamp, or one that a crash or a newer version left: the files are hashed again


def write_stamp(path: Path, digests: dict[str, str], statuses: dict[str, os.stat_result] | None = None) -> None:
    """Record digests just computed. Where nothing can be written there is no stamp, and each start hashes again."""
    if statuses is None:
        statuses = {name: file.stat() for name, file in _files_of(path).items()}
    seen = {
        name: {"bytes": statuses[name].st_size, "mtime_ns": statuses[name].st_mtime_ns, "sha256": digest}
        for name, digest in digests.items()
    }
    with contextlib.suppress(OSError):
        replace_text(stamp_path(path), json.dumps({"format": 1, "files": seen}, indent=1))


def stamp_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked.json")


def _unchanged(file: Path, seen: dict[str, object]) -> bool:
    status = file.stat()
    return seen["bytes"] == status.st_size and seen["mtime_ns"] == status.st_mtime_ns


def _files_of(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {"": path}
    names = {}
    for folder, folders, files in os.walk(path, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and not name.lower().endswith(_DOCUMENTS):
                file = Path(folder, name)
                names[file.relative_to(path).as_posix()] = file
    return names


def _hash(file: Path, done: int, total: int, report: Report | None) -> tuple[str, int]:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            done += len(block)
            if report:
                report(done, total)
    return digest.hexdigest(), done
