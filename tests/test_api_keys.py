"""API keys: what is kept of them cannot be used, and a running server follows every change."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from web.service.api_keys import FILE_NAME, KeyProblem, KeyRing, as_rows, make_key, read_keys, revoke_key


def test_a_key_is_recognised_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    key = make_key(tmp_path, "newsletter")
    assert key.startswith("sourcier_")
    assert len(key.removeprefix("sourcier_")) == 43  # 256 bits in base64
    written = (tmp_path / FILE_NAME).read_text()
    assert key not in written
    assert hashlib.sha256(key.encode()).hexdigest() in written
    found = KeyRing(tmp_path).find(key)
    assert found is not None
    assert found.name == "newsletter"


@pytest.mark.parametrize("given", ["", "sourcier_", "Sourcier_x", "\ud800", "é" * 5000])
def test_what_is_no_key_is_not_recognised(tmp_path: Path, given: str) -> None:
    key = make_key(tmp_path, "newsletter")
    ring = KeyRing(tmp_path)
    for wrong in (given, key[:-1], key + "x", key.upper()):
        assert ring.find(wrong) is None


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_key(tmp_path, "newsletter")
        revoke_key(tmp_path, "newsletter")
    finally:
        os.umask(before)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_running_server_follows_every_change(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    assert ring.all_keys() == ()
    first, second = make_key(tmp_path, "one"), make_key(tmp_path, "two")
    assert [one.name for one in ring.all_keys()] == ["one", "two"]
    assert ring.find(first)
    revoke_key(tmp_path, "one")
    assert ring.find(first) is None
    assert ring.find(second)
    assert len(ring.all_keys()) == 2  # a revoked key still says that programs need one
    (tmp_path / FILE_NAME).unlink()
    assert ring.all_keys() == ()


def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    key = make_key(tmp_path, "one")
    ring = KeyRing(tmp_path)
    assert ring.find(key)
    for damaged in ("{", "[]", '{"format": 2, "keys": []}', '{"format": 1, "keys": [{"name": "x"}]}', "\xff"):
        (tmp_path / FILE_NAME).write_bytes(damaged.encode("latin-1"))
        for _ in range(2):
            with pytest.raises(KeyProblem, match=FILE_NAME):
                ring.find(key)


def test_a_home_that_cannot_be_looked_into_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", forbidden)
    ring = KeyRing(tmp_path)
    with pytest.raises(KeyProblem, match="Permission denied"):
        ring.all_keys()


def test_a_name_is_used_once_until_it_is_revoked(tmp_path: Path) -> None:
    first = make_key(tmp_path, "one")
    with pytest.raises(KeyProblem, match="sourcier keys revoke one"):
        make_key(tmp_path, "one")
    revoke_key(tmp_path, "one")
    with pytest.raises(KeyProblem, match="No key 'one' is in force"):
        revoke_key(tmp_path, "one")
    second = make_key(tmp_path, "one")
    ring = KeyRing(tmp_path)
    assert ring.find(first) is None
    assert ring.find(second)
    assert [bool(one.revoked) for one in read_keys(tmp_path)] == [True, False]


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 65, "a\n", "../a"])
def test_a_name_is_safe_in_logs(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyProblem, match="cannot name a key"):
        make_key(tmp_path, name)
    assert not (tmp_path / FILE_NAME).exists()


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda name=f"k{number}": made.append(make_key(tmp_path, name))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ring = KeyRing(tmp_path)
    assert len(made) == 8
    assert all(ring.find(key) for key in made)


def test_rows_do_not_tell_the_hash(tmp_path: Path) -> None:
    make_key(tmp_path, "one")
    (row,) = as_rows(read_keys(tmp_path))
    assert set(row) == {"name", "made", "revoked"}
    assert read_keys(tmp_path)[0].sha256 not in json.dumps(row)
