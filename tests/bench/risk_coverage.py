"""Draw risk-coverage curves: what share of the answers is wrong, when only the surest questions are answered?

    .venv/bin/sourcier eval dev-v2.0.json --half odd --decline-below 0 --json > squad2.json
    .venv/bin/python tests/bench/risk_coverage.py squad2.json piaf.json --out risk-coverage.svg

Each file is the --json of one `sourcier eval`; its curve is named by its file. The dot is where Sourcier declines by
itself: the end of the curve, unless --decline-below 0 drew it to its end. The same files give the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qa.answerability import DECLINE_BELOW
from qa.measuring.measures import CurvePoint

rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sourcier", "font.family": "sans-serif"})

# Between black and white, so that they can be read on either: letters have a contrast of 4.5 with white and of 4.6 with
# black, lines of 3.4 and more (WCAG asks for 4.5 and 3).
INK = "#767676"
LINES = ("#2f81c7", "#d1603d", "#3d9970", "#a867c9", "#a8862d")
# More points than the picture has room for only make it larger.
MOST_POINTS = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="the --json of sourcier eval, one or more")
    parser.add_argument("--out", type=Path, required=True, help="the SVG to write")
    given = parser.parse_args()
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    for number, path in enumerate(given.runs):
        run = json.loads(path.read_text(encoding="utf-8"))
        if not run["risk_coverage"] or not run["risk_coverage"]["points"]:
            parser.error(f"{path}: nothing was answered in it")
        points = [CurvePoint(**point) for point in run["risk_coverage"]["points"]]
        name = f"{path.stem} ({run['asked']} questions, AURC {run['risk_coverage']['aurc']:.3f})"
        to_the_end = run["settings"]["decline_below"] == 0
        shown = [point for point in points if point.threshold >= DECLINE_BELOW] if to_the_end else points
        _draw(axes, points, shown, name, LINES[number % len(LINES)])
    _dress(axes)
    figure.tight_layout()
    figure.savefig(given.out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _draw(axes: Axes, points: Sequence[CurvePoint], shown: Sequence[CurvePoint], name: str, colour: str) -> None:
    some = _thinned(points)
    axes.plot([one.coverage for one in some], [one.risk for one in some], color=colour, linewidth=1.6, label=name)
    if shown:
        axes.plot([shown[-1].coverage], [shown[-1].risk], "o", color=colour, markersize=6)


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """At most MOST_POINTS of them, evenly, the last one among them."""
    step = -(-len(points) // MOST_POINTS)
    return list(points[::-1][::step][::-1])


def _dress(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("coverage: share of the questions that are answered", color=INK)
    axes.set_ylabel("risk: share of these answers that are wrong", color=INK)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.25, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_visible(side in ("left", "bottom"))
    axes.legend(frameon=False, labelcolor=INK, loc="upper left")


if __name__ == "__main__":
    main()
