"""axe-core, Deque's checker of accessibility, in the page under test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from missing import impossible, needed

if TYPE_CHECKING:
    from playwright.sync_api import Page

VERSION = "4.14.1"
# WCAG 2.2 AA with all that it builds on, and what the makers of axe hold to be good practice besides.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]


def fetch_axe(folder: Path) -> Path:
    """The script's file, by npm into `folder`; without npm or its registry the test is skipped, and fails in CI."""
    needed("npm")
    command = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        folder,
        f"axe-core@{VERSION}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        impossible(f"npm could not fetch axe-core: {done.stderr[-500:]}")
    return folder / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page, axe: Path) -> list[str]:
    """What axe holds against the page as it is now, one line for each element; [] is what is wanted."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate(
        "async tags => (await axe.run(document, {runOnly: tags, resultTypes: ['violations']})).violations", TAGS
    )
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
