"""The programs of the README's "From another program": each is run as it stands there, against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from missing import needed
from web_fixtures import bridge_script, declined, found_bridge, make_app, running

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## From another program")[1].split("\n## ")[0]
CURL = re.findall(r"^    (curl .+)$", SECTION, re.MULTILINE)
CLIENT, CONVERSATION = re.findall(r"```python\n(.+?)```", SECTION, re.DOTALL)
QUOTE = "La réouverture est prévue pour le 15 mars 2026."


def run(url: str, command: list[str], typed: str = "") -> str:
    """What a command prints, when its server is at `url`."""
    command = [part.replace("http://127.0.0.1:8000", url) for part in command]
    ended = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("line", CURL)
def test_curl(line: str) -> None:
    needed("curl")
    app, answerer = make_app(bridge_script())
    with running(app) as url:
        assert f'"quote":"{QUOTE}"' in run(url, ["bash", "-c", line])
    assert answerer.asked[0].question.startswith("Quel est le montant")


def test_the_client_of_openai() -> None:
    app, _ = make_app(bridge_script())
    with running(app) as url:
        printed = run(url, [sys.executable, "-c", CLIENT])
    assert printed.startswith("Le pont des Tanneurs doit rouvrir le 15 mars 2026. [1]")
    assert printed.endswith(f"Read in: {QUOTE}\n")


def test_a_conversation() -> None:
    assert 15 <= len(CONVERSATION.splitlines()) <= 25
    app, answerer = make_app(bridge_script(), [found_bridge(), declined()])
    with running(app) as url:
        printed = run(url, [sys.executable, "-c", CONVERSATION], "Quand rouvre le pont ?\nQui a gagné ?\n")
    assert printed.startswith("Le pont des Tanneurs doit rouvrir le 15 mars 2026. 1\n  1 Le pont des Tanneurs fermé")
    assert f"« {QUOTE} »" in printed
    assert printed.endswith(f"\n{declined().text}\n")
    assert [turn.question for turn in answerer.asked[1].history] == ["Quand rouvre le pont ?"]


def test_a_conversation_says_why_it_ends() -> None:
    app, _ = make_app([found_bridge(), ZeroDivisionError()])
    with running(app) as url:
        command = [sys.executable, "-c", CONVERSATION.replace("http://127.0.0.1:8000", url)]
        ended = subprocess.run(command, input="Quand ?\n", capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Something went wrong here")
