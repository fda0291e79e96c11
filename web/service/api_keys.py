"""API keys: made, listed, revoked and recognised; the file holds what cannot be turned back into a key.

A key is 256 random bits, so one plain SHA-256 of it is safe at rest: there is nothing to guess, which is what slow
password hashes are for, and a server can check it on every request.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import threading
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path

from filelock import FileLock

from index.errors import SourcierError
from index.storage.durable_files import replace_text

FILE_NAME = "api-keys.json"  # below the home, readable by its owner alone
KEY_PREFIX = "sourcier_"  # so that scanners for leaked secrets, and people, see what it is
_NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)
_FORMAT = 1


class KeyProblem(SourcierError):
    """A key cannot be made or revoked, or the file of keys cannot be used."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key, also when it was revoked: its name stands in logs. Times are ISO 8601 in UTC."""

    name: str
    sha256: str
    made: str
    revoked: str | None = None


def read_keys(home: Path) -> tuple[ApiKey, ...]:
    """All keys ever made, oldest first; none where there is no file. Raises KeyProblem."""
    path = home / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise KeyProblem(f"{path} was written by another version of Sourcier.")
        return tuple(ApiKey(**one) for one in content["keys"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise KeyProblem(f"{path} cannot be read ({error}). Restore it, or remove it and make new keys.") from error


def make_key(home: Path, name: str) -> str:
    """Make a key and give it back: it is not kept, and cannot be shown again. Raises KeyProblem."""
    if not _NAME.fullmatch(name):
        raise KeyProblem(f"{name!r} cannot name a key: use up to 64 of the letters a-z, digits, and . _ - @.")
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home):
        keys = read_keys(home)
        if any(one.name == name and not one.revoked for one in keys):
            raise KeyProblem(f"There is a key {name!r} already. Choose another name, or: sourcier keys revoke {name}")
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        _write(home, (*keys, ApiKey(name, _digest(key), _now())))
    return key


def revoke_key(home: Path, name: str) -> None:
    """Make a key worthless; running servers know at their next request. Raises KeyProblem."""
    if not (home / FILE_NAME).is_file():
        raise KeyProblem(f"No API keys in {home}. Make one with: sourcier keys make NAME")
    with _lock(home):
        keys = read_keys(home)
        if not any(one.name == name and not one.revoked for one in keys):
            raise KeyProblem(f"No key {name!r} is in force. List them with: sourcier keys list")
        _write(home, tuple(replace(one, revoked=one.revoked or _now()) if one.name == name else one for one in keys))


class KeyRing:
    """The keys of a home as a running server knows them: the file is read again when it has changed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None  # the file's identity, size and time of change
        self._keys: tuple[ApiKey, ...] = ()

    def all_keys(self) -> tuple[ApiKey, ...]:
        """Revoked ones too. Raises KeyProblem: what cannot be read lets nobody in."""
        try:
            status = os.stat(self._home / FILE_NAME)  # noqa: PTH116 -- 2 µs, on every request
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            seen = None
        except OSError as error:
            raise KeyProblem(f"{self._home / FILE_NAME} cannot be read: {error.strerror}.") from error
        with self._lock:
            if seen != self._seen:
                self._keys = read_keys(self._home) if seen else ()
                self._seen = seen
            return self._keys

    def find(self, key: str) -> ApiKey | None:
        """The key in force that was made as `key`; the time it takes tells nothing of how near a guess was."""
        digest = _digest(key)
        found = None
        for one in self.all_keys():
            if compare_digest(one.sha256, digest) and not one.revoked:
                found = one
        return found


def as_rows(keys: tuple[ApiKey, ...]) -> list[dict[str, str | None]]:
    """Keys as JSON for programs, without their hashes."""
    return [{name: value for name, value in asdict(one).items() if name != "sha256"} for one in keys]


def _lock(home: Path) -> FileLock:
    return FileLock(home / f".{FILE_NAME}.lock")


def _write(home: Path, keys: tuple[ApiKey, ...]) -> None:
    content = {"format": _FORMAT, "keys": [asdict(one) for one in keys]}
    replace_text(home / FILE_NAME, json.dumps(content, indent=1) + "\n", mode=0o600)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
