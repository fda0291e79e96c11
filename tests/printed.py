"""PDFs drawn by reportlab, for the tests: each line where a typesetter would have put it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4


class Sheet:
    """A PDF being drawn. Places are in points from the top left corner."""

    def __init__(self, path: Path, **facts: Any) -> None:
        self.path = path
        self.canvas = Canvas(str(path), pagesize=A4, **facts)

    def line(self, text: str, x: float = 60, y: float = 100, size: float = 10, font: str = "Times-Roman") -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, HEIGHT - y, text)

    def lines(self, texts: Sequence[str], x: float = 60, y: float = 100, size: float = 10) -> float:
        """Lines below each other; returns where the next one would stand."""
        for text in texts:
            self.line(text, x, y, size)
            y += 1.2 * size
        return y

    def paragraph(self, text: str, x: float = 60, y: float = 100, width: float = 475, size: float = 10) -> float:
        """A paragraph broken between words where the next one does not fit."""
        row = ""
        for word in text.split():
            longer = f"{row} {word}".strip()
            if row and stringWidth(longer, "Times-Roman", size) > width:
                y = self.lines([row], x, y, size)
                row = word
            else:
                row = longer
        return self.lines([row], x, y, size)

    def next_page(self) -> None:
        self.canvas.showPage()

    def save(self) -> Path:
        self.canvas.save()
        return self.path
