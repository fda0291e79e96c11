"""PIAF as articles and questions, and an index over it, for the benchmarks."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from index.build import build
from index.embedder import Embedder
from index.progress import TerminalProgress

DEFAULT_HOME = Path(".sourcier/bench-piaf")


@dataclass(frozen=True)
class Asked:
    """A question, the paragraph that answers it, and the answers as marked in it."""

    question: str
    article_id: str
    answers: tuple[str, ...]


def read_piaf(path: Path) -> tuple[list[dict[str, str]], list[Asked]]:
    """The paragraphs as articles in the form of JSON lines, and the questions in the order of the file."""
    paragraphs: list[dict[str, str]] = []
    questions: list[Asked] = []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            number = f"p{len(paragraphs)}"
            paragraphs.append({"id": number, "title": article["title"], "text": paragraph["context"], "language": "fr"})
            questions += [
                Asked(one["question"], number, tuple(answer["text"] for answer in one["answers"]))
                for one in paragraph["qas"]
            ]
    return paragraphs, questions


def build_piaf(paragraphs: list[dict[str, str]], home: Path, embedder: Embedder, name: str) -> None:
    """Index the paragraphs; at once when that was done before."""
    home.mkdir(parents=True, exist_ok=True)
    corpus = home / "paragraphs.jsonl"
    corpus.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in paragraphs), encoding="utf-8")
    with TerminalProgress(unit="sentences") as progress:
        build([corpus], home, embedder, name, lambda what, done, all_: all_ and progress.advance(what, done, all_))


def words(text: str) -> list[str]:
    """Lower case, without accents and punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.findall(r"\w+", plain)


def answer_recall(reply: str, answers: tuple[str, ...]) -> float:
    """The share of an answer's words that the reply holds, for the answer where it is highest."""
    said = set(words(reply))
    shares = [sum(word in said for word in words(answer)) / len(words(answer)) for answer in answers if words(answer)]
    return max(shares, default=0.0)
