"""Pairs of a passage and a question from labelled data, for the probes of qa/answerability.py and qa/entailment.py.

    .venv/bin/sourcier build corpus/
    .venv/bin/python tests/bench/probe_pairs.py ../shared/data pairs.jsonl --corpus corpus/questions.jsonl
    .venv/bin/python tests/bench/probe_pairs.py ../shared/data odd.jsonl --half odd --corpus corpus/questions.jsonl

The even half of each set is to fit, the odd half to report: every second paragraph (squad2, PIAF, XQuAD), row (AfriQA,
QED, NoMIRACL, ClapNQ, RTE3) or numbered question (the sample newspaper). A question about a paragraph comes with the
paragraph nearest to it among the others of its set, where no marked answer occurs: what search would put in its place.

- squad2: its impossible questions are about the paragraph, and it does not answer them.
- XQuAD: Spanish, German, Romanian and Arabic questions over the English paragraphs, without those of squad2's odd half.
- NoMIRACL: all ten passages of a query. Of an answerable one nobody says which of them answers.
- The sample newspaper: the passages of --home's index that an answer could be written from. One answers when its
  article is one of those that the question names, and it gives one of the facts asked for.
- RTE3: the hypothesis is read as if it had been written in reply to what the premise says.
- Questions written for Sourcier (written_questions.jsonl): all of them, and only to fit: nothing is reported of them.

It embeds some ten thousand sentences: 10 to 20 minutes on two cores.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from index.articles import Article
from index.commands import load_embedder
from index.embedder import Embedder, SourceText
from index.languages import detect_language
from index.search import Index
from index.sentences import split_sentences
from qa.answers import question_language, worth_reading
from qa.measuring.labelled_questions import read_questions
from qa.measuring.measures import holds

XQUAD_LANGUAGES = ("es", "de", "ro", "ar")
WRITTEN = Path(__file__).with_name("written_questions.jsonl")
# NoMIRACL's longest passages are cut, as the index would.
LONGEST = 1500
HELD_OUT = Path(__file__).with_name("held_out.json")
WRITTEN_FOLDS = 6


@dataclass(frozen=True)
class Pair:
    """A passage and a question. `group`: what must not stand on both sides when pairs are held out.

    `answers`: whether the passage does; None where only one of the group's passages does. `marked` are the marked
    answers, `facts` those that a reply should give, each in several forms. `first`: no passage was found before it.
    `forced`: what is read as the reply instead of what the model would write. `answer`: a whole sentence that is right.
    """

    set: str
    group: str
    question: str
    language: str
    title: str
    text: str
    text_language: str
    answers: bool | None
    marked: Sequence[str] = ()
    facts: Sequence[Sequence[str]] = ()
    first: bool = True
    source: str | None = None
    published: str | None = None
    forced: str | None = None
    answer: str | None = None


@dataclass(frozen=True)
class _Asked:
    """A question about the paragraph with this number."""

    paragraph: int
    question: str
    language: str
    marked: Sequence[str]


@dataclass
class _Paragraphs:
    """(title, text) of paragraphs of one language, and which are nearest to a question."""

    texts: Sequence[tuple[str, str]]
    language: str
    embedder: Embedder
    _known: list[Any] = field(default_factory=list)

    def ranking(self, question: str) -> list[int]:
        """Their numbers, the one with the sentence nearest to the question first."""
        if not self._known:
            sentences = [
                (number, SourceText(title, text[span.start : span.end]))
                for number, (title, text) in enumerate(self.texts)
                for span in split_sentences(text, self.language)
            ]
            vectors = [
                self.embedder.embed_texts([sentence for _, sentence in sentences[start : start + 256]])
                for start in range(0, len(sentences), 256)
            ]
            self._known = [np.array([number for number, _ in sentences]), np.concatenate(vectors)]
        owners, vectors = self._known
        best = np.full(len(self.texts), -1.0)
        np.maximum.at(best, owners, vectors @ self.embedder.embed_query(question))
        return [int(number) for number in np.argsort(-best)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of evaluation sets")
    parser.add_argument("out", type=Path, help="the pairs, as JSON lines")
    parser.add_argument("--corpus", type=Path, help="labelled questions of the sample newspaper")
    parser.add_argument("--home", type=Path, default=Path(".sourcier"), help="where its articles are indexed")
    parser.add_argument("--half", choices=["even", "odd"], default="even")
    given = parser.parse_args()
    half = 0 if given.half == "even" else 1
    embedder = load_embedder(None)[0]
    with given.out.open("w", encoding="utf-8") as file:
        written = of_written(given.data) if half == 0 else ()
        for pair in itertools.chain(_all_pairs(given.data, given.corpus, given.home, half, embedder), written):
            file.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")


def read_pairs(path: Path) -> list[Pair]:
    return [Pair(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def group_of(pair: Pair) -> str:
    """XQuAD has the same paragraphs in each language, and some questions were written about PIAF's."""
    return f"{pair.set.partition('.')[0]} {pair.group}"


def held_out_groups(pairs: Sequence[Pair]) -> set[str]:
    """What the adapter was not trained further on, so that curves can be fitted to it: the groups that held_out.json
    lists, a fifth, and a sixth of the articles that questions were written about.

    They are listed, for a fold that is drawn moves with every question that the newspaper gains or loses. So the fifth
    that the adapter's first training left out is not known any more: it saw four fifths of these, but none of the
    articles."""
    listed = json.loads(HELD_OUT.read_text(encoding="utf-8"))
    held_out = set()
    for pair in pairs:
        name, digest = pair.set.partition(".")[0], hashlib.sha256(pair.group.encode()).hexdigest()
        out = int(digest, 16) % WRITTEN_FOLDS == 0 if name == "written" else digest[:8] in listed.get(name, ())
        if out:
            held_out.add(group_of(pair))
    return held_out


def article_of(pair: Pair) -> Article:
    published = datetime.datetime.fromisoformat(pair.published).date() if pair.published else None
    return Article(
        id="-", title=pair.title, text=pair.text, language=pair.text_language, source=pair.source, published=published,
        author=None, url=None,
    )  # fmt: skip


def _all_pairs(data: Path, corpus: Path | None, home: Path, half: int, embedder: Embedder) -> Iterator[Pair]:
    yield from _of_squad2(data / "squad2-dev-half/dev-v2.0-cs224n.json", half)
    yield from _of_piaf(data / "piaf/piaf-v1.1.json", half, embedder)
    yield from _of_afriqa(sorted((data / "afriqa-fr").glob("*.jsonl"), reverse=True), half, embedder)
    yield from _of_qed(data / "qed/qed-dev.jsonl", half, embedder)
    yield from _of_xquad(data, half, embedder)
    for language in ("fr", "en"):
        yield from _of_nomiracl(data / f"nomiracl/nomiracl-test-{language}.jsonl", language, half)
    for kind in ("answerable", "unanswerable"):
        yield from _of_clapnq(data / f"clapnq/clapnq_dev_{kind}.jsonl", kind == "answerable", half)
    if corpus:
        yield from _of_labelled(corpus, Index(home, embedder), half)
    yield from _of_rte3(data / "rte3-fr/RTE3-FR-dev-set-3class.tsv", half)


def _of_squad2(path: Path, half: int) -> Iterator[Pair]:
    for title, text, questions in _squad_paragraphs(path)[half::2]:
        for one in questions:
            marked = [answer["text"] for answer in one["answers"]]
            yield Pair("squad2", text[:80], one["question"], "en", title, text, "en", not one["is_impossible"], marked)


def _of_piaf(path: Path, half: int, embedder: Embedder) -> Iterator[Pair]:
    paragraphs = _squad_paragraphs(path)[half::2]
    asked = [
        _Asked(number, one["question"], "fr", [answer["text"] for answer in one["answers"]])
        for number, (_, _, questions) in enumerate(paragraphs)
        for one in questions
    ]
    yield from _with_nearest("piaf", _Paragraphs([one[:2] for one in paragraphs], "fr", embedder), asked)


def _of_afriqa(paths: Sequence[Path], half: int, embedder: Embedder) -> Iterator[Pair]:
    rows = [row for path in paths for row in _json_lines(path)][half::2]
    texts = list(dict.fromkeys((row["title"], row["context"]) for row in rows))
    asked = [
        _Asked(
            texts.index((row["title"], row["context"])), row["question_translated"], "fr", row["answer_pivot"]["text"]
        )
        for row in rows
    ]
    yield from _with_nearest("afriqa", _Paragraphs(texts, "fr", embedder), asked)


def _of_qed(path: Path, half: int, embedder: Embedder) -> Iterator[Pair]:
    rows = _json_lines(path)[half::2]
    texts = list(dict.fromkeys((row["title_text"], row["paragraph_text"]) for row in rows))
    asked = [
        _Asked(
            texts.index((row["title_text"], row["paragraph_text"])),
            row["question_text"],
            "en",
            [answer["string"] for together in row["original_nq_answers"] for answer in together],
        )
        for row in rows
        if row["annotation"]["explanation_type"] == "single_sentence"
    ]
    yield from _with_nearest("qed", _Paragraphs(texts, "en", embedder), asked)


def _of_xquad(data: Path, half: int, embedder: Embedder) -> Iterator[Pair]:
    english = _squad_paragraphs(data / "xquad/xquad.en.json")[half::2]
    reported = {text for _, text, _ in _squad_paragraphs(data / "squad2-dev-half/dev-v2.0-cs224n.json")[1::2]}
    paragraphs = _Paragraphs([one[:2] for one in english], "en", embedder)
    for language in XQUAD_LANGUAGES:
        translated = _squad_paragraphs(data / f"xquad/xquad.{language}.json")[half::2]
        asked = [
            _Asked(
                number,
                one["question"],
                detect_language(one["question"]),
                [answer["text"] for answer in (*one["answers"], *same["answers"])],
            )
            for number, ((_, text, questions), (_, _, others)) in enumerate(zip(english, translated, strict=True))
            if half or text not in reported
            for same, one in zip(questions, others, strict=True)
        ]
        yield from _with_nearest(f"xquad.{language}", paragraphs, asked)


def _with_nearest(name: str, paragraphs: _Paragraphs, asked: Sequence[_Asked]) -> Iterator[Pair]:
    """Each question with its own paragraph, and with the nearest of the others where that does not answer."""
    for one in asked:
        ranking = paragraphs.ranking(one.question)
        group, (_, own) = paragraphs.texts[one.paragraph][1][:80], paragraphs.texts[one.paragraph]
        nearest = next((number for number in ranking if paragraphs.texts[number][1] != own), None)
        for number in (one.paragraph, nearest):
            if number is None:
                continue
            title, text = paragraphs.texts[number]
            if number != one.paragraph and any(holds(text, [answer]) for answer in one.marked):
                continue
            yield Pair(
                name, group, one.question, one.language, title, text, paragraphs.language,
                number == one.paragraph, one.marked, first=number == ranking[0],
            )  # fmt: skip


def _of_nomiracl(path: Path, language: str, half: int) -> Iterator[Pair]:
    for row in _json_lines(path)[half::2]:
        asked_in = detect_language(row["query"])
        for place, one in enumerate(row["passages"]):
            yield Pair(
                f"nomiracl.{language}", row["query_id"], row["query"], asked_in, one["title"], one["text"][:LONGEST],
                language, None if row["answerable"] else False, first=place == 0,
            )  # fmt: skip


def _of_clapnq(path: Path, answerable: bool, half: int) -> Iterator[Pair]:
    for row in _json_lines(path)[half::2]:
        passage = row["passages"][0]
        yield Pair("clapnq", row["id"], row["input"], "en", passage["title"], passage["text"], "en", answerable)


def _of_labelled(path: Path, index: Index, half: int) -> Iterator[Pair]:
    for number, asked in enumerate(read_questions(path), start=1):  # as their ids are numbered
        if number % 2 != half or asked.history:
            continue
        language = question_language(asked.question, ())
        for hit in worth_reading(index.search(asked.question, 5)):
            article, text = hit.article, hit.passage.text
            gives_one = not asked.facts or any(holds(text, forms) for forms in asked.facts)
            yield Pair(
                "own", asked.id, asked.question, language, article.title, text, article.language,
                asked.answerable and article.id in asked.articles and gives_one, facts=asked.facts,
                first=hit.rank == 1, source=article.source,
                published=article.published.isoformat() if article.published else None,
            )  # fmt: skip


def _of_rte3(path: Path, half: int) -> Iterator[Pair]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in list(csv.DictReader(file, delimiter="\t"))[half::2]:
            premise, entailed = row["premise"], row["label"] == "0"
            yield Pair(
                "rte3", premise[:80], "Que dit le passage ?", "fr", "", premise, "fr", entailed,
                forced=row["hypothesis"],
            )  # fmt: skip


def of_written(data: Path) -> Iterator[Pair]:
    """Four questions that a passage answers, and four that it nearly does."""
    articles = _written_about(data)
    for row in _json_lines(WRITTEN):
        article = articles[row["set"], row["article"], row.get("article_language")]
        text = article.text[row["start"] : row["end"]]
        if hashlib.sha256(text.encode()).hexdigest()[:12] != row["sha256"]:
            raise SystemExit(f"{row['set']} {row['article']} is not the article that {WRITTEN.name} was written about.")
        marked, published = row.get("marked"), article.published.isoformat() if article.published else None
        name, group = ("piaf.written", text[:80]) if row["set"] == "piaf" else ("written", row["article"])
        yield Pair(
            name, group, row["question"], row["language"], article.title, text, article.language,
            "answer" in row, [text[slice(*marked)]] if marked else [], source=article.source, published=published,
            answer=row.get("answer"),
        )  # fmt: skip


def _written_about(data: Path) -> dict[tuple[str, str, str | None], Article]:
    """By set, name there and, of those in several, language."""
    found: dict[tuple[str, str, str | None], Article] = {}

    def add(
        key: tuple[str, str, str | None], title: str, paragraphs: Sequence[str], language: str, day: str = ""
    ) -> None:
        published = datetime.date.fromisoformat(day[:10]) if day else None
        found[key] = Article(
            id="-", title=title, text="\n\n".join(paragraphs), language=language, source=None, published=published,
            author=None, url=None,
        )  # fmt: skip

    for row in _json_lines(data / "wikinews-fr-100/wikinews_fr.jsonl"):
        add(("wikinews", row["id"], None), row["title"], row["paragraphs"], "fr")
    for row in _json_lines(data / "gum-wikinews-en/gum_news_en.jsonl"):
        paragraphs = [one for one in row["paragraphs"] if isinstance(one, str) and one != row["title"]]
        add(("gum", row["id"], None), row["title"], paragraphs, "en", row["date"])
    for row in _json_lines(data / "ntrex-en-fr-news/ntrex_docs_en_fr.jsonl"):
        for language in ("en", "fr"):
            add(("ntrex", row["doc_id"], language), row[f"{language}_headline"], row[language], language)
    for number, (title, text, _) in enumerate(_squad_paragraphs(data / "piaf/piaf-v1.1.json")):
        add(("piaf", str(number), None), title, [text], "fr")
    return found


def _squad_paragraphs(path: Path) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Title of the article, text, questions."""
    return [
        (article["title"].replace("_", " "), paragraph["context"], paragraph["qas"])
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
    ]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
