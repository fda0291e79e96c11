"""Files that survive a crash: written beside, made durable, then put in place in one step."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut (a no-op where folders cannot be opened, as on Windows)."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of a file survive a power cut; also where a disk that is full says so at last."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def replace_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace a small file of text in one step, as `replace_bytes` does."""
    replace_bytes(path, text.encode(), mode)


def replace_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace a small file in one step: readers see the old content or the new, never a part.

    When it cannot be written (a full disk), the old content stays and nothing is left beside it. `mode` is what the
    file may at most be opened for, from its first byte on; the umask takes away from it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)  # of a process that was killed, with whatever mode
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
