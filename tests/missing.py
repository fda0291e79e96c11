"""What a test does when a machine lacks something that it needs."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def impossible(reason: str) -> NoReturn:
    """Skipped with its reason on a developer's machine; in CI nothing is left out in silence."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def needed(*programs: str) -> None:
    """Programs of Debian without which a test is impossible."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        impossible(f"{', '.join(missing)} not installed (.ci/run installs what is needed)")
