"""Who may know whom: index <- qa <- web; and `index`, `qa`, `web` are ours, not some installed package's."""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "index": {"qa", "web", "llama_cpp", "flask", "tests"},
    "qa": {"web", "flask", "tests"},
    "web": {"faiss", "llama_cpp", "tests"},
}


def imported(source: str) -> Iterator[str]:
    """The top name of every import in a file, also inside functions and `if TYPE_CHECKING`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_import_only_the_rooms_below(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert len(files) > 3
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imported(file.read_text(encoding="utf-8"))
        if name in FORBIDDEN[room]
    ]
    assert wrong == []


def test_imports_are_seen_wherever_they_stand() -> None:
    source = "import a.b\nif TYPE_CHECKING:\n    from c.d import e\ndef f():\n    import g as h\nfrom . import i\n"
    assert list(imported(source)) == ["a", "c", "g"]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_are_ours(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__file__ == str(ROOT / room / "__init__.py")


def test_whatever_lies_beside_the_code_is_installed_with_it() -> None:
    """`pip install .` takes what pyproject.toml names; a probe that is left out is a probe that nobody misses."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    for room in ("index", "qa", "web"):
        beside = {path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        assert beside == {path for pattern in declared.get(room, []) for path in (ROOT / room).glob(pattern)}
