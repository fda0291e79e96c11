"""What makes rows of a file: our code and the libraries it calls, as one digest; rows of another are made anew."""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path


@cache
def recipe() -> str:
    """Return the SHA-256 of every file of this room and of the version of every library that Sourcier depends on.

    A number to be raised by hand would be forgotten some day, and an old way of reading, splitting or stemming stay in
    the index unseen. The price: after an update all articles are read and split again, once, without being embedded.
    """
    digest = hashlib.sha256(f"python {sys.version_info[:2]}\n".encode())
    room = Path(__file__).parent
    for path in sorted(room.rglob("*.py")):
        digest.update(f"{path.relative_to(room)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for name in _libraries():
        try:
            digest.update(f"{name} {version(name)}\n".encode())
        except PackageNotFoundError:
            digest.update(f"{name} is not here\n".encode())
    return digest.hexdigest()


def _libraries() -> list[str]:
    """The names of what Sourcier depends on when it runs."""
    try:
        lines = requires("sourcier") or []
    except PackageNotFoundError:
        lines = []  # run from the source, not installed
    return sorted(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line)
