"""The drawing of risk-coverage curves: a small SVG, the same bytes for the same files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write_run(path: Path, answered: int) -> Path:
    points = [
        {"threshold": 1 - number / answered, "coverage": number / (answered + 10), "risk": 0.5 * number / answered}
        for number in range(1, answered + 1)
    ]
    curve = {"aurc": 0.25, "coverage": None, "risk": None, "points": points}
    path.write_text(
        json.dumps(
            {"settings": {"decline_below": 0.5}, "asked": answered + 10, "risk_coverage": curve if answered else None}
        ),
        encoding="utf-8",
    )
    return path


def draw(*runs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tests/bench/risk_coverage.py", *map(str, runs), "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_curves_as_a_small_svg_that_is_always_the_same(tmp_path: Path) -> None:
    runs = (write_run(tmp_path / "squad2.json", 5000), write_run(tmp_path / "piaf.json", 40))
    for name in ("one.svg", "two.svg"):
        done = draw(*runs, out=tmp_path / name)
        assert done.returncode == 0, done.stderr
    svg = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert svg == (tmp_path / "two.svg").read_text(encoding="utf-8")
    assert "squad2 (5010 questions, AURC 0.250)" in svg  # letters, not outlines of letters
    assert "piaf (50 questions, AURC 0.250)" in svg
    assert len(svg) < 40_000
    assert "<dc:date>" not in svg
    # Nothing is painted black or white, so that it can be read on either.
    assert set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6}|black|white)", svg)).isdisjoint(
        {"#000000", "#ffffff", "black", "white"}
    )


def test_a_run_without_answers_is_named(tmp_path: Path) -> None:
    done = draw(write_run(tmp_path / "search.json", 0), out=tmp_path / "out.svg")
    assert done.returncode == 2
    assert "search.json: nothing was answered in it" in done.stderr
