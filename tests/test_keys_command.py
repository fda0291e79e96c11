"""`sourcier keys`: a key is shown once, on stdout alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from web.commands import sourcier
from web.service.api_keys import KeyProblem, KeyRing


def keys(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(sourcier, ["keys", *arguments, "--home", str(home)])


def test_make_list_revoke(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "open to all" in keys(home, "list").stdout
    made = keys(home, "make", "newsletter")
    key = made.stdout.strip()
    assert key not in made.stderr
    assert KeyRing(home).find(key)
    listed = keys(home, "list")
    assert "newsletter" in listed.stdout
    assert key not in listed.stdout
    assert keys(home, "revoke", "newsletter").exit_code == 0
    assert KeyRing(home).find(key) is None
    (row,) = json.loads(keys(home, "list", "--json").stdout)
    assert row["name"] == "newsletter"
    assert row["revoked"] >= row["made"]


def test_revoking_where_there_are_none_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="sourcier keys make"):
        raise keys(tmp_path / "none", "revoke", "x").exception or AssertionError
    assert not (tmp_path / "none").exists()
