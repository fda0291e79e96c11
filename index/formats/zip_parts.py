"""Documents that are zip files (.docx, .odt, .epub): their parts, never more of them than a document could have."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from index.formats.encodings import MAX_BYTES, MAX_BYTES_WITH_PICTURES

# A long book has a few hundred.
MAX_PARTS = 10_000
# All that is read of one document, unpacked; a bomb of some kilobytes unfolds to gigabytes.
MAX_UNPACKED_BYTES = 4 * MAX_BYTES
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class ZipParts:
    """The parts of one document by name, each read at most once it is asked for, and all of them within a limit."""

    def __init__(self, path: Path) -> None:
        """Open the document. Raises ValueError where it is no zip file, or holds more than a document could."""
        _refuse_others(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(f"broken or cut off: {error}") from error
        self.names = frozenset(self._zip.namelist())
        self._left = MAX_UNPACKED_BYTES
        if len(self.names) > MAX_PARTS:
            self.close()
            raise ValueError(f"holds {len(self.names)} parts; at most {MAX_PARTS}")

    def close(self) -> None:
        self._zip.close()

    def __enter__(self) -> ZipParts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str) -> bytes:
        """Return a part. Raises ValueError where there is none, it is locked or broken, or unfolds to too much."""
        most = min(MAX_BYTES, self._left)
        try:
            info = self._zip.getinfo(name)
            if info.flag_bits & 1:
                raise ValueError("is locked with a password. Save it without one")
            if info.file_size > most:
                raise ValueError(f"{name} unfolds to {info.file_size} bytes; at most {most}")
            with self._zip.open(info) as part:
                # What is declared may be a lie.
                data = part.read(most + 1)
        except KeyError as error:
            raise ValueError(f"holds no {name}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"{name} is broken: {error}") from error
        if len(data) > most:
            raise ValueError(f"{name} unfolds to more than {most} bytes")
        self._left -= len(data)
        return data


def part_beside(name: str, reference: str) -> str:
    """Return the name of the part that another part refers to, by a relative address."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(reference.partition("#")[0])))


def _refuse_others(path: Path) -> None:
    if path.stat().st_size > MAX_BYTES_WITH_PICTURES:
        raise ValueError(f"the file is larger than {MAX_BYTES_WITH_PICTURES} bytes")
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise ValueError("the file is empty")
    if start == _OLD_OFFICE:
        raise ValueError("is locked with a password, or of an Office before 2007. Save it anew, without a password")
    if not start.startswith(b"PK"):
        raise ValueError(f"not a {path.suffix.lower()} file, whatever its name says")
